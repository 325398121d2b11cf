"""Shares of classes in samples without labels, where they are identifiable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls
from scipy.special import log_softmax, softmax
from sklearn.utils import check_random_state

from skltransfer._targets.reading import read_weights
from skltransfer._utils.types import Array

MOST_SAMPLES = 2000
N_DRAWS = 200
FIT_LEVEL = 0.05
"""Below this p-value, predictions for the target are no mixture of those for the classes of the source."""
MOST_STEPS = 100
STEP = 0.05
WIDEST = 0.5
"""A wider interval says nothing about a share."""
SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class ClassShares:
    """What `estimate_class_shares` found.

    Attributes
    ----------
    shares : ndarray of shape (n_classes,)
        Estimated share of each class in the target; NaN where ``reason`` is not empty.
    lower, upper : ndarray of shape (n_classes,)
        Ends of the bootstrap interval; NaN as well.
    source_shares : ndarray of shape (n_classes,)
        Shares in the source.
    p_value : float
        Of the hypothesis that classes have the shares of the source.
    fit_p_value : float
        Of the hypothesis that predictions for the target are a mixture of those for the classes of
        the source, as they are if nothing but shares of classes differs.
    smallest_singular_value : float
        Of the matrix of mean predictions for each class: 1 if predictions are perfect, 0 if classes cannot
        be distinguished.
    reason : str
        Why shares are not identifiable; empty if they are.
    """

    shares: Array
    lower: Array
    upper: Array
    source_shares: Array
    p_value: float
    fit_p_value: float
    smallest_singular_value: float
    reason: str = ""

    @property
    def identified(self) -> bool:
        """Whether shares are given."""
        return not self.reason

    def withheld(self, reason: str) -> ClassShares:
        """Return the same without shares, because of something else that is known."""
        nothing = np.full(len(self.shares), np.nan)
        return replace(self, shares=nothing, lower=nothing, upper=nothing, reason=reason)


def estimate_class_shares(
    probabilities: Any,
    classes: Any,
    target_probabilities: Any,
    *,
    sample_weight: Any = None,
    method: str = "mlls",
    level: float = 0.95,
    random_state: Any = None,
) -> ClassShares:
    """Estimate the shares of classes in a target without labels, or say why they are not identifiable.

    Estimates hold if samples of a class look alike in both domains (label shift). They are not
    given where the confusion matrix is singular within its sampling error, where a goodness-of-fit
    test rejects that predictions for the target are a mixture of those for the classes of the source (as under a
    covariate shift), or where an interval is wider than 0.5. The test sees predictions only: a
    shift that makes samples of one class look like those of another cannot be distinguished from a shift of shares.

    Parameters
    ----------
    probabilities : array-like of shape (n_source, n_classes)
        Predicted probabilities of source samples that the classifier was not fitted on.
    classes : array-like of int, shape (n_source,)
        The column of the class of each of them; each class has at least 2 samples.
    target_probabilities : array-like of shape (n_target, n_classes)
        Predicted probabilities of target samples.
    sample_weight : array-like of shape (n_source,), default=None
        Weights of source samples.
    method : {"mlls", "bbse"}, default="mlls"
        Maximum likelihood by expectation maximization, of probabilities calibrated by a temperature
        and a bias for each class; or black-box shift estimation with mean probabilities.
    level : float, default=0.95
        Of the interval for each class: percentiles of 200 bootstrap samples of both domains.
    random_state : int, RandomState instance or None, default=None
        Draws bootstrap samples, and the samples that count from domains of over 2,000.

    Returns
    -------
    ClassShares

    Raises
    ------
    ValueError
        If arrays do not fit together, or ``method`` is not known.

    References
    ----------
    Saerens, Latinne & Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori
    Probabilities", Neural Computation 2002; Lipton, Wang & Smola, "Detecting and Correcting for
    Label Shift with Black Box Predictors", ICML 2018; Alexandari, Kundaje & Shrikumar, "Maximum
    Likelihood with Bias-Corrected Calibration is Hard-To-Beat at Label Shift Adaptation", ICML 2020.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> y, y_target = random.random(1000) < 0.5, random.random(1000) < 0.2
    >>> X, X_target = random.normal(3.0 * y), random.normal(3.0 * y_target)
    >>> positive, target_positive = 1 / (1 + np.exp(4.5 - 3 * X)), 1 / (1 + np.exp(4.5 - 3 * X_target))
    >>> found = estimate_class_shares(np.column_stack([1 - positive, positive]), y.astype(int),
    ...                               np.column_stack([1 - target_positive, target_positive]), random_state=0)
    >>> found.shares.round(1).tolist(), bool(found.lower[1] < y_target.mean() < found.upper[1])
    ([0.8, 0.2], True)
    """
    source, codes, target, weights = _read(probabilities, classes, target_probabilities, sample_weight, method)
    random = check_random_state(random_state)
    kept = _some(len(source), random), _some(len(target), random)
    source, codes, weights, target = source[kept[0]], codes[kept[0]], weights[kept[0]], target[kept[1]]
    weights = weights / weights.sum()
    problem = _Problem(source, target, codes, np.eye(source.shape[1])[codes], weights)
    parameters = None
    if method == "mlls":
        parameters = _calibration(source, codes, weights)
        problem = replace(problem, source=_apply(parameters, source), target=_apply(parameters, target))
    shares = _solve(method, problem, weights[None], np.full((1, len(target)), 1 / len(target)))[0]
    prior = weights @ problem.member
    draws = _source_draws(problem, random)
    drawn = _solve(method, problem, draws, _draws(np.ones(len(target)), len(target), random))
    if parameters is not None:
        drawn = np.clip(drawn + _calibration_errors(source, target, problem, parameters, draws), 0, 1)
    fits, alike = _replicates(method, problem, shares, random)
    tail = (1 - level) / 2
    lower, upper = np.quantile(drawn, [tail, 1 - tail], axis=0)
    found = ClassShares(
        shares, lower, upper, prior,
        p_value=_tail_share(alike, np.abs(shares - prior).sum()),
        fit_p_value=_tail_share(fits, _distance(problem, shares)),
        smallest_singular_value=float(np.linalg.svd(_confusion(problem, weights[None])[0], compute_uv=False)[-1]),
    )  # fmt: skip
    reason = _reason(found, problem, random)
    return found.withheld(reason) if reason else found


@dataclass(frozen=True)
class _Problem:
    """Probabilities of both domains, and the classes of the source as numbers, as a table of 0 and 1, and weights."""

    source: Array
    target: Array
    codes: NDArray[np.intp]
    member: Array
    weights: Array

    @property
    def effective_size(self) -> int:
        """How many samples of equal weight those of the source are worth."""
        return max(int(1 / (self.weights**2).sum()), 2)

    def with_shares(self, shares: Array) -> Array:
        """Weights of source samples by which classes have these shares."""
        within = self.weights / (self.weights @ self.member)[self.codes]
        return within * shares[self.codes]


def _replicates(method: str, problem: _Problem, shares: Array, random: np.random.RandomState) -> tuple[Array, ...]:
    """Draw misfits as they are if nothing but shares differs, and changes of shares as they are if nothing does."""
    n_target = len(problem.target)
    within = replace(problem, target=problem.source)
    samples = _source_draws(problem, random), _draws(problem.with_shares(shares), n_target, random)
    again = _solve(method, within, *samples)
    fits = _anderson(problem.source, _reweighted(problem, samples[0], again), samples[1])
    samples = _source_draws(problem, random), _draws(problem.weights, n_target, random)
    drawn_prior = _draws(problem.weights, problem.effective_size, random) @ problem.member
    alike = np.abs(_solve(method, within, *samples) - drawn_prior).sum(axis=1)
    return fits, alike


def _source_draws(problem: _Problem, random: np.random.RandomState) -> Array:
    """Draw bootstrap weights of source samples, by class, so that none is ever missing."""
    found = np.zeros((N_DRAWS, len(problem.codes)))
    for number, total in enumerate(problem.weights @ problem.member):
        own = problem.codes == number
        weights = problem.weights[own] / total
        size = max(int(1 / (weights**2).sum()), 1)
        found[:, own] = total * _draws(weights, size, random)
    return found


def _draws(weights: Array, size: int, random: np.random.RandomState) -> Array:
    return random.multinomial(size, weights / weights.sum(), N_DRAWS) / size


def _solve(method: str, problem: _Problem, source: Array, target: Array) -> Array:
    """Estimate shares for each row of weights of source samples and of target samples."""
    if method == "bbse":
        pairs = zip(_confusion(problem, source), target @ problem.target, strict=True)
        found = np.array([nnls(confusion, mean)[0] for confusion, mean in pairs])
        return _normalized(found)
    return _maximum_likelihood(problem.target, source @ problem.source, target)


def _maximum_likelihood(probabilities: Array, priors: Array, weights: Array) -> Array:
    """Maximize the likelihood of shares by expectation maximization, for each row of weights of samples.

    Steps are extrapolated (SQUAREM, Varadhan & Roland 2008), as plain ones stand nearly still where
    classes overlap.
    """

    def step(shares: Array) -> Array:
        ratio = shares / np.maximum(priors, SMALLEST)
        likely = np.maximum(probabilities @ ratio.T, SMALLEST)
        return _normalized(ratio * ((weights / likely.T) @ probabilities))

    shares = _normalized(priors)
    for _ in range(MOST_STEPS):
        once = step(shares)
        twice = step(once)
        first, bend = once - shares, twice - 2 * once + shares
        length = -np.linalg.norm(first, axis=1) / np.maximum(np.linalg.norm(bend, axis=1), SMALLEST)
        length = np.clip(length, -64, -1)[:, None]
        new = step(_normalized(np.maximum(shares - 2 * length * first + length**2 * bend, 1e-6)))
        done = np.abs(new - shares).max() < 1e-4
        shares = new
        if done:
            break
    return shares


def _normalized(shares: Array) -> Array:
    return shares / np.maximum(shares.sum(axis=1, keepdims=True), SMALLEST)


def _confusion(problem: _Problem, weights: Array) -> Array:
    """Mean probabilities, in rows, for samples of each class, in columns: one matrix for each row of weights."""
    totals = np.maximum(weights @ problem.member, SMALLEST)
    sums = np.einsum("bn,nk,nj->bkj", weights, problem.source, problem.member, optimize=True)
    return sums / totals[:, None, :]


def _distance(problem: _Problem, shares: Array) -> float:
    """Distance of predictions for the target from those for the source with these shares."""
    both = np.concatenate([problem.source, problem.target])
    source, target = np.zeros((2, 1, len(both)))
    source[0, : len(problem.source)] = problem.with_shares(shares)
    target[0, len(problem.source) :] = 1 / len(problem.target)
    return float(_anderson(both, source, target)[0])


def _anderson(values: Array, some: Array, others: Array) -> Array:
    """Anderson-Darling distance of two weighted samples, a mean over classes, for each row of weights."""
    total = np.zeros(len(some))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        ends = np.append(np.diff(column[order]) > 0, True)
        one, other = (np.cumsum(part[:, order], axis=1)[:, ends] for part in (some, others))
        pooled = (one + other) / 2
        mass = np.diff(pooled, axis=1, prepend=0)
        total += (mass * (one - other) ** 2 / np.maximum(pooled * (1 - pooled), 1e-3)).sum(axis=1)
    return total / values.shape[1]


def _reweighted(problem: _Problem, weights: Array, shares: Array) -> Array:
    """Bring rows of weights of source samples to rows of shares."""
    ratio = shares / np.maximum(weights @ problem.member, SMALLEST)
    return weights * ratio[:, problem.codes]


def _reason(found: ClassShares, problem: _Problem, random: np.random.RandomState) -> str:
    """Say why shares are not identifiable; nothing if they are."""
    confusion = _confusion(problem, problem.weights[None])
    errors = _confusion(problem, _source_draws(problem, random)) - confusion
    noise = float(np.median(np.linalg.norm(errors, ord=2, axis=(1, 2))))
    if found.smallest_singular_value <= noise:
        return (
            "the confusion matrix is singular within its sampling error (smallest singular value "
            f"{found.smallest_singular_value:.2g}, error {noise:.2g}): classes cannot be distinguished well enough"
        )
    if found.fit_p_value < FIT_LEVEL:
        return (
            "predictions for the target are no mixture of those for the classes of the source (goodness of fit, p = "
            f"{found.fit_p_value:.2g}): samples of a class look different in the target"
        )
    widest = int((found.upper - found.lower).argmax())
    if found.upper[widest] - found.lower[widest] > WIDEST:
        return f"the interval of a share goes from {found.lower[widest]:.0%} to {found.upper[widest]:.0%}"
    return ""


def _calibration(source: Array, codes: Array, weights: Array) -> Array:
    """Learn a temperature and a bias for each class by which probabilities are calibrated (BCTS)."""
    logs, n_classes, penalty = _logs(source), source.shape[1], 1 / len(source)

    def loss(parameters: Array) -> tuple[float, Array]:
        found = log_softmax(parameters[0] * logs + parameters[1:], axis=1)[np.arange(len(codes)), codes]
        own = parameters - start
        slope = weights @ _scores(logs, codes, parameters)
        return penalty * own @ own - weights @ found, slope + 2 * penalty * own

    start = np.append(1.0, np.zeros(n_classes))
    bounds = [(0.01, 100.0)] + [(None, None)] * n_classes
    return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x


def _scores(logs: Array, codes: Array, parameters: Array) -> Array:
    """Slope of each sample's loss by the parameters of the calibration."""
    residual = softmax(parameters[0] * logs + parameters[1:], axis=1)
    residual[np.arange(len(codes)), codes] -= 1
    return np.column_stack([(residual * logs).sum(axis=1), residual])


