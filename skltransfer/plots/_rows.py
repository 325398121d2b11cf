"""Rows as the user has them, for drawing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer.inputs import learn_range, picture_rows

Array = NDArray[Any]


def some_rows(X: Any, positions: Array) -> Any:
    """Return the rows at these positions, as they came."""
    chosen = X.iloc[positions] if hasattr(X, "iloc") else [X[i] for i in positions.tolist()]
    return np.stack(chosen) if isinstance(X, np.ndarray) and X.dtype != object else chosen


def picture_pixels(chosen: Any, input_shape: Any, size: tuple[int, ...]) -> Array:
    """Return rows as arrays of pixels; files and images of many sizes are brought to ``size``."""
    first = chosen[0] if isinstance(chosen, list | np.ndarray) else chosen.iloc[0]
    if isinstance(first, np.ndarray) and first.ndim > 1:
        return np.asarray(chosen)
    if input_shape is not None:
        return np.asarray(chosen).reshape(-1, *input_shape)
    rows = picture_rows(chosen)
    return rows.resized(range(len(rows)), (size[0], size[1]))


def pixel_range(X: Any, kind: str) -> tuple[float, float]:
    """Return the pixel values of black and white in these rows."""
    return (0.0, 255.0) if kind == "pictures" else learn_range(np.asarray(X))
