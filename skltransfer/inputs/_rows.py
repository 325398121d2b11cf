"""Rows that are read a batch at a time, never all at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skltransfer.feature_cache import content_hash

Array = NDArray[Any]
Positions = Sequence[int] | NDArray[np.intp]


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
