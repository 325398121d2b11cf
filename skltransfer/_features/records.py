"""Files of features that grow at their end, one record for each time that features are kept.

A record is a head, an index and the features. The head has `MAGIC`, the number of samples, the bytes of index and
features, and a checksum of these and of the index. The index has for each sample its digest and a checksum of its
features, and then the dtype and shape of all of them as JSON.
"""

from __future__ import annotations

import json
import math
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skltransfer._utils.hashing import DIGEST_BYTES, content_hash

Features = NDArray[np.floating]

MAGIC = b"features"
HEAD = struct.Struct("<8s3Q")
ENTRY = struct.Struct(f"<{DIGEST_BYTES}sI")
BUFFER = 2**16


class Alike(NamedTuple):
    """What the samples of a record share."""

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    n_bytes: int


class Place(NamedTuple):
    """Where the features of a sample are."""

    alike: Alike
    start: int
    checksum: int


def append(path: Path, samples: Mapping[bytes, Features]) -> None:
    """Write features at the end of a file, all of them or none.

    Parameters
    ----------
    path : pathlib.Path
        A file that nobody else writes to.
    samples : mapping of bytes to ndarray
        Features by the digest of their sample.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    kinds = {(sample.dtype.str, sample.shape) for sample in samples.values()}
    with path.open("ab") as file:
        start = file.tell()
        try:
            for kind in sorted(kinds):
                alike = {key: value for key, value in samples.items() if (value.dtype.str, value.shape) == kind}
                file.writelines(_record(*kind, alike))
            file.flush()
        except BaseException:
            with suppress(OSError):
                os.truncate(path, start)
                if start == 0:
                    path.unlink()
            raise


def _record(dtype: str, shape: tuple[int, ...], samples: Mapping[bytes, Features]) -> Iterator[bytes]:
    arrays = {digest: np.ascontiguousarray(sample) for digest, sample in samples.items()}
    entries = b"".join(ENTRY.pack(digest, _checksum(digest, array)) for digest, array in arrays.items())
    index = entries + json.dumps({"dtype": dtype, "shape": shape}).encode()
    head = HEAD.pack(MAGIC, len(arrays), len(index), sum(array.nbytes for array in arrays.values()))
    yield from (head, content_hash(head, index), index)
    yield from (array.tobytes() for array in arrays.values())


def look(path: Path, start: int) -> tuple[dict[bytes, Place], int]:
    """Read which features a file has from a place on, and where its last whole record ends.

    What is no whole record ends the look: its writer may not have ended.
    """
    found: dict[bytes, Place] = {}
    with suppress(OSError), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while (record := _next(file, start, size)) is not None:
            n_samples, index, n_bytes = record
            found |= _places(path, n_samples, index, n_bytes, file.tell())
            start = file.tell() + n_bytes
    return found, start


def _next(file: IO[bytes], start: int, size: int) -> tuple[int, bytes, int] | None:
    """Return the number of samples, the index and the bytes of features of the record here, if it is whole."""
    file.seek(start)
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    magic, n_samples, n_index, n_bytes = HEAD.unpack(head)
    if magic != MAGIC or start + HEAD.size + DIGEST_BYTES + n_index + n_bytes > size:
        return None
    checksum, index = file.read(DIGEST_BYTES), file.read(n_index)
    return (n_samples, index, n_bytes) if checksum == content_hash(head, index) else None


def _places(path: Path, n_samples: int, index: bytes, n_bytes: int, start: int) -> dict[bytes, Place]:
    """Say where the features of a record are; none if it says what cannot be."""
    try:
        facts = json.loads(index[n_samples * ENTRY.size :])
        dtype, shape = np.dtype(facts["dtype"]), tuple(facts["shape"])
        each = dtype.itemsize * math.prod(shape)
    except (ValueError, TypeError, KeyError):
        return {}
    lengths = all(type(length) is int and length >= 0 for length in shape)
    if dtype.hasobject or not lengths or n_samples * each != n_bytes:
        return {}
    alike = Alike(path, dtype, shape, each)
    entries = ENTRY.iter_unpack(index[: n_samples * ENTRY.size])
    return {digest: Place(alike, start + i * each, checksum) for i, (digest, checksum) in enumerate(entries)}


def read(places: Mapping[bytes, Place]) -> dict[bytes, Features]:
    """Read features by the digest of their sample; those that are damaged or gone are left out."""
    by_file: dict[Path, list[tuple[int, bytes]]] = {}
    for digest, place in places.items():
        by_file.setdefault(place.alike.path, []).append((place.start, digest))
    found: dict[bytes, Features] = {}
    for path, parts in by_file.items():
        with suppress(OSError), path.open("rb", BUFFER) as file:
            for start, digest in sorted(parts):
                _, dtype, shape, n_bytes = places[digest].alike
                file.seek(start)
                sample = np.empty(shape, dtype)
                complete = file.readinto(_bytes(sample)) == n_bytes  # type: ignore[attr-defined]
                if complete and _checksum(digest, sample) == places[digest].checksum:
                    found[digest] = sample
    return found


def _checksum(digest: bytes, features: Features) -> int:
    return zlib.crc32(_bytes(features), zlib.crc32(digest))


def _bytes(features: Features) -> memoryview:
    return features.reshape(-1).view(np.uint8).data
