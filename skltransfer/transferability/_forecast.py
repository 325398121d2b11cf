"""What more labels would bring: learning curves, and power laws that continue them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import learning_curve
from sklearn.utils import check_random_state

from skltransfer._utils.types import Array, Floats
from skltransfer.domain_shift._measures import Random
from skltransfer.transferability._folds import Splits, draw_splits, variance_of_mean
from skltransfer.transferability._power_law import PowerLaws, fit_power_laws

N_SIZES, SMALLEST_SHARE, PER_CLASS = 6, 0.1, 4
"""How many sizes "auto" tries, from this share of the samples on, and how many samples a class the smallest has."""
N_DRAWS = 1000


class Forecast(NamedTuple):
    """A score that is expected, and the ends of its confidence interval."""

    score: Any
    low: Any
    high: Any


@dataclass(frozen=True, eq=False)
class LearningCurveForecast:
    """A learning curve, and the power law that continues it.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,)
        Numbers of training samples.
    scores : ndarray of shape (n_sizes, n_folds)
        Scores on the samples of each fold that were held out.
    n_samples : int
        How many labeled samples there are.
    best : float
        The score of an estimator without error, from which errors count.
    confidence : float
        Of the intervals.
    laws : PowerLaws
        Fitted to the mean of the folds, and then to each of its draws.
    """

    sizes: Array
    scores: Floats
    n_samples: int
    best: float
    confidence: float
    laws: PowerLaws

    @property
    def limit(self) -> float:
        """Score that the law tends to with more and more samples."""
        return float(self.best - self.laws.limit[0])

    @property
    def exponent(self) -> float:
        """How fast the error falls: that of the law, above 0 and at most 2."""
        return float(self.laws.exponent[0])

    def forecast(self, n_samples: Any) -> Forecast:
        """Expect the score of a fit to so many training samples.

        Parameters
        ----------
        n_samples : int or array-like of shape (n_numbers,)
            Training samples, those that there are included.

        Returns
        -------
        score, low, high : float or ndarray of shape (n_numbers,)
            The score, and the ends of its confidence interval.

        Raises
        ------
        ValueError
            If a number is below 1.
        """
        numbers = np.atleast_1d(np.asarray(n_samples, dtype=np.float64))
        if not np.all(numbers >= 1):
            raise ValueError(f"n_samples: expected at least 1 training sample. Got {n_samples!r}.")
        scores = self.best - self.laws.errors(numbers)
        outside = (1 - self.confidence) / 2
        low, high = np.quantile(scores[1:], [outside, 1 - outside], axis=0)
        found = (scores[0], np.minimum(low, scores[0]), np.maximum(high, scores[0]))
        return Forecast(*(values if np.ndim(n_samples) else float(values[0]) for values in found))

    def __str__(self) -> str:
        lines = []
        for more in (0, self.n_samples, 3 * self.n_samples):
            score, low, high = self.forecast(self.n_samples + more)
            what = f"{more} more labels" if more else f"the {self.n_samples} labels that there are"
            lines.append(f"{what}: {score:.3f} ({low:.3f} to {high:.3f})")
        return "\n".join(lines)


def learning_curve_forecast(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sizes: Any = "auto",
    cv: Any = 5,
    scoring: Any = None,
    groups: Any = None,
    best: float | None = None,
    confidence: float = 0.95,
    random_state: int | Random | None = None,
) -> LearningCurveForecast:
    """Forecast the score of an estimator with more labeled samples.

    The estimator is cross-validated on parts of the training samples of each fold, which have all classes by their
    shares, and a power law is fitted to its errors, ``limit + slope * n ** -exponent``. Features of a frozen
    network are cached, so that a fit costs no more than its head.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor: `TransferClassifier`, `TransferRegressor`, or any other of scikit-learn.
    X : array-like, or sequence of paths, PIL images, texts or clips
        Samples, as the estimator takes them.
    y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        Their labels or values.
    sizes : array-like of int or "auto", default="auto"
        Numbers of training samples, at least 3 different ones. "auto" is 6 of them up to all that the folds have, from
        a tenth of that, or 4 for each class.
    cv : int, splitter or iterable, default=5
        As in `cross_validate`, of at least 2 folds. Repeated folds make intervals narrower.
    scoring : str, callable or None, default=None
        One score, of which a higher value is better; None is that of the estimator.
    groups : array-like of shape (n_samples,), default=None
        Group of each sample, for splitters that keep groups together.
    best : float, default=None
        The score of an estimator without error. None is 0 for scores of scikit-learn that are losses with their sign
        changed, and 1 for all others.
    confidence : float, default=0.95
        Of the intervals, between 0 and 1.
    random_state : int, RandomState instance or None, default=None
        Draws the parts of the training samples, and the curves of which the intervals are.

    Returns
    -------
    LearningCurveForecast
        ``forecast(n_samples)`` gives a score with its interval, `print` a few of them, ``sizes`` and ``scores`` the
        curve; `LearningCurveForecastDisplay` draws it.

    Raises
    ------
    ValueError
        If there are less than 2 folds or 3 sizes, or scores are not finite or better than ``best``.

    Notes
    -----
    Errors of many learners fall by power laws [1]_, but not those of all [2]_. The interval has the noise of the curve,
    and not the error of the law: trust it for a few times as many samples as there are, of the same kind, and
    look at the curve. It is of the mean score of such fits; one fit, measured on few samples, deviates more.

    The interval is a parametric bootstrap over folds. Sizes of one fold have samples in common, so whole folds are
    drawn: the mean curve, plus a sum of the deviations of the folds with Gaussian weights, in units of a standard
    deviation that is itself known from so few folds (as in Student's t), and of the variance of Nadeau and Bengio [3]_
    for the samples that folds share. A law is fitted to each of 1,000 such curves. A resample of 5 folds would
    have too small a variance, and the delta method knows nothing of limits that are at 0.

    References
    ----------
    .. [1] Hestness et al., "Deep Learning Scaling is Predictable, Empirically", 2017, https://arxiv.org/abs/1712.00409.
    .. [2] Viering & Loog, "The Shape of Learning Curves: a Review", IEEE TPAMI 2023.
    .. [3] Nadeau & Bengio, "Inference for the Generalization Error", Machine Learning 2003.

    Examples
    --------
    >>> from skltransfer import TransferClassifier
    >>> from skltransfer.datasets import load_fashion_sample
    >>> from skltransfer.transferability import learning_curve_forecast
    >>> sample = load_fashion_sample()
    >>> clf = TransferClassifier(image_size=32, features="last", C=0.1)
    >>> result = learning_curve_forecast(clf, sample.images, sample.target, random_state=0)
    >>> score, low, high = result.forecast(100 + 400)
    >>> low < score < high
    True
    """
    if not isinstance(confidence, Real) or not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1. Got {confidence!r}.")
    scorer = check_scoring(estimator, scoring)
    random = check_random_state(random_state)
    splits = draw_splits(cv, y, classifier=is_classifier(estimator), groups=groups)
    codes = np.zeros(len(y), int)
    if is_classifier(estimator) and np.ndim(y) == 1:
        codes = np.unique(np.asarray(y), return_inverse=True)[1]
    ordered = [(_interleaved(random.permutation(train), codes), test) for train, test in splits]
    numbers = _sizes(sizes, min(len(train) for train, _ in splits), codes.max() + 1)
    numbers, _, scores = learning_curve(
        estimator, X, y, train_sizes=numbers, cv=ordered, scoring=scorer, error_score="raise"
    )
    top = (0.0 if getattr(scorer, "_sign", 1) < 0 else 1.0) if best is None else float(best)
    _check_scores(scores, top)
    laws = _laws(numbers.astype(np.float64), top - scores, splits, random)
    return LearningCurveForecast(numbers, scores, len(y), top, float(confidence), laws)


def _interleaved(train: Array, codes: Array) -> Array:
    """Order training samples so that the first of them, however many, have all classes by their shares.

    Examples
    --------
    >>> _interleaved(np.arange(6), np.array([0, 0, 0, 0, 1, 1])).tolist()
    [0, 4, 1, 2, 5, 3]
    """
    places = np.empty(len(train))
    for code in np.unique(codes[train]):
        own = np.flatnonzero(codes[train] == code)
        places[own] = (np.arange(len(own)) + 0.5) / len(own)
    return train[np.argsort(places, kind="stable")]


def _sizes(sizes: Any, largest: int, n_classes: int) -> Array:
    """Return numbers of training samples, of which at least 3 differ."""
    if isinstance(sizes, str) and sizes == "auto":
        smallest = min(max(SMALLEST_SHARE * largest, PER_CLASS * n_classes, 2), largest / 3)
        found = np.unique(np.geomspace(smallest, largest, N_SIZES).round().astype(int))
    else:
        found = np.unique(np.asarray(sizes))
    whole = found.dtype.kind in "iu" and all(isinstance(size, Integral) for size in found.tolist())
    if not whole or len(found) < 3 or found[0] < 1 or found[-1] > largest:
        raise ValueError(
            f"sizes: expected 'auto', or at least 3 numbers of training samples from 1 to {largest}, which a fold has. "
            f"Got {found.tolist()}."
        )
    return found


def _check_scores(scores: Floats, best: float) -> None:
    if not np.isfinite(scores).all():
        raise ValueError(f"scoring: expected finite scores. Got {scores.tolist()}; try fewer folds or larger sizes.")
    if scores.max() > best + 1e-9:
        raise ValueError(
            f"best: expected the score of an estimator without error. Got {best:g}, and a score of {scores.max():g}; "
            "pass the largest score that there can be."
        )


def _laws(sizes: Floats, errors: Floats, splits: Splits, random: Random) -> PowerLaws:
    """Fit a law to the mean of the folds, and to draws of what it may be as well."""
    mean, n_folds = errors.mean(axis=1), errors.shape[1]
    deviations = (errors - mean[:, None]).T / np.sqrt(n_folds - 1)
    spread = np.square(deviations).sum(axis=0)
    weights = 1 / (spread + spread.mean()) if spread.any() else np.ones(len(sizes))
    chi = np.sqrt(random.chisquare(n_folds - 1, N_DRAWS) / (n_folds - 1))
    drawn = random.normal(size=(N_DRAWS, n_folds)) / chi[:, None] * np.sqrt(variance_of_mean(splits))
    return fit_power_laws(sizes, np.vstack([mean, mean + drawn @ deviations]), weights)
