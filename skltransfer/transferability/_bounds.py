"""Bounds on the error of a head that is solved on frozen features."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing, check_random_state

from skltransfer._features.blocks import block_widths
from skltransfer._heads.choice import block_scale
from skltransfer._heads.head import Head
from skltransfer._heads.solve import codes_of
from skltransfer._targets.reading import read_labels, read_weights
from skltransfer._utils.types import Array, Floats
from skltransfer.domain_shift._measures import Random
from skltransfer.supervised._classifier import TransferClassifier
from skltransfer.transferability._pac_bayes import Samples, gibbs_bound, held_out_bound, typical_margin
from skltransfer.transferability._reading import read_target_classes

FEWEST_HELD_OUT = 8
"""Maurer's form of the bound holds from so many samples on."""


@dataclass(frozen=True, eq=False)
class ErrorBound:
    """Bounds on shares of wrong predictions, each of which holds with probability ``1 - delta``.

    Parameters
    ----------
    held_out : float
        Bounds the error of ``estimator_of_rest``.
    held_out_error : float
        Share of the samples held out that it predicts wrongly.
    majority : float
        Bounds the error of ``estimator``; twice ``gibbs``, and at most 1.
    gibbs : float
        Bounds the error of a linear head that is drawn anew for each sample, from a Gaussian around that of
        ``estimator``.
    gibbs_error : float
        Mean share of the samples held out that such heads predict wrongly.
    divergence : float
        How far this Gaussian is from the one around the head of ``estimator_of_rest``, in nats.
    n_held_out : int
        Samples held out.
    delta : float
        Probability with which each bound may fail.
    estimator, estimator_of_rest : TransferClassifier
        Fitted to all samples, and to those that were not held out.
    """

    held_out: float
    held_out_error: float
    majority: float
    gibbs: float
    gibbs_error: float
    divergence: float
    n_held_out: int
    delta: float
    estimator: TransferClassifier
    estimator_of_rest: TransferClassifier

    def __str__(self) -> str:
        return (
            f"With probability {1 - self.delta:g} each, the error is at most {self.held_out:.3f} for the head without "
            f"the {self.n_held_out} samples held out, of which it has {self.held_out_error:.3f} wrong; "
            f"{self.gibbs:.3f} for random heads around that of all samples; and {self.majority:.3f} for that itself."
        )


