"""Logistic regression in the coordinates of a span."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import ThreadpoolController

from skltransfer._heads.span import Span
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


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Samples of known classes in the coordinates of their span.

    Parameters
    ----------
    span : Span
        The samples.
    codes : ndarray of shape (n_samples,)
        Class numbers.
    n_classes : int
        How many classes there are; two have one sigmoid, more a softmax.
    weights : ndarray of shape (n_samples,)
        Sample weights, above 0.
    """

    span: Span
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
        constant = 1.0 / np.sqrt(curvature * self.weights.sum())
        units = np.append(damping, constant)[:, None]
        n_outputs = 1 if self.n_classes == 2 else self.n_classes
        large = len(codes) * len(units) * n_outputs >= LARGE_PRODUCT
        basis = np.empty((len(codes), len(units)), np.float32 if large and xtol >= TIGHT else np.float64)
        np.multiply(self.span.scores[some], damping, out=basis[:, :-1], casting="same_kind")
        basis[:, -1] = constant
        single = basis.astype(np.float32, copy=False) if large or xtol > TIGHT else basis
        penalty = np.append(np.square(damping), 0.0)[:, None]
        exact = _Problem(basis, single, penalty, codes, n_outputs, C * weights[:, None])
        rough = _Problem(single, single, penalty, codes, n_outputs, (C * weights[:, None]).astype(single.dtype))
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
        return self.span.scores[some] @ theta[:-1] + theta[-1]


@dataclass(eq=False)
class _Problem:
    """Penalized log loss of decision values ``basis @ theta``, with its first two derivatives.

    There is one output for two classes (a sigmoid), and one a class for more (a softmax).
    ``rough`` is ``basis``, in the precision in which the second derivative is computed.
    Tables of samples by classes are changed in place, as they are the largest there are.
    """

    basis: Floats
    rough: Floats
    penalty: Floats
    codes: NDArray[np.intp]
    n_outputs: int
    weights: Floats

    @property
    def shape(self) -> tuple[int, int]:
        return self.basis.shape[1], self.n_outputs

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
        theta = flat.reshape(self.shape)
        decisions = self.basis @ theta.astype(self.basis.dtype, copy=False)
        if self.n_outputs == 1:
            losses = np.logaddexp(0.0, decisions) - self.codes[:, None] * decisions
            self._expected = expit(decisions)
            residuals = self.weights * (self._expected - self.codes[:, None])
        else:
            own = np.arange(len(decisions)), self.codes
            decisions -= decisions.max(axis=1, keepdims=True)
            chosen = decisions[own]
            self._expected = np.exp(decisions, out=decisions)
            totals = self._expected.sum(axis=1, keepdims=True)
            losses = np.log(totals) - chosen[:, None]
            self._expected /= totals
            residuals = self.weights * self._expected
            residuals[own] -= self.weights[:, 0]
        value = np.sum(self.weights * losses) + 0.5 * np.sum(self.penalty * np.square(theta))
        return float(value), (self.basis.T @ residuals + self.penalty * theta).ravel()

    def curvature_along(self, flat: Floats, direction: Floats) -> Floats:
        """Product of the Hessian, where the slope was last asked for, with a direction."""
        theta, basis = direction.reshape(self.shape), self.rough
        expected = self._expected.astype(basis.dtype, copy=False)
        change = basis @ theta.astype(basis.dtype, copy=False)
        change *= expected
        if self.n_outputs == 1:
            change *= 1.0 - expected
        else:
            change -= expected * change.sum(axis=1, keepdims=True)
        change *= self.weights
        return (basis.T @ change + self.penalty * theta).ravel()


@lru_cache
def _threadpools() -> ThreadpoolController:
    return ThreadpoolController()
