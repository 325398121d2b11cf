"""Folders of files as samples."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skltransfer.datasets._files import NOUNS, Skipped, entries, files_below, first_reasons, pick

PARTS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev"}
"""Names of folders that are parts of a data set, and no classes, if all are of these."""


def load_folder(path: str | os.PathLike[str], *, sample_kind: str | None = None) -> Bunch:
    """Load samples from a folder of which each subfolder is a class.

    Files in and below a subfolder are samples of its class: pictures, sounds or texts by what they hold, whatever
    they are called. Where there are several kinds, those of the kind of most files are samples, and the others are
    skipped. Hidden files and folders, whose names begin with a dot, are left out without a word.

    Parameters
    ----------
    path : path-like
        The folder.
    sample_kind : {"image_files", "audio", "texts"} or None, default=None
        Which files are samples; None is the kind of most.

    Returns
    -------
    sklearn.utils.Bunch
        ``data``, a list of what goes to `fit`: paths of pictures and sounds, which are not opened before
        they are needed but for their first bytes, or what files of texts hold; ``target``, an array of names
        of classes; ``target_names``, the classes, sorted; ``filenames``, an array of the paths;
        ``sample_kind``, what the parameter of this name of estimators takes; ``skipped``, a list of
        (path, reason) for all else. Samples are sorted by class and path.

    Raises
    ------
    OSError
        If there is no such folder, or it cannot be read.
    ValueError
        If it has no subfolders, these are parts of a data set such as train and test, or no file can be used.

    See Also
    --------
    sklearn.datasets.load_files : Reads files of texts in such folders.
    load_csv : Samples with their labels in a table.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skltransfer.datasets import load_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, text in [("good", "A wonderful film."), ("bad", "A dull story.")]:
    ...         (Path(folder) / name).mkdir()
    ...         _ = (Path(folder) / name / "1").write_text(text)
    ...     reviews = load_folder(folder)
    >>> reviews.data, reviews.target.tolist(), reviews.sample_kind
    (['A dull story.', 'A wonderful film.'], ['bad', 'good'], 'texts')
    """
    folder = _checked(path)
    inside = entries(folder)
    names = [name for name, is_folder in inside if is_folder]
    _check_classes(folder, names)
    skipped = [(os.path.join(folder, name), "beside the folders of classes") for name, deep in inside if not deep]
    paths: list[str] = []
    classes: list[int] = []
    for code, name in enumerate(names):
        own = list(files_below(os.path.join(folder, name)))
        paths += own
        classes += [code] * len(own)
    picked = pick(paths, sample_kind)
    codes = np.array(classes, dtype=np.intp)[picked.kept]
    skipped += picked.skipped
    present = np.unique(codes).tolist()
    skipped += [
        (os.path.join(folder, name), "a folder without samples") for i, name in enumerate(names) if i not in present
    ]
    if not picked.kept:
        raise ValueError(f"{folder!r}: {_nothing(sample_kind, skipped)}")
    return Bunch(
        data=picked.data,
        target=np.array(names)[codes],
        target_names=[names[code] for code in present],
        filenames=_kept(paths, picked.kept),
        sample_kind=picked.kind,
        skipped=skipped,
    )


def load_unlabeled(paths: Iterable[str | os.PathLike[str]], *, sample_kind: str | None = None) -> Bunch:
    """Load samples without labels from files, and from folders with all that is below them.

    Parameters
    ----------
    paths : iterable of path-like
        Files and folders.
    sample_kind : {"image_files", "audio", "texts"} or None, default=None
        Which files are samples; None is the kind of most.

    Returns
    -------
    sklearn.utils.Bunch
        ``data``, ``filenames``, ``sample_kind`` and ``skipped``, as of `load_folder`; in the order of ``paths``, and
        sorted in each folder.

    Raises
    ------
    OSError
        If there is no such file or folder.
    ValueError
        If no file can be used.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skltransfer.datasets import load_unlabeled
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "review").write_text("A wonderful film.")
    ...     load_unlabeled([folder]).data
    ['A wonderful film.']
    """
    found: list[str] = []
    for path in paths:
        own = os.fspath(path)
        if os.path.isdir(own):
            found += files_below(own)
        elif os.path.lexists(own):
            found.append(own)
        else:
            raise FileNotFoundError(f"{own!r} is missing. Expected a file or a folder; correct the path.")
    picked = pick(found, sample_kind)
    if not picked.kept:
        raise ValueError(_nothing(sample_kind, picked.skipped))
    filenames = _kept(found, picked.kept)
    return Bunch(data=picked.data, filenames=filenames, sample_kind=picked.kind, skipped=picked.skipped)


def _checked(path: str | os.PathLike[str]) -> str:
    folder = os.fspath(path)
    if not os.path.lexists(folder):
        raise FileNotFoundError(f"{folder!r} is missing. Expected a folder of folders, one for each class.")
    if not os.path.isdir(folder):
        raise NotADirectoryError(
            f"{folder!r} is a file. Expected a folder of folders, one for each class; pass the folder that it is in, "
            "or load_csv a table of files and labels."
        )
    return folder


def _check_classes(folder: str, names: list[str]) -> None:
    if not names:
        raise ValueError(
            f"{folder!r} has no folders in it. Expected one for each class; move the files of each class into a folder "
            "of its own, or load_unlabeled them."
        )
    if all(name.lower() in PARTS for name in names):
        raise ValueError(
            f"{folder!r} has the folders {', '.join(names)}, which are parts of a data set. Expected a folder for each "
            f"class; pass one of them, such as {os.path.join(folder, names[0])!r}."
        )
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{folder!r}: the folder {name!r} has a name that is not UTF-8. Rename it.") from error


def _nothing(sample_kind: str | None, skipped: Skipped) -> str:
    expected = NOUNS[sample_kind] if sample_kind else "a picture, sound or text"
    found = f"Skipped {first_reasons(skipped)}" if skipped else "There are no files"
    return f"expected at least one file with {expected}. {found}; add files, or pass another folder."


def _kept(paths: list[str], kept: list[int]) -> Any:
    """Return paths as an array of objects: all of one length would take the room of the longest."""
    filenames = np.empty(len(kept), dtype=object)
    filenames[:] = [paths[position] for position in kept]
    return filenames
