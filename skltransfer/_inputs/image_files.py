"""Image files, PIL images and encoded images in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer._inputs.containers import Form, is_path, is_pil, items
from skltransfer._inputs.decoding import (
    FULL,
    ORIENTATION,
    UPPER_BITS,
    Range,
    StoredPixels,
    called,
    content_of,
    is_image_source,
    open_image,
    range_in,
    raw_mode,
    resized,
)
from skltransfer._inputs.files import FilesInUse
from skltransfer._inputs.image_arrays import (
    PixelSummary,
    Preparation,
    check_pixel_range,
    image_preparation,
    range_of,
)
from skltransfer._inputs.image_size import SMALL_IMAGE
from skltransfer._inputs.kind import ImageSize, InputFormat, Network, ReadOptions, SampleKind, Validate
from skltransfer._inputs.samples import Positions
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.types import Array


class ImageFileSamples:
    """Image files and PIL images, opened when they are read and not before.

    Parameters
    ----------
    items : sequence of path-like, PIL.Image.Image, bytes-like or io.BytesIO
        One image a sample.
    pixel_range : tuple of (black, white) or None, default=None
        What the user says which values are black and white.
    deep_range : tuple of (black, white) or None, default=None
        What `fit` learned which they are in images of more than 8 bits.
    files : FilesInUse or None, default=None
        What is known of the files; they must not change.
    """

    def __init__(
        self,
        items: Sequence[Any],
        pixel_range: Range | None = None,
        deep_range: Range | None = None,
        files: FilesInUse | None = None,
    ) -> None:
        self.items, self.pixel_range, self.deep_range = items, pixel_range, deep_range
        self._files = files or FilesInUse("an image")
        self._raw: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.items)

    def layout(self, preparation: Any) -> tuple[tuple[int, ...], str]:
        """Return shape and dtype of a sample as `read` gives it."""
        assert preparation.size is not None, "plan_extraction settles a size for images"
        return (*preparation.size, 3), "uint8"

    def digest(self, position: int) -> bytes:
        """Digest of the file's bytes, or of the pixels of a PIL image, and of the scale on which they are read."""
        item = self.items[position]
        scale = [repr((self.pixel_range, self.deep_range))] if self.pixel_range or self.deep_range else []
        if is_pil(item):
            return content_hash(item.mode, np.ascontiguousarray(item), *_beside_pixels(item), *scale)
        if not is_path(item):
            return content_hash(content_of(item), *scale)
        with self._files.reading(item, position), open(item, "rb") as file:
            return content_hash(file.read(), *scale)

    def read(self, positions: Positions, preparation: Any = None) -> NDArray[np.uint8]:
        """Return images as (n, height, width, 3) bytes, resized one by one to the size of the preparation."""
        return self.resized(positions, preparation.size)

    def resized(self, positions: Positions, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Return images as (n, height, width, 3) bytes, resized one by one."""
        return np.stack([self._image(int(i), size) for i in positions])

    def take(self, kept: Array) -> ImageFileSamples:
        """Return the samples that a boolean mask keeps."""
        if kept.all():
            return self
        items = [self.items[i] for i in np.flatnonzero(kept).tolist()]
        taken = ImageFileSamples(items, self.pixel_range, self.deep_range, self._files)
        taken._raw = self._raw
        return taken

    def check(self, *, learn: bool = False) -> None:
        """Open each image once, so that a bad one raises before any work starts.

        With ``learn``, those of more than 8 bits a channel are read as well, to find which
        values are black and white in them, unless the user said it.
        """
        found: list[tuple[PixelSummary, int, str]] = []
        colours: int | None = None
        for position, item in enumerate(self.items):
            if not is_image_source(item):
                raise TypeError(
                    f"X: sample {position} is a {type(item).__name__}, but the first sample is an image. Expected a "
                    "path, a PIL image or the bytes of an image file in every sample; drop or replace that sample."
                )
            with open_image(item, position, self._files) as image:
                if is_pil(item):
                    self._raw[id(item)] = raw_mode(image)
                if learn and self.pixel_range is None and _may_be_deep(image):
                    stored = self._stored(image, item, position)
                    if stored.deep and stored.stated is None:
                        found.append((self._named(stored.summary, item, position), position, str(stored)))
                        colours = position if not stored.grey else colours
        if found:
            self.deep_range = self._learned(found)
            if colours is not None and self.deep_range != FULL:
                raise ValueError(f"{called(self.items[colours], colours)} {UPPER_BITS}")

    def _learned(self, found: list[tuple[PixelSummary, int, str]]) -> Range:
        """Learn black and white from deep images; an error names the one of the most extreme values."""
        whole = found[0][0]
        for summary, _, _ in found[1:]:
            whole = whole.joined(summary)
        extreme = min(found, key=lambda f: f[0].low) if whole.low < 0 else max(found, key=lambda f: f[0].high)
        return range_of(whole, f"{called(self.items[extreme[1]], extreme[1])} {extreme[2]}")

    def _image(self, position: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        item = self.items[position]
        with open_image(item, position, self._files) as image:
            stored = self._stored(image, item, position)
            pixel_range = self._named(range_in, item, position, stored, self.pixel_range, self.deep_range)
            return resized(self._named(stored.colours, item, position, pixel_range), size)

    def _stored(self, image: Any, item: Any, position: int) -> StoredPixels:
        stored: StoredPixels = self._named(StoredPixels, item, position, image, self._raw.get(id(item)))
        return stored

    def _named(self, function: Any, item: Any, position: int, *arguments: Any) -> Any:
        """Call a function; if it raises, say of which sample."""
        try:
            return function(*arguments)
        except ValueError as error:
            raise ValueError(f"{called(item, position)} {error}") from error


def read_image_files(
    X: Any, pixel_range: Range | None = None, deep_range: Range | None = None, *, learn: bool = False
) -> ImageFileSamples:
    """Read a list, Series, one-column frame or object array of paths, PIL images or bytes of image files.

    Parameters
    ----------
    X : sequence of path-like, PIL.Image.Image, bytes-like or io.BytesIO
        The images.
    pixel_range, deep_range : tuple of (black, white) or None, default=None
        See `ImageFileSamples`.
    learn : bool, default=False
        Whether to learn ``deep_range``.

    Raises
    ------
    ValueError
        If a file is missing, or is not an image; the message names it and its sample.
    TypeError
        If a sample is not an image.
    """
    samples = ImageFileSamples(items(X), pixel_range, deep_range)
    samples.check(learn=learn)
    return samples


class ImageFiles(SampleKind):
    """Image files, PIL images and encoded images in memory, of any sizes."""

    name = "image_files"
    noun = "image files or PIL images"
    forms = frozenset({Form.STRING, Form.PATH, Form.IMAGE, Form.ENCODED})
    is_image = True
    sizes_vary = True

    def _read(
        self, X: Any, options: ReadOptions, validate: Validate, learned: InputFormat | None
    ) -> tuple[ImageFileSamples, InputFormat]:
        if learned is not None:
            return read_image_files(X, learned.pixel_range, learned.deep_range), learned
        said = None if options.pixel_range is None else check_pixel_range(options.pixel_range)
        samples = read_image_files(X, said, learn=True)
        return samples, InputFormat(self, (0, 0, 3), pixel_range=said, deep_range=samples.deep_range)

    def n_features(self, format: InputFormat) -> int:
        """Return ``n_features_in_``."""
        return 1

    def builder_shape(self, format: InputFormat, image_size: Any) -> tuple[int, ...] | None:
        """Return the shape of one sample for a function that builds a network."""
        return super().builder_shape(format, SMALL_IMAGE if isinstance(image_size, str) else image_size)

    def raw_spec(self, format: InputFormat, preparation: Any, dtype: str) -> tuple[tuple[int | None, ...], str]:
        """Return that a raw sample is a color image of the size at which the network sees it."""
        return (*preparation.size, 3), dtype

    def layout(self, X: Any, format: InputFormat) -> tuple[tuple[int, ...], str]:
        """Return that images are given back as bytes, of the size that the decoder has."""
        return (), "uint8"

    def _preparation(self, network: Network, format: InputFormat, image_size: ImageSize) -> Preparation:
        return image_preparation(network, format, image_size)


def _may_be_deep(image: Any) -> bool:
    """Tell from the header whether pixels may have more than 8 bits."""
    return image.mode.startswith(("I", "F")) or ";16" in raw_mode(image)


def _beside_pixels(image: Any) -> list[str]:
    """Return what the look of a PIL image depends on, beside its mode and pixels."""
    palette = image.getpalette("RGBA") if image.mode in ("P", "PA") else None
    transparency = image.info.get("transparency")
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:
        orientation = 1
    parts = {"palette": palette, "transparency": transparency, "orientation": orientation if orientation != 1 else None}
    return [f"{name}{part!r}" for name, part in parts.items() if part is not None]
