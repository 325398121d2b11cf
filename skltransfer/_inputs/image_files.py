"""Image files and PIL images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer._inputs.samples import Positions
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.types import Array


class ImageFileSamples:
    """Image files and PIL images, opened when they are read and not before.

    Parameters
    ----------
    items : sequence of path-like or PIL.Image.Image
        One image a sample.
    """

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def layout(self, preparation: Any) -> tuple[tuple[int, ...], str]:
        """Return shape and dtype of a sample as `read` gives it."""
        assert preparation.size is not None, "plan_extraction settles a size for images"
        return (*preparation.size, 3), "uint8"

    def digest(self, position: int) -> bytes:
        """Digest of the file's bytes, or of the pixels of a PIL image."""
        item = self.items[position]
        if is_path(item):
            with open(item, "rb") as file:
                return content_hash(file.read())
        return content_hash(item.mode, np.ascontiguousarray(item))

    def read(self, positions: Positions, preparation: Any = None) -> NDArray[np.uint8]:
        """Return images as (n, height, width, 3) bytes, resized one by one to the size of the preparation."""
        return self.resized(positions, preparation.size)

    def resized(self, positions: Positions, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Return images as (n, height, width, 3) bytes, resized one by one."""
        return np.stack([self._image(i, size) for i in positions])

    def take(self, kept: Array) -> ImageFileSamples:
        """Return the samples that a boolean mask keeps."""
        return self if kept.all() else ImageFileSamples([self.items[i] for i in np.flatnonzero(kept).tolist()])

    def check(self) -> None:
        """Open each file once, so that a bad one is told before any work starts."""
        for sample, item in enumerate(self.items):
            if is_path(item):
                _open(item, sample).close()
            elif not is_pil(item):
                raise TypeError(
                    f"X: sample {sample} is a {type(item).__name__}, but the first sample is a image. Expected a path or a "
                    "PIL image in every sample; drop or replace that sample."
                )

    def _image(self, position: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        from PIL import Image

        item = self.items[position]
        with _open(item, position) if is_path(item) else nullcontext(item) as image:
            try:
                if image.mode.startswith("I"):
                    image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
                rgb = image.convert("RGB")
            except (OSError, SyntaxError) as error:
                raise ValueError(
                    f"X: sample {position}, {str(item)!r}, is a damaged image ({error}). Replace the file or drop the sample."
                ) from error
        if rgb.size != (size[1], size[0]):
            rgb = rgb.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        return np.asarray(rgb)


def read_image_files(X: Any) -> ImageFileSamples:
    """Read a list, Series, one-column frame or object array of paths or PIL images.

    Raises
    ------
    ValueError
        If a file is missing, or is not an image; the message names it and its sample.
    TypeError
        If a sample is neither a path nor a PIL image.
    """
    if hasattr(X, "iloc") or hasattr(X, "to_numpy"):
        X = X.to_numpy().ravel()
    samples = ImageFileSamples(list(X.ravel() if isinstance(X, np.ndarray) else X))
    samples.check()
    return samples


def is_path(item: Any) -> bool:
    return isinstance(item, str | os.PathLike)


def is_pil(item: Any) -> bool:
    return hasattr(item, "convert") and hasattr(item, "mode") and hasattr(item, "resize")


def _open(path: Any, sample: int) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path)
    except FileNotFoundError as error:
        raise ValueError(
            f"X: sample {sample}, {str(path)!r}, is missing. Expected the path of an image file."
        ) from error
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(
            f"X: sample {sample}, {str(path)!r}, is not an image that can be read. Replace the file or drop the sample."
        ) from error
