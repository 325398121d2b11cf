"""Samples as the user has them, for drawing."""

from __future__ import annotations

from typing import Any

from skltransfer._inputs.containers import as_array, stacked
from skltransfer._inputs.image_files import read_image_files
from skltransfer._utils.types import Array


def some_samples(X: Any, positions: Array) -> Any:
    """Return some of the samples that `gathered` gave, as they came."""
    if isinstance(X, list):
        return [X[i] for i in positions.tolist()]
    return X.iloc[positions] if hasattr(X, "iloc") else X[positions]


def image_pixels(chosen: Any, estimator: Any, size: tuple[int, ...]) -> Array:
    """Return samples as arrays of pixels; files and images of many sizes are brought to ``size``."""
    format = estimator.model_.format
    if format.kind.sizes_vary:
        samples = read_image_files(chosen, format.pixel_range, format.deep_range)
        return samples.resized(range(len(samples)), (size[0], size[1]))
    pixels = stacked(chosen, "images") if isinstance(chosen, list) else as_array(chosen)
    return pixels.reshape(-1, *format.shape) if pixels.ndim == 2 else pixels


def pixel_range(estimator: Any) -> tuple[float, float]:
    """Return the pixel values of black and white in the samples of a fitted estimator."""
    return estimator.model_.format.low, estimator.model_.format.high
