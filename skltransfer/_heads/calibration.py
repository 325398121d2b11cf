"""The strength of a logistic regression's penalty, and the temperature of its probabilities, by cross-validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from skltransfer._heads.logistic import ROUGH, Coordinates
from skltransfer._utils.types import Array, Floats

STRENGTHS = (0.01, 0.1, 1.0)
"""Values of C that are compared, and the one without a comparison."""
DEFAULT_STRENGTH = 0.1
FOLDS = 5
MANY_SAMPLES = 4096
"""From so many on, the loss rises beyond the best strength, and does not waver."""


class Calibration(NamedTuple):
    """A strength of the penalty, and what decision values are divided by."""

    C: float
    temperature: float
    log_loss: float


def calibrate(
    coordinates: Coordinates,
    groups: Array,
    names: Array | None = None,
    *,
    strengths: Sequence[float] = STRENGTHS,
    n_folds: int = FOLDS,
) -> list[Calibration]:
    """Find the temperature for each strength of the penalty, on samples held out.

    Parameters
    ----------
    coordinates : Coordinates
        The samples, of one task.
    groups : ndarray of shape (n_samples,)
        Samples of one group are held out together.
    names : ndarray of shape (n_samples,), optional
        Equal samples have one name, and count as one where it matters how many there are; ``groups`` by default.
    strengths : sequence of float
        Values of C.
    n_folds : int
        How many of the folds are held out, one after the other.

    Returns
    -------
    list of Calibration
        One for each strength that was tried: of many samples, those up to the first at which the loss rises, as a
        weaker penalty takes longer. Where some class cannot be held out, a single one with temperature 1.

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (one temperature for all classes).
    """
    folds = list(islice(_folds(coordinates, groups), n_folds))
    if not folds:
        return [Calibration(DEFAULT_STRENGTH, 1.0, np.nan)]
    found: list[Calibration] = []
    starts: list[Floats | None] = [None] * len(folds)
    rest = np.concatenate([held_out for _, held_out in folds])
    for strength in strengths:
        decisions = []
        for number, (seen, held_out) in enumerate(folds):
            starts[number] = theta = coordinates.solve(strength, seen, starts[number], ROUGH)[0]
            decisions.append(coordinates.decisions(theta, held_out))
        temperature, loss = _temperature(
            np.concatenate(decisions), coordinates.codes[rest], coordinates.n_classes, coordinates.weights[rest],
            n_distinct=len(np.unique((groups if names is None else names)[rest])),
        )  # fmt: skip
        found.append(Calibration(strength, temperature, loss))
        if len(rest) >= MANY_SAMPLES and loss > found[0].log_loss:
            break
    return found


def _folds(coordinates: Coordinates, groups: Array) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield positions to learn from and to hold out, in folds that leave some of each class.

    Folds are drawn of one sample a group and class, in the order of their groups, so that they depend neither
    on how often samples are there nor on their order.
    """
    numbers = np.unique(groups, return_inverse=True)[1]
    pairs, of_sample = np.unique(np.column_stack([numbers, coordinates.codes]), axis=0, return_inverse=True)
    n_folds = min(FOLDS, np.bincount(pairs[:, 1], minlength=coordinates.n_classes).min())
    if n_folds < 2:
        return
    alone = len(pairs) == len(np.unique(numbers))  # then nothing is searched for, which takes long
    if alone:
        splits = StratifiedKFold(n_folds).split(pairs, pairs[:, 1])
    else:
        splits = StratifiedGroupKFold(n_folds).split(pairs, pairs[:, 1], pairs[:, 0])
    for _, held_out in splits:
        apart = np.isin(of_sample, held_out)
        if len(np.unique(coordinates.codes[~apart])) == coordinates.n_classes:
            yield np.flatnonzero(~apart), np.flatnonzero(apart)


def _temperature(
    decisions: Floats, codes: NDArray[np.intp], n_classes: int, weights: Floats, *, n_distinct: int
) -> tuple[float, float]:
    """Return the temperature of the smallest log loss, and that loss.

    One more sample than there are counts as wrong, so that a few that are all right do not make the next ones certain.
    """
    if n_classes == 2:
        decisions = np.column_stack([np.zeros(len(codes)), decisions])
    right = np.eye(n_classes)[codes]
    wrong = 1.0 / (n_distinct + 2)
    targets = (weights / weights.sum())[:, None] * ((1 - wrong) * right + wrong * (1 - right) / (n_classes - 1))

    def loss(logarithm: float) -> float:
        return float(-np.sum(targets * log_softmax(decisions * np.exp(-logarithm), axis=1)))

    found = minimize_scalar(loss, bounds=(-4.0, 4.0), method="bounded")
    return float(np.exp(found.x)), float(found.fun)
