"""Linear heads, solved to convergence in the span of the samples."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController

from skltransfer._heads.head import Head
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.lru import ByteLRU
from skltransfer._utils.types import Floats

MAX_STEPS = 200
TYPICAL_CURVATURE = 0.03
"""Second derivative of the log loss of a sample near the solution, on average; only scales the coordinates."""
TYPICAL_CLASSES = 10
"""Up to so many classes; it falls with more, as most of them are improbable for most samples."""
LARGE_PRODUCT = 10**8
"""Multiplications in a product of matrices from which BLAS threads are worth waking, and single precision is enough
for the curvature: the slope, which says where the solution is, is in double precision."""

_decompositions = ByteLRU(max_bytes=2**28)
_solved = ByteLRU(max_bytes=2**26)
"""Solutions: a search over how a network is fine-tuned starts many fits from the same one."""


@dataclass(frozen=True, eq=False)
class _Span:
    """Standardized samples in the coordinates of their own principal axes.

    ``scores`` has shape (n_samples, rank), and ``scores.T @ diag(weights) @ scores`` is
    ``diag(strength)``.
    """

    mean: Floats
    scale: float
    scores: Floats
    strength: Floats

    @property
    def nbytes(self) -> int:
        return self.mean.nbytes + self.scores.nbytes + self.strength.nbytes

    def to_features(self, features: Floats, weights: Floats, theta: Floats) -> Floats:
        """Compute coefficients of the features as they come, from those of the coordinates."""
        dual = weights[:, None] * (self.scores @ (theta / self.strength[:, None]))
        return (features.T @ dual - np.outer(self.mean, dual.sum(axis=0))) / self.scale**2


def fit_logistic(features: Floats, codes: NDArray[np.intp], *, n_classes: int, C: float, weights: Floats) -> Head:
    """Fit an L2-penalized logistic regression on standardized features to convergence.

    Each feature is centered, and all are divided by their root mean square deviation. (A
    deviation for each would blow up the features that hardly ever respond.) Then it
    minimizes ``C * sum(weights * loss) + 0.5 * sum(coef ** 2)`` as scikit-learn's
    `LogisticRegression` does: one sigmoid for two classes, a softmax for more, and an
    intercept that is not penalized. The samples are rotated onto their principal axes
    first, once for every ``C``: the problem then has ``min(n_samples, n_features)``
    coordinates a class, and its curvature is nearly diagonal.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        Features of each sample.
    codes : ndarray of shape (n_samples,)
        Class numbers from 0 to ``n_classes - 1``.
    n_classes : int
        How many classes there are, at least 2.
    C : float
        Inverse strength of the penalty, above 0.
    weights : ndarray of shape (n_samples,)
        Weight of each sample, above 0.

    Returns
    -------
    Head
        With 1 output for two classes and ``n_classes`` outputs for more. It takes
        features as they come: the standardization is folded into it.

    References
    ----------
    Hastie & Tibshirani, "Efficient quadratic regularization for expression arrays",
    Biostatistics 2004 (the solution lies in the span of the samples).
    """
    span, place = _decompose(features, weights)
    problem_hash = content_hash(place, np.ascontiguousarray(codes), repr((n_classes, C)))
    head = _solved.get(problem_hash)
    if head is None:
        head = _newton(span, features, codes, n_classes, C, weights)
        _solved.put(problem_hash, head, head.coef.nbytes)
    return head


def _newton(span: _Span, features: Floats, codes: NDArray[np.intp], n_classes: int, C: float, weights: Floats) -> Head:
    curvature = C * TYPICAL_CURVATURE * min(1.0, TYPICAL_CLASSES / n_classes)
    damping = 1.0 / np.sqrt(curvature * span.strength + 1.0)
    constant = np.full(len(codes), 1.0 / np.sqrt(curvature * weights.sum()))
    basis = np.column_stack([span.scores * damping, constant])
    n_outputs = 1 if n_classes == 2 else n_classes
    large = basis.size * n_outputs >= LARGE_PRODUCT
    problem = _Problem(
        basis=basis,
        rough=basis.astype(np.float32) if large else basis,
        penalty=np.append(np.square(damping), 0.0)[:, None],
        codes=codes,
        n_outputs=n_outputs,
        weights=C * weights[:, None],
    )
    with _threadpools().limit(limits=None if large else 1, user_api="blas"):
        found = minimize(
            problem.value_and_slope,
            np.zeros(problem.shape).ravel(),
            jac=True,
            hessp=problem.curvature_along,
            method="Newton-CG",
            options={"xtol": 1e-10, "maxiter": MAX_STEPS},
        )
    if found.nit >= MAX_STEPS:
        warnings.warn(
            f"The head did not converge in {MAX_STEPS} steps at C={C:g}. Pass a smaller C.",
            ConvergenceWarning,
            stacklevel=2,
        )
    theta = found.x.reshape(problem.shape) * np.append(damping, constant[0])[:, None]
    coef = span.to_features(features, weights, theta[:-1])
    return Head(coef, theta[-1] - span.mean @ coef, int(found.nit))


def fit_ridge(features: Floats, values: Floats, *, alpha: float, weights: Floats) -> Head:
    """Fit an L2-penalized least-squares regression on standardized features, exactly.

    Features are standardized as `fit_logistic` does. It minimizes
    ``sum(weights * residual ** 2) + alpha * sum(coef ** 2)`` as scikit-learn's `Ridge`
    does, with an intercept that is not penalized.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        Features of each sample.
    values : ndarray of shape (n_samples, n_targets)
        What they should come out as.
    alpha : float
        Strength of the penalty, above 0.
    weights : ndarray of shape (n_samples,)
        Weight of each sample, above 0.

    Returns
    -------
    Head
        With ``n_targets`` outputs, in the units of the values. It takes features as they
        come.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(4.0)[:, None]
    >>> fit_ridge(x, 3 * x + 1, alpha=1e-9, weights=np.ones(4))(x).round(3).ravel().tolist()
    [1.0, 4.0, 7.0, 10.0]
    """
    span, _ = _decompose(features, weights)
    middle = np.average(values, axis=0, weights=weights)
    theta = span.scores.T @ (weights[:, None] * (values - middle)) / (span.strength + alpha)[:, None]
    coef = span.to_features(features, weights, theta)
    return Head(coef, middle - span.mean @ coef, 1)


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

    def value_and_slope(self, flat: Floats) -> tuple[float, Floats]:
        theta = flat.reshape(self.shape)
        decisions = self.basis @ theta
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


def _decompose(features: Floats, weights: Floats) -> tuple[_Span, bytes]:
    """Return the decomposition of these samples, and a digest of them."""
    key = content_hash(np.ascontiguousarray(features), np.ascontiguousarray(weights))
    span = _decompositions.get(key)
    if span is None:
        span = _span(features, weights)
        _decompositions.put(key, span, span.nbytes)
    return span, key


def _span(features: Floats, weights: Floats) -> _Span:
    share = weights / weights.sum()
    mean = share @ features.astype(np.float64, copy=False)
    samples = features - mean
    scale = float(np.sqrt(np.mean(share @ np.square(samples)))) or 1.0
    samples /= scale
    heavy = samples * np.sqrt(weights)[:, None]
    if len(samples) <= samples.shape[1]:
        strength, vectors = _eigen(heavy @ heavy.T)
        scores = vectors * np.sqrt(strength) / np.sqrt(weights)[:, None]
    else:
        strength, axes = _eigen(heavy.T @ heavy)
        scores = samples @ axes
    return _Span(mean, scale, scores, strength)


def _eigen(gram: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues above rounding error, and their vectors."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > max(values[-1], 0.0) * len(gram) * np.finfo(np.float64).eps
    return values[kept], vectors[:, kept]
