"""Measures of how well features predict, or separate, what is to be learned."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from skltransfer._utils.types import Array, Floats
from skltransfer.domain_shift._measures import check_features
from skltransfer.transferability._reading import (
    are_values,
    read_features,
    read_target_classes,
    read_varying_values,
)

DISTORTION = 1e-4
"""Squared error to which TransRate encodes features of unit variance, as in its paper."""
PENALTIES = np.logspace(-8, 8, 65)
"""Penalties that are tried for LogME, in units of the largest squared singular value."""


def log_me(features: Any, y: Any) -> float:
    """Logarithm of the maximum evidence of Bayesian linear regressions from features to labels.

    Precisions of the weights and of the noise are those that make the evidence largest, found by a search over their
    quotient, from 1e-8 to 1e8 in units of the largest squared singular value, where the paper
    iterates to a fixed point. Like there, the regressions have no intercept.

    Parameters
    ----------
    features : array-like of shape (n_samples, n_features)
        Features of samples of the target.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Their classes, each of which is regressed as 0 or 1; or values, in any units, where scikit-learn's
        `type_of_target` says "continuous".

    Returns
    -------
    float
        Mean log evidence of a sample in nats, over classes or targets; higher is better. Compare it
        between features for the same ``y`` alone: it depends on the units of values.

    Raises
    ------
    ValueError
        If features or values are not finite, or are all equal, or there is one class.

    References
    ----------
    You, Liu, Wang & Long, "LogME: Practical Assessment of Pre-trained Models for Transfer
    Learning", ICML 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> log_me(X, y) > log_me(X[:, :1], y)
    True
    """
    read_features(features)
    table = check_features(features, "features")
    if are_values(y):
        targets = read_varying_values(y, len(table))
    else:
        classes = read_target_classes(y, len(table))
        targets = np.eye(classes.max() + 1)[classes]
    axes, singular, _ = np.linalg.svd(table, full_matrices=False)
    variances = np.square(singular / singular[0])
    explained = np.square(axes.T @ targets)
    rests = np.maximum(np.square(targets).sum(axis=0) - explained.sum(axis=0), 0)
    pairs = zip(explained.T, rests, strict=True)
    return float(np.mean([_largest_evidence(variances, squares, rest, len(table)) for squares, rest in pairs]))


def h_score(features: Any, y: Any) -> float:
    """Variance of features between classes, in units of their shrunk covariance.

    The trace of the inverse covariance of the features times the covariance of their class means.
    The covariance is shrunk as Ledoit and Wolf do, and that of class means by the same factor, without which the
    measure is useless where features are many and samples few.

    Parameters
    ----------
    features : array-like of shape (n_samples, n_features)
        Features of samples of the target.
    y : array-like of shape (n_samples,)
        Classes of these samples.

    Returns
    -------
    float
        From 0 to the number of classes less 1; higher is better.

    Raises
    ------
    ValueError
        If features are not finite numbers, or are all equal, or y is not a class for each sample.

    References
    ----------
    Bao et al., "An Information-Theoretic Approach to Transferability in Task Transfer Learning",
    ICIP 2019; Ibrahim, Ponomareva & Mazumder, "Newer is Not Always Better: Rethinking
    Transferability Metrics, Their Peculiarities, Stability and Performance", ECML 2022 (shrinkage).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> round(h_score(X, y), 2)
    1.17
    """
    table = read_features(features)
    classes = read_target_classes(y, len(table))
    shrinkage = ledoit_wolf_shrinkage(table, assume_centered=True)
    axes, singular, _ = np.linalg.svd(table, full_matrices=False)
    squares = np.square(singular)
    shrunk = (1 - shrinkage) * squares + shrinkage * squares.sum() / table.shape[1]
    within = shrunk > np.finfo(np.float64).eps * shrunk.max()
    coordinates = (axes * singular)[:, within]
    sums = np.eye(classes.max() + 1)[:, classes] @ coordinates
    return float((1 - shrinkage) * (np.square(sums) / np.bincount(classes)[:, None] / shrunk[within]).sum())


def trans_rate(features: Any, y: Any) -> float:
    """Mutual information of features and classes, as a difference of coding rates.

    How many nats a sample's features take to encode, up to a squared error of 1e-4, less what they take
    within the classes, weighted by their shares. Features are scaled to a total variance of 1.

    Parameters
    ----------
    features : array-like of shape (n_samples, n_features)
        Features of samples of the target.
    y : array-like of shape (n_samples,)
        Classes of these samples.

    Returns
    -------
    float
        In nats, at least 0; higher is better. Compare it for the same samples alone.

    Raises
    ------
    ValueError
        If features are not finite numbers, or are all equal, or y is not a class for each sample.

    Notes
    -----
    It is biased where samples of a class are few for the number of features: they lie in a
    plane of their own then, whatever the labels are.

    References
    ----------
    Huang, Huang, Rong, Yang & Wei, "Frustratingly Easy Transferability Estimation", ICML 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> trans_rate(X, y) > trans_rate(X[:, :2], y)
    True
    """
    table = read_features(features)
    classes = read_target_classes(y, len(table))
    table /= np.sqrt(np.square(table).sum() / len(table))
    within = [_coding_rate(table[classes == number]) for number in range(classes.max() + 1)]
    return max(0.0, _coding_rate(table) - float(np.bincount(classes) / len(classes) @ within))


def k_nn(features: Any, y: Any, *, n_neighbors: int = 5) -> float:
    """Score of nearest neighbors by Euclidean distance, each sample being left out in turn.

    Parameters
    ----------
    features : array-like of shape (n_samples, n_features)
        Features of samples of the target.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Their classes; or values, where scikit-learn's `type_of_target` says "continuous".
    n_neighbors : int, default=5
        How many other samples vote, or are averaged.

    Returns
    -------
    float
        Accuracy from 0 to 1 for classes, and R² of at most 1 for values; higher is better.

    Raises
    ------
    ValueError
        If features or values are not finite, or are all equal, there is one class, or there are
        too few samples for so many neighbors.

    References
    ----------
    Renggli et al., "Which Model to Transfer? Finding the Needle in the Growing Haystack", CVPR 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> round(k_nn(X, y), 2)
    0.97
    """
    table = read_features(features)
    if not isinstance(n_neighbors, Integral) or not 1 <= n_neighbors < len(table):
        raise ValueError(
            f"n_neighbors: expected an int from 1 to {len(table) - 1}, as there are {len(table)} samples. Got "
            f"{n_neighbors!r}."
        )
    if are_values(y):
        values = read_varying_values(y, len(table))
        return float(r2_score(values, KNeighborsRegressor(n_neighbors).fit(table, values).predict(None)))
    classes = read_target_classes(y, len(table))
    return float(accuracy_score(classes, KNeighborsClassifier(n_neighbors).fit(table, classes).predict(None)))


def _largest_evidence(variances: Floats, explained: Floats, rest: float, n_samples: int) -> float:
    """Log evidence of a sample at the best penalty.

    Parameters
    ----------
    variances : ndarray of shape (n_axes,)
        Squared singular values of the features.
    explained : ndarray of shape (n_axes,)
        Squares of the target along the axes.
    rest : float
        Squares of the target along no axis.
    n_samples : int
        How many samples there are.
    """

    def lost(log_penalty: float) -> float:
        penalty = np.exp(log_penalty)
        noise = (rest + explained @ (penalty / (penalty + variances))) / n_samples
        return float(np.log(2 * np.pi * noise) + 1 + np.log1p(variances / penalty).sum() / n_samples) / 2

    tried = np.log(PENALTIES)
    best = int(np.argmin([lost(penalty) for penalty in tried]))
    bounds = tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)]
    return -float(minimize_scalar(lost, bounds=bounds, method="bounded", options={"xatol": 1e-6}).fun)


def _coding_rate(table: Array) -> float:
    singular = np.linalg.svd(table, compute_uv=False)
    return float(np.log1p(np.square(singular) / (len(table) * DISTORTION)).sum() / 2)
