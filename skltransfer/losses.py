"""What training minimises: losses of tasks and of reconstructions, and pulls towards the starting network.

Plain functions of tensors of any Keras backend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

Kind = Literal["classes", "labels", "values"]

NATS = {"mse": 0.5, "mae": 1.0, "bce": 1.0}
"""A reconstruction loss times this is a negative log-likelihood by value, up to a constant: of a normal
distribution and of a Laplace distribution of unit scale, and of a Bernoulli distribution."""
NATS_CONSTANT = {"mse": 0.5 * math.log(2 * math.pi), "mae": math.log(2), "bce": 0.0}
"""That constant, by value."""
RECONSTRUCTION_LOSSES = ("mse", "mae", "bce", "ssim")
SSIM_WINDOW = 7


class Task(NamedTuple):
    """One thing to learn: ``classes`` exclude each other, ``labels`` do not, ``values`` are numbers."""

    kind: Kind
    n_outputs: int


def task_loss(task: Task, targets: Any, outputs: Any) -> Any:
    """Loss of each row in one task.

    Parameters
    ----------
    task : Task
        Softmax cross-entropy for classes, the sum of binary cross-entropies for labels, half
        the sum of squared differences for values.
    targets : tensor of shape (n_rows, n_outputs)
        Probabilities of classes or labels, or values.
    outputs : tensor of shape (n_rows, n_outputs)
        Decision values.

    Returns
    -------
    tensor of shape (n_rows,)
        In nats, or squared units of the values.

    Examples
    --------
    >>> import numpy as np
    >>> float(task_loss(Task("classes", 2), np.array([[1.0, 0.0]]), np.zeros((1, 2)))[0])
    0.693...
    """
    from keras import ops

    targets, outputs = ops.convert_to_tensor(targets), ops.convert_to_tensor(outputs)
    if task.kind == "classes":
        return -ops.sum(targets * ops.log_softmax(outputs, axis=-1), axis=-1)
    if task.kind == "labels":
        return ops.sum(ops.softplus(outputs) - targets * outputs, axis=-1)
    return 0.5 * ops.sum(ops.square(outputs - targets), axis=-1)


def weighted_loss(tasks: Sequence[Task], targets: Any, weights: Any, outputs: Any) -> Any:
    """Sum of the losses of all tasks for each row.

    Parameters
    ----------
    tasks : sequence of Task
        In the order of the columns.
    targets, outputs : tensors of shape (n_rows, sum of n_outputs)
        One task beside the other.
    weights : tensor of shape (n_rows, n_tasks)
        Weight of a row in each task; 0 where its target is missing.

    Returns
    -------
    tensor of shape (n_rows,)
    """
    from keras import ops

    weights, total, start = ops.convert_to_tensor(weights), 0.0, 0
    for number, task in enumerate(tasks):
        own = slice(start, start + task.n_outputs)
        total = total + weights[:, number] * task_loss(task, targets[:, own], outputs[:, own])
        start += task.n_outputs
    return total


def l2_sp(weights: Sequence[Any], start: Sequence[Any]) -> Any:
    """Half the squared distance of weights from where they started.

    Parameters
    ----------
    weights, start : sequences of tensors
        Of equal shapes, pair by pair.

    References
    ----------
    Li, Grandvalet & Davoine, "Explicit Inductive Bias for Transfer Learning with
    Convolutional Networks", ICML 2018.

    Examples
    --------
    >>> import numpy as np
    >>> float(l2_sp([np.array([1.0, 3.0])], [np.array([1.0, 1.0])]))
    2.0
    """
    from keras import ops

    return 0.5 * sum(ops.sum(ops.square(now - then)) for now, then in zip(weights, start, strict=True))


def delta(maps: Any, start: Any, attention: Any) -> Any:
    """Half the squared distance of feature maps from those of the starting network, a mean over rows.

    Parameters
    ----------
    maps, start : tensors of shape (n_rows, ..., channels)
        Features of the same rows; places are averaged.
    attention : tensor of shape (channels,)
        How much each channel counts.

    References
    ----------
    Li et al., "DELTA: Deep Learning Transfer using Feature Map with Attention for
    Convolutional Networks", ICLR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> float(delta(np.ones((2, 3)), np.zeros((2, 3)), np.array([1.0, 1.0, 0.0])))
    1.0
    """
    from keras import ops

    places = tuple(range(len(maps.shape) - 1))
    return 0.5 * ops.sum(ops.convert_to_tensor(attention) * ops.mean(ops.square(maps - start), axis=places))


def attention_transfer(maps: Any, start: Any) -> Any:
    """Half the squared distance of where feature maps are active from where those of the starting network are.

    The activity of a place is the sum of its squared features, and that of a row is brought
    to length 1.

    Parameters
    ----------
    maps, start : tensors of shape (n_rows, ..., channels)
        Features of the same rows.

    Returns
    -------
    tensor of shape ()
        A mean over rows.

    References
    ----------
    Zagoruyko & Komodakis, "Paying More Attention to Attention: Improving the Performance of
    Convolutional Neural Networks via Attention Transfer", ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> one, other = np.array([[[1.0], [0.0]]]), np.array([[[0.0], [1.0]]])
    >>> round(float(attention_transfer(one, other)), 3), float(attention_transfer(one, one))
    (1.0, 0.0)
    """
    from keras import ops

    def activity(x: Any) -> Any:
        x = ops.sum(ops.square(ops.convert_to_tensor(x)), axis=-1)
        x = ops.reshape(x, (ops.shape(x)[0], -1))
        return x / ops.sqrt(ops.sum(ops.square(x), axis=1, keepdims=True) + 1e-12)

    return 0.5 * ops.mean(ops.sum(ops.square(activity(maps) - activity(start)), axis=1))


def reconstruction_loss(kind: str, target: Any, output: Any, present: Any = None) -> Any:
    """Difference of each row from its reconstruction, a mean over its values.

    Parameters
    ----------
    kind : {"mse", "mae", "bce", "ssim"}
        Squared difference, absolute difference, binary cross-entropy in nats, or one minus
        the structural similarity.
    target, output : tensors of shape (n_rows, ...)
        Rows and their reconstructions; from 0 to 1 for "bce" and "ssim".
    present : tensor of bool, optional
        Which values of the target are there; the others do not count.

    Returns
    -------
    tensor of shape (n_rows,)

    Examples
    --------
    >>> import numpy as np
    >>> float(reconstruction_loss("mse", np.array([[0.0, 2.0]]), np.zeros((1, 2)))[0])
    2.0
    """
    from keras import ops

    target, output = ops.convert_to_tensor(target), ops.convert_to_tensor(output)
    if kind == "ssim":
        return 1.0 - structural_similarity(target, output)
    if present is not None:
        target = ops.where(present, target, output)
    places = tuple(range(1, len(target.shape)))
    if kind == "mse":
        values = ops.square(target - output)
    elif kind == "mae":
        values = ops.abs(target - output)
    else:
        output = ops.clip(output, 1e-7, 1.0 - 1e-7)
        values = -target * ops.log(output) - (1.0 - target) * ops.log(1.0 - output)
    if present is None:
        return ops.mean(values, axis=places)
    present = ops.cast(present, values.dtype)
    return ops.sum(values * present, axis=places) / ops.maximum(ops.sum(present, axis=places), 1.0)


def structural_similarity(some: Any, others: Any) -> Any:
    """Structural similarity of pairs of pictures, a mean over windows of 7 by 7 pixels.

    Parameters
    ----------
    some, others : tensors of shape (n_rows, height, width, channels)
        Pixels from 0 to 1.

    Returns
    -------
    tensor of shape (n_rows,)
        1 for equal pictures.

    References
    ----------
    Wang, Bovik, Sheikh & Simoncelli, "Image Quality Assessment: From Error Visibility to
    Structural Similarity", IEEE Transactions on Image Processing 2004.
    """
    from keras import ops

    window = tuple(min(SSIM_WINDOW, length) for length in some.shape[1:3])

    def mean(x: Any) -> Any:
        return ops.average_pool(x, window, strides=1, padding="valid", data_format="channels_last")

    mean_a, mean_b = mean(some), mean(others)
    variances = mean(some * some) - mean_a**2 + mean(others * others) - mean_b**2
    covariance = mean(some * others) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    structure = (2 * covariance + 0.03**2) / (variances + 0.03**2)
    return ops.mean(luminance * structure, axis=(1, 2, 3))


def gaussian_divergence(mean: Any, log_variance: Any) -> Any:
    """Kullback-Leibler divergence of normal distributions from the standard one, in nats.

    Parameters
    ----------
    mean, log_variance : tensors of shape (n_rows, n_values)
        Of independent values.

    Returns
    -------
    tensor of shape (n_rows,)

    References
    ----------
    Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014.

    Examples
    --------
    >>> import numpy as np
    >>> float(gaussian_divergence(np.array([[1.0, 0.0]]), np.zeros((1, 2)))[0])
    0.5
    """
    from keras import ops

    mean, log_variance = ops.convert_to_tensor(mean), ops.convert_to_tensor(log_variance)
    return 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1.0, axis=-1)
