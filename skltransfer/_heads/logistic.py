"""Logistic regression in the coordinates of a span."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_softmax
from threadpoolctl import ThreadpoolController

from skltransfer._heads.span import Span
from skltransfer._utils.types import Floats

MAX_STEPS = 200
TYPICAL_CURVATURE = 0.03
"""Second derivative of the log loss of a sample near the solution, on average; only scales the coordinates."""


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
        damping = 1.0 / np.sqrt(TYPICAL_CURVATURE * C * self.span.strength + 1.0)
        constant = 1.0 / np.sqrt(TYPICAL_CURVATURE * C * self.weights.sum())
        units = np.append(damping, constant)[:, None]
        problem = _Problem(
            basis=np.column_stack([self.span.scores[some] * damping, np.full(len(codes), constant)]),
            penalty=np.append(np.square(damping), 0.0)[:, None],
            targets=codes[:, None].astype(np.float64) if self.n_classes == 2 else np.eye(self.n_classes)[codes],
            weights=C * weights[:, None],
        )
        with _threadpools().limit(limits=1, user_api="blas"):  # waking threads costs more than these small products
            found = minimize(
                problem.value_and_slope,
                np.zeros(np.prod(problem.shape)) if start is None else (start / units).ravel(),
                jac=True,
                hessp=problem.curvature_along,
                method="Newton-CG",
                options={"xtol": xtol, "maxiter": MAX_STEPS},
            )
        return found.x.reshape(problem.shape) * units, int(found.nit)

    def decisions(self, theta: Floats, some: NDArray[np.intp]) -> Floats:
        """Return the decision values of some samples, shape (n_samples, n_outputs)."""
        return self.span.scores[some] @ theta[:-1] + theta[-1]


@dataclass(eq=False)
class _Problem:
    """Penalized log loss of decision values ``basis @ theta``, with its first two derivatives.

    ``targets`` has one column of 0 and 1 for two classes (a sigmoid), and one column a
    class for more (a softmax).
    """

    basis: Floats
    penalty: Floats
    targets: Floats
    weights: Floats

    @property
    def shape(self) -> tuple[int, int]:
        return self.basis.shape[1], self.targets.shape[1]

    def value_and_slope(self, flat: Floats) -> tuple[float, Floats]:
        theta = flat.reshape(self.shape)
        decisions = self.basis @ theta
        if self.shape[1] == 1:
            losses = np.logaddexp(0.0, decisions) - self.targets * decisions
            self._expected = expit(decisions)
        else:
            logs = log_softmax(decisions, axis=1)
            losses = -self.targets * logs
            self._expected = np.exp(logs)
        value = np.sum(self.weights * losses) + 0.5 * np.sum(self.penalty * np.square(theta))
        slope = self.basis.T @ (self.weights * (self._expected - self.targets)) + self.penalty * theta
        return float(value), slope.ravel()

    def curvature_along(self, flat: Floats, direction: Floats) -> Floats:
        """Product of the Hessian, where the slope was last asked for, with a direction."""
        theta = direction.reshape(self.shape)
        change = self._expected * (self.basis @ theta)
        if self.shape[1] == 1:
            change *= 1.0 - self._expected
        else:
            change -= self._expected * change.sum(axis=1, keepdims=True)
        return (self.basis.T @ (self.weights * change) + self.penalty * theta).ravel()


@lru_cache
def _threadpools() -> ThreadpoolController:
    return ThreadpoolController()
