"""What a head learns, and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from skltransfer._utils.types import Array

Kind = Literal["classes", "labels", "values"]


class Task(NamedTuple):
    """One thing to learn: ``classes`` exclude each other, ``labels`` do not, ``values`` are numbers."""

    kind: Kind
    n_outputs: int


def task_loss(task: Task, targets: Any, outputs: Any) -> Any:
    """Loss of each sample in one task.

    Parameters
    ----------
    task : Task
        Softmax cross-entropy for classes, the sum of binary cross-entropies for labels, half
        the sum of squared differences for values.
    targets : tensor of shape (n_samples, n_outputs)
        Probabilities of classes or labels, or values.
    outputs : tensor of shape (n_samples, n_outputs)
        Decision values.

    Returns
    -------
    tensor of shape (n_samples,)
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
    """Sum of the losses of all tasks for each sample.

    Parameters
    ----------
    tasks : sequence of Task
        In the order of the columns.
    targets, outputs : tensors of shape (n_samples, sum of n_outputs)
        One task beside the other.
    weights : tensor of shape (n_samples, n_tasks)
        Weight of a sample in each task; 0 where its target is missing.

    Returns
    -------
    tensor of shape (n_samples,)
    """
    from keras import ops

    weights, total, start = ops.convert_to_tensor(weights), 0.0, 0
    for number, task in enumerate(tasks):
        own = slice(start, start + task.n_outputs)
        total = total + weights[:, number] * task_loss(task, targets[:, own], outputs[:, own])
        start += task.n_outputs
    return total


def weighted_hits(tasks: Sequence[Task], answers: Array, outputs: Array) -> tuple[float, float]:
    """Sum of the weights of labels that are predicted right, and of all labels, over all tasks but those of values.

    Parameters
    ----------
    tasks : sequence of Task
        In the order of the columns.
    answers : ndarray of shape (n_samples, sum of n_outputs + n_tasks)
        Targets, then the weight of each sample in each task; 0 where its target is missing.
    outputs : ndarray of shape (n_samples, at least sum of n_outputs)
        Decision values.

    Examples
    --------
    >>> import numpy as np
    >>> weighted_hits([Task("classes", 2)], np.array([[1, 0, 1.0], [1, 0, 0.5]]), np.array([[2, 1], [0, 1]]))
    (1.0, 1.5)
    """
    right, everything, start = 0.0, 0.0, 0
    for task, weights in zip(tasks, np.asarray(answers)[:, sum(task.n_outputs for task in tasks) :].T, strict=True):
        targets, own = answers[:, start : start + task.n_outputs], outputs[:, start : start + task.n_outputs]
        start += task.n_outputs
        if task.kind == "values":
            continue
        same = targets.argmax(axis=1) == own.argmax(axis=1) if task.kind == "classes" else (targets > 0.5) == (own > 0)
        right += float(weights @ (same if same.ndim == 1 else same.sum(axis=1)))
        everything += float(weights.sum() * (1 if same.ndim == 1 else same.shape[1]))
    return right, everything
