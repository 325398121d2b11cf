"""Scores with their intervals, and how well probabilities are calibrated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from skltransfer._utils.types import Array, Floats
from skltransfer.reporting._answers import Task

CONFIDENCE = 0.95
N_RESAMPLES, N_DRAWS = 1000, 2e7
N_BINS = 10


@dataclass(frozen=True)
class Score:
    """A score with the ends of its interval, and where the interval comes from."""

    name: str
    value: float
    low: float
    high: float
    interval: str
    meaning: str


def scores_of(task: Task) -> list[Score]:
    """Compute the scores of one task."""
    return _of_values(task) if task.classes is None else _of_classes(task)


def wilson(n_hits: Array, n: Array) -> tuple[Floats, Floats]:
    """Compute the ends of Wilson's score interval of a share.

    References
    ----------
    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927.

    Examples
    --------
    >>> low, high = wilson(np.array([8]), np.array([10]))
    >>> low.round(3), high.round(3)
    (array([0.49]), array([0.943]))
    """
    pairs = zip(n_hits.tolist(), n.tolist(), strict=True)
    ends = [binomtest(int(hits), int(of)).proportion_ci(CONFIDENCE, method="wilson") for hits, of in pairs]
    low, high = np.array(ends).T
    return low, high


@dataclass(frozen=True, eq=False)
class Reliability:
    """Shares of right answers among those of like confidence.

    Parameters
    ----------
    confidence, accuracy, low, high : ndarray of shape (n_bins,)
        Of the bins with samples: mean confidence, share of right answers, and the ends of its interval.
    counts : ndarray of shape (n_bins,)
        Samples in each.
    error : float
        Expected calibration error: the mean distance of both over samples.

    References
    ----------
    Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
    """

    confidence: Floats
    accuracy: Floats
    low: Floats
    high: Floats
    counts: Array
    error: float

    @classmethod
    def of(cls, task: Task) -> Reliability:
        """Put samples into ten bins of equal width by the probability of the class that is predicted."""
        assert task.chances is not None
        chances = task.chances[np.arange(len(task.predicted)), task.predicted].astype(float)
        hits = task.predicted == task.right
        bins = np.minimum((chances * N_BINS).astype(int), N_BINS - 1)
        counts = np.bincount(bins, minlength=N_BINS)
        full = counts > 0
        n_hits = np.bincount(bins, hits, N_BINS)[full]
        counts, sums = counts[full], np.bincount(bins, chances, N_BINS)[full]
        low, high = wilson(n_hits, counts)
        error = float(np.abs(n_hits - sums).sum() / len(hits))
        return cls(sums / counts, n_hits / counts, low, high, counts, error)


def _of_classes(task: Task) -> list[Score]:
    hits = (task.predicted == task.right).astype(float)
    n = len(hits)
    low, high = wilson(np.array([hits.sum()]), np.array([n]))
    found = [Score("Accuracy", hits.mean(), low[0], high[0], "Wilson", "share of samples that are right; 1 is best")]
    n_classes = len(task.names)
    found.append(_balanced(np.bincount(task.right, hits, n_classes), np.bincount(task.right, minlength=n_classes)))
    if task.chances is not None:
        chances = np.clip(task.chances[np.arange(n), task.right].astype(float), np.finfo(float).eps, 1)
        losses = -np.log(chances)
        meaning = "mean of minus the logarithm of the probability of what is right; 0 is best, and "
        meaning += f"{np.log(n_classes):.3g} is that of equal chances"
        found.append(_resampled("Log loss", lambda weights: float(weights @ losses / n), n, meaning))
    return found


def _balanced(n_hits: Array, n: Array) -> Score:
    """Compute the mean share of right answers over classes; intervals of classes are combined by MOVER.

    References
    ----------
    Zou & Donner, "Construction of confidence limits about effect measures: a general approach", Statistics in
    Medicine 2008.
    """
    n_hits, n = n_hits[n > 0], n[n > 0]
    shares, (low, high) = n_hits / n, wilson(n_hits, n)
    mean = shares.mean()
    ends = [np.sqrt(((shares - end) ** 2).sum()) / len(n) for end in (low, high)]
    meaning = "mean over classes of the share that is right; 1 is best"
    return Score(
        "Balanced accuracy", float(mean), max(0.0, mean - ends[0]), min(1.0, mean + ends[1]), "Wilson by class", meaning
    )


def _of_values(task: Task) -> list[Score]:
    right, errors = task.right, task.predicted - task.right
    n = len(right)

    def r2(weights: Floats) -> float:
        total = weights @ (right - weights @ right / n) ** 2
        return float(1 - weights @ errors**2 / total) if total > 0 else np.nan

    return [
        _resampled("R²", r2, n, "share of the variance that is explained; 1 is best, 0 is that of the mean"),
        _resampled("Mean absolute error", lambda w: float(w @ np.abs(errors) / n), n, "in the units of y; 0 is best"),
        _resampled(
            "Root mean squared error", lambda w: float(np.sqrt(w @ errors**2 / n)), n, "in the units of y; 0 is best"
        ),
    ]


def _resampled(name: str, score: Callable[[Floats], float], n: int, meaning: str) -> Score:
    """Compute a score, and the percentile interval of a bootstrap of samples."""
    random = np.random.default_rng(0)
    found = [
        score(np.bincount(random.integers(0, n, n), minlength=n).astype(float))
        for _ in range(int(min(N_RESAMPLES, max(200, N_DRAWS / n))))
    ]
    half = 50 * (1 - CONFIDENCE)
    low, high = np.nanpercentile(found, [half, 100 - half]) if np.isfinite(found).any() else (np.nan, np.nan)
    return Score(name, score(np.ones(n)), float(low), float(high), "bootstrap", meaning)
