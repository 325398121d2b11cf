"""Arrays of pixels: their shape, the range of their values, and how a network takes them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from skltransfer._inputs.containers import Form, stacked
from skltransfer._inputs.formats import LUMINANCE
from skltransfer._inputs.image_size import SMALL_IMAGE, settle_image_size
from skltransfer._inputs.kind import (
    ImageSize,
    InputFormat,
    Network,
    ReadOptions,
    SampleKind,
    Validate,
    unflattened,
)
from skltransfer._inputs.numbers import as_numbers
from skltransfer._inputs.samples import ArraySamples, dtype_name
from skltransfer._utils.types import Array

DIGITS = 16
"""Largest pixel value of scikit-learn's digits."""

KNOWN_HIGHS = (1, DIGITS, 255, 1023, 4095, 16383, 65535)
"""Largest pixel values in use: fractions, scikit-learn's digits, and 8, 10, 12, 14 and 16 bits."""

DTYPE_RANGES = {"bool": (0.0, 1.0), "uint8": (0.0, 255.0), "int8": (-128.0, 127.0)}
"""Pixel values of black and white, of dtypes that have no room for doubt."""

OVERSHOOT = 0.05
"""Share of the range by which interpolation may carry pixels beyond black and white; such pixels are clipped."""

PART_VALUES = 2**22
"""Pixels that are looked at together."""


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

    libraries: ClassVar[tuple[str, ...]] = ("pillow",)
    """What reads samples, besides this package; features change with it."""

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


def image_preparation(network: Network, format: InputFormat, image_size: ImageSize) -> Preparation:
    """Settle how pixels become what a network expects; see `SampleKind.preparation`."""
    size, channels = settle_image_size(network, format, image_size), int(network.input_shape[2] or 3)
    own = None if size == format.shape[:2] else size
    return Preparation(format.low, format.high, own, channels, network.mean, network.std, network.bgr)


class ImageArrays(SampleKind):
    """Arrays of pixels of one size, laid out or flattened."""

    name = "image_arrays"
    noun = "image arrays"
    forms = frozenset({Form.ARRAY, Form.VECTOR})
    is_image = True

    def _read(
        self, X: Any, options: ReadOptions, validate: Validate, learned: InputFormat | None
    ) -> tuple[ArraySamples, InputFormat]:
        X = stacked(X, "images") if isinstance(X, list) else X
        if len(X.shape) == 2:
            X = self._laid_out(X, options, validate, learned)
        elif isinstance(X, np.ndarray) and X.dtype != object:
            X = as_numbers(X)
        pixels = image_array(X, options.input_shape)
        check_pixels_finite(pixels)
        if learned is None:
            said = None if options.pixel_range is None else check_pixel_range(options.pixel_range)
            learned = InputFormat(self, pixels.shape[1:], *learn_range(pixels, said), said)
        elif pixels.shape[1:] != learned.shape:
            raise ValueError(
                f"X: expected {learned.describe()}, as in fit. Got images of shape {pixels.shape[1:]}; resize them, "
                "or fit on images of this size. A single image goes in as X[None]."
            )
        return ArraySamples(check_range(pixels, learned)), learned

    def _laid_out(self, X: Any, options: ReadOptions, validate: Validate, learned: InputFormat | None) -> Any:
        """Check flattened images, and lay those out that `fit` saw laid out."""
        if learned is not None and options.input_shape is None:
            return unflattened(X, validate, learned)
        return validate(X, dtype="numeric")

    def describe(self, format: InputFormat) -> str:
        """Say what samples of this format are, for an error sentence."""
        return f"images of shape {format.shape}"

    def size_for_pretrained(self, format: InputFormat) -> tuple[int, int] | None:
        """Return the size at which small images are shown enlarged."""
        return (SMALL_IMAGE, SMALL_IMAGE) if max(format.shape[:2]) <= SMALL_IMAGE else None

    def _preparation(self, network: Network, format: InputFormat, image_size: ImageSize) -> Preparation:
        return image_preparation(network, format, image_size)


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
    pixels = X if isinstance(X, np.ndarray) and X.dtype != object else stacked(X, "images")
    if input_shape is not None and pixels.ndim == 2:
        shape = _image_shape(input_shape)
        if pixels.shape[1] != np.prod(shape):
            raise ValueError(
                f"input_shape={tuple(input_shape)} needs {np.prod(shape)} columns. Got {pixels.shape[1]} columns; "
                "pass the height, width and channels that the samples were flattened from."
            )
        return pixels.reshape(-1, *shape)
    if pixels.ndim == 3:
        _check_not_one_image(pixels.shape)
        pixels = pixels[..., None]
    if pixels.ndim != 4:
        raise ValueError(
            f"X: expected images of shape (n, height, width, channels). Got an array of shape {pixels.shape}; "
            "a single image goes in as X[None]."
        )
    _check_channels(pixels.shape)
    return pixels


