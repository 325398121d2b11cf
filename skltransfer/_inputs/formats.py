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

        return self.stored(ops.convert_to_numpy(self.in_range(ops.convert_to_tensor(decoded), format)), format)

    def in_range(self, x: Any, format: InputFormat) -> Any:
        """Bring a tensor of pixels from 0 to 1 to the size, the channels and the range of samples."""
        from keras import ops

        x = ops.clip(x, 0.0, 1.0)
        shape = format.shape if self.shape else tuple(x.shape[1:])
        if tuple(x.shape[1:3]) != shape[:2]:
            smaller = shape[0] < x.shape[1] or shape[1] < x.shape[2]
            x = ops.clip(ops.image.resize(x, shape[:2], interpolation="bilinear", antialias=smaller), 0.0, 1.0)
        if x.shape[3] > shape[2]:
            x = ops.sum(x * ops.convert_to_tensor(LUMINANCE, x.dtype), axis=3, keepdims=True)
        if x.shape[3] < shape[2]:
            x = ops.repeat(x, shape[2], axis=3)
        return x * (format.high - format.low) + format.low

    def stored(self, values: Array, format: InputFormat) -> Array:
        """Lay decoded samples out, and keep them in the dtype of samples."""
        if format.kind.is_image and not np.issubdtype(self.dtype, np.floating):
            values = np.rint(values)
        return values.reshape(-1, *(self.shape or values.shape[1:])).astype(self.dtype, copy=False)
