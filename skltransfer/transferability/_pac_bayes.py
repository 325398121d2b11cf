"""Bounds on errors by samples that were held out: of one classifier, and of a Gaussian of linear ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr, xlogy
from scipy.stats import beta

from skltransfer._utils.types import Array, Floats

DEVIATIONS = 2.0 ** np.arange(-4, 4)
"""Standard deviations of a posterior that are tried, in units of a typical margin of the prior; each has its share of
delta."""
LENGTHS = (1.0, 1.5, 2.25)
"""Lengths of the posterior's mean that are tried, in units of the one that is nearest to the prior's."""
NODES, SHARES = np.polynomial.hermite_e.hermegauss(40)


class Gibbs(NamedTuple):
    """A bound on the error of a classifier that is drawn anew for each sample.

    ``sharpness`` is the length of the posterior's mean, in units of the given one, over its standard deviation.
    """

    bound: float
    error: float
    divergence: float
    sharpness: float


class Samples(NamedTuple):
    """Samples held out, in the coordinates of the prior.

    ``features`` have shape (n_samples, n_features), ``codes`` are class numbers.
    """

    features: Floats
    codes: Array


def held_out_bound(n_wrong: int, n_samples: int, delta: float) -> float:
    """Return the upper confidence limit of a binomial probability, exact (Clopper and Pearson).

    Examples
    --------
    >>> round(held_out_bound(0, 100, 0.05), 4)  # 1 - 0.05 ** (1 / 100)
    0.0295
    """
    return 1.0 if n_wrong >= n_samples else float(beta.ppf(1 - delta, n_wrong + 1, n_samples - n_wrong))


def inverse_kl(error: float, budget: float) -> float:
    """Return the largest probability whose binary relative entropy from ``error`` is at most ``budget`` nats.

    Examples
    --------
    >>> round(inverse_kl(0.0, 0.1), 4)  # 1 - exp(-0.1)
    0.0952
    """

    def excess(p: float) -> float:
        return float(xlogy(error, error / p) + xlogy(1 - error, (1 - error) / (1 - p))) - budget

    highest = 1 - 1e-12
    if error >= highest or excess(highest) <= 0:
        return 1.0
    return float(brentq(excess, max(error, 1e-15), highest, xtol=1e-12))


def gibbs_bound(prior: Floats, mean: Floats, held_out: Samples, *, typical: float, delta: float) -> Gibbs:
    """Bound the error of linear classifiers that are drawn from a Gaussian around a given one.

    Parameters
    ----------
    prior : ndarray of shape (n_features, n_classes)
        Mean of the prior, which knows nothing of the samples held out.
    mean : ndarray of shape (n_features, n_classes)
        Mean of the posterior up to its length, on which no prediction depends. It may know all samples.
    held_out : Samples
        Samples held out.
    typical : float
        A typical margin of the prior, for samples of length 1; it knows nothing of the samples held out, either.
    delta : float
        Probability with which the bound may fail.

    Returns
    -------
    Gibbs
        The lowest of the bounds that are tried.
    """
    if prior.shape[1] == 2:  # all that counts is their difference
        prior, mean = prior[:, 1:] - prior[:, :1], mean[:, 1:] - mean[:, :1]
    else:  # what all classes have in common decides nothing
        prior, mean = (theta - theta.mean(axis=1, keepdims=True) for theta in (prior, mean))
    n_samples, square = len(held_out.codes), np.square(mean).sum()
    nearest = max(float((mean * prior).sum() / square), 0.0) if square else 0.0
    lengths = nearest * np.array(LENGTHS) if nearest else np.array([typical / np.sqrt(square or 1.0)])
    margins = _margins(mean, held_out)
    spent = np.log(2 * np.sqrt(n_samples) * len(DEVIATIONS) / delta)
    found = []
    for deviation in typical * DEVIATIONS:
        for length in lengths:
            divergence = float(np.square(length * mean - prior).sum() / (2 * deviation**2))
            error = _gibbs_error(margins * (length / deviation))
            bound = inverse_kl(error, (divergence + spent) / n_samples)
            found.append(Gibbs(bound, error, divergence, float(length / deviation)))
    return min(found)


def typical_margin(theta: Floats, samples: Samples) -> float:
    """Return the median size of the smallest margin of samples, if they had length 1."""
    if theta.shape[1] == 2:
        theta = theta[:, 1:] - theta[:, :1]
    nearest = np.abs(_margins(theta, samples)).min(axis=1)
    return float(np.median(nearest)) or 1.0


def _margins(theta: Floats, samples: Samples) -> Floats:
    """Return by how much the right class is ahead of each other one, over the length of the sample."""
    decisions = samples.features @ theta / np.linalg.norm(samples.features, axis=1, keepdims=True)
    if theta.shape[1] == 1:
        return decisions * np.where(samples.codes, 1, -1)[:, None]
    own = np.arange(len(decisions)), samples.codes
    others = np.ones_like(decisions, dtype=bool)
    others[own] = False
    return decisions[own][:, None] - decisions[others].reshape(len(decisions), -1)


def _gibbs_error(margins: Floats) -> float:
    """Return the mean probability of a wrong prediction, if each decision value has Gaussian noise of variance 1.

    Of two classes, the difference of their decision values has it.
    """
    if margins.shape[1] == 1:
        return float(ndtr(-margins).mean())
    right = sum(share * np.exp(log_ndtr(margins + node).sum(axis=1)) for node, share in zip(NODES, SHARES, strict=True))
    return float(np.clip(1 - np.mean(right) / SHARES.sum(), 0.0, 1.0))
