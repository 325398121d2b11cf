"""What the user has: a table, arrays of pixels, image files, texts."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from skltransfer.inputs._formats import Kind
from skltransfer.inputs._pictures import is_path, is_pil

PICTURE_FILES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


def recognise(X: Any, input_shape: tuple[int, ...] | None) -> Kind:
    """Tell what rows are, by looking at the first one that is not missing.

    Parameters
    ----------
    X : array-like, frame, or sequence of strings, paths or PIL images
        What the user passed. A string is a path if it ends as those of pictures do, or if
        there is such a file.
    input_shape : tuple of int or None
        Shape of one picture, if rows are flattened.

    Returns
    -------
    {"table", "images", "pictures", "texts"}
    """
    first = _first(X)
    if isinstance(first, str) and not (first.lower().endswith(PICTURE_FILES) or _is_file(first)):
        return "texts"
    if is_path(first) or is_pil(first):
        return "pictures"
    array = isinstance(X, np.ndarray) and X.dtype != object
    if input_shape is not None or (X.ndim > 2 if array else np.ndim(first) > 1):
        return "images"
    return "table"


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
