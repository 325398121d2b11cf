"""Files that are written whole or not at all."""

from __future__ import annotations

import glob
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

ABANDONED = 3600.0
"""Seconds after which an unfinished file has no writer any more."""


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under its name when it is complete, and not at all if writing fails.

    Parameters
    ----------
    path : pathlib.Path
        In a folder that exists; a file of this name is replaced, and what killed writers of it left is removed.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    _remove_abandoned(path)
    handle, temporary = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _remove_abandoned(path: Path) -> None:
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError):  # another writer may be removing it
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink()
