"""Files of one kind, picked out of many by what they hold."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from skltransfer._inputs.signatures import first_bytes, kind_of, what_else
from skltransfer._validation import unknown_name

NOUNS = {"image_files": "a picture", "audio": "a sound", "texts": "a text"}
"""The kinds of samples that files hold, as ``sample_kind`` calls them, and what one is called in a sentence."""

Skipped = list[tuple[str, str]]


class Picked(NamedTuple):
    """The files that are samples.

    Parameters
    ----------
    kind : str
        What they hold; "" if there are none.
    kept : list of int
        Their positions among the files that were looked at.
    data : list of str
        Their paths or, of texts, what they hold.
    skipped : list of (path, reason)
        The others.
    """

    kind: str
    kept: list[int]
    data: list[str]
    skipped: Skipped


def pick(paths: list[str], sample_kind: str | None) -> Picked:
    """Pick the files of one kind.

    Parameters
    ----------
    paths : list of str
        Files; of each, the first bytes are read, and texts as a whole.
    sample_kind : {"image_files", "audio", "texts"} or None
        The kind; None is that of most files.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if sample_kind is not None and sample_kind not in NOUNS:
        raise unknown_name("sample_kind", sample_kind, NOUNS)
    found = [_look(path) for path in paths]
    counts = Counter(kind for kind in found if kind in NOUNS)
    chosen = sample_kind or max(NOUNS, key=lambda kind: counts[kind])
    kept, data, skipped = [], [], []
    for position, (path, kind) in enumerate(zip(paths, found, strict=True)):
        if kind != chosen:
            skipped.append((path, f"{NOUNS[kind]}, not {NOUNS[chosen]}" if kind in NOUNS else kind))
            continue
        if chosen == "texts":
            try:
                path = read_text(path)
            except (OSError, ValueError) as error:
                skipped.append((path, _reason(error)))
                continue
        kept.append(position)
        data.append(path)
    return Picked(chosen if kept else "", kept, data, skipped)


def read_text(path: str) -> str:
    """Read a file of text; a byte order mark is no part of it."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise ValueError("no text in UTF-8") from error


def files_below(folder: str) -> Iterator[str]:
    """Yield the files in a folder and in all below it, sorted, without hidden ones.

    A folder that leads back to one that it is in, by a symbolic link, is not entered again.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    yield from _files_below(folder, frozenset())


def _files_below(folder: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    found = os.stat(folder)
    here = found.st_dev, found.st_ino
    if here in above:
        return
    for name, is_folder in entries(folder):
        path = os.path.join(folder, name)
        if is_folder:
            yield from _files_below(path, above | {here})
        else:
            yield path


def entries(folder: str) -> list[tuple[str, bool]]:
    """List what is in a folder, sorted, and whether it is a folder itself; hidden files are left out.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    with os.scandir(folder) as found:
        return sorted((entry.name, _is_folder(entry)) for entry in found if not entry.name.startswith("."))


def first_reasons(skipped: Iterable[tuple[str, str]], most: int = 3) -> str:
    """Say of some files why they were skipped, in a sentence."""
    every = list(skipped)
    said = "; ".join(f"{path!r}: {reason}" for path, reason in every[:most])
    more = len(every) - most
    return f"{said}; and {more} more" if more > 0 else said


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def _look(path: str) -> str:
    """Return the kind of a file, or why it is of none."""
    try:
        start = first_bytes(path)
    except (OSError, ValueError) as error:
        return _reason(error)
    return kind_of(start) or what_else(start)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
