"""Linear heads on more samples than there is memory for their features."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedRandom
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve as solve_equations
from sklearn.utils import gen_batches

from skltransfer._heads.automatic import Blocks, Settled, settle
from skltransfer._heads.calibration import calibrate
from skltransfer._heads.choice import evenly
from skltransfer._heads.head import Head
from skltransfer._heads.logistic import TIGHT, Coordinates
from skltransfer._heads.solve import codes_of, of_present, with_halves
from skltransfer._heads.solver import warn_unless_converged
from skltransfer._heads.span import CACHED_VALUES, decompose
from skltransfer._targets.targets import Targets
from skltransfer._utils.types import Array, Floats

HELD_BYTES = 2**29
"""Features of up to so many bytes are in memory at a time."""
SEEN = 8192
"""Samples on which blocks of features and the penalty are chosen, and whose principal axes are taken."""


class Features(Protocol):
    """Features of samples, computed when they are asked for."""

    def __len__(self) -> int:
        """Return how many samples there are."""
        ...

    def take(self, positions: NDArray[np.intp]) -> Floats:
        """Return the features of some samples."""
        ...

    def parts(self) -> Iterator[Floats]:
        """Yield the features of all samples in their order, of some at a time."""
        ...


def solve_streamed(
    features: Features, targets: Targets, blocks: Blocks, *, C: float | None, groups: Array, names: Array
) -> tuple[Head, dict[str, list[Any]]]:
    """Solve a linear head on features that are seen once, some samples at a time.

    Blocks, the penalty and the scale of features are those of `solve_automatically` on `SEEN` of the samples. For each
    task, all samples are then written to a temporary file, in the coordinates of the principal axes of these and in
    single precision, and the head is solved on all of them. Its temperature is that of a fifth, held out once.

    Parameters
    ----------
    features : Features
        The blocks beside each other.
    targets, blocks, C, groups, names
        See `solve_automatically`.

    Returns
    -------
    head : Head
        On all features as they come.
    selection : dict of str to list
        What was tried, by column.

    Raises
    ------
    OSError
        If there is no room for the temporary file, of 4 bytes for each sample and axis, at most 8 KiB a sample.
    """
    some = evenly(targets, groups, SEEN)
    seen, few = features.take(some), targets.take(some)
    settled, selection = settle(seen, few, blocks, C=C, groups=groups[some], names=names[some])
    axes = [Axes.of(seen, task, own.scale) for task, own in zip(few.each(), settled, strict=True)]
    del seen
    related = (groups, names) if C is None else None
    each = zip(axes, targets.each(), settled, strict=True)
    return Head.beside([_solved(features, own, task, found, related) for own, task, found in each]), selection


@dataclass(frozen=True, eq=False)
class Axes:
    """From features to coordinates on the principal axes of some samples.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Features are centered.
    columns : ndarray of shape (n_used,)
        Positions of the features that count.
    directions : ndarray of shape (n_features, rank)
        What they are multiplied by.
    """

    mean: Floats
    columns: NDArray[np.intp]
    directions: Floats

    @classmethod
    def of(cls, seen: Floats, targets: Targets, scale: Floats | None) -> Axes:
        """Take the axes of the samples of one task."""
        present = targets.weights[:, 0] > 0
        seen, weights = of_present(seen, present), targets.weights[present, 0]
        span, _ = decompose(seen, weights, scale)
        directions = span.to_features(seen, weights, np.eye(len(span.strength)))
        return cls(span.mean, np.flatnonzero(np.isfinite(span.scale)), directions)

    def coordinates(self, features: Floats, directions: Floats) -> Floats:
        """Compute the coordinates of samples, with the directions of the columns in the type of features."""
        mean = self.mean[self.columns].astype(features.dtype)
        return (features[:, self.columns] - mean) @ directions

    def head(self, theta: Floats, intercept: Floats, n_iter: int) -> Head:
        """Return a head that takes features as they come."""
        coef = self.directions @ theta
        return Head(coef, intercept - self.mean @ coef, n_iter)


@dataclass(frozen=True, eq=False)
class StoredSpan:
    """Coordinates of samples in a file, in single precision.

    Parameters
    ----------
    file : file object
        What it holds is written by `write`.
    positions : ndarray of shape (n_samples,)
        Which of the samples in the file these are, sorted.
    strength : ndarray of shape (rank,)
        Weighted sum of squares along each axis.
    n_stored : int
        How many samples are in the file.
    """

    file: BufferedRandom
    positions: NDArray[np.intp]
    strength: Floats
    n_stored: int

    @classmethod
    def write(cls, file: BufferedRandom, features: Iterable[Floats], axes: Axes, weights: Floats) -> StoredSpan:
        """Write the coordinates of all samples; those of positive weight are the ones that count."""
        directions = (axes.directions[axes.columns]).astype(np.float32)
        strength, start = np.zeros(directions.shape[1]), 0
        for part in features:
            own = axes.coordinates(part, directions)
            strength += weights[start : start + len(own)] @ np.square(own, dtype=np.float64)
            start += len(own)
            _append(file, own, len(weights))
        return cls(file, np.flatnonzero(weights > 0), strength, start)

    def rows(self, some: NDArray[np.intp] | slice, dtype: Any) -> StoredRows:
        """Return the coordinates of some samples, in this precision."""
        return StoredRows(self, self.positions[some], dtype)


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Coordinates of samples in a file, read once each time they are gone through."""

    span: StoredSpan
    positions: NDArray[np.intp]
    dtype: Any

    def parts(self) -> Iterator[tuple[slice, Floats]]:
        """Yield some samples at a time, and which these are."""
        rank = len(self.span.strength)
        buffer = np.empty((max(1, CACHED_VALUES // max(rank, 1)), rank), np.float32)
        self.span.file.seek(0)
        for rows in gen_batches(self.span.n_stored, len(buffer)):
            part = buffer[: rows.stop - rows.start]
            self.span.file.readinto(part.data)
            begin, end = np.searchsorted(self.positions, (rows.start, rows.stop))
            chosen = self.positions[begin:end] - rows.start
            own = part if len(chosen) == len(part) else part[chosen]
            yield slice(begin, end), own.astype(self.dtype, copy=False)


def _append(file: BufferedRandom, coordinates: Floats, n_samples: int) -> None:
    try:
        file.write(np.ascontiguousarray(coordinates, np.float32).data)
    except OSError as error:
        needed = 4 * n_samples * coordinates.shape[1] / 1e9
        raise OSError(
            error.errno,
            f"{n_samples} samples need {needed:.2g} GB for a while in {tempfile.gettempdir()!r} ({error.strerror}). "
            "Free some space, or set the environment variable TMPDIR to a folder that has it.",
        ) from error


def _solved(
    features: Features, axes: Axes, targets: Targets, settled: Settled, names: tuple[Array, Array] | None
) -> Head:
    """Solve the head of one task on all samples."""
    weights = targets.weights[:, 0]
    with tempfile.TemporaryFile() as file:
        span = StoredSpan.write(file, features.parts(), axes, weights)
        own = targets.take(weights > 0)
        if targets.tasks[0].kind == "values":
            return _ridge(span, axes, own, settled.C)
        codes, n_classes = codes_of(own)
        coordinates = Coordinates(span, codes, n_classes, own.weights[:, 0])
        temperature = 1.0
        if names is not None:
            groups, distinct = (of_sample[span.positions] for of_sample in names)
            temperature = calibrate(coordinates, groups, distinct, strengths=(settled.C,), n_folds=1)[0].temperature
        theta, n_iter = coordinates.solve(settled.C, xtol=TIGHT)
    warn_unless_converged(n_iter, settled.C)
    return with_halves(axes.head(theta[:-1], theta[-1], n_iter), targets.tasks[0]).divided_by(temperature)


def _ridge(span: StoredSpan, axes: Axes, targets: Targets, C: float) -> Head:
    """Solve a ridge regression by the products of coordinates, which need not be centered."""
    weights, rank = targets.weights, len(span.strength)
    middle = np.average(targets.values, axis=0, weights=weights[:, 0])
    products, total, along = np.zeros((rank, rank)), np.zeros(rank), np.zeros((rank, targets.values.shape[1]))
    for some, part in span.rows(slice(None), np.float32).parts():
        heavy = weights[some] * part
        products += part.T.astype(np.float64) @ heavy
        total += heavy.sum(axis=0)
        along += heavy.T @ (targets.values[some] - middle)
    mean = total / weights.sum()
    theta = solve_equations(products - np.outer(mean, total) + np.eye(rank) / C, along, assume_a="pos")
    return axes.head(theta, middle - mean @ theta, 1)
