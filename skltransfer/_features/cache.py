"""Where features are cached: in the process, or in a folder that processes share."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import joblib
import numpy as np

from skltransfer._features.records import Features, Place, append, look, read
from skltransfer._utils.lru import ENTRY_BYTES, ByteLRU


class ProcessStore:
    """Features of single samples in this process, at most ``max_bytes`` of them.

    Parameters
    ----------
    max_bytes : int
        Room for features and for what each entry takes beside them, in bytes; the samples used longest ago make place
        for new ones.
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
        """Bytes held now."""
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

    def has_room(self, n_samples: int, n_bytes: int) -> bool:
        """Whether so many samples of so many bytes fit in: of more, each would be forgotten before it is asked for."""
        return n_samples * (n_bytes + ENTRY_BYTES) <= self.max_bytes

    def keep(self, space: bytes, samples: Mapping[bytes, Features]) -> None:
        """Keep features of samples, computed by the network that ``space`` names."""
        for digest, sample in samples.items():
            alone = np.array(sample)  # a part of a batch would keep all of it
            self._samples.put(space + digest, alone, alone.nbytes)


class FolderStore:
    """Features in a folder, shared by processes and machines and kept between runs.

    Each store appends to a file of its own, so writers need no lock. What a killed writer leaves unfinished at the
    end of its file is never read, and features that are damaged all the same are computed again.

    Parameters
    ----------
    folder : path-like
        The folder; it is made on the first write. Delete it to free the space.
    fallback : ProcessStore
        Takes samples while the folder cannot be written.
    """

    def __init__(self, folder: str | os.PathLike[str], fallback: ProcessStore) -> None:
        self.folder = Path(folder)
        self._fallback = fallback
        self._name = ""
        self._failed = self._warned = False
        self._places: dict[bytes, Place] = {}
        self._read_to: dict[Path, int] = {}

    def find(self, space: bytes, digests: Sequence[bytes]) -> dict[bytes, Features]:
        """Return the features that are known, by the digest of their sample."""
        self._look(space)
        places = {digest: self._places.get(space + digest) for digest in digests}
        found = read({digest: place for digest, place in places.items() if place is not None})
        if self._failed:
            found |= self._fallback.find(space, [digest for digest in digests if digest not in found])
        return found

    def has_room(self, n_samples: int, n_bytes: int) -> bool:
        """Whether so many samples fit in: a folder takes any number."""
        return True

    def keep(self, space: bytes, samples: Mapping[bytes, Features]) -> None:
        """Keep features of samples; while the folder cannot be written, warn once and go on."""
        try:
            place = self.folder / space.hex()
            place.mkdir(parents=True, exist_ok=True)
            append(place / self._own_name(), samples)
            self._warned = False
        except OSError as error:
            self._fallback.keep(space, samples)
            self._warn(error)
        except BaseException:
            self._name = ""  # what it has of this call is the end of the file that it began
            raise

    def _own_name(self) -> str:
        """Name a file that no other process writes to, not even a forked one."""
        if self._name.partition("-")[0] != str(os.getpid()):
            self._name = f"{os.getpid()}-{uuid.uuid4().hex}.features"
        return self._name

    def _warn(self, error: OSError) -> None:
        self._name, self._failed = "", True
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"memory={str(self.folder)!r} cannot be written ({error.strerror or error}). Features are cached "
                "in this process only, until it can; pass a folder with free space that this user may write.",
                UserWarning,
                stacklevel=3,
            )

    def _look(self, space: bytes) -> None:
        """Take note of what was written since the last look."""
        try:
            paths = [Path(entry.path) for entry in os.scandir(self.folder / space.hex()) if entry.is_file()]
        except OSError:
            return
        for path in sorted(paths):
            new, self._read_to[path] = look(path, self._read_to.get(path, 0))
            self._places |= {space + digest: place for digest, place in new.items()}


process_store = ProcessStore(max_bytes=2**29)
"""Features cached in this process: 512 MiB, about 16,000 images of EfficientNet-Lite0 with all of its blocks."""

_folder_stores: dict[Path, FolderStore] = {}


def store_for(memory: str | os.PathLike[str] | joblib.Memory | None) -> ProcessStore | FolderStore:
    """Return where features are cached: this process, or the folder that ``memory`` names."""
    if isinstance(memory, joblib.Memory):
        memory = memory.location
    if memory is None:
        return process_store
    return _folder_stores.setdefault(path := Path(memory).absolute(), FolderStore(path, process_store))
