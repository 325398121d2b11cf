"""Power laws of learning curves, fitted to many curves at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skltransfer._utils.types import Floats

EXPONENTS = np.geomspace(0.05, 2.0, 80)
"""Exponents that are tried; an error that falls as fast as 1 over the square of samples is as good as learned."""


@dataclass(frozen=True, eq=False)
class PowerLaws:
    """Laws ``limit + slope * (n / unit) ** -exponent``, one a curve.

    Parameters
    ----------
    limit, slope, exponent : ndarray of shape (n_curves,)
        What the error falls to, at least 0; what it falls by, at least 0; and how fast.
    unit : float
        Samples at which the slope is all that is above the limit.
    """

    limit: Floats
    slope: Floats
    exponent: Floats
    unit: float

    def errors(self, n_samples: Floats) -> Floats:
        """Return the error of each curve at each number of samples, shape (n_curves, n_numbers)."""
        return self.limit[:, None] + self.slope[:, None] * (n_samples / self.unit) ** -self.exponent[:, None]


def fit_power_laws(sizes: Floats, errors: Floats, weights: Floats) -> PowerLaws:
    """Fit a law to each curve by weighted least squares.

    For a given exponent, the limit and the slope have a closed form, also where one of them is 0. So all of
    `EXPONENTS` are tried, and the best one is the global solution up to their spacing.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,)
        Numbers of samples, of which at least 3 differ.
    errors : ndarray of shape (n_curves, n_sizes)
        Errors of at least about 0.
    weights : ndarray of shape (n_sizes,)
        Weights of the squared deviations, above 0.
    """
    unit, share = float(sizes.max()), weights / weights.sum()
    falls = (sizes / unit) ** -EXPONENTS[:, None]
    mean, mean_fall = errors @ share, falls @ share
    both, square_fall = (errors * share) @ falls.T, np.square(falls) @ share
    covariance, variance = both - mean[:, None] * mean_fall, square_fall - mean_fall**2
    slope = np.maximum(covariance / variance, 0.0)
    limit = np.maximum(mean[:, None] - slope * mean_fall, 0.0)
    slope = np.where(limit > 0, slope, np.maximum(both / square_fall, 0.0))
    lost = limit * (limit + 2 * slope * mean_fall - 2 * mean[:, None]) + slope * (slope * square_fall - 2 * both)
    best = lost.argmin(axis=1)
    every = np.arange(len(errors))
    return PowerLaws(limit[every, best], slope[every, best], EXPONENTS[best], unit)
