"""Shares of classes in the target, as far as the predictions of a classifier of the source can tell them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.utils import check_random_state

from skltransfer._utils.types import Floats

N_DRAWS = 100
CRITICAL = 1.5
"""Kolmogorov-Smirnov distance, in units of its standard error, above which predictions are no mixture."""
SUM_WEIGHT = 10.0
"""How much the sum of shares, which is 1, counts beside each mean prediction."""


@dataclass(frozen=True, eq=False)
class ClassShares:
    """Interval of the share of each class in the target.

    Parameters
    ----------
    lower, upper : ndarray of shape (n_classes,)
        Ends of the 95 % bootstrap intervals.
    reason : str
        Why they cannot be trusted; empty if they can.
    """

    lower: Floats
    upper: Floats
    reason: str = ""

    @property
    def identified(self) -> bool:
        """Whether they can be trusted."""
        return not self.reason

    def withheld(self, reason: str) -> ClassShares:
        """Return the same, not to be trusted for another reason."""
        return replace(self, reason=reason)


def class_shares(
    probabilities: Floats,
    codes: NDArray[np.intp],
    target: Floats,
    *,
    sample_weight: Floats,
    random_state: int,
) -> ClassShares:
    """Estimate shares of classes in the target as if nothing else differed (black-box shift estimation).

    Parameters
    ----------
    probabilities : ndarray of shape (n_source, n_classes)
        Predictions for source samples that were held out.
    codes : ndarray of shape (n_source,)
        Their classes, of which each is there.
    target : ndarray of shape (n_target, n_classes)
        Predictions for target samples.
    sample_weight : ndarray of shape (n_source,)
        Weights of the source samples.
    random_state : int
        Draws bootstrap samples.

    Returns
    -------
    ClassShares
        Not identified where predictions for the target are no mixture of those for the classes of the source, by
        their Kolmogorov-Smirnov distance: then samples of a class look different in the target.

    References
    ----------
    Lipton, Wang & Smola, "Detecting and Correcting for Label Shift with Black Box Predictors", ICML 2018.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> y, y_target = random.random(500) < 0.5, random.random(500) < 0.1
    >>> positive, other = (1 / (1 + np.exp(2 - 4 * random.normal(labels))) for labels in (y, y_target))
    >>> found = class_shares(np.column_stack([1 - positive, positive]), y.astype(int),
    ...                      np.column_stack([1 - other, other]), sample_weight=np.ones(500), random_state=0)
    >>> found.identified, bool(found.lower[1] < 0.1 < found.upper[1] < 0.3)
    (True, True)
    """
    random, drawn = check_random_state(random_state), []
    shares = _solve(probabilities, codes, target, sample_weight)
    for _ in range(N_DRAWS):
        own = random.randint(len(codes), size=len(codes))
        drawn.append(_solve(probabilities[own], codes[own], target[random.randint(len(target), size=len(target))],
                            sample_weight[own]))  # fmt: skip
    lower, upper = np.percentile(drawn, [2.5, 97.5], axis=0)
    weights = sample_weight * (shares / np.maximum(np.bincount(codes, sample_weight, len(shares)), 1e-12))[codes]
    apart = max(_apart(a, weights, b) for a, b in zip(probabilities.T, target.T, strict=True))
    n_effective = weights.sum() ** 2 / np.square(weights).sum()
    critical = CRITICAL * np.sqrt(1 / n_effective + 1 / len(target))
    mixture = "" if apart < critical else "predictions for the target are no mixture of those for the source's classes"
    return ClassShares(lower, upper, mixture)


def _solve(probabilities: Floats, codes: NDArray[np.intp], target: Floats, weights: Floats) -> Floats:
    """Shares whose mixture of mean predictions of the classes is the mean prediction in the target."""
    n_classes = probabilities.shape[1]
    member = np.eye(n_classes)[codes] * weights[:, None]
    totals = member.sum(axis=0)
    means = np.where(totals > 0, probabilities.T @ member / np.where(totals > 0, totals, 1), np.eye(n_classes))
    wanted = np.append(target.mean(axis=0), SUM_WEIGHT)
    shares, _ = nnls(np.vstack([means, np.full(n_classes, SUM_WEIGHT)]), wanted)
    return shares / max(shares.sum(), 1e-12)


def _apart(source: Floats, weights: Floats, target: Floats) -> float:
    """Kolmogorov-Smirnov distance of weighted values from others."""
    order, values = np.argsort(source), np.sort(target)
    steps = np.append(0, np.cumsum(weights[order])) / max(weights.sum(), 1e-12)
    places = np.concatenate([source, values])
    one = steps[np.searchsorted(source[order], places, side="right")]
    other = np.searchsorted(values, places, side="right") / len(values)
    return float(np.abs(one - other).max())
