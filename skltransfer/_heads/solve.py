"""Targets of one task or several beside each other, and heads that are solved for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from skltransfer._heads.head import Head
from skltransfer._heads.solver import fit_logistic, fit_ridge
from skltransfer._targets.targets import Targets
from skltransfer._targets.task import Task
from skltransfer._utils.types import Floats


def solve(features: Floats, targets: Targets, *, C: float, scale: Floats | None = None) -> Head:
    """Solve a linear head for every task to convergence.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        Features of each sample.
    targets : Targets
        Classes and labels get a logistic regression, values a ridge regression.
    C : float
        Inverse strength of the L2 penalty, above 0.
    scale : ndarray of shape (n_features,), optional
        What each feature is divided by; one common deviation, if it is not given.

    Returns
    -------
    Head
        With the columns of ``targets.values``; of two classes, each gets half the log-odds.
    """
    heads = []
    for task in targets.each():
        present = task.weights[:, 0] > 0
        heads.append(_solve_task(of_present(features, present), task.take(present), C, scale))
    return Head.beside(heads)


def of_present(features: Floats, present: NDArray[np.bool_]) -> Floats:
    """Return the features of some samples, without a copy if they are all."""
    return features if present.all() else features[present]


def codes_of(targets: Targets) -> tuple[NDArray[np.intp], int]:
    """Return the class number of each sample in the one task of ``targets``, and how many classes there are."""
    (task,) = targets.tasks
    codes = targets.values.argmax(axis=1) if task.kind == "classes" else targets.values[:, 0].astype(np.intp)
    return codes, max(task.n_outputs, 2)


def _solve_task(features: Floats, targets: Targets, C: float, scale: Floats | None) -> Head:
    """Solve the head of one task, of which all targets are known."""
    weights = targets.weights[:, 0]
    if targets.tasks[0].kind == "values":
        return fit_ridge(features, targets.values, alpha=1.0 / C, weights=weights, scale=scale)
    codes, n_classes = codes_of(targets)
    head = fit_logistic(features, codes, n_classes=n_classes, C=C, weights=weights, scale=scale)
    return with_halves(head, targets.tasks[0])


def with_halves(head: Head, task: Task) -> Head:
    """Give each of two classes half the log-odds; other heads stay."""
    if task != Task("classes", 2):
        return head
    halves = np.array([[-0.5, 0.5]])
    return Head(head.coef @ halves, head.intercept @ halves, head.n_iter)


def channel_importance(features: Floats, targets: Targets, head: Head) -> Floats:
    """Compute how much the loss of a solved head rises without each feature.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        Features of each sample.
    targets : Targets
        What they should come out as.
    head : Head
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
    centered = features - features.mean(axis=0)
    rises = np.array(
        [
            sample_losses(targets, decisions - np.outer(column, coef)).mean()
            for column, coef in zip(centered.T, head.coef, strict=True)
        ]
    )
    rises = (rises - rises.mean()) / (rises.std() or 1.0)
    return np.exp(log_softmax(rises)) * len(rises)


def sample_losses(targets: Targets, decisions: Floats) -> Floats:
    """Compute the loss of each sample, weighted, and summed over all tasks; shape (n_samples,)."""
    total = np.zeros(len(decisions))
    for task, own, weights in zip(targets.tasks, targets.columns(), targets.weights.T, strict=True):
        wanted, found = targets.values[:, own], decisions[:, own]
        if task.kind == "classes":
            losses = -np.sum(wanted * log_softmax(found, axis=1), axis=1)
        elif task.kind == "labels":
            losses = np.sum(np.logaddexp(0.0, found) - wanted * found, axis=1)
        else:
            losses = 0.5 * np.sum(np.square(wanted - found), axis=1)
        total += weights * losses
    return total