def check_pixel_range(pixel_range: Any) -> tuple[float, float]:
    """Return the parameter ``pixel_range`` as two numbers.

    Raises
    ------
    ValueError
        If it is not two finite numbers, the lower one first.

    Examples
    --------
    >>> check_pixel_range([0, 4095])
    (0.0, 4095.0)
    """
    values = list(pixel_range)
    numbers = [float(value) for value in values if isinstance(value, Real) and not isinstance(value, bool)]
    if len(values) != 2 or len(numbers) != 2 or not np.isfinite(numbers).all() or numbers[0] >= numbers[1]:
        raise ValueError(
            "The 'pixel_range' parameter must be two finite numbers, the values of black and of white with the lower "
            f"one first, or None. Got {pixel_range!r} instead."
        )
    return numbers[0], numbers[1]


@dataclass(frozen=True)
class PixelSummary:
    """What the scale of pixels is read from.

    Parameters
    ----------
    dtype : str
        Of the values.
    low, high : float
        The smallest and the largest value.
    whole : bool
        Whether all values are whole numbers.
    """

    dtype: str
    low: float
    high: float
    whole: bool

    @classmethod
    def of(cls, pixels: Array) -> PixelSummary:
        """Look at all pixels, some samples at a time."""
        if not pixels.size:
            raise ValueError(f"X: expected images of at least one pixel. Got {pixels.shape[1:]} as the shape of each.")
        whole = pixels.dtype.kind != "f" or all(bool((part % 1 == 0).all()) for _, part in _parts(pixels))
        return cls(str(pixels.dtype), float(pixels.min()), float(pixels.max()), whole)

    def joined(self, other: PixelSummary) -> PixelSummary:
        """Return the summary of these and other pixels, which have the dtype that holds both."""
        dtype = str(np.promote_types(self.dtype, other.dtype))
        return PixelSummary(dtype, min(self.low, other.low), max(self.high, other.high), self.whole and other.whole)


def learn_range(pixels: Array, pixel_range: Any = None) -> tuple[float, float]:
    """Learn which values mean black and white.

    Parameters
    ----------
    pixels : ndarray
        All pixels that `fit` sees.
    pixel_range : tuple of (black, white) or None, default=None
        What the user says they are.

    Returns
    -------
    low, high : float
        ``pixel_range``, if given. Else what the dtype says: 0 and 255 for uint8, -128 and 127
        for int8, 0 and 1 for bool. Other integers are from 0 to the smallest of `KNOWN_HIGHS`
        that no pixel exceeds. Real numbers are from 0 to 1, -1 to 1, 0 to 255 or to 10, 12,
        14 or 16 bits, which pixels may exceed by `OVERSHOOT`; whole numbers up to 16 are as
        scikit-learn's digits.

    Raises
    ------
    ValueError
        If the values fit none of these, as after standardization, or real numbers fit several.

    Warns
    -----
    UserWarning
        If the values leave open how many bits they have.

    Examples
    --------
    >>> import numpy as np
    >>> learn_range(np.array([[0.0, 0.7]])), learn_range(np.array([[3]], dtype="uint8"), (0, 15))
    ((0.0, 1.0), (0.0, 15.0))
    """
    return check_pixel_range(pixel_range) if pixel_range is not None else range_of(PixelSummary.of(pixels))


