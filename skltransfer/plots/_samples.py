"""Samples as the user has them, for drawing."""

from __future__ import annotations

from typing import Any

import numpy as np

from skltransfer._inputs.image_files import read_image_files
from skltransfer._utils.types import Array


def some_samples(X: Any, positions: Array) -> Any:
    """Return the samples at these positions, as they came."""
    chosen = X.iloc[positions] if hasattr(X, "iloc") else [X[i] for i in positions.tolist()]
    return np.stack(chosen) if isinstance(X, np.ndarray) and X.dtype != object else chosen


def image_pixels(chosen: Any, estimator: Any, size: tuple[int, ...]) -> Array:
    """Return samples as arrays of pixels; files and images of many sizes are brought to ``size``."""
    first = chosen[0] if isinstance(chosen, list | np.ndarray) else chosen.iloc[0]
    if isinstance(first, np.ndarray) and first.ndim > 1:
        return np.asarray(chosen)
    if estimator.input_shape is not None:
        return np.asarray(chosen).reshape(-1, *estimator.input_shape)
    samples = read_image_files(chosen, estimator._format.pixel_range, estimator._format.deep_range)
    return samples.resized(range(len(samples)), (size[0], size[1]))


def pixel_range(estimator: Any) -> tuple[float, float]:
    """Return the pixel values of black and white in the samples of a fitted estimator."""
    return estimator._format.low, estimator._format.high