def _apply(parameters: Array, probabilities: Array) -> Array:
    return softmax(parameters[0] * _logs(probabilities) + parameters[1:], axis=1)


def _calibration_errors(source: Array, target: Array, problem: _Problem, parameters: Array, draws: Array) -> Array:
    """By how much shares change as the calibration is learned on bootstrap samples: to first order."""
    logs, even = _logs(source), np.full((1, len(target)), 1 / len(target))

    def slope(parameters: Array) -> Array:
        return problem.weights @ _scores(logs, problem.codes, parameters)

    def shares(parameters: Array) -> Array:
        changed = replace(problem, source=_apply(parameters, source), target=_apply(parameters, target))
        return _solve("mlls", changed, problem.weights[None], even)[0]

    steps = STEP * np.eye(len(parameters))
    curvature = np.array([slope(parameters + step) - slope(parameters - step) for step in steps]) / (2 * STEP)
    curvature += 2 / len(source) * np.eye(len(parameters))
    moved = -(draws - problem.weights) @ _scores(logs, problem.codes, parameters) @ np.linalg.pinv(curvature)
    change = np.array([shares(parameters + step) - shares(parameters - step) for step in steps]) / (2 * STEP)
    return moved @ change


def _logs(probabilities: Array) -> Array:
    return np.log(np.clip(probabilities, 1e-9, None))


