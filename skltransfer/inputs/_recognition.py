"""What the user has: a table, arrays of pixels, image files."""

from __future__ import annotations

from typing import Any

import numpy as np

from skltransfer.inputs._formats import Kind
from skltransfer.inputs._pictures import is_path, is_pil


def recognise(X: Any, input_shape: tuple[int, ...] | None) -> Kind:
    """Tell a table from arrays of pixels and from pictures, by looking at the first row.

    Parameters
    ----------
    X : array-like, frame, or sequence of paths or PIL images
        What the user passed.
    input_shape : tuple of int or None
        Shape of one picture, if rows are flattened.

    Returns
    -------
    {"table", "images", "pictures"}
    """
    first = _first(X)
    if is_path(first) or is_pil(first):
        return "pictures"
    array = isinstance(X, np.ndarray) and X.dtype != object
    if input_shape is not None or (X.ndim > 2 if array else np.ndim(first) > 1):
        return "images"
    return "table"


def _first(X: Any) -> Any:
    if hasattr(X, "iloc"):
        X = X.iloc[:1].to_numpy()
    elif hasattr(X, "to_numpy"):
        X = X[:1].to_numpy()
    if isinstance(X, np.ndarray) and X.dtype == object and X.size and (X.ndim == 1 or X.shape[1:] == (1,)):
        return X.ravel()[0]
    if isinstance(X, np.ndarray | list | tuple) and len(X):
        return X[0]
    return None
