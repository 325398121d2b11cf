"""Linear heads, solved to convergence in the span of the samples."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from skltransfer._heads.head import Head
from skltransfer._heads.logistic import MAX_STEPS, Coordinates
from skltransfer._heads.span import Span, decompose
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.lru import ByteLRU
from skltransfer._utils.types import Floats

_solved = ByteLRU(max_bytes=2**26)
"""Solutions: a search over how a network is fine-tuned starts many fits from the same one."""


def fit_logistic(
    features: Floats,
    codes: NDArray[np.intp],
    *,
    n_classes: int,
    C: float,
    weights: Floats,
    scale: Floats | None = None,
) -> Head:
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
    scale : ndarray of shape (n_features,), optional
        What each feature is divided by; see `decompose`.

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
    span, place = decompose(features, weights, scale)
    problem_hash = content_hash(place, np.ascontiguousarray(codes), repr((n_classes, C)))
    head = _solved.get(problem_hash)
    if head is None:
        head = _solved_head(span, features, codes, n_classes, C, weights)
        _solved.put(problem_hash, head, head.coef.nbytes)
    return head


def _solved_head(
    span: Span, features: Floats, codes: NDArray[np.intp], n_classes: int, C: float, weights: Floats
) -> Head:
    coordinates = Coordinates(span, codes, n_classes, weights)
    theta, n_iter = coordinates.solve(C)
    warn_unless_converged(n_iter, C)
    coef = span.to_features(features, weights, theta[:-1])
    return Head(coef, theta[-1] - span.mean @ coef, n_iter)


def warn_unless_converged(n_iter: int, C: float) -> None:
    """Warn if so many steps were not enough."""
    if n_iter >= MAX_STEPS:
        warnings.warn(
            f"The head did not converge in {MAX_STEPS} steps at C={C:g}. Pass a smaller C.",
            ConvergenceWarning,
            stacklevel=3,
        )


def fit_ridge(features: Floats, values: Floats, *, alpha: float, weights: Floats, scale: Floats | None = None) -> Head:
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
    scale : ndarray of shape (n_features,), optional
        What each feature is divided by; see `decompose`.

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
    span, _ = decompose(features, weights, scale)
    middle = np.average(values, axis=0, weights=weights)
    theta = span.scores.T @ (weights[:, None] * (values - middle)) / (span.strength + alpha)[:, None]
    coef = span.to_features(features, weights, theta)
    return Head(coef, middle - span.mean @ coef, 1)
