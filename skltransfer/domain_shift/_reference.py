"""What a fitted estimator keeps of its domains, and where new samples lie beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skltransfer._utils.types import Array

INSIDE = 0.99
"""Share of a domain's own samples within its radius."""
FAR = 1.5
"""Radii beyond which a sample is far."""
MANY_FAR, MIN_FAR = 0.1, 10
COLLAPSED, MOST = 0.95, 0.8
"""Share of samples that are predicted as one class, where no class of the source has more than the second share."""
MIN_COLLAPSED = 30
DRIFTED = 0.75
"""Distance, in deviations, beyond which samples do not look like those of the class that they are predicted as."""
FLOOR = 0.1
"""Least deviation of a feature, as a share of the root mean square of all: a silent unit is no yardstick."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where the samples of a domain lie: moments of their features, by class as well.

    Parameters
    ----------
    mean, deviation : ndarray of shape (n_features,)
        Of its samples.
    n_samples : int
        How many there were.
    radius : float
        Distance from the mean, in deviations, within which 99 % of its samples lie.
    shares : ndarray of shape (n_classes,)
        How often each class was predicted; empty for a regressor.
    class_means : ndarray of shape (n_classes, n_features)
        Means of the samples that were predicted as each class; NaN where none was.
    class_deviation : ndarray of shape (n_features,)
        Within classes.
    """

    mean: Array
    deviation: Array
    n_samples: int
    radius: float
    shares: Array
    class_means: Array
    class_deviation: Array

    @classmethod
    def of(cls, features: Array, predicted: NDArray[np.intp] | None, n_classes: int) -> Place:
        """Measure samples; ``predicted`` has their classes as numbers, or is None for a regressor."""
        features = features.astype(np.float64)
        mean, deviation = features.mean(axis=0), _floored(features.std(axis=0))
        radius = float(np.quantile(_distances(features, mean, deviation), INSIDE))
        shares, means, within = np.zeros(0), np.zeros((0, len(mean))), deviation
        if predicted is not None:
            counts = np.bincount(predicted, minlength=n_classes)
            shares, sums = counts / len(predicted), np.zeros((n_classes, len(mean)))
            np.add.at(sums, predicted, features)
            means = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], np.nan)
            within = _floored(np.sqrt(((features - means[predicted]) ** 2).mean(axis=0)))
        return cls(_small(mean), _small(deviation), len(features), radius, shares, _small(means), _small(within))

    def distances(self, features: Array) -> Array:
        """Distance of each sample, in radii."""
        return _distances(features, self.mean, self.deviation) / max(self.radius, 1e-12)

    def drifts(self, means: Array) -> Array:
        """Distance of the mean of each class from its mean here, in deviations within classes."""
        return np.sqrt((((means - self.class_means) / self.class_deviation) ** 2).mean(axis=1))


class Comparison(NamedTuple):
    """How new samples lie beside the domains of a fit.

    Parameters
    ----------
    distances : ndarray of shape (n_samples,)
        Distance of each sample from the nearer domain, in its radii.
    shares : ndarray of shape (n_classes,)
        How often each class is predicted; empty for a regressor.
    drifts : ndarray of shape (n_classes,)
        Distance of the mean of the samples predicted as each class from the nearer of its means in the
        domains, in deviations; NaN where none is.
    """

    distances: Array
    shares: Array
    drifts: Array

    @property
    def far(self) -> float:
        """Share of samples that are far from both domains."""
        return float((self.distances > FAR).mean())


@dataclass(frozen=True, eq=False)
class Reference:
    """What a fit keeps of its domains: as much as a few last layers.

    Parameters
    ----------
    source, target : Place or None
        None if there were too few samples.
    """

    source: Place | None
    target: Place | None

    @property
    def places(self) -> tuple[Place, ...]:
        """Those domains that there are."""
        return tuple(place for place in (self.source, self.target) if place is not None)

    def compare(self, features: Array, predicted: NDArray[np.intp] | None) -> Comparison:
        """Compare new samples by their features and their predicted classes."""
        features, places = features.astype(np.float64), self.places
        distances = np.min([place.distances(features) for place in places], axis=0)
        if predicted is None:
            return Comparison(distances, np.zeros(0), np.zeros(0))
        own = Place.of(features, predicted, len(places[0].shares))
        known = [place for place in places if place is self.source or not self._collapsed(place.shares)]
        drifts = np.array([place.drifts(own.class_means) for place in known or places])
        nearest = np.where(np.isnan(drifts), np.inf, drifts).min(axis=0)
        return Comparison(distances, own.shares, np.where(np.isinf(nearest), np.nan, nearest))

    def findings(self, found: Comparison, labels: Sequence[Any]) -> list[str]:
        """Say what is out of the ordinary: samples far from both domains, or all predicted as one class."""
        sentences, n_samples = [], len(found.distances)
        if found.far >= MANY_FAR and found.far * n_samples >= MIN_FAR:
            which = "both domains" if len(self.places) > 1 else "the domain"
            sentences.append(
                f"{found.far:.0%} of {n_samples} samples are far from {which} that fit saw: over {FAR:g} times as "
                f"far as 99 % of the samples there (median of all: {np.median(found.distances):.1f} times). "
                "Predictions for "
                "them are extrapolated."
            )
        if n_samples >= MIN_COLLAPSED and len(found.shares) and self._collapsed(found.shares):
            label = int(found.shares.argmax())
            assert self.source is not None
            error = 2 / np.sqrt(max(self.source.shares[label] * self.source.n_samples, 1))
            if not found.drifts[label] <= DRIFTED + error:
                sentences.append(
                    f"{found.shares[label]:.0%} of {n_samples} samples are predicted as {labels[label]}, which was "
                    f"predicted for {self.source.shares[label]:.0%} of the source, and they do not look like it: "
                    f"their mean is {found.drifts[label]:.1f} standard deviations away. The predictions have probably "
                    "collapsed."
                )
        return sentences

    def _collapsed(self, shares: Array) -> bool:
        """Whether nearly all samples are of one class, though the source had several."""
        return self.source is not None and collapsed(shares, self.source.shares)


def collapsed(shares: Array, usual: Array) -> bool:
    """Whether nearly all of some samples are of one class, where no class usually has that many."""
    return bool(shares.max() > COLLAPSED and usual.max() <= MOST * usual.sum())


NOTHING_KEPT = Reference(None, None)


def _distances(features: Array, mean: Array, deviation: Array) -> Array:
    return np.sqrt((((features - mean) / deviation) ** 2).mean(axis=1))


def _floored(deviation: Array) -> Array:
    return np.maximum(deviation, FLOOR * np.sqrt((deviation**2).mean()) + 1e-12)


def _small(values: Array) -> Array:
    return values.astype(np.float32)
