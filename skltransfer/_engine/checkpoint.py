"""The state of a training on disk, after each epoch."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skltransfer._utils.files import written_whole
from skltransfer._utils.types import Array


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
        with written_whole(self.path) as file:
            np.savez(file, facts=np.array(json.dumps(facts)), **arrays)  # type: ignore[arg-type]

    def load(self) -> tuple[dict[str, list[Array]], dict[str, Any]] | None:
        """Return the arrays and facts, or None if there are none that can be read."""
        if not self.path.exists():
            return None
        try:
            with self.path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                groups: dict[str, list[Array]] = {}
                for name in file.files:
                    if name != "facts":
                        groups.setdefault(name.rpartition("/")[0], []).append(file[name])
                return groups, json.loads(str(file["facts"]))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            warnings.warn(
                f"The checkpoint {self.path} cannot be read ({error}); training starts again.",
                UserWarning,
                stacklevel=2,
            )
            return None
