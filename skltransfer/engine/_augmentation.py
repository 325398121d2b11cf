"""Pictures changed at random, each in the same way whenever it is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer import _backend
from skltransfer._validation import import_keras
from skltransfer.backbones import building
from skltransfer.engine._pool import pool
from skltransfer.feature_cache import content_hash
from skltransfer.inputs import InputFormat, Positions, Rows

Array = NDArray[Any]


@dataclass(frozen=True)
class Augmentation:
    """How pictures are changed.

    Parameters
    ----------
    layer : str
        A serialised Keras layer that changes pictures from 0 to 255 at random.
    format : InputFormat
        Which pixels are black and white.
    seed : int
        Decides, with the row and the number of the view, how a row is changed.
    """

    layer: str
    format: InputFormat
    seed: int

    def change(self, pixels: Array, digests: list[bytes]) -> Array:
        """Change each row by the draw that its digest decides."""
        structure = ("augment", _backend.name(), self.layer, pixels.shape[1:])
        with pool.borrow(structure, lambda: _Changer(self.layer, pixels.shape[1:])) as changer:
            low, span = self.format.low, self.format.high - self.format.low
            bytes_ = (pixels.astype(np.float32) - low) * (255.0 / span)
            changed = [changer(row[None], digest) for row, digest in zip(bytes_, digests, strict=True)]
        values = np.concatenate(changed).clip(0.0, 255.0) * (span / 255.0) + low
        return (values if pixels.dtype.kind == "f" else np.rint(values)).astype(pixels.dtype)


class ViewRows:
    """Rows, each changed at random in one way.

    Parameters
    ----------
    rows : Rows
        The pictures.
    augmentation : Augmentation
        How they are changed.
    view : int
        Which of several ways.
    """

    def __init__(self, rows: Rows, augmentation: Augmentation, view: int) -> None:
        self._rows, self._augmentation, self._view = rows, augmentation, view

    def __len__(self) -> int:
        return len(self._rows)

    def layout(self, preparation: Any) -> tuple[tuple[int, ...], str]:
        """Return shape and dtype of a row as `read` gives it."""
        return self._rows.layout(preparation)

    def digest(self, position: int) -> bytes:
        """Digest of a row and of how it is changed."""
        how = f"{self._augmentation.layer}{self._augmentation.seed}/{self._view}"
        return content_hash(self._rows.digest(position), how)

    def read(self, positions: Positions, preparation: Any = None) -> Array:
        """Return changed rows."""
        digests = [self.digest(int(i)) for i in positions]
        return self._augmentation.change(self._rows.read(positions, preparation), digests)

    def take(self, kept: Array) -> ViewRows:
        """Return the rows that a boolean mask keeps."""
        return ViewRows(self._rows.take(kept), self._augmentation, self._view)


class _Changer:
    """A compiled layer, and the seeds that it draws from."""

    def __init__(self, layer: str, shape: tuple[int, ...]) -> None:
        keras = import_keras()
        with building(0):
            self._layer = keras.saving.deserialize_keras_object(json.loads(layer), safe_mode=True)
            self._layer(np.zeros((1, *shape), dtype=np.float32), training=True)
        self._seeds = [v for v in self._layer.variables if "seed_generator_state" in v.path]
        self._call = _backend.compile_forward(
            self._layer, lambda row: self._layer(row, training=True), shape, "float32", frozen=False
        )

    def __call__(self, row: Array, digest: bytes) -> Array:
        random = np.random.default_rng(list(digest))
        for variable in self._seeds:
            variable.assign(random.integers(2**31, size=variable.shape))
        return self._call(row)
