"""Arrays of pixels: their shape, the range of their values, and how a network takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skltransfer._inputs.formats import LUMINANCE, InputFormat
from skltransfer._utils.types import Array

KNOWN_HIGHS = (1, 16, 255, 65535)
"""Largest pixel values in use: fractions, scikit-learn's digits, 8 and 16 bits."""

SMALL_IMAGE = 160
"""Images up to this height and width are shown to a pretrained network at this size."""


@dataclass(frozen=True)
class Preparation:
    """How pixels become what a network expects; part of the compiled network.

    Parameters
    ----------
    low, high : float
        Pixel values of black and white in the data.
    size : tuple of (height, width) or None
        Size to resize to, bilinear; None keeps the size.
    channels : int
        Channels that the network takes: grey is repeated, colour becomes luminance.
    mean, std : tuples of float
        The network sees ``(pixel - mean) / std`` with pixels from 0 to 255, by channel.
    bgr : bool
        Whether the network takes blue first.
    """

    low: float
    high: float
    size: tuple[int, int] | None
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    bgr: bool = False

    def __call__(self, pixels: Any) -> Any:
        """Prepare a tensor of shape (n, height, width, channels)."""
        from keras import ops

        x = pixels
        if x.shape[-1] == 3 and self.channels == 1:
            x = ops.sum(x * ops.convert_to_tensor(LUMINANCE, x.dtype), axis=-1, keepdims=True)
        if self.size is not None and self.size != tuple(x.shape[1:3]):
            smaller = self.size[0] < x.shape[1] or self.size[1] < x.shape[2]
            x = ops.image.resize(x, self.size, interpolation="bilinear", antialias=smaller)
        if x.shape[-1] == 1 and self.channels == 3:
            x = ops.repeat(x, 3, axis=-1)
        if self.bgr:
            x = ops.flip(x, axis=-1)
        slope = 255.0 / (self.high - self.low) / np.array(self.std)
        shift = -self.low * slope - np.divide(self.mean, self.std)
        return x * ops.convert_to_tensor(slope, x.dtype) + ops.convert_to_tensor(shift, x.dtype)


def image_array(X: Any, input_shape: tuple[int, ...] | None) -> Array:
    """Return pixels as (n, height, width, channels).

    Parameters
    ----------
    X : ndarray of shape (n, height, width[, channels]) or, with ``input_shape``, (n, values)
        The images; a list of equally shaped arrays will do.
    input_shape : tuple of (height, width[, channels]) or None
        How to read flattened samples.

    Raises
    ------
    ValueError
        If the shape cannot be that of images; the message says what to do.
    """
    pixels = X if isinstance(X, np.ndarray) and X.dtype != object else _stack(X)
    if input_shape is not None and pixels.ndim == 2:
        shape = _picture_shape(input_shape)
        if pixels.shape[1] != np.prod(shape):
            raise ValueError(
                f"input_shape={tuple(input_shape)} needs {np.prod(shape)} columns. Got {pixels.shape[1]} columns; "
                "pass the height, width and channels that the samples were flattened from."
            )
        return pixels.reshape(-1, *shape)
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.ndim != 4:
        raise ValueError(
            f"X: expected images of shape (n, height, width, channels). Got an array of shape {pixels.shape}; "
            "a single image goes in as X[None]."
        )
    _check_channels(pixels.shape)
    return pixels


def learn_range(pixels: Array) -> tuple[float, float]:
    """Learn which values mean black and white.

    Parameters
    ----------
    pixels : ndarray
        All pixels that `fit` sees.

    Returns
    -------
    low, high : float
        0 and the smallest of 1, 16, 255 and 65535 that no pixel exceeds; or -1 and 1.

    Raises
    ------
    ValueError
        If the values fit none of these, as after standardisation.

    Examples
    --------
    >>> import numpy as np
    >>> learn_range(np.array([[0.0, 0.7]]))
    (0.0, 1.0)
    """
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 and low >= -1.001 and high <= 1.001:
        return -1.0, 1.0
    fitting = [known for known in KNOWN_HIGHS if high <= known * 1.001]
    if low < 0 or not fitting:
        raise ValueError(
            f"X: expected pixel values from 0 to 255, 0 to 1, -1 to 1 or 0 to 65535. Got values from {low:g} to "
            f"{high:g}; pass the images before standardisation."
        )
    return 0.0, float(fitting[0])


def check_range(pixels: Array, learned: InputFormat) -> None:
    """Raise ValueError if pixels are plainly on another scale than those that `fit` saw."""
    if not pixels.size:
        return
    low, high = float(pixels.min()), float(pixels.max())
    slack = 1e-3 * (learned.high - learned.low)
    fractions = learned.high > 1 and high <= 1 and pixels.dtype.kind == "f" and bool(np.any(pixels % 1))
    bits = learned.high == 65535 and pixels.dtype == np.uint8
    if low < learned.low - slack or high > learned.high + slack or fractions or bits:
        raise ValueError(
            f"X: expected pixel values from {learned.low:g} to {learned.high:g}, as in fit. Got {pixels.dtype} values "
            f"from {low:g} to {high:g}; bring them to the scale of the training images."
        )


def check_pixels_finite(pixels: Array) -> None:
    """Raise ValueError that names the first sample with NaN or infinity."""
    if pixels.dtype.kind != "f" or np.isfinite(pixels.sum(dtype=np.float64)):
        return
    bad = np.flatnonzero(~np.isfinite(pixels).reshape(len(pixels), -1).all(axis=1))
    if len(bad):
        raise ValueError(
            f"X: sample {bad[0]} contains NaN or infinity, in all {len(bad)} samples; drop or repair them."
        )


def _stack(X: Any) -> Array:
    arrays = [np.asarray(sample) for sample in X]
    for sample, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"X: expected images of one size. Sample 0 has shape {arrays[0].shape}, sample {sample} has {array.shape}; "
                "resize them, or pass paths or PIL images, which are resized one by one."
            )
        if array.dtype.kind not in "buif":
            raise TypeError(f"X: expected numbers in every image. Sample {sample} holds {array.dtype} values.")
    return np.stack(arrays)


def _picture_shape(input_shape: tuple[int, ...]) -> tuple[int, ...]:
    shape = tuple(input_shape)
    if len(shape) not in (2, 3) or min(shape) < 1 or (len(shape) == 3 and shape[2] not in (1, 3)):
        raise ValueError(
            f"The 'input_shape' parameter must be (height, width) or (height, width, channels) with 1 or 3 channels. "
            f"Got {input_shape!r} instead."
        )
    return (*shape, 1) if len(shape) == 2 else shape


def _check_channels(shape: tuple[int, ...]) -> None:
    if shape[3] in (1, 3):
        return
    hint = "select or combine channels first"
    if shape[1] in (1, 3):
        hint = "these look channels-first, so pass np.moveaxis(X, 1, -1)"
    elif shape[3] == 4:
        hint = "drop the transparency with X[..., :3]"
    raise ValueError(f"X: expected 1 or 3 channels in the last place. Got an array of shape {shape}; {hint}.")