def range_of(found: PixelSummary, where: str = "X") -> tuple[float, float]:
    """Tell from a summary of pixels which values mean black and white; see `learn_range`."""
    own = DTYPE_RANGES.get(found.dtype)
    if own is not None:
        faint = 0 < found.high <= DIGITS if found.dtype == "uint8" else own[0] < 0 <= found.low
        if faint:
            _warn(found, own, where, f"that is what {found.dtype} holds")
        return own
    low, high = (_range_of_floats if np.dtype(found.dtype).kind == "f" else _range_of_integers)(found) or (0.0, 0.0)
    if low == high:
        raise ValueError(
            f"{where}: expected pixel values from 0 to 255, 0 to 1, -1 to 1 or 0 to 65535. Got values from "
            f"{found.low:g} to {found.high:g}; pass the images before standardization, or pixel_range=(low, high), the "
            "values of black and white."
        )
    if 255 < high < 65535 or (found.dtype == "uint16" and high < 65535):
        _warn(found, (low, high), where, "the smallest usual range that holds all of them")
    return low, high


def _range_of_floats(found: PixelSummary) -> tuple[float, float] | None:
    """Return the range that real numbers keep but for an overshoot; None if it is not plain which one."""
    low, high = found.low, found.high
    if found.whole and low >= 0 and 1 < high <= DIGITS:
        return 0.0, float(DIGITS)
    for known in ((0, 1), (-1, 1)):
        if not _beyond(found, *known):
            return float(known[0]), float(known[1])
    if high <= (DIGITS if found.whole else 2 * DIGITS):
        return None
    reached = [known for known in KNOWN_HIGHS if known > DIGITS and high <= known * (1 + OVERSHOOT)]
    return (0.0, float(reached[0])) if reached and not _beyond(found, 0, reached[0]) else None


def _range_of_integers(found: PixelSummary) -> tuple[float, float] | None:
    if found.low < 0:
        return (-1.0, 1.0) if found.low == -1 and found.high <= 1 else None
    fitting = [known for known in KNOWN_HIGHS if found.high <= known]
    return (0.0, float(fitting[0])) if fitting else None


def _beyond(found: PixelSummary, low: float, high: float) -> bool:
    """Tell whether pixels exceed a range by more than interpolation carries them."""
    slack = OVERSHOOT * (high - low) * (1 + 1e-6)
    return found.low < low - slack or found.high > high + slack


def _warn(found: PixelSummary, taken: tuple[float, float], where: str, why: str) -> None:
    warnings.warn(
        f"{where}: {found.dtype} pixels from {found.low:g} to {found.high:g} are read on the scale from {taken[0]:g} "
        f"to {taken[1]:g}, {why}. Pass pixel_range=({taken[0]:g}, {taken[1]:g}) if this is right, or the true values "
        "of black and white.",
        UserWarning,
        stacklevel=2,
    )


def check_range(pixels: Array, learned: InputFormat) -> Array:
    """Return pixels on the scale that `fit` learned; where they exceed it by a little, they are clipped.

    Whether an image is refused depends on that image alone, not on those beside it. Of real numbers, an image that
    has fractions and no value beyond 1 is taken to be on the scale from 0 to 1: on a scale up to 255 it would be black
    to the eye. If it is that, ``pixel_range`` says so.

    Parameters
    ----------
    pixels : ndarray of shape (n, ...)
        The images.
    learned : InputFormat
        What `fit` learned.

    Returns
    -------
    ndarray of shape (n, ...)
        The same array, or a clipped copy.

    Raises
    ------
    ValueError
        If images are plainly on another scale.
    """
    if DTYPE_RANGES.get(dtype_name(pixels.dtype)) == (learned.low, learned.high):
        return pixels
    bad = _on_another_scale(pixels, learned)
    if bad.any():
        values, said = pixels[bad], "as in fit" if learned.pixel_range is None else "as pixel_range says"
        raise ValueError(
            f"X: expected pixel values from {learned.low:g} to {learned.high:g}, {said}. Got {pixels.dtype} values "
            f"from {values.min():g} to {values.max():g}; bring them to the scale of the training images, or fit with "
            f"pixel_range=(low, high), the values of black and white. The first of {bad.sum()} such images is sample "
            f"{bad.argmax()}."
        )
    return _clipped(pixels, learned.low, learned.high)


