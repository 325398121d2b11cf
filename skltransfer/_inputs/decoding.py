"""Images as a viewer shows them: upright, on white, from 0 to 255."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer._inputs.containers import is_path, is_pil
from skltransfer._inputs.files import FilesInUse
from skltransfer._inputs.image_arrays import DTYPE_RANGES, OVERSHOOT, PixelSummary
from skltransfer._utils.types import Array

Range = tuple[float, float]

FULL: Range = (0.0, 65535.0)
"""What 16 bits hold."""

CLEAR_16_BITS = 2**14
"""From here on, 16 bits are what a sample needs: below, it may be one of a camera with fewer bits."""

ROWS = 256
"""Rows of an image that are put on white at a time."""


def is_image_source(item: Any) -> bool:
    """Tell whether `open_image` may take this."""
    return is_path(item) or is_pil(item) or isinstance(item, bytes | bytearray | memoryview | io.BytesIO)


def content_of(source: Any) -> bytes:
    """Return what a source of bytes holds, wherever it was read to."""
    return source.getvalue() if isinstance(source, io.BytesIO) else bytes(source)


def called(source: Any, position: int) -> str:
    """Name a sample, for an error sentence."""
    if is_path(source):
        return f"X: sample {position}, {str(source)!r},"
    return f"X: sample {position}, {f'a PIL image of mode {source.mode}' if is_pil(source) else 'bytes'},"


@contextmanager
def open_image(source: Any, position: int, files: FilesInUse | None = None) -> Iterator[Any]:
    """Open an image, of which the pixels are not read yet.

    Parameters
    ----------
    source : path-like, PIL.Image.Image, bytes-like or io.BytesIO
        Where it is. A PIL image is given back as it is.
    position : int
        Of its sample, for error sentences.
    files : FilesInUse, default=None
        Files that must not change.

    Yields
    ------
    PIL.Image.Image
        Its first frame.

    Raises
    ------
    ValueError
        If there is no such file, it is no image, or one of too many pixels.
    """
    if is_pil(source):
        yield source
    elif is_path(source):
        with (files or FilesInUse("an image")).reading(source, position), _opened(source, source, position) as image:
            yield image
    else:
        with _opened(io.BytesIO(content_of(source)), source, position) as image:
            yield image


def _opened(file: Any, source: Any, position: int) -> Any:
    from PIL import Image, UnidentifiedImageError

    name = called(source, position)
    try:
        image = Image.open(file)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{name} {_TOO_MANY.format(error)}") from error
    except Exception as error:  # readers of damaged headers raise whatever comes
        why = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
        raise ValueError(f"{name} is not an image that can be read{why}. Replace it or drop the sample.") from error
    most = Image.MAX_IMAGE_PIXELS
    if most is not None and image.width * image.height > most:
        image.close()
        raise ValueError(f"{name} {_TOO_MANY.format(f'{image.width} x {image.height}, and at most {most} are read')}")
    return image


_TOO_MANY = (
    "has too many pixels, as a decompression bomb has ({}). Make it smaller, or raise PIL.Image.MAX_IMAGE_PIXELS if "
    "you trust it."
)


class StoredPixels:
    """The pixels of an image as its file stores them, read and upright.

    Parameters
    ----------
    image : PIL.Image.Image
        Opened; it is not changed.
    raw : str or None, default=None
        What `raw_mode` said of it before it was read for the first time.
    """

    def __init__(self, image: Any, raw: str | None = None) -> None:
        raw = raw_mode(image) if raw is None else raw
        inverted = _is_white_zero(image)
        _check_unsigned(image)
        try:
            image.load()
        except Exception as error:  # decoders of damaged data raise whatever comes
            raise ValueError(f"is a damaged image ({error}). Replace the file or drop the sample.") from error
        self.format, self.mode, self.raw = image.format or "PIL image", image.mode, raw
        self.grey = image.mode.startswith(("I", "F"))
        self.deep = self.grey or ";16" in raw
        self._key = _colour_key(image, raw)
        self._inverted = inverted
        self.image = _upright(image)

    @property
    def stated(self) -> Range | None:
        """Black and white as the file itself says, in values that Pillow brought to a scale of its own."""
        if not self.raw.startswith(("scaled", "I;12")) and self.mode != "1":
            return None
        return (0.0, 4095.0) if self.raw == "I;12" else FULL if self.deep else (0.0, 255.0)

    def summary(self) -> PixelSummary:
        """Look at the values of a deep image; of deep colours, the upper 8 of 16 bits are there."""
        values = np.asarray(self.image)
        if not self.grey:
            colours = np.asarray(self.image.convert("RGB")).astype(np.uint16) * 257
            return PixelSummary.of(colours)
        if not np.isfinite(values).all():
            raise ValueError(f"{self} contains NaN or infinity. Repair the file or drop the sample.")
        return PixelSummary.of(values.astype(values.dtype.newbyteorder("=")))

    def colours(self, pixel_range: Range | None) -> NDArray[np.uint8]:
        """Return colours of shape (height, width, 3), on white where nothing covers it."""
        colours, alpha = self._colours_and_alpha()
        low, high = pixel_range or self.stated or (FULL if self.grey else (0.0, 255.0))
        if not self.grey and self.deep:
            low, high = 0.0, 255.0
        if (low, high) != (0.0, 255.0) or colours.dtype != np.uint8:
            colours = self._scaled(colours, low, high)
        if self._inverted:
            colours = 255 - colours
        if alpha is not None:
            parts = range(0, len(colours), ROWS)  # a whole photograph in double precision would be a gigabyte
            colours = np.concatenate([_on_white(colours[i : i + ROWS], alpha[i : i + ROWS]) for i in parts])
        return np.broadcast_to(colours, (*colours.shape[:2], 3))

    def _colours_and_alpha(self) -> tuple[Array, NDArray[np.uint8] | None]:
        image = self.image.convert("LA") if self.mode == "La" else self.image
        if self.grey:
            values = np.asarray(image)[..., None]
            return values, None if self._key is None else np.where(values[..., 0] == self._key, 0, 255)
        if self._key is not None:
            colours = np.asarray(image.convert("RGB"))
            return colours, np.where((colours == self._key).all(axis=-1), 0, 255)
        if image.has_transparency_data:
            both = np.asarray(image.convert("RGBA"))
            return both[..., :3], both[..., 3]
        return np.asarray(image.convert("RGB")), None

    def _scaled(self, values: Array, low: float, high: float) -> NDArray[np.uint8]:
        """Bring values to 0 to 255; those a little beyond are clipped."""
        x = values.astype(np.float64)
        if not np.isfinite(x).all():
            raise ValueError(f"{self} contains NaN or infinity. Repair the file or drop the sample.")
        slack = OVERSHOOT * (high - low) * (1 + 1e-6)
        if x.min() < low - slack or x.max() > high + slack:
            raise ValueError(
                f"{self} holds values from {x.min():g} to {x.max():g}. Expected values from {low:g} to {high:g}; fit "
                "with pixel_range=(low, high), the values of black and white, or convert the file to 8 bits."
            )
        return np.rint(((x - low) * (255.0 / (high - low))).clip(0.0, 255.0)).astype(np.uint8)

    def __str__(self) -> str:
        return f"({self.format}, mode {self.mode}{', 16 bits a channel' if self.deep and not self.grey else ''})"


def _on_white(colours: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    share = alpha[..., None] / 255.0
    return np.rint(colours * share + 255.0 * (1.0 - share)).astype(np.uint8)


def decode(image: Any, size: tuple[int, int] | None = None, pixel_range: Range | None = None) -> NDArray[np.uint8]:
    """Turn an image into bytes as a viewer shows it.

    It is turned upright as its EXIF orientation says, transparent places show white, and of an
    animation there is the first frame.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode; it is not changed.
    size : tuple of (height, width) or None, default=None
        Size to resize to, bilinear; None keeps the size.
    pixel_range : tuple of (black, white) or None, default=None
        Values of black and white in the file. None is what the mode can hold: 0 to 255, or 0 to
        65535.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8

    Raises
    ------
    ValueError
        If it is damaged, or has values beyond the range; the sentence begins with the verb.

    Examples
    --------
    >>> from PIL import Image
    >>> decode(Image.new("RGBA", (2, 1), (255, 0, 0, 0))).tolist()
    [[[255, 255, 255], [255, 255, 255]]]
    """
    return resized(StoredPixels(image).colours(pixel_range), size)


def resized(colours: NDArray[np.uint8], size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Resize bytes of shape (height, width, 3)."""
    from PIL import Image

    if size is None or colours.shape[:2] == tuple(size):
        return colours
    image = Image.fromarray(np.ascontiguousarray(colours))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def range_in(stored: StoredPixels, said: Range | None, learned: Range | None) -> Range | None:
    """Settle which values of an image are black and white.

    Parameters
    ----------
    stored : StoredPixels
        The image.
    said : tuple of (black, white) or None
        What the user said. A file of 8 bits holds no white beyond 255, so it keeps its own scale then.
    learned : tuple of (black, white) or None
        What `fit` learned from the deep images that it saw.

    Raises
    ------
    ValueError
        If that is open; the sentence begins with the verb.
    """
    if stored.stated is not None and stored.raw != "I;12":
        return None
    if not stored.deep:
        return said if said is not None and said[1] <= DTYPE_RANGES["uint8"][1] else None
    if not stored.grey and (said or learned or FULL) != FULL:
        raise ValueError(f"{stored} {UPPER_BITS}")
    if said is not None or stored.raw == "I;12":
        return said
    if learned is None:
        return _unseen(stored)
    if stored.mode == "F" and learned[1] - learned[0] > 2:
        _check_not_unit_scale(stored, learned)
    return learned


