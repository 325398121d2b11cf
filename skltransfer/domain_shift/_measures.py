"""Distances between two sets of samples, and tests of whether they come from one distribution."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import entr
from scipy.stats import chi2_contingency, norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state, resample

from skltransfer._utils.types import Array

Random = np.random.RandomState
MMD_SAMPLES = 500
"""Of a larger domain, so many samples drawn at random go into the kernel test."""
N_PERMUTATIONS = 200
MIN_VARYING = 10


class SourcePredictions(NamedTuple):
    """What a classifier of the source says about classes."""

    error: float
    """Cross-validated share of wrong predictions on source samples."""
    probabilities: Array
    """Of each source sample, by a classifier that was not fitted on it."""
    target_probabilities: Array
    p_value: float
    """Of the hypothesis that classes are predicted equally often in both domains."""


def check_features(X: Any, name: str) -> Array:
    """Refuse everything but a finite table of numbers.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features.
    name : str
        What to call them in an error.

    Returns
    -------
    ndarray of float64, shape (n_samples, n_features)

    Raises
    ------
    ValueError
        If they are not a 2-D array of finite numbers.
    """
    values = np.asarray(X)
    if values.dtype.kind not in "biuf" or values.ndim != 2:
        raise ValueError(
            f"{name}: expected features, a 2-D array of numbers. Got an array of shape {values.shape} and dtype "
            f"{values.dtype}; BackboneTransformer().fit_transform(X) turns images, texts and audio into features."
        )
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: expected finite numbers. Got NaN or infinity; fill or leave out these values.")
    return values


def check_domains(X_source: Any, X_target: Any) -> tuple[Array, Array]:
    """Check the features of two domains, which have the same columns; see `check_features`."""
    source, target = check_features(X_source, "X_source"), check_features(X_target, "X_target")
    if source.shape[1] != target.shape[1]:
        raise ValueError(
            f"X_target: expected {source.shape[1]} columns, as in X_source. Got {target.shape[1]}; make features of "
            "both domains with one transformer."
        )
    return source, target


def density_ratio(source: Array, target: Array) -> Array:
    """How much likelier each source sample is in the target than in the source.

    The odds of a logistic regression that discriminates the domains, on standardized columns and
    with a penalty that grows with their number.

    Parameters
    ----------
    source : ndarray of shape (n_source, n_features)
        Samples to weight.
    target : ndarray of shape (n_target, n_features)
        Samples of the other domain.

    Returns
    -------
    ndarray of shape (n_source,)
        Positive; about 1 everywhere if the domains are alike.

    References
    ----------
    Bickel, Brückner & Scheffer, "Discriminative Learning for Differing TrainingSettings and Test
    Distributions", ICML 2007.

    Examples
    --------
    >>> density_ratio(np.array([[0.0], [1.0]]), np.array([[1.0], [1.0]])).round(1).tolist()
    [0.3, 1.4]
    """
    X, domain = stacked(source, target)
    odds = np.exp(_domain_classifier(X.shape[1]).fit(X, domain).decision_function(source))
    return odds * len(source) / len(target)


def a_distance(source: Array, target: Array, random: Random) -> float:
    """Proxy A-distance, 2 (1 - 2 error) of a linear classifier of domains, from 0 to 2 (Ben-David et al. 2007).

    The error is cross-validated and a mean over domains, so that their sizes do not matter.
    """
    X, domain = stacked(source, target)
    found = cross_val_predict(_domain_classifier(X.shape[1], balanced=True), X, domain, cv=folds(domain, random))
    error = 1 - balanced_accuracy_score(domain, found)
    return float(np.clip(2 * (1 - 2 * error), 0, 2))


def classifier_test(source: Array, target: Array, random: Random) -> tuple[float, float]:
    """Accuracy and p-value of the classifier two-sample test (Lopez-Paz & Oquab 2017).

    One half of the samples trains, the other is discriminated; the accuracy is a mean over domains. Its
    variance under the hypothesis of equal domains is at most that of fair coins, which makes the
    p-value conservative.
    """
    X, domain = stacked(source, target)
    X, X_test, domain, domain_test = train_test_split(X, domain, test_size=0.5, stratify=domain, random_state=random)
    found = _domain_classifier(X.shape[1], balanced=True).fit(X, domain).predict(X_test)
    accuracy = balanced_accuracy_score(domain_test, found)
    deviation = np.sqrt((1 / np.bincount(domain_test)).sum() / 16)
    return float(accuracy), float(norm.sf((accuracy - 0.5) / deviation))


def mmd_test(source: Array, target: Array, *, random_state: int | Random | None = None) -> tuple[float, float]:
    """Squared maximum mean discrepancy of two sets of samples, and the p-value of a permutation test.

    Unbiased, so it may be below 0; a Gaussian kernel whose squared width is the median of squared
    distances. At most 500 samples of each set, drawn at random, count; 200 permutations.

    Parameters
    ----------
    source, target : ndarrays of shape (n_samples, n_features)
        At least 2 samples each.
    random_state : int, RandomState instance or None, default=None
        Draws samples and permutations.

    Returns
    -------
    mmd2, p_value : float

    References
    ----------
    Gretton, Borgwardt, Rasch, Schölkopf & Smola, "A Kernel Two-Sample Test", JMLR 2012.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(40, 2))
    >>> mmd2, p_value = mmd_test(X, X + 3, random_state=0)
    >>> round(mmd2, 1), p_value < 0.01
    (1.0, True)
    """
    random = check_random_state(random_state)
    source, target = _at_most(source, random), _at_most(target, random)
    n_source, n_target = len(source), len(target)
    kernel = _gaussian_kernel(np.concatenate([source, target]))
    member = np.zeros((n_source + n_target, N_PERMUTATIONS + 1))
    member[:n_source, 0] = 1
    for column in range(1, N_PERMUTATIONS + 1):
        member[random.permutation(len(member))[:n_source], column] = 1
    to_source, to_target = kernel @ member, kernel @ (1 - member)
    values = (
        (member * to_source).sum(axis=0) / (n_source * (n_source - 1))
        + ((1 - member) * to_target).sum(axis=0) / (n_target * (n_target - 1))
        - 2 * (member * to_target).sum(axis=0) / (n_source * n_target)
    )
    return float(values[0]), float((1 + (values[1:] >= values[0]).sum()) / (N_PERMUTATIONS + 1))


def predict_classes(source: Array, classes: Array, target: Array, random: Random) -> SourcePredictions:
    """Predict classes in both domains by logistic regressions of the source.

    Each target sample is predicted by one of those that were fitted on folds, as source samples are, so that
    predictions for equal domains have one distribution. The p-value is of a chi-squared test of
    whether classes are predicted equally often in both domains.
    """
    n_classes = int(classes.max()) + 1
    known, unknown = np.zeros((len(source), n_classes)), np.zeros((len(target), n_classes))
    parts = list(folds(classes, random).split(source, classes))
    turn = random.permutation(len(target)) % len(parts)
    for number, (fitted, out) in enumerate(parts):
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        classifier.fit(source[fitted], classes[fitted])
        known[out] = classifier.predict_proba(source[out])
        if (turn == number).any():
            unknown[turn == number] = classifier.predict_proba(target[turn == number])
    decided = known.argmax(axis=1)
    counts = np.array([np.bincount(side.argmax(axis=1), minlength=n_classes) for side in (known, unknown)])
    some = counts[:, counts.sum(axis=0) > 0]
    p_value = float(chi2_contingency(some).pvalue) if some.shape[1] > 1 else 1.0
    return SourcePredictions(float((decided != classes).mean()), known, unknown, p_value)


def with_shares(classes: Array, shares: Array, random: Random) -> NDArray[np.intp]:
    """Choose samples that have given shares of classes: as many as there are without taking one twice."""
    counts = np.bincount(classes, minlength=len(shares))
    wanted = shares > 0
    total = (counts[wanted] / shares[wanted]).min()
    samples = [
        random.permutation(np.flatnonzero(classes == number))[: int(total * share)]
        for number, share in enumerate(shares)
    ]
    return np.concatenate(samples)


def class_drift(source: Array, classes: Array, target: Array, predicted: Array) -> Array:
    """Distance of each class's mean in the source from that of target samples predicted as it.

    In units of the root mean squared distance of the class's source samples from their mean; NaN
    where no target sample is predicted as it.
    """
    drift = np.full(int(classes.max()) + 1, np.nan)
    for number in np.intersect1d(np.arange(len(drift)), predicted):
        own, theirs = source[classes == number], target[predicted == number]
        spread = np.sqrt(((own - own.mean(axis=0)) ** 2).sum(axis=1).mean())
        drift[number] = np.linalg.norm(own.mean(axis=0) - theirs.mean(axis=0)) / max(spread, 1e-12)
    return drift


def scale_mismatch(source: Array, target: Array, factor: float = 10.0) -> NDArray[np.intp]:
    """Columns whose ranges differ by more than a factor.

    A range goes from the 5th to the 95th percentile of the values that are not the most frequent
    one, of which there have to be 10: how often a unit is silent is no matter of scale.
    """
    ranges = [np.array([_range(column) for column in side.T]) for side in (source, target)]
    small, large = np.minimum(*ranges), np.maximum(*ranges)
    return np.flatnonzero((small > 0) & (large > factor * small))


def rescaled(source: Array, target: Array, columns: NDArray[np.intp]) -> tuple[Array, Array]:
    """Standardize some columns, in each domain by itself."""
    if not len(columns):
        return source, target
    source, target = source.copy(), target.copy()
    for side in (source, target):
        side[:, columns] = StandardScaler().fit_transform(side[:, columns])
    return source, target


def mutual_information(probabilities: Array) -> float:
    """Mutual information of samples and their predicted classes, in nats: high if predictions are sure and differ.

    Probabilities have the shape (n_samples, n_classes). See Bridle, Heading & MacKay, "Unsupervised
    Classifiers, Mutual Information and Phantom Targets", NeurIPS 1991.
    """
    return float(entr(probabilities.mean(axis=0)).sum() - entr(probabilities).sum(axis=1).mean())


def standardized(source: Array, target: Array) -> tuple[Array, Array]:
    """Standardize both domains, to columns of mean 0 and deviation 1 over both together."""
    scaler = StandardScaler().fit(np.concatenate([source, target]))
    return scaler.transform(source), scaler.transform(target)


def stacked(source: Array, target: Array) -> tuple[Array, Array]:
    """Return samples of both domains, and the domain of each as 0 or 1."""
    return np.concatenate([source, target]), np.repeat([0, 1], [len(source), len(target)])


def _domain_classifier(n_features: int, *, balanced: bool = False) -> Pipeline:
    weight = "balanced" if balanced else None
    return make_pipeline(StandardScaler(), LogisticRegression(C=1 / n_features, max_iter=1000, class_weight=weight))


def folds(classes: Array, random: Random) -> StratifiedKFold:
    """Return up to five folds, each with all classes."""
    n_splits = min(5, int(np.unique(classes, return_counts=True)[1].min()))
    return StratifiedKFold(n_splits, shuffle=True, random_state=random.randint(2**31 - 1))


def _range(column: Array) -> float:
    values, counts = np.unique(column, return_counts=True)
    varying = column[column != values[counts.argmax()]]
    return float(np.ptp(np.percentile(varying, [5, 95]))) if len(varying) >= MIN_VARYING else 0.0


def _at_most(X: Array, random: Random) -> Array:
    return X if len(X) <= MMD_SAMPLES else resample(X, replace=False, n_samples=MMD_SAMPLES, random_state=random)


def _gaussian_kernel(X: Array) -> Array:
    """Gaussian kernel with zeros on its diagonal."""
    distances = cdist(X, X, "sqeuclidean")
    between = distances[np.triu_indices(len(X), 1)]
    width = np.median(between) or between.mean() or 1.0
    kernel = np.exp(-distances / width)
    np.fill_diagonal(kernel, 0)
    return kernel
