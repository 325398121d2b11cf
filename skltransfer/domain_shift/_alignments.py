"""Alignments of features that need no training, and what each of them does to two domains."""

from __future__ import annotations

from collections.abc import Callable
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
from skltransfer.domain_shift._measures import Random, a_distance, check_features, folds, stacked

MOST_SAMPLES = 1000
MOST_COLUMNS = 2000
"""The covariance of more columns takes too long for a report."""
N_AXES = 50
CLEARLY = 0.2
"""By how much the A-distance has to fall, if the sampling error is not larger."""
HARM = 0.02
"""By how much accuracy on the source may fall."""

Moves = tuple[Callable[[Array], Array], Callable[[Array], Array]]


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
    """Bring the features of two domains together, without training and without labels.

    Parameters
    ----------
    X_source : array-like of shape (n_source, n_features)
        Features of the source.
    X_target : array-like of shape (n_target, n_features)
        Features of the target.
    how : {"center", "standardize", "coral"}, default="coral"
        Subtract the mean of each domain from it; bring each column of each domain to mean 0 and
        deviation 1; or give the source the mean and the covariance of the target, both with the shrinkage
        of Ledoit and Wolf.

    Returns
    -------
    X_source, X_target : ndarrays of the same shapes

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
    source, target = check_features(X_source, "X_source"), check_features(X_target, "X_target")
    if how not in ALIGNMENTS:
        raise unknown_name("how", how, tuple(ALIGNMENTS))
    if source.shape[1] != target.shape[1]:
        raise ValueError(
            f"X_target: expected {source.shape[1]} columns, as in X_source. Got {target.shape[1]}; make features of "
            "both domains with one transformer."
        )
    moves = ALIGNMENTS[how](source, target)
    return moves[0](source), moves[1](target)


def _center(source: Array, target: Array) -> Moves:
    means = source.mean(axis=0), target.mean(axis=0)
    return (lambda X: X - means[0]), (lambda X: X - means[1])


def _standardize(source: Array, target: Array) -> Moves:
    return StandardScaler().fit(source).transform, StandardScaler().fit(target).transform


def _coral(source: Array, target: Array) -> Moves:
    scale = StandardScaler().fit(np.concatenate([source, target]))
    moved = scale.transform(source), scale.transform(target)
    whiten = _power(ledoit_wolf(moved[0])[0], -0.5)
    color = _power(ledoit_wolf(moved[1])[0], 0.5)
    means, both = (moved[0].mean(axis=0), moved[1].mean(axis=0)), whiten @ color

    def move(X: Array) -> Array:
        return scale.inverse_transform((scale.transform(X) - means[0]) @ both + means[1])

    return move, lambda X: X


ALIGNMENTS: dict[str, Callable[[Array, Array], Moves]] = {
    "center": _center,
    "standardize": _standardize,
    "coral": _coral,
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
    for name, fit in ({"none": lambda *_: (lambda X: X,) * 2} | ALIGNMENTS).items():
        if name == "coral" and source.shape[1] > MOST_COLUMNS:
            continue
        move, move_target = fit(near, far)
        moved, moved_out = move(near), move(near_out)
        distance = domain_distance(moved_out, move_target(far_out), np.random.RandomState(seed))
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