def _tail_share(drawn: Array, value: float) -> float:
    return float((1 + (drawn >= value).sum()) / (len(drawn) + 1))


def _some(n_samples: int, random: np.random.RandomState) -> NDArray[np.intp]:
    return np.arange(n_samples) if n_samples <= MOST_SAMPLES else random.permutation(n_samples)[:MOST_SAMPLES]


def _read(probabilities: Any, classes: Any, target: Any, sample_weight: Any, method: str) -> tuple[Array, ...]:
    if method not in ("mlls", "bbse"):
        raise ValueError(f"method: expected 'mlls' or 'bbse'. Got {method!r}.")
    source, target = (
        _read_probabilities(probabilities, "probabilities"),
        _read_probabilities(target, "target_probabilities"),
    )
    codes = np.asarray(classes)
    n_samples, n_classes = source.shape
    if target.shape[1] != n_classes:
        raise ValueError(f"target_probabilities: expected {n_classes} columns, one a class. Got {target.shape[1]}.")
    if codes.shape != (n_samples,) or codes.dtype.kind not in "iu":
        raise ValueError(
            f"classes: expected {n_samples} integers, the column of the class of each source sample. Got an array of "
            f"shape {codes.shape} and dtype {codes.dtype}; np.unique(y, return_inverse=True)[1] makes them of labels."
        )
    weights = read_weights(sample_weight, source)
    outside = codes[(codes < 0) | (codes >= n_classes)]
    counts = np.bincount(codes[(weights > 0) & (codes >= 0) & (codes < n_classes)], minlength=n_classes)
    if len(outside) or counts.min() < 2:
        raise ValueError(
            f"classes: expected numbers from 0 to {n_classes - 1}, each for at least 2 samples of positive weight. Got "
            f"{counts.tolist()} samples of them and {len(outside)} of other numbers; leave such classes out."
        )
    return source, codes.astype(np.intp), target, weights


def _read_probabilities(values: Any, name: str) -> Array:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] < 2 or not len(found) or not np.isfinite(found).all() or (found < 0).any():
        raise ValueError(
            f"{name}: expected probabilities, an array of shape (n_samples, n_classes) of at least 2 classes. Got "
            f"an array of shape {found.shape}, or negative or infinite values; pass what predict_proba gives."
        )
    return found / np.maximum(found.sum(axis=1, keepdims=True), SMALLEST)
