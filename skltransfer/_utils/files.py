"""Files that are written whole or not at all."""

from __future__ import annotations

import glob
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

ABANDONED = 3600.0
"""Seconds after which an unfinished file has no writer any more."""


def check_folder(path: Path) -> None:
    """Raise FileNotFoundError if the folder of a file that is to be written does not exist."""
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"{os.fspath(path)!r} cannot be written: expected a folder that exists. Got {os.fspath(path.parent)!r}; "
            "create it first, or pass another path."
        )


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
    check_folder(path)
    _remove_abandoned(path)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _remove_abandoned(path: Path) -> None:
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError):  # another writer may be removing it
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink()