def error_bound(
    estimator: TransferClassifier,
    X: Any,
    y: Any,
    *,
    delta: float = 0.05,
    test_size: float = 0.3,
    random_state: int | Random | None = None,
) -> ErrorBound:
    """Bound the error of a linear head that is solved on a frozen network.

    The bounds hold for new samples from where the given ones were drawn, whatever that is, if these were drawn
    independently of each other. Frames of one video, or copies of one image, are not.

    Parameters
    ----------
    estimator : TransferClassifier
        On a frozen network, with a linear head.
    X : array-like, or sequence of paths, PIL images, texts or clips
        Samples, as the estimator takes them.
    y : array-like of shape (n_samples,)
        Their labels.
    delta : float, default=0.05
        Probability with which a bound may fail, over draws of samples; between 0 and 1.
    test_size : float, default=0.3
        Share of the samples that is held out, drawn at random; between 0 and 1.
    random_state : int, RandomState instance or None, default=None
        Draws the samples that are held out.

    Returns
    -------
    ErrorBound
        ``held_out`` bounds the error of a head that has not seen the samples held out, and is the tight one;
        ``gibbs`` and ``majority`` bound that of the head of all samples. Both kinds hold at once with
        probability ``1 - 2 * delta``.

    Raises
    ------
    ValueError
        If fewer than 8 samples are held out, a class has no sample beside those, the head is not a linear one that was
        solved, or features of both fits differ, as they do where pixel values of black and white are learned from the
        data.
    TypeError
        If the estimator is no `TransferClassifier`.

    Notes
    -----
    - ``held_out`` is the exact upper limit of a binomial probability (Clopper and Pearson), in Langford's words the
      test-set bound.
    - ``gibbs`` is the PAC-Bayes bound for the relative entropy of two probabilities [1]_, in Maurer's form [2]_, of a
      Gaussian posterior around the head. Its prior is a Gaussian of the same covariance around the head that was
      solved without the samples held out [3]_, on which alone errors are counted. So the prior may depend on all that
      was learned of the others: the center and scale of the features, and with ``features="auto"`` the blocks that
      were chosen. Features are functions of a sample alone, and all blocks are features of both heads, so the
      posterior may choose others; the bound is loose then. Each of 8 standard deviations of the Gaussian has an eighth
      of ``delta``; the length of the posterior's mean, on which no prediction depends, is free.
    - ``majority``: noise is alike for all classes, so what most random heads say is what the head at the center
      says. Where it is wrong, at least half of them are.

    A bound for the head of all samples costs much on few samples: expect ``majority`` to say nothing on less than some
    hundreds of samples, unless classes lie far apart. A stronger penalty (a small ``C``, with ``features="last"``)
    makes it tighter, as heads of both fits are nearer to each other.

    References
    ----------
    .. [1] Langford, "Tutorial on Practical Prediction Theory for Classification", JMLR 2005.
    .. [2] Maurer, "A Note on the PAC Bayesian Theorem", 2004, https://arxiv.org/abs/cs/0411099.
    .. [3] Ambroladze, Parrado-Hernández & Shawe-Taylor, "Tighter PAC-Bayes Bounds", NIPS 2006.

    Langford & Shawe-Taylor, "PAC-Bayes & Margins", NIPS 2002 (Gaussians around linear classifiers).

    Examples
    --------
    >>> import numpy as np
    >>> from skltransfer import TransferClassifier
    >>> from skltransfer.datasets import load_fashion_sample
    >>> from skltransfer.transferability import error_bound
    >>> sample = load_fashion_sample()
    >>> shoes = np.isin(sample.target, ["Ankle boot", "Sneaker", "Sandal"])
    >>> clf = TransferClassifier(image_size=64, features="last", C=0.1)
    >>> bound = error_bound(clf, sample.images, shoes, random_state=0)
    >>> bound.held_out_error < bound.held_out < 0.25
    True
    """
    _check(estimator, delta, test_size)
    n_samples = len(read_target_classes(y, len(y)))
    order = check_random_state(random_state).permutation(n_samples)
    n_held_out = round(test_size * n_samples)
    _check_held_out(y, order[n_held_out:], n_held_out)
    some, rest = order[:n_held_out], order[n_held_out:]
    part = clone(estimator).fit(_safe_indexing(X, rest), _safe_indexing(y, rest))
    _check_solved(part)
    whole = clone(estimator).fit(X, y)
    features, codes = _features(part, whole, X), _codes(part, y)
    wrong = int((part.model_.head.decide(features[some]).argmax(axis=1) != codes[some]).sum())
    coordinates = _Coordinates.of(part, features[rest])
    prior, mean = (coordinates.head(fitted.model_.head) for fitted in (part, whole))
    held_out, others = (Samples(coordinates.features(features[where]), codes[where]) for where in (some, rest))
    gibbs = gibbs_bound(prior, mean, held_out, typical=typical_margin(prior, others), delta=delta)
    return ErrorBound(
        held_out_bound(wrong, n_held_out, delta), wrong / n_held_out, min(1.0, 2 * gibbs.bound), gibbs.bound,
        gibbs.error, gibbs.divergence, n_held_out, float(delta), whole, part,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Coordinates:
    """Features that are centered, whose blocks count alike and which have a mean square of 1, beside a constant 1."""

    center: Floats
    scale: Floats

    @classmethod
    def of(cls, estimator: TransferClassifier, features: Floats) -> _Coordinates:
        """Learn them from the samples that are not held out."""
        extraction = estimator.model_.network.below
        assert extraction is not None
        widths = block_widths(extraction, features.shape[1])
        shares = np.full(len(widths), 1 / len(widths))
        scale = block_scale(features, np.ones(len(features)), widths, shares.tolist(), 1.0)
        return cls(features.mean(axis=0), scale)

    def features(self, features: Floats) -> Floats:
        return np.column_stack([(features - self.center) / self.scale, np.ones(len(features))])

    def head(self, head: Head) -> Floats:
        return np.vstack([head.coef * self.scale[:, None], head.intercept + self.center @ head.coef])


def _check(estimator: Any, delta: Any, test_size: Any) -> None:
    if not isinstance(estimator, TransferClassifier):
        raise TypeError(
            f"estimator: expected a TransferClassifier. Got a {type(estimator).__name__}; for any other classifier, "
            "bound its error on samples held out by scipy.stats.binomtest."
        )
    for name, value in (("delta", delta), ("test_size", test_size)):
        if not isinstance(value, Real) or not 0 < float(value) < 1:
            raise ValueError(f"{name}: expected a number between 0 and 1. Got {value!r}.")


def _check_held_out(y: Any, rest: Array, n_held_out: int) -> None:
    """Refuse too few samples held out, and classes of which all are."""
    if n_held_out < FEWEST_HELD_OUT:
        raise ValueError(
            f"test_size: expected at least {FEWEST_HELD_OUT} samples held out. Got {n_held_out}; pass more samples, or "
            "a larger share."
        )
    codes = read_target_classes(y, len(y))
    n_classes, n_seen = codes.max() + 1, len(np.unique(codes[rest]))
    if n_seen < n_classes:
        raise ValueError(
            f"y: expected samples of each class beside those held out. Got {n_seen} of {n_classes} classes; pass more "
            "samples of rare classes, or leave these out."
        )


def _check_solved(fitted: TransferClassifier) -> None:
    """Refuse all but a linear head on a frozen network."""
    model = fitted.model_
    head = model.head
    if model.network.above is not None or model.history or head is None or head.hidden or head.takes_maps:
        raise ValueError(
            "estimator: expected a linear head that is solved on a frozen network. Got a network, or a head, that "
            "is trained; pass trainable='head' and head='linear', on a pretrained backbone."
        )


def _features(part: TransferClassifier, whole: TransferClassifier, X: Any) -> Floats:
    """Compute what both heads decide on, and refuse features that are not the same for both."""
    found, other = (fitted.model_.features(fitted._read_known(X), fitted.memory) for fitted in (part, whole))
    if found.shape != other.shape or not np.array_equal(found, other):
        raise ValueError(
            "estimator: expected features that do not depend on which samples it was fitted to. Got others without the "
            "samples held out; pass pixel_range=(black, white) for images, and random_state for untrained networks."
        )
    return np.asarray(found, dtype=np.float64)


def _codes(estimator: TransferClassifier, y: Any) -> Array:
    """Return the number of the output that is right for each sample."""
    labels = read_labels(y)
    return codes_of(estimator.model_.encoding.targets(labels, read_weights(None, labels), None))[0]
