"""Rows that are read a batch at a time, never all at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skltransfer.feature_cache import content_hash

Array = NDArray[Any]
Positions = Sequence[int] | NDArray[np.intp]
RowFormat = tuple[tuple[Any, ...], str]
"""Shape and dtype of one row; the first length is None if each row has its own."""


class Rows(Protocol):
    """Rows that are read a batch at a time.

    ``preparation`` tells how a network takes them: a value that knows, for instance, the
    size to which pictures of many sizes are brought. Rows of one array need none.
    """

    def __len__(self) -> int:
        """Return how many rows there are."""

    def layout(self, preparation: Any) -> RowFormat:
        """Return shape and dtype of a row as `read` gives it."""

    def digest(self, position: int) -> bytes:
        """Digest of the content of a row."""

    def read(self, positions: Positions, preparation: Any = None) -> Array:
        """Return the rows at these positions."""

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

    def layout(self, preparation: Any) -> RowFormat:
        """Return shape and dtype of a row as `read` gives it."""
        return self.values.shape[1:], str(self.values.dtype)

    def digest(self, position: int) -> bytes:
        """Digest of the content of a row."""
        return content_hash(np.ascontiguousarray(self.values[position]))

    def read(self, positions: Positions, preparation: Any = None) -> Array:
        """Return the rows at these positions, as they are."""
        return self.values[np.asarray(positions)]

    def take(self, kept: Array) -> ArrayRows:
        """Return the rows that a boolean mask keeps."""
        return self if kept.all() else ArrayRows(self.values[kept])


class UnequalRows:
    """Sequences of arrays in memory, each of its own length.

    Parameters
    ----------
    values : list of ndarray of shape (steps, channels)
        The rows.
    """

    def __init__(self, values: Sequence[Array]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def layout(self, preparation: Any) -> RowFormat:
        """Return shape and dtype of a row as `read` gives it; the length of each row is its own."""
        return (None, *self.values[0].shape[1:]), str(self.values[0].dtype)

    def digest(self, position: int) -> bytes:
        """Digest of the content of a row."""
        return content_hash(np.ascontiguousarray(self.values[position]))

    def lengths(self, positions: Positions, preparation: Any) -> NDArray[np.intp]:
        """Return how many steps each row has."""
        return np.array([len(self.values[i]) for i in positions], dtype=np.intp)

    def read(self, positions: Positions, preparation: Any = None) -> Array:
        """Return rows of shape (n, longest of these rows, channels), 0 where a row has ended."""
        return fill_up([self.values[i] for i in positions])

    def take(self, kept: Array) -> UnequalRows:
        """Return the rows that a boolean mask keeps."""
        return self if kept.all() else UnequalRows([self.values[i] for i in np.flatnonzero(kept).tolist()])


def fill_up(rows: Sequence[Array]) -> Array:
    """Stack rows of unequal length, with zeros after their ends up to one of a few lengths.

    Examples
    --------
    >>> import numpy as np
    >>> fill_up([np.ones(9), np.ones(2)]).shape
    (2, 16)
    """
    longest = max(map(len, rows))
    step = 8 if longest <= 64 else 32
    filled = np.zeros((len(rows), -(-longest // step) * step, *rows[0].shape[1:]), rows[0].dtype)
    for place, row in zip(filled, rows, strict=True):
        place[: len(row)] = row
    return filled


class BesideRows:
    """Features of rows, and the rows that they were computed from, as one line of numbers each.

    Parameters
    ----------
    features : ArrayRows
        They come first.
    rows : Rows
        They come after.
    preparation : Preparation or None
        With which those are read.
    """

    def __init__(self, features: ArrayRows, rows: Rows, preparation: Any) -> None:
        self.features, self.rows, self.preparation = features, rows, preparation

    def __len__(self) -> int:
        return len(self.rows)

    def layout(self, preparation: Any) -> RowFormat:
        """Return shape and dtype of a row as `read` gives it."""
        shapes = self.features.layout(None)[0], self.rows.layout(self.preparation)[0]
        return (sum(int(np.prod(shape)) for shape in shapes),), str(self.features.values.dtype)

    def digest(self, position: int) -> bytes:
        """Digest of the content of a row."""
        return content_hash(self.features.digest(position), self.rows.digest(position))

    def read(self, positions: Positions, preparation: Any = None) -> Array:
        """Return rows of numbers."""
        parts = self.features.read(positions), self.rows.read(positions, self.preparation)
        flat = [part.reshape(len(part), -1).astype(self.features.values.dtype, copy=False) for part in parts]
        return np.concatenate(flat, axis=1)

    def take(self, kept: Array) -> BesideRows:
        """Return the rows that a boolean mask keeps."""
        return BesideRows(self.features.take(kept), self.rows.take(kept), self.preparation)
