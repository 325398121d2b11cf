"""The state of a training on disk, after each epoch."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skltransfer._keras import backend as _backend
from skltransfer._keras.backend import import_keras
from skltransfer._utils.files import written_whole
from skltransfer._utils.hashing import value_digest
from skltransfer._utils.types import Array
from skltransfer._version import __version__
from skltransfer.backbones._backbone import digest


def training_key(job: Any, callbacks: Any = ()) -> str:
    """Digest of all that decides what a training gives, in hexadecimal: what it trains and how, and by which versions.

    Parameters
    ----------
    job : TrainingJob
        All of its fields count, those of the values in it too.
    callbacks : sequence of (class, dict)
        Classes of the callbacks, and how they are configured.

    Raises
    ------
    ValueError
        If something in them has no content by which it differs from others, so that a state
        of another training might be taken for its own.
    """
    versions = {"skltransfer": __version__, "keras": import_keras().__version__, "backend": _backend.name()}
    try:
        return b"".join(
            value_digest(part, name)
            for name, part in {"versions": versions, "job": job, "callbacks": callbacks}.items()
        ).hex()
    except TypeError as error:
        raise ValueError(
            f"checkpoint: this training cannot be distinguished from others, whose state it might take up. {error} "
            "Pass checkpoint=None, or leave this out."
        ) from error


class Checkpoint:
    """One file that is replaced as a whole, so that it is never half written.

    Parameters
    ----------
    folder : path-like
        Made if it is not there.
    key : str
        What is trained, how, and on what: another key is another file.
    """

    def __init__(self, folder: str | os.PathLike[str], key: str) -> None:
        self.path = Path(folder) / f"{key}.npz"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.remove(tempfile.mkstemp(dir=self.path.parent)[1])
        except OSError as error:
            raise OSError(
                f"checkpoint={str(folder)!r} cannot be written to ({error}). Pass a folder that can, or None."
            ) from error

    def save(self, groups: dict[str, Sequence[Array]], facts: dict[str, Any]) -> None:
        """Replace what is on disk by these arrays and facts."""
        arrays = {f"{group}/{i}": array for group, members in groups.items() for i, array in enumerate(members)}
        told = json.dumps(facts)
        with written_whole(self.path) as file:
            np.savez(file, facts=np.array(told), checksum=np.array(digest(arrays, told)), **arrays)  # type: ignore[arg-type]

    def load(self) -> tuple[dict[str, list[Array]], dict[str, Any]] | None:
        """Return the arrays and facts, or None if there are none that can be read."""
        if not self.path.is_file():
            return None
        try:
            return self._content()
        except Exception as error:  # damaged archives raise whatever comes
            warnings.warn(
                f"The checkpoint {self.path} cannot be read ({error}); training starts again.",
                UserWarning,
                stacklevel=2,
            )
            return None

    def _content(self) -> tuple[dict[str, list[Array]], dict[str, Any]]:
        with self.path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        told, checksum = str(arrays.pop("facts")), str(arrays.pop("checksum"))
        if digest(arrays, told) != checksum:
            raise ValueError("its checksum is not that of its content")
        groups: dict[str, list[Array]] = {}
        for name, array in arrays.items():
            groups.setdefault(name.rpartition("/")[0], []).append(array)
        return groups, json.loads(told)


def is_packable(value: Any) -> bool:
    """Tell whether `pack` can pack a value."""
    if isinstance(value, list | tuple):
        return type(value) in (list, tuple) and all(map(is_packable, value))
    if isinstance(value, dict):
        return all(map(is_packable, (*value, *value.values())))
    if isinstance(value, np.ndarray | np.generic):
        return not value.dtype.hasobject
    return value is None or type(value) in (bool, int, float, str)


def pack(value: Any, arrays: list[Array]) -> Any:
    """Turn plain data into what JSON can hold, and arrays that are appended to ``arrays``.

    Examples
    --------
    >>> arrays = []
    >>> unpack(pack({"best": (0.5, np.zeros(2))}, arrays), arrays)
    {'best': (0.5, array([0., 0.]))}
    """
    if isinstance(value, np.ndarray | np.generic):
        arrays.append(np.asarray(value))
        return {"scalar" if isinstance(value, np.generic) else "array": len(arrays) - 1}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [pack(part, arrays) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[pack(key, arrays), pack(part, arrays)] for key, part in value.items()]}
    return value


def unpack(packed: Any, arrays: Sequence[Array]) -> Any:
    """Undo `pack`."""
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind in ("array", "scalar"):
        return arrays[content] if kind == "array" else arrays[content][()]
    if kind == "dict":
        return {unpack(key, arrays): unpack(part, arrays) for key, part in content}
    parts = [unpack(part, arrays) for part in content]
    return tuple(parts) if kind == "tuple" else parts
