"""The bytes of a file: its version, facts in JSON, arrays in safetensors, and a digest of all of it."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from skltransfer._utils.types import Array

MAGIC = b"\x89skltransfer\r\n\x1a\n"
"""The first bytes. A transfer that changes ends of lines, or clears the eighth bit, is found by them."""

VERSION = 1
"""Version of the format that is written, and the newest that is read."""

HEADER = struct.Struct("<16sQQQ")
"""Magic, version, and how many bytes the facts and the arrays have."""

DIGEST = hashlib.sha256().digest_size
AGAIN = "Write it again with skltransfer.save, or copy it again."


def write(file: IO[bytes], facts: Any, arrays: Mapping[str, Array]) -> None:
    """Write facts and arrays.

    Parameters
    ----------
    file : binary file
        Where they go.
    facts : object
        What JSON can hold.
    arrays : mapping of str to ndarray
        Of numbers, contiguous.
    """
    from safetensors.numpy import save

    described = json.dumps(facts, allow_nan=False, separators=(",", ":")).encode()
    tensors = save(dict(arrays))
    found = hashlib.sha256()
    for part in (HEADER.pack(MAGIC, VERSION, len(described), len(tensors)), described, tensors):
        found.update(part)
        file.write(part)
    file.write(found.digest())


def read(path: Path) -> tuple[Any, dict[str, Array]]:
    """Read what `write` wrote.

    Returns
    -------
    facts : object
        As they were.
    arrays : dict of str to ndarray
        As they were.

    Raises
    ------
    ValueError
        If it is no such file, is damaged or was changed, or is of a newer format.
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ValueError(
                f"{str(path)!r} is no file of skltransfer.save: expected one that begins with {MAGIC!r}. Got another "
                "beginning; of joblib or skops, read it with joblib.load or skops.io.load, and of "
                "skltransfer.export.save, with skltransfer.serve.load."
            )
        content = MAGIC + file.read()
    whole = memoryview(content)
    if len(content) < HEADER.size + DIGEST or hashlib.sha256(whole[:-DIGEST]).digest() != whole[-DIGEST:]:
        raise ValueError(
            f"{str(path)!r} is damaged: expected the SHA-256 that its last {DIGEST} bytes say. Got another one of the "
            f"{len(content)} bytes. {AGAIN}"
        )
    _, version, n_facts, n_arrays = HEADER.unpack_from(content)
    _check_version(path, version)
    if HEADER.size + n_facts + n_arrays + DIGEST != len(content):
        raise ValueError(
            f"{str(path)!r} was changed: expected {n_facts} bytes of facts and {n_arrays} of arrays. Got "
            f"{len(content) - HEADER.size - DIGEST} bytes. {AGAIN}"
        )
    return _parts(path, whole[HEADER.size : -DIGEST], n_facts)


def _check_version(path: Path, version: int) -> None:
    if not 1 <= version <= VERSION:
        from skltransfer._version import __version__

        raise ValueError(
            f"{str(path)!r} was written by a newer skltransfer, in format {version}: expected up to {VERSION}, which "
            f"this one, {__version__}, reads. Upgrade skltransfer."
        )


def _parts(path: Path, content: memoryview, n_facts: int) -> tuple[Any, dict[str, Array]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        facts = json.loads(bytes(content[:n_facts]), parse_constant=_refused)
        return facts, {name: np.asarray(array) for name, array in load(bytes(content[n_facts:])).items()}
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError, MemoryError, SafetensorError) as error:
        raise ValueError(
            f"{str(path)!r} was changed: expected JSON and safetensors. Got what cannot be read as such ({error}). "
            f"{AGAIN}"
        ) from error


def _refused(constant: str) -> Any:
    raise ValueError(f"JSON has no {constant}")
