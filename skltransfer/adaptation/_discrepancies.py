"""Distances between the features of two domains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skltransfer.adaptation._method import Method, Side, Step, Terms, probabilities

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Bandwidths of kernels, as multiples of the mean squared distance: those of DAN's code."""
SMALLEST_SCALE = 1e-12
"""Added to what distances and costs are divided by, so that equal samples do no harm."""


def coral(source: Any, target: Any) -> Any:
    """Squared distance of the covariances of two batches (Deep CORAL), divided by four times the squared width.

    Parameters
    ----------
    source, target : tensors of shape (n_samples, n_features)
        Features; numbers of samples may differ.

    Returns
    -------
    tensor of shape ()
        In fourth powers of the features' units.

    References
    ----------
    Sun & Saenko, "Deep CORAL: Correlation Alignment for Deep Domain Adaptation", ECCV Workshops 2016.

    Examples
    --------
    >>> import numpy as np
    >>> float(coral(np.array([[0.0], [2.0]]), np.array([[0.0], [4.0]])))
    9.0
    """
    from keras import ops

    def covariance(x: Any) -> Any:
        x = ops.convert_to_tensor(x)
        x = x - ops.mean(x, axis=0)
        return ops.transpose(x) @ x / ops.cast(ops.maximum(ops.shape(x)[0] - 1, 1), x.dtype)

    return ops.mean(ops.square(covariance(source) - covariance(target))) / 4.0


def mean_distance(source: Any, target: Any) -> Any:
    """Squared distance of the means of two batches, divided by the width.

    Parameters
    ----------
    source, target : tensors of shape (n_samples, n_features)
        Features; numbers of samples may differ.

    Returns
    -------
    tensor of shape ()
        In squares of the features' units.

    Examples
    --------
    >>> import numpy as np
    >>> float(mean_distance(np.array([[0.0], [2.0]]), np.array([[4.0]])))
    9.0
    """
    from keras import ops

    means = [ops.mean(ops.convert_to_tensor(x), axis=0) for x in (source, target)]
    return ops.mean(ops.square(means[0] - means[1]))


def mmd(source: Any, target: Any, *, factors: Sequence[float] = FACTORS) -> Any:
    """Squared maximum mean discrepancy of two batches (DAN), the biased estimate.

    Parameters
    ----------
    source, target : tensors of shape (n_samples, n_features)
        Features; numbers of samples may differ.
    factors : sequence of float
        The kernel is the mean of Gaussian ones, ``exp(-d / (factor * mean of d))`` for a
        squared distance d. The mean is one over all pairs of samples of both batches, and
        without gradient.

    Returns
    -------
    tensor of shape ()
        From 0, where batches are equal, to 2.

    References
    ----------
    Long, Cao, Wang & Jordan, "Learning Transferable Features with Deep Adaptation Networks",
    ICML 2015.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(mmd(np.array([[0.0]]), np.array([[5.0]]), factors=[1.0])), 4)
    1.2642
    """
    return jmmd([source], [target], factors=factors)


def jmmd(sources: Sequence[Any], targets: Sequence[Any], *, factors: Sequence[float] = FACTORS) -> Any:
    """Joint maximum mean discrepancy of two batches at several layers (JAN), the biased estimate.

    Parameters
    ----------
    sources, targets : sequences of tensors of shape (n_samples, n_features)
        Of the same samples at each layer, for example features and probabilities.
    factors : sequence of float
        As in `mmd`, at each layer, whose kernels are multiplied. JAN's code has one fixed
        bandwidth for probabilities instead.

    Returns
    -------
    tensor of shape ()
        From 0, where batches are equal, to 2.

    References
    ----------
    Long, Zhu, Wang & Jordan, "Deep Transfer Learning with Joint Adaptation Networks", ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> float(jmmd([np.eye(2), np.ones((2, 1))], [np.eye(2), np.ones((2, 1))]))
    0.0
    """
    from keras import ops

    kernel: Any = 1.0
    for source, target in zip(sources, targets, strict=True):
        samples = ops.concatenate([ops.convert_to_tensor(source), ops.convert_to_tensor(target)])
        kernel = kernel * _gaussian_kernel(samples, factors)
    n = ops.shape(sources[0])[0]
    return ops.mean(kernel[:n, :n]) + ops.mean(kernel[n:, n:]) - 2.0 * ops.mean(kernel[:n, n:])