def _check_not_unit_scale(stored: StoredPixels, learned: Range) -> None:
    found = stored.summary()
    if not found.whole and max(found.high, -found.low) <= 1 + OVERSHOOT:
        raise ValueError(
            f"{stored} holds values from {found.low:g} to {found.high:g}. Expected values from {learned[0]:g} to "
            f"{learned[1]:g}, as in other images; bring all to one scale, or fit with pixel_range=(low, high)."
        )


def _unseen(stored: StoredPixels) -> Range:
    """Settle the range of a deep image after a `fit` that saw none."""
    found = stored.summary()
    if found.dtype in ("uint16", "int32") and found.low >= 0 and CLEAR_16_BITS <= found.high <= FULL[1]:
        return FULL
    raise ValueError(
        f"{stored} holds {found.dtype} values from {found.low:g} to {found.high:g}, and fit saw no image of more than "
        "8 bits that would tell which are black and white. Fit with pixel_range=(low, high), or convert the file to 8 "
        "bits."
    )


UPPER_BITS = (
    "holds 16 bits a channel, of which the upper 8 alone are read. Convert the file to 8 bits, or pass "
    "pixel_range=(0, 65535) if its colours fill 16 bits."
)


def raw_mode(image: Any) -> str:
    """Tell how a file that was just opened stores its pixels; "scaled" if Pillow brings them to another scale."""
    tile = getattr(image, "tile", None)
    if not tile:
        return ""
    decoder, _, _, arguments = tile[0][:4]
    listed = arguments if isinstance(arguments, tuple) else (arguments,)
    raw = str(listed[0]) if listed else ""
    if decoder.startswith("ppm") and len(listed) > 1 and listed[1] != 255:
        if listed[1] != 65535:
            return f"scaled {raw}"
        return raw if image.mode == "I" else f"{raw};16"
    return f"scaled {raw}" if raw.startswith(("L;2", "L;4")) else raw


