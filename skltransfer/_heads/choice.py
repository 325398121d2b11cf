"""The choice of how much each block of features counts, by cross-validation in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skltransfer._engine.pooling import INPUT, Output
from skltransfer._heads.span import Standardized, moments
from skltransfer._targets.targets import Targets
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.lru import ByteLRU
from skltransfer._utils.types import Array, Floats

CHOICE_SAMPLES = 1000
"""Beyond so many samples, the choice is made on so many, evenly spaced among those of each class."""
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
"""Of the ridge regressions that are compared, as shares of the sum of squares of the samples."""
FEWEST_TO_CHOOSE = 25
"""Groups of samples; the errors of fewer say little, and the first candidate is taken."""
CONSTANT = 10.0
"""Square of a constant feature beside samples of square 1, so that the intercept is hardly penalized."""


IMAGE_SHARES = (
    ("last + late grids", 1, (1, 1, 0), 0),
    ("last", 1, (0, 0, 0), 0),
    ("3 last + late grid", 3, (1, 0, 0), 0),
    ("last + late grid", 1, (1, 0, 0), 0),
    ("2 last + late grids", 2, (1, 1, 0), 0),
    ("last + all grids", 1, (1, 1, 1), 0),
    ("all", 1, (1, 1, 1), 1),
    ("all, 3 input", 1, (1, 1, 1), 3),
)
"""Names, and shares of the last stage, of grids from late to early, and of the input."""
TEXT_SHARES = (
    ("3 last + words", 3, (0, 0), 1),
    ("last", 1, (0, 0), 0),
    ("2 last + earlier", 2, (1, 1), 0),
    ("last + words", 1, (0, 0), 1),
    ("last + 3 words", 1, (0, 0), 3),
    ("all", 2, (1, 1), 1),
)
"""The same with averages of earlier stages, and a bag of tokens."""
KERNEL_SHARES = (
    ("columns + kernels", 3, (0,), 1),
    ("columns", 0, (0,), 1),
    ("kernels", 1, (0,), 0),
    ("medium kernel", 0, (1,), 0),
    ("columns + medium kernel", 0, (1,), 1),
)
"""The same of tables: three kernels, one of them, and the columns."""
TABLE_SHARES = (("last + columns", 1, (), 1), ("last", 1, (), 0), ("columns", 0, (), 1), ("last + 3 columns", 1, (), 3))
"""The same of tables, for a network that was trained."""


choices = ByteLRU(max_bytes=2**20)
"""Made before: a search over what is no block chooses once a fold."""


class Candidate(NamedTuple):
    """Blocks of features, and the share of each; shares add up to 1."""

    name: str
    shares: tuple[float, ...]


def candidates(outputs: Sequence[Output], widths: Sequence[int]) -> list[Candidate]:
    """List shares of blocks to choose from; the first one is robust, and the second the simplest.

    Parameters
    ----------
    outputs : sequence of Output
        The blocks: the last stage; then grids from late to early, averages of earlier stages, or a kernel; then
        the input, or the columns of a table.
    widths : sequence of int
        Features of each block. Where the last stage of a network for images has fewer than the input, the small
        network may not know what the task needs, and all blocks come first.
    """
    n_between = len(outputs) - 2
    if n_between < 0:
        return [Candidate("last", (1.0,))]
    table = _shares(outputs)
    found: dict[tuple[float, ...], Candidate] = {}
    if table is IMAGE_SHARES and widths[0] < widths[-1]:
        roots = np.sqrt(widths) / np.sqrt(widths).sum()
        found[tuple(roots.tolist())] = Candidate("all, by their size", tuple(roots.tolist()))
    for name, last, between, given in table:
        shares = np.array([last, *between[:n_between], given], dtype=np.float64)
        shares /= shares.sum()
        found.setdefault(tuple(shares.tolist()), Candidate(name, tuple(shares.tolist())))
    return list(found.values())


def _shares(outputs: Sequence[Output]) -> Sequence[tuple[str, int, tuple[int, ...], int]]:
    """Return the shares to choose from, by what the last block is."""
    if outputs[-1].stage != INPUT:
        return KERNEL_SHARES if len(outputs) > 2 else TABLE_SHARES
    return TEXT_SHARES if outputs[-1].pooling.startswith("bag") else IMAGE_SHARES


@dataclass(frozen=True, eq=False)
class Choice:
    """A choice among candidates.

    Parameters
    ----------
    chosen : int
        Which candidate.
    penalties : ndarray of shape (n_candidates,)
        The best ridge penalty of each candidate.
    errors, standard_errors : ndarray of shape (n_candidates,)
        Mean squared error on samples held out, and the standard error of its difference from the best candidate's.
    """

    chosen: int
    penalties: Floats
    errors: Floats
    standard_errors: Floats


def block_scale(
    features: Floats, weights: Floats, widths: Sequence[int], shares: Sequence[float], square: float
) -> Floats:
    """Return what each feature is divided by, so that blocks count by their shares.

    The mean square of a standardized sample is the same, whatever the shares are: the strength of a penalty
    means the same for all of them.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        The blocks beside each other.
    weights : ndarray of shape (n_samples,)
        Sample weights, above 0.
    widths : sequence of int
        Features of each block.
    shares : sequence of float
        Of the sum of squares of a sample; a block of 0 is left out.
    square : float
        Mean square of a sample.

    Returns
    -------
    ndarray of shape (n_features,)
    """
    _, squares = moments(features, weights)
    ends = np.cumsum(widths)
    totals = np.array([part.sum() for part in np.split(squares, ends[:-1])])
    wanted = np.where(totals > 0, shares, 0.0)
    if not wanted.any():
        return np.ones(len(squares))
    with np.errstate(divide="ignore", invalid="ignore"):
        scales = np.sqrt(totals / (wanted / wanted.sum() * square))
    return np.repeat(np.where(wanted > 0, scales, np.inf), widths)


def choose(
    features: Floats, targets: Targets, widths: Sequence[int], candidates: Sequence[Candidate], groups: Array
) -> list[Choice]:
    """Choose among shares of blocks, by the error of ridge regressions on samples that they do not see.

    The first candidate is taken unless there are enough samples and another one is better by more than a standard
    error.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        The blocks beside each other.
    targets : Targets
        What samples should come out as.
    widths : sequence of int
        Features of each block.
    candidates : sequence of Candidate
        The first one is what is taken in doubt.
    groups : ndarray of shape (n_samples,)
        Samples of one group are held out together.

    Returns
    -------
    list of Choice
        One for each task.

    References
    ----------
    Allen, "The Relationship between Variable Selection and Data Augmentation and a Method for Prediction",
    Technometrics 1974 (the residual of a sample held out, in closed form).

    Evci et al., "Head2Toe: Utilizing Intermediate Representations for Better Transfer Learning", ICML 2022.
    """
    key = content_hash(
        *map(np.ascontiguousarray, (features, targets.values, targets.weights, groups)), repr((widths, candidates))
    )
    found = choices.get(key)
    if found is None:
        found = _choose(features, targets, widths, candidates, groups)
        choices.put(key, found, sum(choice.errors.nbytes for choice in found))
    return found


def _choose(
    features: Floats, targets: Targets, widths: Sequence[int], candidates: Sequence[Candidate], groups: Array
) -> list[Choice]:
    some = evenly(targets, groups, CHOICE_SAMPLES)
    features, targets, groups = features[some], targets.take(some), groups[some]
    grams = _grams(features, targets.weights.max(axis=1), widths)
    losses = [_losses(candidate, grams, targets, groups) for candidate in candidates]
    present = targets.weights.T > 0
    return [_best(np.stack(own), groups[some]) for own, some in zip(zip(*losses, strict=True), present, strict=True)]


def _best(losses: Floats, groups: Array) -> Choice:
    """Choose by the losses of samples of shape (n_candidates, n_penalties, n_samples)."""
    best = losses.sum(axis=2).argmin(axis=1)
    losses = losses[np.arange(len(losses)), best]
    errors = losses.mean(axis=1)
    rises = _sums(losses - losses[errors.argmin()], groups)
    n_groups = rises.shape[1]
    standard_errors = rises.std(axis=1) / losses.shape[1] * n_groups / np.sqrt(max(n_groups - 1, 1))
    doubtful = n_groups < FEWEST_TO_CHOOSE or errors[0] - errors.min() <= standard_errors[0]
    chosen = 0 if doubtful else int(errors.argmin())
    return Choice(chosen, np.array(PENALTIES)[best], errors, standard_errors)


def _sums(losses: Floats, groups: Array) -> Floats:
    """Add up the losses of each group, shape (n_candidates, n_groups)."""
    numbers = np.unique(groups, return_inverse=True)[1]
    return np.stack([np.bincount(numbers, weights=own) for own in losses])


def evenly(targets: Targets, groups: Array, n_samples: int) -> NDArray[np.intp]:
    """Choose so many samples, evenly spaced in the order of their classes, and within these of their groups."""
    strata = targets.strata()
    order = np.argsort(groups, kind="stable") if strata is None else np.lexsort((groups, strata))
    if len(order) <= n_samples:
        return np.sort(order)
    return np.sort(order[np.linspace(0, len(order) - 1, n_samples).astype(np.intp)])


def _grams(features: Floats, weights: Floats, widths: Sequence[int]) -> list[Floats]:
    """Return the inner products of samples in each block, where the mean square of a sample is 1."""
    grams, ends = [], np.cumsum(widths).tolist()
    for width, end in zip(widths, ends, strict=True):
        block = features[:, end - width : end]
        mean, square = moments(block, weights)
        scale = np.full(width, np.sqrt(square.sum()) or 1.0)
        everything = np.arange(len(block))
        grams.append(Standardized(block, mean, scale, np.ones((len(block), 1))).gram(everything))
    return grams


def _losses(candidate: Candidate, grams: Sequence[Floats], targets: Targets, groups: Array) -> list[Floats]:
    """Weighted squared error of each held-out sample in each task, for each penalty, shape (n_penalties, n_samples)."""
    parts = [share * gram for share, gram in zip(candidate.shares, grams, strict=True) if share > 0]
    gram = np.sum(parts, axis=0)
    ridges: dict[bytes, _Ridge] = {}
    losses = []
    for task in targets.each():
        weights = task.weights[:, 0]
        ridge = ridges.setdefault(weights.tobytes(), _Ridge(gram, weights, groups))
        losses.append(np.square(ridge.held_out(task.values)).sum(axis=2))
    return losses


class _Ridge:
    """Kernel ridge regressions on samples of positive weight."""

    def __init__(self, gram: Floats, weights: Floats, groups: Array) -> None:
        self.present = np.flatnonzero(weights > 0)
        self.weights = weights[self.present] / weights[self.present].mean()
        self._root = np.sqrt(self.weights)
        self._gram = gram
        names, numbers = np.unique(groups[self.present], return_inverse=True)
        alone = len(names) == len(self.present)
        self._members = [] if alone else [np.flatnonzero(numbers == number) for number in range(len(names))]

    @cached_property
    def _decomposition(self) -> tuple[Floats, Floats]:
        weighted = (self._gram[np.ix_(self.present, self.present)] + CONSTANT) * np.outer(self._root, self._root)
        strength, vectors = np.linalg.eigh(weighted)
        return np.maximum(strength, 0.0), vectors

    def held_out(self, values: Floats) -> Floats:
        """Residuals of held-out groups in standard deviations, weighted; shape (n_penalties, n_samples, n_outputs)."""
        values = values[self.present]
        centered = values - np.average(values, axis=0, weights=self.weights)
        variance = float(np.average(np.square(centered), axis=0, weights=self.weights).sum()) or 1.0
        return self._residuals(centered / np.sqrt(variance) * self._root[:, None])

    def _residuals(self, values: Floats) -> Floats:
        (strength, vectors), n_samples = self._decomposition, len(values)
        inverses = 1.0 / (strength + n_samples * np.array(PENALTIES)[:, None])
        duals = np.stack([vectors @ along for along in inverses[:, :, None] * (vectors.T @ values)])
        if not self._members:
            return duals / (inverses @ np.square(vectors.T))[:, :, None]
        for dual, inverse in zip(duals, inverses, strict=True):
            for some in self._members:
                dual[some] = np.linalg.solve((vectors[some] * inverse) @ vectors[some].T, dual[some])
        return duals
