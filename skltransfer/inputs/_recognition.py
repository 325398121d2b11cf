"""What the user has: a table, arrays of pixels, image files, texts, sounds."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from skltransfer.inputs._formats import Kind
from skltransfer.inputs._pictures import is_path, is_pil

PICTURE_FILES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
SOUND_FILES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64")


def recognise(X: Any, input_shape: tuple[int, ...] | None, sample_rate: float | None = None) -> Kind:
    """Tell what rows are, by looking at the first one that is not missing.

    Parameters
    ----------
    X : array-like, frame, or sequence of strings, paths, PIL images or waveforms
        What the user passed. A string is a path if it ends as those of pictures and sounds
        do, or if there is such a file.
    input_shape : tuple of int or None
        Shape of one picture, if rows are flattened.
    sample_rate : float or None, default=None
        Samples a second, if rows are waveforms.

    Returns
    -------
    {"table", "images", "pictures", "texts", "sounds"}

    Raises
    ------
    ValueError
        If rows of numbers differ in length, and ``sample_rate`` does not say what they are.
    """
    first = _first(X)
    if is_path(first) and os.fspath(first).lower().endswith(SOUND_FILES):
        return "sounds"
    if isinstance(first, str) and not (first.lower().endswith(PICTURE_FILES) or _is_file(first)):
        return "texts"
    if is_path(first) or is_pil(first):
        return "pictures"
    if sample_rate is not None:
        return "sounds"
    array = isinstance(X, np.ndarray) and X.dtype != object
    if input_shape is not None or (X.ndim > 2 if array else np.ndim(first) > 1):
        return "images"
    _check_lengths(X)
    return "table"


def _check_lengths(X: Any) -> None:
    """Raise ValueError if rows of numbers differ in length, as waveforms do."""
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()
    if not isinstance(X, list | tuple) and not (isinstance(X, np.ndarray) and X.dtype == object):
        return
    lengths = [(row, len(x)) for row, x in enumerate(X) if isinstance(x, list | tuple) or np.ndim(x) == 1]
    for row, length in lengths[1:]:
        if length != lengths[0][1]:
            first, expected = lengths[0]
            raise ValueError(
                f"X: expected rows of one length. Row {first} has {expected} values, row {row} has {length}; "
                "if they are waveforms, pass sample_rate=…, how many samples make a second."
            )


def _first(X: Any) -> Any:
    """Return the first row; of one column of objects, the first that is not missing."""
    if hasattr(X, "to_numpy"):
        X = X[:1].to_numpy() if len(getattr(X, "columns", ())) > 1 else X.to_numpy()
    if isinstance(X, np.ndarray) and X.dtype.kind in "OUT" and X.size and (X.ndim == 1 or X.shape[1:] == (1,)):
        X = X.ravel().tolist()
    if isinstance(X, list | tuple) and len(X) and (X[0] is None or isinstance(X[0], float)):
        return next((row for row in X if row is not None and not isinstance(row, float)), X[0])
    return X[0] if isinstance(X, np.ndarray | list | tuple) and len(X) else None


def _is_file(text: str) -> bool:
    try:
        return os.path.isfile(text)
    except ValueError:  # a text with a null character
        return False
