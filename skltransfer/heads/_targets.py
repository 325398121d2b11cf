"""Targets of one task or several beside each other, and heads that are solved for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from skltransfer.heads._linear import Floats, LinearHead, fit_logistic, fit_ridge
from skltransfer.losses import Task


@dataclass(frozen=True, eq=False)
class Targets:
    """What rows should come out as.

    Parameters
    ----------
    tasks : tuple of Task
        In the order of the columns.
    values : ndarray of shape (n_rows, sum of n_outputs)
        Probabilities of classes or labels, or values.
    weights : ndarray of shape (n_rows, n_tasks)
        Weight of a row in each task; 0 where its target is missing.
    """

    tasks: tuple[Task, ...]
    values: Floats
    weights: Floats

    def __len__(self) -> int:
        return len(self.values)

    def take(self, positions: NDArray[Any]) -> Targets:
        """Return the targets of some rows."""
        return Targets(self.tasks, self.values[positions], self.weights[positions])

    def normalised(self) -> Targets:
        """Scale the weights of each task to a mean of 1."""
        return Targets(self.tasks, self.values, self.weights / self.weights.mean(axis=0))

    def repeated(self, times: int) -> Targets:
        """Return the targets of rows that stand there so many times, and count as often as before."""
        return Targets(self.tasks, np.tile(self.values, (times, 1)), np.tile(self.weights / times, (times, 1)))

    def strata(self) -> NDArray[np.intp] | None:
        """Return the class of each row, if there is one task and it is one of classes."""
        single = len(self.tasks) == 1 and self.tasks[0].kind == "classes"
        return self.values.argmax(axis=1) if single else None

    def columns(self) -> list[slice]:
        """Which columns of the values belong to each task."""
        ends = np.cumsum([task.n_outputs for task in self.tasks]).tolist()
        return [slice(end - task.n_outputs, end) for task, end in zip(self.tasks, ends, strict=True)]


def solve(features: Floats, targets: Targets, *, C: float) -> LinearHead:
    """Solve a linear head for every task to convergence.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_features)
        One row of features each.
    targets : Targets
        Classes and labels get a logistic regression, values a ridge regression.
    C : float
        Inverse strength of the L2 penalty, above 0.

    Returns
    -------
    LinearHead
        With the columns of ``targets.values``; of two classes, each gets half the log-odds.
    """
    heads = []
    for task, own, weights in zip(targets.tasks, targets.columns(), targets.weights.T, strict=True):
        present = weights > 0
        rows, values, weights = features[present], targets.values[present, own], weights[present]
        if task.kind == "values":
            heads.append(fit_ridge(rows, values, alpha=1.0 / C, weights=weights))
            continue
        codes = values.argmax(axis=1) if task.kind == "classes" else values[:, 0].astype(np.intp)
        head = fit_logistic(rows, codes, n_classes=max(task.n_outputs, 2), C=C, weights=weights)
        if task == Task("classes", 2):
            halves = np.array([[-0.5, 0.5]])
            head = LinearHead(head.coef @ halves, head.intercept @ halves, head.n_iter)
        heads.append(head)
    return LinearHead(
        np.concatenate([head.coef for head in heads], axis=1),
        np.concatenate([head.intercept for head in heads]),
        max(head.n_iter for head in heads),
    )


def channel_importance(features: Floats, targets: Targets, head: LinearHead) -> Floats:
    """How much the loss of a solved head rises without each feature.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_features)
        One row of features each.
    targets : Targets
        What they should come out as.
    head : LinearHead
        As `solve` found it.

    Returns
    -------
    ndarray of shape (n_features,)
        A softmax of the rises, in units of their deviation, times ``n_features``: the mean
        is 1.

    References
    ----------
    Li et al., "DELTA: Deep Learning Transfer using Feature Map with Attention for
    Convolutional Networks", ICLR 2019.
    """
    decisions = head(features)
    centred = features - features.mean(axis=0)
    rises = np.array(
        [
            _mean_loss(targets, decisions - np.outer(column, coef))
            for column, coef in zip(centred.T, head.coef, strict=True)
        ]
    )
    rises = (rises - rises.mean()) / (rises.std() or 1.0)
    return np.exp(log_softmax(rises)) * len(rises)


def _mean_loss(targets: Targets, decisions: Floats) -> float:
    total = 0.0
    for task, own, weights in zip(targets.tasks, targets.columns(), targets.weights.T, strict=True):
        wanted, found = targets.values[:, own], decisions[:, own]
        if task.kind == "classes":
            losses = -np.sum(wanted * log_softmax(found, axis=1), axis=1)
        elif task.kind == "labels":
            losses = np.sum(np.logaddexp(0.0, found) - wanted * found, axis=1)
        else:
            losses = 0.5 * np.sum(np.square(wanted - found), axis=1)
        total += float(weights @ losses) / len(losses)
    return total
