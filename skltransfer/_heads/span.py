"""Standardized samples in the coordinates of their own principal axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from skltransfer._utils.hashing import content_hash
from skltransfer._utils.lru import ByteLRU
from skltransfer._utils.types import Floats

MAX_RANK = 2048
"""Beyond so many samples and features, the axes are those of so many samples, evenly spaced."""
COLUMNS, VALUES = 1024, 2**20
"""Features that are in double precision at a time, and values of them."""

CACHED_VALUES = 2**20
"""Numbers that stay in a processor's cache while something is computed of them twice."""

decompositions = ByteLRU(max_bytes=2**28)


@dataclass(frozen=True, eq=False)
class HeldRows:
    """Coordinates of samples in memory."""

    values: Floats

    def parts(self) -> Iterator[tuple[slice, Floats]]:
        """Yield some samples at a time, and which these are."""
        n_samples, rank = self.values.shape
        for some in gen_batches(n_samples, max(1, CACHED_VALUES // max(rank, 1))):
            yield some, self.values[some]


@dataclass(frozen=True, eq=False)
class Span:
    """Standardized samples in the coordinates of their own principal axes.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_features,)
        Features are centered, and divided by their scale; those of infinite scale are left out.
    scores : ndarray of shape (n_samples, rank)
        The samples; ``scores.T @ diag(weights) @ scores`` is ``diag(strength)``.
    strength : ndarray of shape (rank,)
        Weighted sum of squares along each axis.
    axes : ndarray of shape (n_features, rank) or None
        The axes; None if they are combinations of samples.
    some : ndarray of int or None
        Positions of those samples; None if they are all of them.
    combinations : ndarray of shape (n_some, rank) or None
        What their standardized features, times the roots of their weights, are multiplied by.
    """

    mean: Floats
    scale: Floats
    scores: Floats
    strength: Floats
    axes: Floats | None = None
    some: NDArray[np.intp] | None = None
    combinations: Floats | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.mean, self.scale, self.scores, self.strength, self.axes, self.some, self.combinations)
        return sum(array.nbytes for array in arrays if array is not None)

    def rows(self, some: NDArray[np.intp] | slice, dtype: Any) -> HeldRows:
        """Return the coordinates of some samples, in this precision."""
        return HeldRows(self.scores[some].astype(dtype, copy=False))

    def to_features(self, features: Floats, weights: Floats, theta: Floats) -> Floats:
        """Compute coefficients of the features as they come, from those of the coordinates."""
        if self.axes is not None:
            return self.axes @ theta / self.scale[:, None]
        if self.some is None or self.combinations is None:
            seen, dual = features, weights[:, None] * (self.scores @ (theta / self.strength[:, None]))
        else:
            seen, dual = features[self.some], np.sqrt(weights[self.some, None]) * (self.combinations @ theta)
        total, coef = dual.sum(axis=0), np.empty((features.shape[1], theta.shape[1]))
        for part in gen_batches(features.shape[1], COLUMNS):
            coef[part] = (seen[:, part].T @ dual - np.outer(self.mean[part], total)) / self.scale[part, None] ** 2
        return coef


def decompose(features: Floats, weights: Floats, scale: Floats | None = None) -> tuple[Span, bytes]:
    """Return the decomposition of these samples, and a digest of them.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        Features of each sample.
    weights : ndarray of shape (n_samples,)
        Weight of each sample, above 0.
    scale : ndarray of shape (n_features,), optional
        What each feature is divided by; the root mean square deviation of all of them, if it is not given.
    """
    key = content_hash(*map(np.ascontiguousarray, (features, weights, [] if scale is None else scale)))
    span = decompositions.get(key)
    if span is None:
        span = _span(features, weights, scale)
        decompositions.put(key, span, span.nbytes)
    return span, key


def moments(features: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the weighted mean and the mean square deviation of each feature."""
    share = weights / weights.sum()
    mean, square = np.empty(features.shape[1]), np.empty(features.shape[1])
    for some in gen_batches(features.shape[1], COLUMNS):
        part = features[:, some].astype(np.float64)
        mean[some] = share @ part
        square[some] = share @ np.square(part - mean[some])
    return mean, square


def eigen(gram: Floats) -> tuple[Floats, Floats]:
    """Return the eigenvalues above rounding error, and their vectors."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > max(values[-1], 0.0) * len(gram) * np.finfo(np.float64).eps
    return values[kept], vectors[:, kept]


def _span(features: Floats, weights: Floats, scale: Floats | None) -> Span:
    mean, square = moments(features, weights)
    if scale is None:
        scale = np.full(len(mean), float(np.sqrt(np.mean(square))) or 1.0)
    n_samples, n_features, root = len(features), int(np.isfinite(scale).sum()), np.sqrt(weights)[:, None]
    standardized = Standardized(features, mean, scale, root)
    if n_samples <= min(n_features, MAX_RANK):
        strength, vectors = eigen(standardized.gram(np.arange(n_samples)))
        return Span(mean, scale, vectors * np.sqrt(strength) / root, strength)
    if n_features > MAX_RANK:
        some = np.linspace(0, n_samples - 1, MAX_RANK).astype(np.intp)
        products = standardized.products(some)
        strength, vectors = eigen(products[some])
        combinations = vectors / np.sqrt(strength)
        heavy = products @ combinations
        del products
        scores, strength, rotation = _rotated(heavy, root)
        return Span(mean, scale, scores, strength, some=some, combinations=combinations @ rotation)
    scores, strength, rotation = _rotated(standardized.table(), root)
    return Span(mean, scale, scores, strength, rotation)


def _rotated(heavy: Floats, root: Floats) -> tuple[Floats, Floats, Floats]:
    """Return weighted samples along their axes without the weights, the strengths of the axes, and the axes."""
    strength, rotation = eigen(heavy.T @ heavy)
    scores = heavy @ rotation
    scores /= root
    return scores, strength, rotation


@dataclass(frozen=True, eq=False)
class Standardized:
    """Weighted, centered and scaled features, some columns at a time."""

    features: Floats
    mean: Floats
    scale: Floats
    root: Floats

    def gram(self, chosen: NDArray[np.intp]) -> Floats:
        """Return the inner products of some samples."""
        found = np.zeros((len(chosen), len(chosen)))
        for some in self._columns():
            part = self._part(some, chosen)
            found += part @ part.T
        return found

    def products(self, chosen: NDArray[np.intp]) -> Floats:
        """Return the inner products of all samples with some, shape (n_samples, n_chosen)."""
        found, everything = np.zeros((len(self.features), len(chosen))), np.arange(len(self.features))
        for some in self._columns():
            part = self._part(some, everything)
            found += part @ part[chosen].T
        return found

    def table(self) -> Floats:
        """Return all features of all samples."""
        return self._part(slice(None), np.arange(len(self.features)))

    def _columns(self) -> list[slice]:
        fitting = max(1, VALUES // len(self.features))
        parts = gen_batches(self.features.shape[1], min(fitting, COLUMNS))
        return [part for part in parts if np.isfinite(self.scale[part]).any()]

    def _part(self, some: slice, chosen: NDArray[np.intp]) -> Floats:
        return (self.features[chosen, some] - self.mean[some]) / self.scale[some] * self.root[chosen]
