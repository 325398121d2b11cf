"""Alignments of features that need no training, and what each of them does to two domains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skltransfer._utils.types import Array
from skltransfer._validation import unknown_name
from skltransfer.domain_shift._measures import Random, a_distance, check_domains, folds, stacked

MOST_SAMPLES = 1000
MOST_COLUMNS = 2000
"""The covariance of more columns takes too long for a report."""
N_AXES = 50
CLEARLY = 0.2
"""By how much the A-distance has to fall, if the sampling error is not larger."""
HARM = 0.02
"""By how much accuracy on the source may fall."""


@dataclass(frozen=True, eq=False)
class Affine:
    """An affine map of features.

    Parameters
    ----------
    matrix : ndarray of shape (n_features, n_features)
        What samples are multiplied by, from the right.
    offset : ndarray of shape (n_features,)
        What is added then.
    """

    matrix: Array
    offset: Array

    def __call__(self, samples: Array) -> Array:
        """Move samples of shape (n_samples, n_features)."""
        return samples @ self.matrix + self.offset


class Trial(NamedTuple):
    """What an alignment does, measured on samples that it was not fitted on.

    Parameters
    ----------
    name : str
        An alignment of `align_domains`, or "none".
    distance : float
        A-distance of the domains afterwards, from 0 to 2: the larger one of a linear classifier and of a
        Gaussian kernel's, which sees more than means.
    source_accuracy : float
        Accuracy of a logistic regression on source samples that it was not fitted on.
    """

    name: str
    distance: float
    source_accuracy: float


def align_domains(X_source: Any, X_target: Any, how: str = "coral") -> tuple[Array, Array]:
    """Align the features of a source with those of a target, without training and without labels.

    Parameters
    ----------
    X_source : array-like of shape (n_source, n_features)
        Features of the source.
    X_target : array-like of shape (n_target, n_features)
        Features of the target.
    how : {"center", "standardize", "coral"}, default="coral"
        Give the source the mean of the target; also the standard deviation of each column; or the mean and the
        covariance, both with the shrinkage of Ledoit and Wolf.

    Returns
    -------
    X_source : ndarray of shape (n_source, n_features)
        The source, moved.
    X_target : ndarray of shape (n_target, n_features)
        The target, as it is.

    Raises
    ------
    ValueError
        If features are not 2-D arrays of finite numbers with the same columns, or ``how`` is not known.

    Notes
    -----
    All of them take a shift of class shares for one of features, and undo it: do not align where
    shares are known to differ.

    References
    ----------
    Sun, Feng & Saenko, "Return of Frustratingly Easy Domain Adaptation", AAAI 2016 (CORAL); there
    means are 0.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> source, target = align_domains(X, 3 * X + 7, "coral")
    >>> source.mean(axis=0).round(1).tolist() == target.mean(axis=0).round(1).tolist()
    True
    """
    if how not in ALIGNMENTS:
        raise unknown_name("how", how, tuple(ALIGNMENTS))
    source, target = check_domains(X_source, X_target)
    return ALIGNMENTS[how](source, np.ones(len(source)), target)(source), target


def center(source: Array, weights: Array, target: Array) -> Affine:
    """Give the source the mean of the target; parameters as in `standardize`."""
    return Affine(np.eye(source.shape[1]), target.mean(axis=0) - np.average(source, axis=0, weights=weights))


def standardize(source: Array, weights: Array, target: Array) -> Affine:
    """Give each column of the source the mean and the standard deviation that it has in the target.

    Parameters
    ----------
    source : ndarray of shape (n_source, n_features)
        Samples with labels.
    weights : ndarray of shape (n_source,)
        Their weights.
    target : ndarray of shape (n_target, n_features)
        Samples without.

    Returns
    -------
    Affine
        From the source to the target. It is the same for a linear classifier to standardize each domain by its
        own statistics.

    Examples
    --------
    >>> move = standardize(np.array([[0.0], [2.0]]), np.ones(2), np.array([[5.0], [9.0]]))
    >>> move(np.array([[0.0], [1.0], [2.0]])).ravel().tolist()
    [5.0, 7.0, 9.0]
    """
    old, new = StandardScaler().fit(source, sample_weight=weights), StandardScaler().fit(target)
    varies = old.scale_ == np.sqrt(old.var_)  # else it is 1, as for a column that is constant but for rounding
    scale = np.where(varies, np.sqrt(new.var_) / old.scale_, 1.0)
    return Affine(np.diag(scale), new.mean_ - old.mean_ * scale)


def coral(source: Array, weights: Array, target: Array) -> Affine:
    """Give the source the mean and the shrunk covariance of the target; parameters as in `standardize`.

    Covariances are those of columns standardized over both domains.
    """
    both = StandardScaler().fit(np.concatenate([source, target]))
    mean, near = centered(both.transform(source), weights)
    far = both.transform(target)
    color = _power(ledoit_wolf(near, assume_centered=True)[0], -0.5) @ _power(ledoit_wolf(far)[0], 0.5)
    matrix = color * both.scale_ / both.scale_[:, None]
    return Affine(matrix, target.mean(axis=0) - (both.mean_ + mean * both.scale_) @ matrix)


def centered(samples: Array, weights: Array) -> tuple[Array, Array]:
    """Weighted mean, and deviations from it whose plain mean square is the weighted variance."""
    mean = np.average(samples, axis=0, weights=weights)
    return mean, (samples - mean) * np.sqrt(weights / weights.mean())[:, None]


ALIGNMENTS: dict[str, Callable[[Array, Array, Array], Affine]] = {
    "center": center,
    "standardize": standardize,
    "coral": coral,
}


def _power(covariance: Array, exponent: float) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.maximum(values, 1e-9) ** exponent) @ vectors.T


def try_alignments(source: Array, classes: Array, target: Array, random: Random) -> tuple[Trial, ...]:
    """Fit each alignment on one half of the samples, and measure on the other; "none" comes first."""
    halves = _halves(len(source), random), _halves(len(target), random)
    (near, near_out), (far, far_out) = (
        [X[rows] for rows in own] for X, own in zip((source, target), halves, strict=True)
    )
    labels = classes[halves[0][0]], classes[halves[0][1]]
    seed = random.randint(2**31 - 1)
    trials = []
    for name in ("none", *ALIGNMENTS):
        if name == "coral" and source.shape[1] > MOST_COLUMNS:
            continue
        move = ALIGNMENTS[name](near, np.ones(len(near)), far) if name in ALIGNMENTS else None
        moved, moved_out = (near, near_out) if move is None else (move(near), move(near_out))
        distance = domain_distance(moved_out, far_out, np.random.RandomState(seed))
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(moved, labels[0])
        trials.append(Trial(name, distance, float(classifier.score(moved_out, labels[1]))))
    return tuple(trials)


def recommended(trials: tuple[Trial, ...], n_samples: int) -> Trial | None:
    """Return the alignment that brings domains nearest, if it clearly does, and does not harm the source."""
    none, *others = trials
    margin = max(CLEARLY, 4 / np.sqrt(n_samples / 2))
    good = [
        trial
        for trial in others
        if trial.distance < none.distance - margin and trial.source_accuracy >= none.source_accuracy - HARM
    ]
    return min(good, key=lambda trial: trial.distance, default=None)


def domain_distance(source: Array, target: Array, random: Random) -> float:
    """Proxy A-distance by whichever of two classifiers discriminates better: a linear one or a Gaussian kernel's."""
    X, domain = stacked(source, target)
    n_axes = min(N_AXES, *X.shape)
    kernel = make_pipeline(StandardScaler(), PCA(n_axes, random_state=0), SVC(class_weight="balanced"))
    found = cross_val_predict(kernel, X, domain, cv=folds(domain, random))
    bent = 2 * (2 * balanced_accuracy_score(domain, found) - 1)
    return float(max(np.clip(bent, 0, 2), a_distance(source, target, random)))


def _halves(n_samples: int, random: Random) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    order = random.permutation(n_samples)[: 2 * MOST_SAMPLES]
    return order[::2], order[1::2]
