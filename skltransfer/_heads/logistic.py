"""Logistic regression in the coordinates of a span."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import ThreadpoolController

from skltransfer._utils.types import Floats

MAX_STEPS = 200
TYPICAL_CURVATURE = 0.03
"""Second derivative of the log loss of a sample near the solution, on average; only scales the coordinates."""
TYPICAL_CLASSES = 10
"""Up to so many classes; it falls with more, as most of them are improbable for most samples."""
LARGE_PRODUCT = 10**8
"""Multiplications in a product of matrices from which BLAS threads are worth waking, and single precision is enough
for the curvature: the slope, which says where the solution is, is in double precision."""
ROUGH, TIGHT, LARGE_TIGHT = 1e-4, 1e-5, 1e-7
"""Mean change of a coordinate at which a rough solution is taken; down to which all can be in single precision; and at
which the solution of a large problem is taken, where Newton's next step is smaller by far."""


class Rows(Protocol):
    """Coordinates of samples, of some at a time."""

    def parts(self) -> Iterator[tuple[slice, Floats]]:
        """Yield which samples these are, and their coordinates."""
        ...


class Spanned(Protocol):
    """Samples in the coordinates of their principal axes."""

    @property
    def strength(self) -> Floats:
        """Return the weighted sum of squares along each axis."""
        ...

    def rows(self, some: NDArray[np.intp] | slice, dtype: Any) -> Rows:
        """Return the coordinates of some samples, in this precision."""
        ...


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Samples of known classes in the coordinates of their span.

    Parameters
    ----------
    span : Spanned
        The samples.
    codes : ndarray of shape (n_samples,)
        Class numbers.
    n_classes : int
        How many classes there are; two have one sigmoid, more a softmax.
    weights : ndarray of shape (n_samples,)
        Sample weights, above 0.
    """

    span: Spanned
    codes: NDArray[np.intp]
    n_classes: int
    weights: Floats

    def solve(
        self, C: float, some: NDArray[np.intp] | slice = slice(None), start: Floats | None = None, xtol: float = 1e-10
    ) -> tuple[Floats, int]:
        """Minimize the penalized log loss of some samples.

        Parameters
        ----------
        C : float
            Inverse strength of the penalty.
        some : ndarray of int or slice, default=slice(None)
            Positions of the samples.
        start : ndarray of shape (rank + 1, n_outputs), optional
            Where to start.
        xtol : float, default=1e-10
            Mean change of a coordinate at which to stop.

        Returns
        -------
        theta : ndarray of shape (rank + 1, n_outputs)
            Coefficients of the coordinates, and the intercepts.
        n_iter : int
            Steps of Newton's method.
        """
        codes, weights = self.codes[some], self.weights[some]
        curvature = C * TYPICAL_CURVATURE * min(1.0, TYPICAL_CLASSES / self.n_classes)
        damping = 1.0 / np.sqrt(curvature * self.span.strength + 1.0)
        units = np.append(damping, 1.0 / np.sqrt(curvature * self.weights.sum()))[:, None]
        n_outputs = 1 if self.n_classes == 2 else self.n_classes
        large = len(codes) * len(units) * n_outputs >= LARGE_PRODUCT
        fine, coarse = (np.float32 if once else np.float64 for once in (large and xtol >= TIGHT, large or xtol > TIGHT))
        rough_rows = self.span.rows(some, coarse)
        rows = rough_rows if fine == coarse else self.span.rows(some, fine)
        exact = _Problem(rows, rough_rows, units, codes, n_outputs, C * weights[:, None])
        rough = _Problem(rough_rows, rough_rows, units, codes, n_outputs, (C * weights[:, None]).astype(coarse))
        flat, n_iter = np.zeros(exact.shape).ravel() if start is None else (start / units).ravel(), 0
        with _threadpools().limit(limits=None if large else 1, user_api="blas"):
            if large:
                flat, n_iter = rough.minimized(flat, max(xtol, TIGHT))
            if not large or xtol < TIGHT:
                flat, n_more = exact.minimized(flat, max(xtol, LARGE_TIGHT) if large else xtol)
                n_iter += n_more
        return flat.reshape(exact.shape) * units, n_iter

    def decisions(self, theta: Floats, some: NDArray[np.intp]) -> Floats:
        """Return the decision values of some samples, shape (n_samples, n_outputs)."""
        parts = self.span.rows(some, np.float64).parts()
        return np.concatenate([part @ theta[:-1] for _, part in parts]) + theta[-1]


@dataclass(eq=False)
class _Problem:
    """Penalized log loss of decision values, with its first two derivatives by coefficients in ``units``.

    There is one output for two classes (a sigmoid), and one a class for more (a softmax).
    ``rough`` are the rows in the precision in which the second derivative is computed.
    Each product goes over the samples once, so many at a time as stay in a processor's cache.
    """

    rows: Rows
    rough: Rows
    units: Floats
    codes: NDArray[np.intp]
    n_outputs: int
    weights: Floats

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.units), self.n_outputs

    @cached_property
    def penalty(self) -> Floats:
        return np.append(np.square(self.units[:-1]), [[0.0]], axis=0)

    def minimized(self, start: Floats, xtol: float) -> tuple[Floats, int]:
        """Return where the loss is smallest, and the number of Newton's steps to there."""
        found = minimize(
            self.value_and_slope,
            start,
            jac=True,
            hessp=self.curvature_along,
            method="Newton-CG",
            options={"xtol": xtol, "maxiter": MAX_STEPS},
        )
        return found.x, int(found.nit)

    def value_and_slope(self, flat: Floats) -> tuple[float, Floats]:
        theta, values = flat.reshape(self.shape), list[float]()
        self._expected = list[Floats]()

        def residuals(some: slice, decisions: Floats) -> Floats:
            value, expected, found = self._losses(decisions, self.codes[some], self.weights[some])
            values.append(value)
            self._expected.append(expected)
            return found

        slope = self._summed(self.rows, theta, residuals) + self.penalty * theta
        return sum(values) + 0.5 * float(np.sum(self.penalty * np.square(theta))), slope.ravel()

    def curvature_along(self, flat: Floats, direction: Floats) -> Floats:
        """Product of the Hessian, where the slope was last asked for, with a direction."""
        theta, known = direction.reshape(self.shape), iter(self._expected)

        def changes(some: slice, change: Floats) -> Floats:
            expected = next(known).astype(change.dtype, copy=False)
            change *= expected
            if self.n_outputs == 1:
                change *= 1.0 - expected
            else:
                change -= expected * change.sum(axis=1, keepdims=True)
            change *= self.weights[some]
            return change

        return (self._summed(self.rough, theta, changes) + self.penalty * theta).ravel()

    def _summed(self, rows: Rows, theta: Floats, of_sample: Callable[[slice, Floats], Floats]) -> Floats:
        """Add up the coordinates of samples, times what is made of their decision values."""
        scaled, total = self.units * theta, np.zeros(self.shape)
        for some, part in rows.parts():
            factors = scaled.astype(part.dtype, copy=False)
            found = of_sample(some, part @ factors[:-1] + factors[-1])
            total[:-1] += (np.ascontiguousarray(found.T, part.dtype) @ part).T  # BLAS takes twice as long the other way
            total[-1] += found.sum(axis=0)
        return self.units * total

    def _losses(self, decisions: Floats, codes: NDArray[np.intp], weights: Floats) -> tuple[float, Floats, Floats]:
        """Return the loss of some samples, their probabilities, and the slope of the loss by their decision values."""
        if self.n_outputs == 1:
            losses = np.logaddexp(0.0, decisions) - codes[:, None] * decisions
            expected = expit(decisions)
            residuals = weights * (expected - codes[:, None])
        else:
            own = np.arange(len(decisions)), codes
            decisions -= decisions.max(axis=1, keepdims=True)
            chosen = decisions[own]
            expected = np.exp(decisions, out=decisions)
            totals = expected.sum(axis=1, keepdims=True)
            losses = np.log(totals) - chosen[:, None]
            expected /= totals
            residuals = weights * expected
            residuals[own] -= weights[:, 0]
        return float(np.sum(weights * losses)), expected, residuals


@lru_cache
def _threadpools() -> ThreadpoolController:
    return ThreadpoolController()