def _on_another_scale(pixels: Array, learned: InputFormat) -> NDArray[np.bool_]:
    """Tell which images are plainly not on the learned scale, each by itself."""
    low, high = learned.low, learned.high
    said, slack = learned.pixel_range is not None, OVERSHOOT * (high - low) * (1 + 1e-6)
    if not said and DTYPE_RANGES.get(str(pixels.dtype), (low, high)) != (low, high):
        return np.ones(len(pixels), dtype=bool)
    bad = np.zeros(len(pixels), dtype=bool)
    for start, part in _parts(pixels):
        flat = part.reshape(len(part), -1)
        darkest, brightest = flat.min(axis=1).astype(float), flat.max(axis=1).astype(float)
        bad[start : start + len(part)] = (darkest < low - slack) | (brightest > high + slack)
        if pixels.dtype.kind == "f" and not said and high - low > 2:
            small = np.flatnonzero(np.maximum(brightest, -darkest) <= 1 + OVERSHOOT)
            bad[start + small] |= (flat[small] % 1 != 0).any(axis=1)
    return bad


def _clipped(pixels: Array, low: float, high: float) -> Array:
    """Return pixels with none beyond a range; a copy only if there are such."""
    if not pixels.size or pixels.dtype.kind == "b" or (low <= pixels.min() and pixels.max() <= high):
        return pixels
    if pixels.dtype.kind == "f":
        limits: Any = np.finfo(pixels.dtype)
    else:
        limits, low, high = np.iinfo(pixels.dtype), math.ceil(low), math.floor(high)
    return np.clip(pixels, max(low, limits.min), min(high, limits.max))


def _parts(pixels: Array) -> Iterator[tuple[int, Array]]:
    """Yield pixels some samples at a time, with the position of the first."""
    length = max(1, PART_VALUES // max(1, math.prod(pixels.shape[1:])))
    for start in range(0, len(pixels), length):
        yield start, pixels[start : start + length]


def check_pixels_finite(pixels: Array) -> None:
    """Raise ValueError that names the first sample with NaN or infinity."""
    if pixels.dtype.kind != "f" or np.isfinite(pixels.sum(dtype=np.float64)):
        return
    bad = np.flatnonzero(~np.isfinite(pixels).reshape(len(pixels), -1).all(axis=1))
    if len(bad):
        raise ValueError(
            f"X: sample {bad[0]} contains NaN or infinity, in all {len(bad)} samples; drop or repair them."
        )


def _image_shape(input_shape: tuple[int, ...]) -> tuple[int, ...]:
    shape = tuple(input_shape)
    if len(shape) not in (2, 3) or min(shape) < 1 or (len(shape) == 3 and shape[2] not in (1, 3)):
        raise ValueError(
            f"The 'input_shape' parameter must be (height, width) or (height, width, channels) with 1 or 3 channels. "
            f"Got {input_shape!r} instead."
        )
    return (*shape, 1) if len(shape) == 2 else shape


def _check_not_one_image(shape: tuple[int, ...]) -> None:
    """Refuse an array that is one colour image, or series of few channels, rather than grey images."""
    if shape[2] in (3, 4) and shape[1] > 8:
        raise ValueError(
            f"X: expected images of shape (n, height, width, channels). Got an array of shape {shape}; a single "
            "colour image goes in as X[None], grey images as X[..., None], and series of channels "
            "with sample_kind='sequences'."
        )


def _check_channels(shape: tuple[int, ...]) -> None:
    if shape[3] in (1, 3):
        return
    hint = "select or combine channels first"
    if shape[1] in (1, 3):
        hint = "these look channels-first, so pass np.moveaxis(X, 1, -1)"
    elif shape[3] == 4:
        hint = "drop the transparency with X[..., :3]"
    raise ValueError(f"X: expected 1 or 3 channels in the last place. Got an array of shape {shape}; {hint}.")
