"""What one sample is, and how samples lie in an array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from skltransfer._utils.types import Array

Kind = Literal["table", "sequences", "image_arrays", "image_files", "texts", "audio"]

LUMINANCE = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in what the eye sees as brightness (ITU-R BT.601)."""


@dataclass(frozen=True)
class InputFormat:
    """What one sample is, as `fit` saw it.

    Parameters
    ----------
    kind : {"table", "sequences", "image_arrays", "image_files", "texts", "audio"}
        Samples of numbers, equally long series of them, arrays of pixels, image files and PIL
        images, strings, or waveforms and sound files.
    shape : tuple of int
        ``(columns,)`` of a table, ``(steps, channels)`` of sequences, ``(height, width,
        channels)`` of images; images have sizes of their own and are read as ``(0, 0,
        3)``; texts have no shape; sounds have that of their image, ``(bands, times, 1)``.
    low, high : float, default=0 and 255
        Pixel values of black and white.
    pixel_range : tuple of (black, white) or None, default=None
        What the user said they are.
    deep_range : tuple of (black, white) or None, default=None
        What `fit` learned they are in image files of more than 8 bits.
    """

    kind: Kind
    shape: tuple[int, ...]
    low: float = 0.0
    high: float = 255.0
    pixel_range: tuple[float, float] | None = None
    deep_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Layout:
    """How samples lie in an array, so that others can be given back in the same way.

    Parameters
    ----------
    shape : tuple of int
        Of one sample, as the user passed it.
    dtype : str
        Of the values.
    """

    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, X: Any, format: InputFormat) -> Layout:
        """Look at an array, a frame or a list."""
        if format.kind == "image_files":
            return cls((), "uint8")
        if format.kind == "sequences":
            return cls(format.shape, "float32")
        values = X.to_numpy() if hasattr(X, "to_numpy") else np.asarray(X)
        known = values.dtype.kind == "f" and values.dtype.itemsize in (4, 8)
        if format.kind == "table":
            return cls(format.shape, str(values.dtype) if known else "float64")
        return cls(values.shape[1:], str(values.dtype))

    def pixels(self, decoded: Array, format: InputFormat) -> Array:
        """Turn pixels from 0 to 1 of shape (n, height, width, channels) into samples of this layout."""
        from keras import ops

        x = np.clip(decoded, 0.0, 1.0)
        shape = format.shape if self.shape else x.shape[1:]
        if x.shape[1:3] != shape[:2]:
            smaller = shape[0] < x.shape[1] or shape[1] < x.shape[2]
            resized = ops.image.resize(x, shape[:2], interpolation="bilinear", antialias=smaller)
            x = np.clip(ops.convert_to_numpy(resized), 0.0, 1.0)
        if x.shape[3] > shape[2]:
            x = (x * np.array(LUMINANCE, x.dtype)).sum(axis=3, keepdims=True)
        x = np.broadcast_to(x, (*x.shape[:3], shape[2])) * (format.high - format.low) + format.low
        if not np.issubdtype(self.dtype, np.floating):
            x = np.rint(x)
        return x.reshape(-1, *(self.shape or shape)).astype(self.dtype)