def _is_white_zero(image: Any) -> bool:
    """Tell whether a deep TIFF file, which Pillow takes as it is, counts from white to black."""
    return image.mode.startswith(("I", "F")) and getattr(image, "tag_v2", {}).get(262) == 0


def _check_unsigned(image: Any) -> None:
    tags = getattr(image, "tag_v2", {})
    if image.mode == "L" and tags.get(339) == (2,):
        raise ValueError("(TIFF, mode L) holds signed bytes, which are read as unsigned ones. Save unsigned bytes.")


def _colour_key(image: Any, raw: str) -> Any:
    """Return the colour that stands for transparency where Pillow would miss it; in the units of its pixels."""
    key = image.info.get("transparency")
    if isinstance(key, int) and image.mode.startswith("I"):
        return key
    if isinstance(key, int) and image.mode == "L" and raw.startswith(("scaled L;2", "scaled L;4")):
        return key * (85 if "L;2" in raw else 17)
    if isinstance(key, tuple) and ";16" in raw:
        return tuple(value >> 8 for value in key)
    return None


def _upright(image: Any) -> Any:
    """Turn an image as its EXIF orientation says; damaged EXIF data say nothing, as in viewers."""
    from PIL import Image

    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:
        return image
    turn = TURNS.get(orientation)
    return image if turn is None else image.transpose(Image.Transpose[turn])


ORIENTATION = 0x0112

TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""How Pillow brings an image of each EXIF orientation upright."""
