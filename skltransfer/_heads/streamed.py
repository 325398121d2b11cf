"""Linear heads on more samples than there is memory for their features."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
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


class FeatureSource(Protocol):
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
    features: FeatureSource, targets: Targets, blocks: Blocks, *, C: float | None, groups: Array, names: Array
) -> tuple[Head, dict[str, list[Any]]]:
    """Solve a linear head on features that are seen once, some samples at a time.

    Blocks, the penalty and the scale of features are those of `solve_automatically` on `SEEN` of the samples. All
    samples are then written to a temporary file for each task, in the coordinates of the principal axes of these and
    in single precision, and the head is solved on all of them. Its temperature is that of a fifth, held out once.

    Parameters
    ----------
    features : FeatureSource
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
        If there is no room for a temporary file, of 4 bytes for each sample and axis, at most 8 KiB a sample.
    """
    some = _seen_first(targets, groups)
    seen, few = features.take(some), targets.take(some)
    settled, selection = settle(seen, few, blocks, C=C, groups=groups[some], names=names[some])
    axes = [Axes.of(seen, task, own.scale) for task, own in zip(few.each(), settled, strict=True)]
    del seen
    related = (groups, names) if C is None else None
    heads = []
    with ExitStack() as stack:
        spans = [
            StoredSpan(stack.enter_context(tempfile.TemporaryFile()), own, weights)
            for own, weights in zip(axes, targets.weights.T, strict=True)
        ]
        for part in features.parts():
            for span in spans:
                span.append(part)
        for number, (span, task, found) in enumerate(zip(spans, targets.each(), settled, strict=True)):
            head, temperature = _solved(span, task.take(span.positions), found, related)
            heads.append(head.divided_by(temperature))
            _correct(selection, number, temperature)
    return Head.beside(heads), selection


def _seen_first(targets: Targets, groups: Array) -> NDArray[np.intp]:
    """Choose samples of which each task has its share."""
    each = [np.flatnonzero(weights > 0) for weights in targets.weights.T]
    share = SEEN // len(each)
    chosen = [own[evenly(task.take(own), groups[own], share)] for own, task in zip(each, targets.each(), strict=True)]
    return np.unique(np.concatenate(chosen))


def _correct(selection: dict[str, list[Any]], number: int, temperature: float) -> None:
    """Let what is listed as chosen for a task have the temperature of all samples."""
    for place, (task, step, chosen) in enumerate(
        zip(*(selection.get(name, ()) for name in ("task", "step", "chosen")), strict=True)
    ):
        if (task, step) == (number, "C") and chosen:
            selection["temperature"][place] = temperature


@dataclass(frozen=True, eq=False)
class Axes:
    """From features to coordinates on the principal axes of some samples.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Features are centered.
    columns : ndarray of shape (n_used,)
        Positions of the features that count.
    directions : ndarray of shape (n_used, rank)
        What these are multiplied by, in single precision.
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
        columns = np.flatnonzero(np.isfinite(span.scale))
        return cls(span.mean, columns, directions[columns].astype(np.float32))

    def coordinates(self, features: Floats) -> Floats:
        """Compute the coordinates of samples."""
        own = features[:, self.columns].astype(np.float32, copy=False)
        return (own - self.mean[self.columns].astype(np.float32)) @ self.directions

    def head(self, theta: Floats, intercept: Floats, n_iter: int) -> Head:
        """Return a head that takes features as they come."""
        coef = np.zeros((len(self.mean), theta.shape[1]))
        coef[self.columns] = self.directions @ theta
        return Head(coef, intercept - self.mean @ coef, n_iter)


@dataclass(eq=False)
class StoredSpan:
    """Coordinates of samples in a file, in single precision.

    Parameters
    ----------
    file : BufferedRandom
        A temporary file.
    axes : Axes
        From features to coordinates.
    weights : ndarray of shape (n_stored,)
        Sample weights; those of weight 0 are in the file and do not count.
    """

    file: BufferedRandom
    axes: Axes
    weights: Floats

    def __post_init__(self) -> None:
        self.positions = np.flatnonzero(self.weights > 0)
        self.strength = np.zeros(self.axes.directions.shape[1])
        self._n_written = 0

    @property
    def n_stored(self) -> int:
        """How many samples are in the file."""
        return len(self.weights)

    def append(self, features: Floats) -> None:
        """Write the coordinates of the next samples.

        Raises
        ------
        OSError
            If there is no room for them.
        """
        own = self.axes.coordinates(features)
        weights = self.weights[self._n_written : self._n_written + len(own)]
        self.strength += weights @ np.square(own, dtype=np.float64)
        self._n_written += len(own)
        try:
            self.file.write(np.ascontiguousarray(own).data)
        except OSError as error:
            needed = 4 * self.n_stored * len(self.strength) / 1e9
            raise OSError(
                error.errno,
                f"{self.n_stored} samples need {needed:.2g} GB for a while in {tempfile.gettempdir()!r} "
                f"({error.strerror}). Free some space, or set the environment variable TMPDIR to a folder that has it.",
            ) from error

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
        """Yield some samples at a time, and which these are; each part takes the memory of the one before."""
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


def _solved(
    span: StoredSpan, targets: Targets, settled: Settled, names: tuple[Array, Array] | None
) -> tuple[Head, float]:
    """Solve the head of one task, and find what to divide its decision values by."""
    if targets.tasks[0].kind == "values":
        return _ridge(span, targets, settled.C), 1.0
    codes, n_classes = codes_of(targets)
    coordinates, temperature = Coordinates(span, codes, n_classes, targets.weights[:, 0]), 1.0
    if names is not None:
        groups, distinct = (of_sample[span.positions] for of_sample in names)
        temperature = calibrate(coordinates, groups, distinct, strengths=(settled.C,), n_folds=1)[0].temperature
    theta, n_iter = coordinates.solve(settled.C, xtol=TIGHT)
    warn_unless_converged(n_iter, settled.C)
    return with_halves(span.axes.head(theta[:-1], theta[-1], n_iter), targets.tasks[0]), temperature


def _ridge(span: StoredSpan, targets: Targets, C: float) -> Head:
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
    return span.axes.head(theta, middle - mean @ theta, 1)
