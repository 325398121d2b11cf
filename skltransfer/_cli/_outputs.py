"""What commands say and write."""

from __future__ import annotations

import csv
import errno
import io
import os
import stat
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from skltransfer._utils.files import check_folder, written_whole

REMEDIES = {
    errno.ENOSPC: "Free some space, or pass another path.",
    errno.EDQUOT: "Free some space, or pass another path.",
    errno.EFBIG: "Pass a path where files may be larger.",
    errno.EACCES: "Change its permissions, or pass another path.",
    errno.EPERM: "Change its permissions, or pass another path.",
    errno.EROFS: "Pass a path where files can be written.",
    errno.ENOENT: "Correct the path.",
    errno.ENOTDIR: "Correct the path.",
    errno.ENAMETOOLONG: "Pass a shorter name.",
}


def in_one_line(error: BaseException) -> str:
    """Say in a line what went wrong, and what to do."""
    said = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        name = f"{os.fsdecode(error.filename)!r}: " if isinstance(error.filename, str | bytes) else ""
        said = f"{name}{error.strerror}. {REMEDIES.get(error.errno, '')}"
    elif isinstance(error, MemoryError):
        said = "There is not enough memory. Pass fewer or smaller samples."
    return " ".join(said.split())


def say(*parts: str) -> None:
    """Say what is done, on stderr: stdout has what was asked for."""
    print(*parts, file=sys.stderr, flush=True)


def say_skipped(skipped: Sequence[tuple[str, str]], most: int = 5) -> None:
    """Name the first files that were skipped."""
    for path, reason in skipped[:most]:
        say(f"Skipped {path!r}: {reason}.")
    if len(skipped) > most:
        say(f"Skipped {len(skipped) - most} more.")


def check_output(path: Path | None, *inputs: str | os.PathLike[str]) -> None:
    """Raise OSError or ValueError, before any work starts, if a file cannot be written there.

    Parameters
    ----------
    path : pathlib.Path or None
        The file; None is none.
    *inputs : path-like
        What is read, which a result must not replace.
    """
    if path is None:
        return
    check_folder(path)
    name = os.fspath(path)
    if path.exists():
        if not stat.S_ISREG(path.stat().st_mode):
            what = "a folder" if path.is_dir() else "no ordinary file"
            raise ValueError(f"{name!r} cannot be written: it is {what}. Pass the path of a file.")
        if any(os.path.exists(each) and os.path.samefile(path, each) for each in inputs):
            raise ValueError(f"{name!r} is both read and written. Pass another path for the result.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise PermissionError(
            f"{name!r} cannot be written: there is no permission to write to {os.fspath(path.parent)!r}. Pass another "
            "path."
        )


def write_rows(path: Path | None, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows to a CSV file, as a whole, or to stdout, separated by tabs."""
    if path is None:
        csv.writer(sys.stdout, delimiter="\t", lineterminator="\n").writerows(rows)
        return
    with written_whole(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
        csv.writer(text).writerows(rows)
        text.flush()
        text.detach()


def share_with_interval(n_right: int, n: int) -> str:
    """Say a share with Wilson's interval."""
    from scipy.stats import binomtest

    interval = binomtest(n_right, n).proportion_ci(method="wilson")
    return f"{n_right / n:.3f} (95 % interval {interval.low:.3f} to {interval.high:.3f}; {n_right} of {n} right)"
