"""How samples lie in an array, so that others can be given back in the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skltransfer._inputs.containers import gathered
from skltransfer._inputs.kind import InputFormat
from skltransfer._utils.types import Array

LUMINANCE = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in what the eye sees as brightness (ITU-R BT.601)."""


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
        return cls(*format.kind.layout(gathered(X), format))

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
