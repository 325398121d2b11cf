"""Protocol buffers whose last field is a digest of all before it, so that damage is found before they are read."""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

KEY = b"skltransfer.sha256"
"""Name of the property of an ONNX model that holds the digest."""

LENGTH = 64
"""Hexadecimal digits of a SHA-256."""

_ENTRY = b"\x0a" + bytes([len(KEY)]) + KEY + b"\x12" + bytes([LENGTH])
_FIELD = b"\x72" + bytes([len(_ENTRY) + LENGTH]) + _ENTRY
"""Begin of the field: number 14 of a ModelProto is its ``metadata_props``, and their fields may stand anywhere."""


BLOCK = 2**20
"""Bytes that are read at a time."""


def sealed(model: bytes) -> bytes:
    """Append a digest to a serialized ONNX model, which stays one.

    Examples
    --------
    >>> import io
    >>> model = sealed(b"a model")
    >>> is_sealed(io.BytesIO(model)), is_sealed(io.BytesIO(model.replace(b"d", b"D")))
    (True, False)
    """
    return model + _FIELD + hashlib.sha256(model).hexdigest().encode()


def is_sealed(file: BinaryIO) -> bool:
    """Tell whether the digest at the end of a file is that of all before it."""
    begin = file.seek(0, os.SEEK_END) - len(_FIELD) - LENGTH
    if begin < 0:
        return False
    file.seek(0)
    digest = hashlib.sha256()
    for start in range(0, begin, BLOCK):
        digest.update(file.read(min(BLOCK, begin - start)))
    return file.read() == _FIELD + digest.hexdigest().encode()
