"""Files that hold samples: of which kind they are, and whether they stay as they are."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
"""What a path may lead to that is not a file; opening some of them waits for ever."""


class FilesInUse:
    """Files as they were when they were first looked at.

    Parameters
    ----------
    what : str
        What they hold, for an error sentence: ``"an image"``.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._states: dict[str, tuple[int, int, int]] = {}

    @contextmanager
    def reading(self, path: Any, position: int) -> Iterator[None]:
        """Read a file of which nothing may change, from the first time on that this is asked for.

        Raises
        ------
        ValueError
            If the path leads to no file, or the file has changed; the message names it and its sample.
        """
        self._check(path, position)
        try:
            yield
        finally:  # a file that is being written to looks damaged
            self._check(path, position)

    def _check(self, path: Any, position: int) -> None:
        name = f"X: sample {position}, {str(path)!r},"
        try:
            found = os.stat(path)
        except FileNotFoundError as error:
            raise ValueError(f"{name} is missing. Expected the path of {self.what} file.") from error
        except (OSError, ValueError) as error:
            raise ValueError(f"{name} cannot be opened ({error}). Replace the file or drop the sample.") from error
        if not stat.S_ISREG(found.st_mode):
            kind = KINDS.get(stat.S_IFMT(found.st_mode), "no file")
            raise ValueError(f"{name} is not {self.what} file but {kind}. Pass a path to a file or drop the sample.")
        state = found.st_size, found.st_mtime_ns, found.st_ino
        if self._states.setdefault(os.fspath(path), state) != state:
            raise ValueError(
                f"{name} changed while it was in use. Expected files to stay as they are until a call returns; run "
                "fit, or the method that was called, again."
            )
