"""Tables of paths, texts or numbers as samples."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skltransfer._inputs.paths import AUDIO_SUFFIXES, IMAGE_SUFFIXES
from skltransfer._keras.optional import import_optional
from skltransfer._validation import unknown_name
from skltransfer.datasets._files import first_reasons, pick

DELIMITERS = ",;\t|"
Row = tuple[int, list[str]]
"""The line on which a row ends, and its cells."""


def load_csv(
    path: str | os.PathLike[str],
    *,
    column: str | Sequence[str] | None = None,
    target: str | None = None,
    as_frame: bool = False,
) -> Bunch:
    r"""Load samples and their labels from a CSV file with a line of names.

    Parameters
    ----------
    path : path-like
        The file, in UTF-8; cells are separated by whichever of comma, semicolon, tab and bar the first line has most.
    column : str, list of str or None, default=None
        Where the samples are: a column of paths, which are relative to the folder of the CSV file, or of texts; or one
        or several columns of numbers. None is all but ``target``.
    target : str or None, default=None
        The column of labels or values; None is none.
    as_frame : bool, default=False
        Whether columns of numbers come as a pandas frame, whose names estimators remember as ``feature_names_in_``.

    Returns
    -------
    sklearn.utils.Bunch
        ``data``, what goes to `fit`: a list of paths or texts, or an array or frame of shape (n_samples, n_columns);
        ``sample_kind``, what the parameter of this name of estimators takes; ``filenames``, the paths, or None;
        ``skipped``, a list of (path, reason) for files that are no samples, as of `load_folder`; with numbers,
        ``feature_names``; and with ``target``, ``target``, an array of names, integers or floats, and
        ``target_names``, its classes, or None if it has floats.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ImportError
        If numbers are wanted as a frame, and pandas is not installed.
    ValueError
        If a column or a cell is missing, a row has too many cells or too few, a path leads nowhere, or numbers stand
        beside other cells; the message names the lines.

    See Also
    --------
    load_folder : Samples of which each class is a folder.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skltransfer.datasets import load_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = Path(folder) / "reviews.csv"
    ...     _ = table.write_text("text,stars\nA wonderful film.,5\nA dull story.,2\n")
    ...     reviews = load_csv(table, target="stars")
    >>> reviews.data, reviews.target.tolist(), reviews.sample_kind
    (['A wonderful film.', 'A dull story.'], [5, 2], 'texts')
    """
    file = os.fspath(path)
    names, rows = _read(file)
    columns = _columns(names, column, target)
    cells = [[_cell(file, row, names, name) for row in rows] for name in columns]
    numbers = _numbers(file, rows, columns, cells)
    if numbers is not None:
        data = _framed(numbers, columns) if as_frame else numbers
        loaded = Bunch(data=data, sample_kind="table", feature_names=columns, filenames=None, skipped=[])
        kept = list(range(len(rows)))
    else:
        loaded, kept = _files_or_texts(file, rows, cells[0])
    if target is not None:
        read = np.array([_cell(file, row, names, target) for row in rows])
        loaded.target = _as_numbers(read)[kept]
        is_values = loaded.target.dtype.kind == "f"
        loaded.target_names = None if is_values else np.unique(loaded.target).tolist()
    return loaded


def _read(file: str) -> tuple[list[str], list[Row]]:
    """Read the names of the columns, and the rows."""
    try:
        with open(file, encoding="utf-8-sig", newline="") as opened:
            first = opened.readline()
            opened.seek(0)
            reader = csv.reader(opened, delimiter=max(DELIMITERS, key=first.count), strict=True)
            rows = [(reader.line_num, row) for row in reader if row]
    except UnicodeDecodeError as error:
        raise ValueError(f"{file!r} is not in UTF-8 ({error.reason}). Save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise ValueError(f"{file!r}, line {reader.line_num}: {error}. Expected CSV; repair that line.") from error
    if len(rows) < 2:
        raise ValueError(f"{file!r} has no rows. Expected a line of names, and a line for each sample.")
    names = [name.strip() for name in rows[0][1]]
    if len(set(names)) < len(names):
        raise ValueError(f"{file!r} has two columns of one name. Expected names that differ. Got {', '.join(names)}.")
    for line, row in rows[1:]:
        if len(row) != len(names):
            raise ValueError(
                f"{file!r}, line {line}: expected {len(names)} cells, as in the first line. Got {len(row)}; put cells "
                "that hold the separator into quotes."
            )
    return names, rows[1:]


def _columns(names: list[str], column: str | Sequence[str] | None, target: str | None) -> list[str]:
    chosen = [column] if isinstance(column, str) else list(column or [])
    for parameter, name in [("target", target), *(("column", name) for name in chosen)]:
        if name is not None and name not in names:
            raise unknown_name(parameter, name, names)
    if target in chosen:
        raise ValueError(f"column: expected columns of samples. Got {target!r}, which is the target; pass another one.")
    chosen = chosen or [name for name in names if name != target]
    if not chosen:
        raise ValueError(f"column: expected a column beside the target. The only one is {target!r}; add the samples.")
    return chosen


def _cell(file: str, row: Row, names: list[str], name: str) -> str:
    line, cells = row
    cell = cells[names.index(name)]
    if not cell.strip():
        raise ValueError(f"{file!r}, line {line}: {name!r} is empty. Fill it, or remove the line.")
    return cell


def _numbers(file: str, rows: list[Row], columns: list[str], cells: list[list[str]]) -> Any:
    """Return columns of numbers as an array; None for a single column of other cells."""
    read = [_as_numbers(np.array(column)) for column in cells]
    others = [place for place, column in enumerate(read) if column.dtype.kind == "U"]
    if not others:
        return np.column_stack([column.astype(np.float64) for column in read])
    if len(columns) == 1:
        return None
    place = others[0]
    worst = next(i for i, cell in enumerate(cells[place]) if _as_numbers(np.array([cell])).dtype.kind == "U")
    raise ValueError(
        f"{file!r}, line {rows[worst][0]}: {columns[place]!r} is {cells[place][worst][:60]!r}. Expected numbers in all "
        f"of the columns {', '.join(columns)}; pass column=…, the one of paths or texts, or those of numbers."
    )


def _framed(numbers: Any, columns: list[str]) -> Any:
    pandas = import_optional("pandas", extra="table", purpose="A table with names of columns")
    return pandas.DataFrame(numbers, columns=columns)


def _as_numbers(cells: Any) -> Any:
    """Return strings as integers or floats, if all are; NaN and infinity are none."""
    for kind in (np.int64, np.float64):
        try:
            numbers = cells.astype(kind)
        except (ValueError, OverflowError):
            continue
        if np.isfinite(numbers).all():
            return numbers
    return cells


def _files_or_texts(file: str, rows: list[Row], cells: list[str]) -> tuple[Bunch, list[int]]:
    """Return a column of paths or of texts, and which of its rows are samples."""
    folder = os.path.dirname(file)
    paths = [os.path.join(folder, cell) for cell in cells]
    lost = [place for place, path in enumerate(paths) if not _is_file(path)]
    if len(lost) == len(paths) and not _look_like_paths(cells):
        texts = Bunch(data=cells, sample_kind="texts", filenames=None, skipped=[])
        return texts, list(range(len(cells)))
    if lost:
        lines = ", ".join(str(rows[place][0]) for place in lost[:5]) + (", …" if len(lost) > 5 else "")
        raise ValueError(
            f"{file!r}: {len(lost)} of {len(paths)} files are missing, such as {paths[lost[0]]!r} (lines {lines}). "
            "Expected paths relative to the folder of the CSV file; correct them, or remove the lines."
        )
    picked = pick(paths, None)
    if not picked.kept:
        raise ValueError(
            f"{file!r}: expected at least one file with a picture, sound or text. Skipped "
            f"{first_reasons(picked.skipped)}."
        )
    filenames = np.array([paths[place] for place in picked.kept], dtype=object)
    found = Bunch(data=picked.data, sample_kind=picked.kind, filenames=filenames, skipped=picked.skipped)
    return found, picked.kept


def _look_like_paths(cells: list[str]) -> bool:
    return all(cell.lower().endswith(IMAGE_SUFFIXES + AUDIO_SUFFIXES) for cell in cells)


def _is_file(path: str) -> bool:
    try:
        return os.path.isfile(path)
    except ValueError:  # a null character
        return False
