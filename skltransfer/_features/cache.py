"""Where features are remembered: in the process, or in a folder that processes share."""

from __future__ import annotations

import os
import uuid
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from skltransfer._utils.files import written_whole
from skltransfer._utils.hashing import DIGEST_BYTES
from skltransfer._utils.lru import ByteLRU

Features = NDArray[np.floating]


class ProcessStore:
    """Features of single samples in this process, at most ``max_bytes`` of them.

    Parameters
    ----------
    max_bytes : int
        Room for features in bytes; the samples used longest ago make place for new ones.
    """

    def __init__(self, max_bytes: int) -> None:
        self._samples = ByteLRU(max_bytes)

    @property
    def max_bytes(self) -> int:
        """Room for features, in bytes."""
        return self._samples.max_bytes

    @max_bytes.setter
    def max_bytes(self, value: int) -> None:
        self._samples.max_bytes = value

    @property
    def n_bytes(self) -> int:
        """Bytes of features held now."""
        return self._samples.n_bytes

    def __len__(self) -> int:
        return len(self._samples)

    def clear(self) -> None:
        """Forget all samples."""
        self._samples.clear()

    def find(self, space: bytes, digests: Sequence[bytes]) -> dict[bytes, Features]:
        """Return the features that are known, by the digest of their sample."""
        found = ((digest, self._samples.get(space + digest)) for digest in digests)
        return {digest: sample for digest, sample in found if sample is not None}

    def keep(self, space: bytes, samples: Mapping[bytes, Features]) -> None:
        """Remember samples of features computed by the network that ``space`` names."""
        for digest, sample in samples.items():
            self._samples.put(space + digest, sample, sample.nbytes)


class FolderStore:
    """Features in a folder, shared by processes and machines and kept between runs.

    Each `keep` writes one new file under a name of its own and gives it its final name
    only when it is complete, so writers need no lock and a killed one leaves nothing that
    is ever read. A file that is damaged all the same is passed over: its samples are computed
    again.

    Parameters
    ----------
    folder : path-like
        The folder; it is made on the first write. Delete it to free the space.
    fallback : ProcessStore
        Takes the samples if the folder cannot be written.
    """

    def __init__(self, folder: str | os.PathLike[str], fallback: ProcessStore) -> None:
        self.folder = Path(folder)
        self._fallback = fallback
        self._writable = True
        self._places: dict[bytes, tuple[Path, int]] = {}
        self._seen: set[Path] = set()

    def find(self, space: bytes, digests: Sequence[bytes]) -> dict[bytes, Features]:
        """Return the features that are known, by the digest of their sample."""
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

    def keep(self, space: bytes, samples: Mapping[bytes, Features]) -> None:
        """Remember samples of features; if the folder cannot be written, warn once and go on."""
        if not self._writable:
            return self._fallback.keep(space, samples)
        try:
            _write(self.folder / space.hex(), samples)
        except OSError as error:
            self._writable = False
            warnings.warn(
                f"memory={str(self.folder)!r} cannot be written ({error.strerror or error}). Features are remembered "
                "in this process only; pass a folder with free space that this user may write.",
                UserWarning,
                stacklevel=2,
            )
            self._fallback.keep(space, samples)

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
                for i, sample in enumerate(() if digests is None else digests):
                    self._places[space + sample.tobytes()] = (path, i)

    def _forget(self, path: Path) -> None:
        self._places = {key: place for key, place in self._places.items() if place[0] != path}


def _write(place: Path, samples: Mapping[bytes, Features]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for shape in {sample.shape for sample in samples.values()}:
        alike = {digest: sample for digest, sample in samples.items() if sample.shape == shape}
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
"""Features remembered in this process: 512 MiB, about 100,000 images of EfficientNet-Lite0."""

_folder_stores: dict[Path, FolderStore] = {}


def store_for(memory: str | os.PathLike[str] | joblib.Memory | None) -> ProcessStore | FolderStore:
    """Return where features are remembered: this process, or the folder that ``memory`` names."""
    if isinstance(memory, joblib.Memory):
        memory = memory.location
    if memory is None:
        return process_store
    return _folder_stores.setdefault(path := Path(memory).absolute(), FolderStore(path, process_store))
