"""Scores on target samples alone."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import entr, softmax
from sklearn.utils import check_random_state, gen_batches

from skltransfer._targets.domains import Domains
from skltransfer._utils.types import Array
from skltransfer.domain_shift._measures import mutual_information
from skltransfer.model_selection._scoring import DomainScorer, probabilities, samples_of


class PredictionEntropyScorer(DomainScorer):
    """Negative mean entropy of predictions on target samples, in nats.

    An estimator that is sure of every sample scores 0, even if it takes all samples for one class.

    References
    ----------
    Morerio, Cavazza & Murino, "Minimal-Entropy Correlation Alignment for Unsupervised Deep
    Domain Adaptation", ICLR 2018.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skltransfer.model_selection import PredictionEntropyScorer
    >>> unsure = DummyClassifier(strategy="prior").fit([[0], [0]], [0, 1])
    >>> round(PredictionEntropyScorer()(unsure, [[0], [0]]), 3)
    -0.693
    """

    _needs: ClassVar = ("target",)

    def _score(self, estimator: Any, X: Any, y: Any, domains: Domains) -> float:
        proba = probabilities(estimator, samples_of(X, domains.target), self)
        return -float(entr(proba).sum(axis=1).mean())


class MutualInformationScorer(DomainScorer):
    """Mutual information of target samples and their predicted classes, in nats.

    The entropy of the mean prediction, less the mean entropy of predictions: high where an
    estimator is sure of each sample and predicts all classes, and 0 where it takes all samples for one
    class. It speaks for classes that are about equally frequent in the target.

    References
    ----------
    Bridle, Heading & MacKay, "Unsupervised Classifiers, Mutual Information and Phantom
    Targets", NeurIPS 1991.

    Musgrave, Belongie & Lim, "Three New Validators and a Large-Scale Benchmark Ranking for
    Unsupervised Domain Adaptation", arXiv:2208.07360, 2022.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skltransfer.model_selection import MutualInformationScorer
    >>> sure = KNeighborsClassifier(1).fit([[0], [1]], [0, 1])
    >>> round(MutualInformationScorer()(sure, [[0], [1]]), 3)
    0.693
    """

    _needs: ClassVar = ("target",)

    def _score(self, estimator: Any, X: Any, y: Any, domains: Domains) -> float:
        return mutual_information(probabilities(estimator, samples_of(X, domains.target), self))


class SoftNeighborhoodDensity(DomainScorer):
    """Mean entropy of how target samples resemble each other by their predictions, in nats.

    High where samples lie close together in large clusters of equal predictions. An estimator that
    takes all samples for one class scores highest, so it is for comparing those that do not.

    Parameters
    ----------
    temperature : float, default=0.05
        What cosine similarities are divided by before the softmax over the other samples.

    References
    ----------
    Saito, Kim, Teterwak, Sclaroff, Darrell & Saenko, "Tune it the Right Way: Unsupervised
    Validation of Domain Adaptation via Soft Neighborhood Density", ICCV 2021.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skltransfer.model_selection import SoftNeighborhoodDensity
    >>> same = DummyClassifier(strategy="prior").fit([[0], [0]], [0, 1])
    >>> round(SoftNeighborhoodDensity()(same, [[0]] * 11), 3)  # log 10
    2.303
    """

    _needs: ClassVar = ("target",)

    def __init__(self, *, temperature: float = 0.05) -> None:
        self.temperature = temperature

    def _score(self, estimator: Any, X: Any, y: Any, domains: Domains) -> float:
        if not isinstance(self.temperature, Real) or not 0 < self.temperature < np.inf:
            raise ValueError(f"temperature: expected a positive number. Got {self.temperature!r}.")
        proba = probabilities(estimator, samples_of(X, domains.target), self)
        if len(proba) < 2:
            raise ValueError("SoftNeighborhoodDensity: expected at least 2 target samples. Got 1; add samples.")
        return soft_neighborhood_density(proba, self.temperature)


def soft_neighborhood_density(proba: Array, temperature: float = 0.05) -> float:
    """Mean entropy of the softmax of cosine similarities of predictions, of shape (n_samples, n_classes)."""
    return float(neighborhood_entropies(proba, temperature).mean())


def neighborhood_entropies(proba: Array, temperature: float = 0.05) -> Array:
    """Return the entropy for each sample, shape (n_samples,)."""
    proba = proba / np.linalg.norm(proba, axis=1, keepdims=True)
    found = []
    for batch in gen_batches(len(proba), 1024):
        similarity = proba[batch] @ proba.T / temperature
        samples = np.arange(len(similarity))
        similarity[samples, samples + batch.start] = -np.inf
        found.append(entr(softmax(similarity, axis=1)).sum(axis=1))
    return np.concatenate(found)


class MixValScorer(DomainScorer):
    """How often a mixture of two target samples is predicted as the sample that is most of it.

    Each sample is mixed with one that is predicted alike, and with one that is predicted
    otherwise; the score is the mean of the two shares. Where no sample has such a partner, that
    share is 0, so an estimator that takes all samples for one class scores at most 0.5.

    Samples have to be arrays, sparse matrices or frames of numbers: texts and files have no mixture.

    Parameters
    ----------
    mix : float, default=0.55
        Share of the sample whose prediction has to stay, above 0.5 and below 1.
    random_state : int, RandomState instance or None, default=None
        Draws partners.

    References
    ----------
    Hu, Liang, Liew, Xue, Bai & Wang, "Mixed Samples as Probes for Unsupervised Model Selection
    in Domain Adaptation", NeurIPS 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skltransfer.model_selection import MixValScorer
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = LogisticRegression(max_iter=1000).fit(X[:300] / 16, y[:300])
    >>> round(MixValScorer(random_state=0)(classifier, X[300:] / 16), 1)
    0.8
    """

    _needs: ClassVar = ("target",)

    def __init__(self, *, mix: float = 0.55, random_state: Any = None) -> None:
        self.mix = mix
        self.random_state = random_state

    def _score(self, estimator: Any, X: Any, y: Any, domains: Domains) -> float:
        if not isinstance(self.mix, Real) or not 0.5 < self.mix < 1:
            raise ValueError(f"mix: expected a number above 0.5 and below 1. Got {self.mix!r}.")
        samples = samples_of(X, domains.target)
        numbers = _numbers(samples)
        predicted = np.asarray(estimator.predict(samples))
        random = check_random_state(self.random_state)
        shares = []
        for partners in (_partners_alike(predicted, random), _partners_unlike(predicted, random)):
            paired = np.flatnonzero(partners >= 0)
            if not len(paired):
                shares.append(0.0)
                continue
            mixed = self.mix * numbers[paired] + (1 - self.mix) * numbers[partners[paired]]
            again = np.asarray(estimator.predict(_same_kind(mixed, samples)))
            shares.append(float(np.mean(again == predicted[paired])))
        return float(np.mean(shares))


def _numbers(samples: Any) -> Any:
    """Return samples as an array or sparse matrix that can be mixed."""
    if issparse(samples):
        return samples.tocsr()
    values = np.asarray(samples)
    if values.dtype.kind not in "biuf":
        raise ValueError(
            f"MixValScorer: expected arrays or frames of numbers, to mix them. Got values of dtype {values.dtype}; "
            "for texts and files, use SoftNeighborhoodDensity or PredictionEntropyScorer."
        )
    return values.astype(values.dtype if values.dtype.kind == "f" else np.float64)


def _same_kind(mixed: Any, samples: Any) -> Any:
    """Mixed samples as a frame, if samples are one."""
    if not hasattr(samples, "columns"):
        return mixed
    return type(samples)(dict(zip(samples.columns, mixed.T, strict=True)))


def _partners_alike(predicted: Array, random: np.random.RandomState) -> NDArray[np.intp]:
    """For each sample another one of the same prediction, or -1."""
    partners = np.full(len(predicted), -1)
    for label in np.unique(predicted):
        members = random.permutation(np.flatnonzero(predicted == label))
        if len(members) > 1:
            partners[members] = np.roll(members, 1)
    return partners


def _partners_unlike(predicted: Array, random: np.random.RandomState) -> NDArray[np.intp]:
    """For each sample one of another prediction, or -1."""
    partners = np.full(len(predicted), -1)
    for label in np.unique(predicted):
        members, others = np.flatnonzero(predicted == label), np.flatnonzero(predicted != label)
        if len(others):
            partners[members] = random.choice(others, len(members))
    return partners
