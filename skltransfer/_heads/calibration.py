"""The strength of a logistic regression's penalty, and the temperature of its probabilities, by cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_expit, log_softmax
from sklearn.model_selection import StratifiedGroupKFold

from skltransfer._heads.logistic import Coordinates
from skltransfer._utils.types import Array, Floats

STRENGTHS = (0.01, 0.1, 1.0)
"""Values of C that are compared, and the one without a comparison."""
DEFAULT_STRENGTH = 0.1
FOLDS = 5
ROUGH = 1e-4
"""Mean change of a coordinate at which the solution for a fold is taken."""


class Calibration(NamedTuple):
    """A strength of the penalty, and what decision values are divided by."""

    C: float
    temperature: float
    log_loss: float


def calibrate(coordinates: Coordinates, C: float | None, groups: Array) -> list[Calibration]:
    """Find the temperature for each strength of the penalty, on samples held out.

    Parameters
    ----------
    coordinates : Coordinates
        The samples.
    C : float or None
        Inverse strength of the penalty; None compares several.
    groups : ndarray of shape (n_samples,)
        Samples of one group are held out together.

    Returns
    -------
    list of Calibration
        One for each strength. Where some class cannot be held out, a single one with temperature 1.

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (one temperature for all classes).
    """
    folds = list(_folds(coordinates, groups))
    if not folds:
        return [Calibration(DEFAULT_STRENGTH if C is None else C, 1.0, np.nan)]
    found, start = [], None
    for strength in STRENGTHS if C is None else (C,):
        start, _ = coordinates.solve(strength, start=start, xtol=ROUGH)
        held_out = np.empty((len(coordinates.codes), start.shape[1]))
        for seen, rest in folds:
            theta, _ = coordinates.solve(strength, seen, start, ROUGH)
            held_out[rest] = coordinates.decisions(theta, rest)
        found.append(Calibration(strength, *_temperature(held_out, coordinates)))
    return found


def _folds(coordinates: Coordinates, groups: Array) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield positions to learn from and to hold out, in folds that leave some of each class."""
    codes = coordinates.codes
    pairs = np.unique(np.column_stack([codes, np.unique(groups, return_inverse=True)[1]]), axis=0)
    n_folds = min(FOLDS, np.bincount(pairs[:, 0], minlength=coordinates.n_classes).min())
    if n_folds < 2:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer samples than folds
        yield from StratifiedGroupKFold(n_folds).split(codes, codes, groups)


def _temperature(decisions: Floats, coordinates: Coordinates) -> tuple[float, float]:
    """Return the temperature of the smallest log loss, and that loss."""
    codes, weights = coordinates.codes, coordinates.weights / coordinates.weights.sum()

    def loss(logarithm: float) -> float:
        scaled = decisions * np.exp(-logarithm)
        if coordinates.n_classes == 2:
            return float(-weights @ log_expit(np.where(codes == 1, scaled[:, 0], -scaled[:, 0])))
        return float(-weights @ log_softmax(scaled, axis=1)[np.arange(len(codes)), codes])

    found = minimize_scalar(loss, bounds=(-4.0, 4.0), method="bounded")
    return float(np.exp(found.x)), float(found.fun)