def transport_plan(cost: Any, *, regularization: float = 0.05, iterations: int = 50) -> Any:
    """Entropic optimal transport between two uniform weightings, by Sinkhorn's iterations on logarithms.

    Parameters
    ----------
    cost : tensor of shape (n_samples, n_columns)
        Cost of moving a unit from each row to each column, not negative.
    regularization : float
        Factor of the entropy, as a multiple of the mean cost.
    iterations : int
        How often columns and rows are scaled to their sums.

    Returns
    -------
    tensor of shape (n_samples, n_columns)
        The plan, without gradient. Rows sum to 1 / n_samples; columns to 1 / n_columns as
        near as the iterations come, some percent for samples in clusters that do not match.

    References
    ----------
    Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport", NeurIPS 2013.

    Examples
    --------
    >>> import numpy as np
    >>> plan = transport_plan(np.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> [[round(float(mass), 3) for mass in row] for row in plan]
    [[0.5, 0.0], [0.0, 0.5]]
    """
    from keras import ops

    cost = ops.stop_gradient(ops.convert_to_tensor(cost))
    cost = cost / (regularization * (ops.mean(cost) + SMALLEST_SCALE))

    def balance(_: Any, gains: Any) -> Any:
        return gains - ops.logsumexp(ops.log_softmax(gains - cost, axis=1), axis=0)

    gains = ops.fori_loop(0, iterations, balance, ops.zeros_like(cost[0]))
    return ops.exp(ops.log_softmax(gains - cost, axis=1)) / ops.cast(ops.shape(cost)[0], cost.dtype)


def joint_transport(
    source: Any,
    target: Any,
    source_targets: Any,
    target_decisions: Any,
    *,
    feature_weight: float = 0.001,
    label_weight: float = 0.0001,
) -> Any:
    """Cost of moving source samples with their labels onto target samples with their predictions (DeepJDOT).

    Parameters
    ----------
    source, target : tensors of shape (n_samples, n_features)
        Features; numbers of samples may differ.
    source_targets : tensor of shape (n_samples, n_classes)
        Probabilities of the source's classes.
    target_decisions : tensor of shape (n_samples, n_classes)
        Decision values of the target.
    feature_weight, label_weight : float
        Factors of the squared distance of features, and of the cross-entropy of labels and
        predictions. The defaults are the paper's.

    Returns
    -------
    tensor of shape ()
        The plan is that of `transport_plan`, without gradient; the paper's has no entropy.

    References
    ----------
    Damodaran, Kellenberger, Flamary, Tuia & Courty, "DeepJDOT: Deep Joint Distribution Optimal
    Transport for Unsupervised Domain Adaptation", ECCV 2018.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.array([[1.0, 0.0]])
    >>> round(float(joint_transport(np.ones((1, 3)), np.zeros((1, 3)), labels, 99 * labels)), 4)
    0.003
    """
    from keras import ops

    distances = _squared_distances(ops.convert_to_tensor(source), ops.convert_to_tensor(target))
    logs = ops.log_softmax(ops.convert_to_tensor(target_decisions), axis=-1)
    surprise = -ops.convert_to_tensor(source_targets) @ ops.transpose(logs)
    cost = feature_weight * distances + label_weight * surprise
    return ops.sum(transport_plan(cost) * cost)


def _gaussian_kernel(samples: Any, factors: Sequence[float]) -> Any:
    """Mean of Gaussian kernels of all pairs, whose bandwidths are multiples of the mean over pairs of two."""
    from keras import ops

    distances = _squared_distances(samples, samples)
    n_samples = ops.cast(ops.shape(samples)[0], samples.dtype)
    mean = ops.stop_gradient(ops.sum(distances) / (n_samples * (n_samples - 1.0)))
    scaled = distances / (mean + SMALLEST_SCALE)
    return sum(ops.exp(-scaled / factor) for factor in factors) / len(factors)


def _squared_distances(some: Any, others: Any) -> Any:
    """Squared distances of all pairs; samples are brought near zero, where rounding matters little."""
    from keras import ops

    middle = ops.stop_gradient(ops.mean(others, axis=0))
    some, others = some - middle, others - middle
    squares = ops.sum(ops.square(some), axis=1)[:, None] + ops.sum(ops.square(others), axis=1)
    return ops.relu(squares - 2.0 * some @ ops.transpose(others))


def _coral(step: Step) -> Terms:
    def distance(source: Side, target: Side) -> Any:
        return coral(source.features, target.features) + mean_distance(source.features, target.features)

    return {"coral": step.apart(distance)}


def _mmd(step: Step) -> Terms:
    return {"mmd": step.apart(lambda source, target: mmd(source.features, target.features))}


def _jmmd(step: Step) -> Terms:
    def layers(side: Side) -> list[Any]:
        return [side.features, probabilities(side)]

    return {"jmmd": step.apart(lambda source, target: jmmd(layers(source), layers(target)))}


def _deepjdot(step: Step) -> Terms:
    def distance(source: Side, target: Side) -> Any:
        return joint_transport(source.features, target.features, source.targets, target.decisions)

    return {"transport": step.apart(distance)}


METHODS: dict[str, Method] = {
    "coral": Method(_coral),
    "mmd": Method(_mmd, weight=10.0),
    "jmmd": Method(_jmmd, weight=10.0, classes=True),
    "deepjdot": Method(_deepjdot, weight=10.0, classes=True),
}
"""The methods by the distance between the features of two domains; the losses above cite their papers."""
