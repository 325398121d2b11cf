"""Samples that are read a batch at a time, never all at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skltransfer._utils.hashing import content_hash
from skltransfer._utils.types import Array

Positions = Sequence[int] | NDArray[np.intp]
SampleSpec = tuple[tuple[Any, ...], str]
"""Shape and dtype of one sample; the first length is None if each sample has its own."""

dtype_name = cache(str)
"""Name of a dtype, which NumPy puts together anew each time."""


class Samples(Protocol):
    """Samples that are read a batch at a time.

    ``preparation`` tells how a network takes them: a value that knows, for instance, the
    size to which images of many sizes are brought. Samples of one array need none.
    """

    def __len__(self) -> int:
        """Return how many samples there are."""

    def layout(self, preparation: Any) -> SampleSpec:
        """Return shape and dtype of a sample as `read` gives it."""

    def digest(self, position: int) -> bytes:
        """Digest of the content of a sample."""

    def read(self, positions: Positions, preparation: Any = None) -> Array:
        """Return the samples at these positions."""

    def take(self, kept: Array) -> Samples:
        """Return the samples that a boolean mask keeps."""


class ArraySamples:
    """Samples of one array in memory (or memory-mapped).

    Parameters
    ----------
    values : ndarray of shape (n_samples, ...)
        The samples.
    """

    def __init__(self, values: Array) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def layout(self, preparation: Any) -> SampleSpec:
        """Return shape and dtype of a sample as `read` gives it."""
        return self.values.shape[1:], dtype_name(self.values.dtype)

    def digest(self, position: int) -> bytes:
        """Digest of the content of a sample."""
        return content_hash(np.ascontiguousarray(self.values[position]))

    def read(self, positions: Positions, preparation: Any = None) -> Array:
        """Return the samples at these positions, as they are; a view if the positions are a range."""
        if isinstance(positions, range) and positions.step > 0:
            return self.values[positions.start : positions.stop : positions.step]
        return self.values[np.asarray(positions)]

    def take(self, kept: Array) -> ArraySamples:
        """Return the samples that a boolean mask keeps."""
        return self if kept.all() else ArraySamples(self.values[kept])


class RaggedSamples:
    """Sequences of arrays in memory, each of its own length.

    Parameters
    ----------
    values : list of ndarray of shape (steps, channels)
        The samples.
    """

    def __init__(self, values: Sequence[Array]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def layout(self, preparation: Any) -> SampleSpec:
        """Return shape and dtype of a sample as `read` gives it; the length of each sample is its own."""
        return (None, *self.values[0].shape[1:]), str(self.values[0].dtype)

    def digest(self, position: int) -> bytes:
        """Digest of the content of a sample."""
        return content_hash(np.ascontiguousarray(self.values[position]))

    def lengths(self, positions: Positions, preparation: Any) -> NDArray[np.intp]:
        """Return how many steps each sample has."""
        return np.array([len(self.values[i]) for i in positions], dtype=np.intp)

    def read(self, positions: Positions, preparation: Any = None) -> Array:
        """Return samples of shape (n, longest of these samples, channels), 0 where a sample has ended."""
        return pad([self.values[i] for i in positions])

    def take(self, kept: Array) -> RaggedSamples:
        """Return the samples that a boolean mask keeps."""
        return self if kept.all() else RaggedSamples([self.values[i] for i in np.flatnonzero(kept).tolist()])


def pad(samples: Sequence[Array]) -> Array:
    """Stack samples of unequal length, with zeros after their ends up to one of a few lengths.

    Examples
    --------
    >>> import numpy as np
    >>> pad([np.ones(9), np.ones(2)]).shape
    (2, 16)
    """
    filled = np.zeros((len(samples), filled_length(max(map(len, samples))), *samples[0].shape[1:]), samples[0].dtype)
    for place, sample in zip(filled, samples, strict=True):
        place[: len(sample)] = sample
    return filled


def filled_length(length: int) -> int:
    """Return the length up to which a sample of this length is filled.

    Examples
    --------
    >>> filled_length(9), filled_length(70)
    (16, 96)
    """
    step = 8 if length <= 64 else 32
    return -(-length // step) * step


class JoinedSamples:
    """Features of samples, and the samples that they were computed from, as one line of numbers each.

    Parameters
    ----------
    features : ArraySamples
        They come first.
    samples : Samples
        They come after.
    preparation : Preparation or None
        With which those are read.
    """

    def __init__(self, features: ArraySamples, samples: Samples, preparation: Any) -> None:
        self.features, self.samples, self.preparation = features, samples, preparation

    def __len__(self) -> int:
        return len(self.samples)

    def layout(self, preparation: Any) -> SampleSpec:
        """Return shape and dtype of a sample as `read` gives it."""
        shapes = self.features.layout(None)[0], self.samples.layout(self.preparation)[0]
        return (sum(int(np.prod(shape)) for shape in shapes),), str(self.features.values.dtype)

    def digest(self, position: int) -> bytes:
        """Digest of the content of a sample."""
        return content_hash(self.features.digest(position), self.samples.digest(position))

    def read(self, positions: Positions, preparation: Any = None) -> Array:
        """Return samples of numbers."""
        parts = self.features.read(positions), self.samples.read(positions, self.preparation)
        flat = [part.reshape(len(part), -1).astype(self.features.values.dtype, copy=False) for part in parts]
        return np.concatenate(flat, axis=1)

    def take(self, kept: Array) -> JoinedSamples:
        """Return the samples that a boolean mask keeps."""
        return JoinedSamples(self.features.take(kept), self.samples.take(kept), self.preparation)
