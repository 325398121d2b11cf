"""Protocol buffers whose last field is a digest of all before it, so that damage is found before they are read."""

from __future__ import annotations

import hashlib

KEY = b"skltransfer.sha256"
"""Name of the property of an ONNX model that holds the digest."""

LENGTH = 64
"""Hexadecimal digits of a SHA-256."""

_ENTRY = b"\x0a" + bytes([len(KEY)]) + KEY + b"\x12" + bytes([LENGTH])
_FIELD = b"\x72" + bytes([len(_ENTRY) + LENGTH]) + _ENTRY
"""Begin of the field: number 14 of a ModelProto is its ``metadata_props``, and their fields may stand anywhere."""


def sealed(model: bytes) -> bytes:
    """Append a digest to a serialized ONNX model, which stays one.

    Examples
    --------
    >>> is_sealed(sealed(b"a model")), is_sealed(sealed(b"a model").replace(b"d", b"D"))
    (True, False)
    """
    return model + _FIELD + hashlib.sha256(model).hexdigest().encode()


def is_sealed(data: bytes) -> bool:
    """Tell whether the digest at the end of a file is that of all before it."""
    end = len(data) - LENGTH
    begin = end - len(_FIELD)
    if begin < 0 or data[begin:end] != _FIELD:
        return False
    return hashlib.sha256(memoryview(data)[:begin]).hexdigest().encode() == data[end:]
