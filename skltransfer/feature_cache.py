"""Where features are remembered: in the process, or in a folder that processes share."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import uuid
import warnings
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating]

DIGEST_BYTES = 16


def content_hash(*parts: Any) -> bytes:
    """Digest of 16 bytes that depends on the values, dtypes and shapes of the parts.

    Parameters
    ----------
    *parts : contiguous ndarrays, bytes or str
        What to digest.

    Returns
    -------
    bytes
        The first 16 bytes of a SHA-256.

    Examples
    --------
    >>> import numpy as np
    >>> content_hash(np.zeros(2)) == content_hash(np.zeros(2))
    True
    >>> content_hash(np.zeros(2)) == content_hash(np.zeros(2, dtype="float32"))
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(part.data if part.size else b"")
        else:
            digest.update(part.encode() if isinstance(part, str) else part)
    return digest.digest()[:DIGEST_BYTES]


class ByteLRU:
    """A thread-safe mapping that forgets what was used longest ago once it is full.

    Parameters
    ----------
    max_bytes : int
        Room for the values, in bytes.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.n_bytes = 0
        self._items: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: bytes) -> Any:
        """Return the value, or None if it is not (or no longer) there."""
        with self._lock:
            item = self._items.get(key)
            if item is None:
                return None
            self._items.move_to_end(key)
            return item[0]

    def put(self, key: bytes, value: Any, n_bytes: int) -> None:
        """Remember a value of so many bytes; one that is larger than the room is not kept."""
        with self._lock:
            if key in self._items:
                self.n_bytes -= self._items.pop(key)[1]
            self._items[key] = (value, n_bytes)
            self.n_bytes += n_bytes
            while self.n_bytes > self.max_bytes:
                self.n_bytes -= self._items.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()
            self.n_bytes = 0


class ProcessStore:
    """Features of single rows in this process, at most ``max_bytes`` of them.

    Parameters
    ----------
    max_bytes : int
        Room for features in bytes; the rows used longest ago make place for new ones.
    """

    def __init__(self, max_bytes: int) -> None:
        self._rows = ByteLRU(max_bytes)

    @property
    def max_bytes(self) -> int:
        """Room for features, in bytes."""
        return self._rows.max_bytes

    @max_bytes.setter
    def max_bytes(self, value: int) -> None:
        self._rows.max_bytes = value

    @property
    def n_bytes(self) -> int:
        """Bytes of features held now."""
        return self._rows.n_bytes

    def __len__(self) -> int:
        return len(self._rows)

    def clear(self) -> None:
        """Forget all rows."""
        self._rows.clear()

    def find(self, space: bytes, digests: Sequence[bytes]) -> dict[bytes, Features]:
        """Return the features that are known, by the digest of their row."""
        found = ((digest, self._rows.get(space + digest)) for digest in digests)
        return {digest: row for digest, row in found if row is not None}

    def keep(self, space: bytes, rows: Mapping[bytes, Features]) -> None:
        """Remember rows of features computed by the network that ``space`` names."""
        for digest, row in rows.items():
            self._rows.put(space + digest, row, row.nbytes)


class FolderStore:
    """Features in a folder, shared by processes and machines and kept between runs.

    Each `keep` writes one new file under a name of its own and gives it its final name
    only when it is complete, so writers need no lock and a killed one leaves nothing that
    is ever read. A file that is damaged all the same is passed over: its rows are computed
    again.

    Parameters
    ----------
    folder : path-like
        The folder; it is made on the first write. Delete it to free the space.
    fallback : ProcessStore
        Takes the rows if the folder cannot be written.
    """

    def __init__(self, folder: str | os.PathLike[str], fallback: ProcessStore) -> None:
        self.folder = Path(folder)
        self._fallback = fallback
        self._writable = True
        self._places: dict[bytes, tuple[Path, int]] = {}
        self._seen: set[Path] = set()

    def find(self, space: bytes, digests: Sequence[bytes]) -> dict[bytes, Features]:
        """Return the features that are known, by the digest of their row."""
        if not self._writable:
            return self._fallback.find(space, digests)
        self._look(space)
        by_file: dict[Path, dict[bytes, int]] = {}
        for digest in digests:
            path, position = self._places.get(space + digest, (None, 0))
            if path is not None:
                by_file.setdefault(path, {})[digest] = position
        found: dict[bytes, Features] = {}
        for path, positions in by_file.items():
            features = _read(path, "features")
            if features is None:
                self._forget(path)
            else:
                found |= {digest: features[position].copy() for digest, position in positions.items()}
        return found

    def keep(self, space: bytes, rows: Mapping[bytes, Features]) -> None:
        """Remember rows of features; if the folder cannot be written, warn once and go on."""
        if not self._writable:
            return self._fallback.keep(space, rows)
        try:
            _write(self.folder / space.hex(), rows)
        except OSError as error:
            self._writable = False
            warnings.warn(
                f"memory={str(self.folder)!r} cannot be written ({error.strerror or error}). Features are remembered "
                "in this process only; pass a folder with free space that this user may write.",
                UserWarning,
                stacklevel=2,
            )
            self._fallback.keep(space, rows)

    def _look(self, space: bytes) -> None:
        """Take note of the files that were completed since the last look."""
        try:
            paths = sorted((self.folder / space.hex()).glob("*.npz"))
        except OSError:
            return
        for path in paths:
            if path not in self._seen:
                self._seen.add(path)
                digests = _read(path, "digests")
                for i, row in enumerate(() if digests is None else digests):
                    self._places[space + row.tobytes()] = (path, i)

    def _forget(self, path: Path) -> None:
        self._places = {key: place for key, place in self._places.items() if place[0] != path}


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under its name when it is complete, and not at all if writing fails.

    Parameters
    ----------
    path : pathlib.Path
        In a folder that exists; a file of this name is replaced.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    handle, temporary = tempfile.mkstemp(suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _write(place: Path, rows: Mapping[bytes, Features]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for shape in {row.shape for row in rows.values()}:
        alike = {digest: row for digest, row in rows.items() if row.shape == shape}
        digests = np.frombuffer(b"".join(alike), dtype=np.uint8).reshape(len(alike), DIGEST_BYTES)
        with written_whole(place / f"{uuid.uuid4().hex}.npz") as file:
            np.savez(file, digests=digests, features=np.stack(list(alike.values())))


def _read(path: Path, member: str) -> NDArray[Any] | None:
    """Return one array of a file, or None if the file is gone or damaged."""
    try:
        with path.open("rb") as file:
            return np.asarray(np.load(file, allow_pickle=False)[member])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


process_store = ProcessStore(max_bytes=2**29)
"""Features remembered in this process: 512 MiB, about 100,000 pictures of EfficientNet-Lite0."""

_folder_stores: dict[Path, FolderStore] = {}


def store_for(memory: str | os.PathLike[str] | None) -> ProcessStore | FolderStore:
    """Return where features are remembered: this process, or the folder that ``memory`` names."""
    if memory is None:
        return process_store
    return _folder_stores.setdefault(path := Path(memory).absolute(), FolderStore(path, process_store))
