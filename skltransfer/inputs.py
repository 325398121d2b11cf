"""What the user has: arrays, flattened rows, frames, image files; read in batches, never all at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from skltransfer.feature_cache import content_hash

Array = NDArray[Any]
Positions = Sequence[int] | NDArray[np.intp]
Kind = Literal["table", "sequences", "images", "pictures"]

KNOWN_HIGHS = (1, 16, 255, 65535)
"""Largest pixel values in use: fractions, scikit-learn's digits, 8 and 16 bits."""

LUMINANCE = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in what the eye sees as brightness (ITU-R BT.601)."""

SMALL_PICTURE = 160
"""Pictures up to this height and width are shown to a pretrained network at this size."""


@dataclass(frozen=True)
class InputFormat:
    """What one row is, as `fit` saw it.

    Parameters
    ----------
    kind : {"table", "sequences", "images", "pictures"}
        Rows of numbers, equally long series of them, arrays of pixels, or image files and
        PIL images.
    shape : tuple of int
        ``(columns,)`` of a table, ``(steps, channels)`` of sequences, ``(height, width,
        channels)`` of images; pictures have sizes of their own and are read as ``(0, 0,
        3)``.
    low, high : float, default=0 and 255
        Pixel values of black and white.
    """

    kind: Kind
    shape: tuple[int, ...]
    low: float = 0.0
    high: float = 255.0


@dataclass(frozen=True)
class Layout:
    """How rows lie in an array, so that others can be given back in the same way.

    Parameters
    ----------
    shape : tuple of int
        Of one row, as the user passed it.
    dtype : str
        Of the values.
    """

    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, X: Any, format: InputFormat) -> Layout:
        """Look at an array, a frame or a list."""
        if format.kind == "pictures":
            return cls((), "uint8")
        if format.kind == "sequences":
            return cls(format.shape, "float32")
        values = X.to_numpy() if hasattr(X, "to_numpy") else np.asarray(X)
        known = values.dtype.kind == "f" and values.dtype.itemsize in (4, 8)
        if format.kind == "table":
            return cls(format.shape, str(values.dtype) if known else "float64")
        return cls(values.shape[1:], str(values.dtype))

    def pixels(self, decoded: Array, format: InputFormat) -> Array:
        """Turn pixels from 0 to 1 of shape (n, height, width, channels) into rows of this layout."""
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


class ArrayRows:
    """Rows of one array in memory (or memory-mapped).

    Parameters
    ----------
    values : ndarray of shape (n_rows, ...)
        The rows.
    """

    def __init__(self, values: Array) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def layout(self, size: tuple[int, int] | None) -> tuple[tuple[int, ...], str]:
        """Return shape and dtype of a row as `read` gives it."""
        return self.values.shape[1:], str(self.values.dtype)

    def digest(self, position: int) -> bytes:
        """Digest of the content of a row."""
        return content_hash(np.ascontiguousarray(self.values[position]))

    def read(self, positions: Positions, size: tuple[int, int] | None = None) -> Array:
        """Return the rows at these positions, as they are."""
        return self.values[np.asarray(positions)]

    def take(self, kept: Array) -> ArrayRows:
        """Return the rows that a boolean mask keeps."""
        return self if kept.all() else ArrayRows(self.values[kept])


class BesideRows:
    """Features of rows, and the rows that they were computed from, as one line of numbers each.

    Parameters
    ----------
    features : ArrayRows
        They come first.
    rows : Rows
        They come after.
    size : tuple of (height, width) or None
        At which pictures are read.
    """

    def __init__(self, features: ArrayRows, rows: Rows, size: tuple[int, int] | None) -> None:
        self.features, self.rows, self.size = features, rows, size

    def __len__(self) -> int:
        return len(self.rows)

    def layout(self, size: tuple[int, int] | None) -> tuple[tuple[int, ...], str]:
        """Return shape and dtype of a row as `read` gives it."""
        shapes = self.features.layout(None)[0], self.rows.layout(self.size)[0]
        return (sum(int(np.prod(shape)) for shape in shapes),), str(self.features.values.dtype)

    def digest(self, position: int) -> bytes:
        """Digest of the content of a row."""
        return content_hash(self.features.digest(position), self.rows.digest(position))

    def read(self, positions: Positions, size: tuple[int, int] | None = None) -> Array:
        """Return rows of numbers."""
        parts = self.features.read(positions), self.rows.read(positions, self.size)
        flat = [part.reshape(len(part), -1).astype(self.features.values.dtype, copy=False) for part in parts]
        return np.concatenate(flat, axis=1)

    def take(self, kept: Array) -> BesideRows:
        """Return the rows that a boolean mask keeps."""
        return BesideRows(self.features.take(kept), self.rows.take(kept), self.size)


class PictureRows:
    """Image files and PIL images, opened when they are read and not before.

    Parameters
    ----------
    items : sequence of path-like or PIL.Image.Image
        One picture a row.
    """

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def layout(self, size: tuple[int, int] | None) -> tuple[tuple[int, ...], str]:
        """Return shape and dtype of a row as `read` gives it."""
        assert size is not None, "plan_extraction settles a size for pictures"
        return (*size, 3), "uint8"

    def digest(self, position: int) -> bytes:
        """Digest of the file's bytes, or of the pixels of a PIL image."""
        item = self.items[position]
        if _is_path(item):
            with open(item, "rb") as file:
                return content_hash(file.read())
        return content_hash(item.mode, np.ascontiguousarray(item))

    def read(self, positions: Positions, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Return pictures as (n, height, width, 3) bytes, resized one by one to ``size``."""
        return np.stack([self._picture(i, size) for i in positions])

    def take(self, kept: Array) -> PictureRows:
        """Return the rows that a boolean mask keeps."""
        return self if kept.all() else PictureRows([self.items[i] for i in np.flatnonzero(kept).tolist()])

    def check(self) -> None:
        """Open each file once, so that a bad one is told before any work starts."""
        for row, item in enumerate(self.items):
            if _is_path(item):
                _open(item, row).close()
            elif not _is_pil(item):
                raise TypeError(
                    f"X: row {row} is a {type(item).__name__}, but the first row is a picture. Expected a path or a "
                    "PIL image in every row; drop or replace that row."
                )

    def _picture(self, position: int, size: tuple[int, int] | None) -> NDArray[np.uint8]:
        from PIL import Image

        item = self.items[position]
        with _open(item, position) if _is_path(item) else nullcontext(item) as image:
            try:
                if image.mode.startswith("I"):
                    image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
                rgb = image.convert("RGB")
            except (OSError, SyntaxError) as error:
                raise ValueError(
                    f"X: row {position}, {str(item)!r}, is a damaged image ({error}). Replace the file or drop the row."
                ) from error
        if size is not None and rgb.size != (size[1], size[0]):
            rgb = rgb.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        return np.asarray(rgb)


class Rows(Protocol):
    """Rows that are read a batch at a time."""

    def __len__(self) -> int:
        """Return how many rows there are."""

    def layout(self, size: tuple[int, int] | None) -> tuple[tuple[int, ...], str]:
        """Return shape and dtype of a row as `read` gives it."""

    def digest(self, position: int) -> bytes:
        """Digest of the content of a row."""

    def read(self, positions: Positions, size: tuple[int, int] | None = None) -> Array:
        """Return the rows at these positions; pictures of many sizes are resized to ``size``."""

    def take(self, kept: Array) -> Rows:
        """Return the rows that a boolean mask keeps."""


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
    if _is_path(first) or _is_pil(first):
        return "pictures"
    array = isinstance(X, np.ndarray) and X.dtype != object
    if input_shape is not None or (X.ndim > 2 if array else np.ndim(first) > 1):
        return "images"
    return "table"


def picture_rows(X: Any) -> PictureRows:
    """Read a list, Series, one-column frame or object array of paths or PIL images.

    Raises
    ------
    ValueError
        If a file is missing, or is not an image; the message names it and its row.
    TypeError
        If a row is neither a path nor a PIL image.
    """
    if hasattr(X, "iloc") or hasattr(X, "to_numpy"):
        X = X.to_numpy().ravel()
    rows = PictureRows(list(X.ravel() if isinstance(X, np.ndarray) else X))
    rows.check()
    return rows


def image_array(X: Any, input_shape: tuple[int, ...] | None) -> Array:
    """Return pixels as (n, height, width, channels).

    Parameters
    ----------
    X : ndarray of shape (n, height, width[, channels]) or, with ``input_shape``, (n, values)
        The pictures; a list of equally shaped arrays will do.
    input_shape : tuple of (height, width[, channels]) or None
        How to read flattened rows.

    Raises
    ------
    ValueError
        If the shape cannot be that of pictures; the message says what to do.
    """
    pixels = X if isinstance(X, np.ndarray) and X.dtype != object else _stack(X)
    if input_shape is not None and pixels.ndim == 2:
        shape = _picture_shape(input_shape)
        if pixels.shape[1] != np.prod(shape):
            raise ValueError(
                f"input_shape={tuple(input_shape)} needs {np.prod(shape)} columns. Got {pixels.shape[1]} columns; "
                "pass the height, width and channels that the rows were flattened from."
            )
        return pixels.reshape(-1, *shape)
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.ndim != 4:
        raise ValueError(
            f"X: expected pictures of shape (n, height, width, channels). Got an array of shape {pixels.shape}; "
            "a single picture goes in as X[None]."
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
            f"{high:g}; pass the pictures before standardisation."
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
            f"from {low:g} to {high:g}; bring them to the scale of the training pictures."
        )


def check_pixels_finite(pixels: Array) -> None:
    """Raise ValueError that names the first row with NaN or infinity."""
    if pixels.dtype.kind != "f" or np.isfinite(pixels.sum(dtype=np.float64)):
        return
    bad = np.flatnonzero(~np.isfinite(pixels).reshape(len(pixels), -1).all(axis=1))
    if len(bad):
        raise ValueError(f"X: row {bad[0]} contains NaN or infinity, in all {len(bad)} rows; drop or repair them.")


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


def _is_path(item: Any) -> bool:
    return isinstance(item, str | os.PathLike)


def _is_pil(item: Any) -> bool:
    return hasattr(item, "convert") and hasattr(item, "mode") and hasattr(item, "resize")


def _open(path: Any, row: int) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path)
    except FileNotFoundError as error:
        raise ValueError(f"X: row {row}, {str(path)!r}, is missing. Expected the path of an image file.") from error
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(
            f"X: row {row}, {str(path)!r}, is not an image that can be read. Replace the file or drop the row."
        ) from error


def _stack(X: Any) -> Array:
    arrays = [np.asarray(row) for row in X]
    for row, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"X: expected pictures of one size. Row 0 has shape {arrays[0].shape}, row {row} has {array.shape}; "
                "resize them, or pass paths or PIL images, which are resized one by one."
            )
        if array.dtype.kind not in "buif":
            raise TypeError(f"X: expected numbers in every picture. Row {row} holds {array.dtype} values.")
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
