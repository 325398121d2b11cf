"""The bytes of a file: its version, facts in JSON, arrays in safetensors, and a digest of all of it."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from skltransfer._utils.types import Array
from skltransfer._version import __version__

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
    seal(file, VERSION, (len(described), len(tensors)), (described, tensors))


def seal(file: IO[bytes], version: int, lengths: Sequence[int], parts: Sequence[bytes]) -> None:
    """Write the version, the lengths of both parts, the parts, and a digest of all of it."""
    found = hashlib.sha256()
    for part in (HEADER.pack(MAGIC, version, *lengths), *parts):
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
        size, header = os.fstat(file.fileno()).st_size, file.read(HEADER.size)
        _check_magic(path, header)
        version, *lengths = HEADER.unpack(header.ljust(HEADER.size, b"\0"))[1:]
        told = HEADER.size + sum(lengths) + DIGEST == size
        parts = [file.read(length) for length in (lengths if told else [max(size - HEADER.size - DIGEST, 0)])]
        digest = file.read()
    found = hashlib.sha256(header)
    for part in parts:
        found.update(part)
    if found.digest() != digest:
        raise ValueError(
            f"{str(path)!r} is damaged: expected the SHA-256 that its last {DIGEST} bytes say. Got another one of its "
            f"{size} bytes. {AGAIN}"
        )
    _check_version(path, version)
    if not told:
        raise ValueError(
            f"{str(path)!r} was changed: expected {sum(lengths)} bytes of facts and arrays. Got "
            f"{size - HEADER.size - DIGEST}. {AGAIN}"
        )
    return _parts(path, *parts)


def _check_magic(path: Path, header: bytes) -> None:
    if not header.startswith(MAGIC):
        raise ValueError(
            f"{str(path)!r} is no file of skltransfer.save: expected one that begins with {MAGIC!r}. Got "
            f"{header[: len(MAGIC)]!r}; of joblib or skops, read it with joblib.load or skops.io.load, and of "
            "skltransfer.export.save, with skltransfer.serve.load."
        )


def _check_version(path: Path, version: int) -> None:
    if version < 1:
        raise ValueError(
            f"{str(path)!r} was changed: expected a format from 1 to {VERSION}. Got format {version}, which no "
            f"skltransfer writes. {AGAIN}"
        )
    if version > VERSION:
        raise ValueError(
            f"{str(path)!r} was written by a newer skltransfer, in format {version}: expected up to {VERSION}, which "
            f"this one, {__version__}, reads. Upgrade skltransfer."
        )


def _parts(path: Path, described: bytes, tensors: bytes) -> tuple[Any, dict[str, Array]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        facts = json.loads(described, parse_constant=_refused)
        return facts, dict(load(tensors))
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError, MemoryError, SafetensorError) as error:
        raise ValueError(
            f"{str(path)!r} was changed: expected JSON and safetensors. Got what cannot be read as such ({error}). "
            f"{AGAIN}"
        ) from error


def _refused(constant: str) -> Any:
    raise ValueError(f"JSON has no {constant}")
