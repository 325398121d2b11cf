"""Targets of one task or several beside each other, and heads that are solved for them."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from skltransfer._heads.head import Head
from skltransfer._heads.solver import fit_logistic, fit_ridge
from skltransfer._targets.targets import Targets
from skltransfer._targets.task import Task
from skltransfer._utils.types import Floats


def solve(features: Floats, targets: Targets, *, C: float) -> Head:
    """Solve a linear head for every task to convergence.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        Features of each sample.
    targets : Targets
        Classes and labels get a logistic regression, values a ridge regression.
    C : float
        Inverse strength of the L2 penalty, above 0.

    Returns
    -------
    Head
        With the columns of ``targets.values``; of two classes, each gets half the log-odds.
    """
    heads = []
    for task, own, weights in zip(targets.tasks, targets.columns(), targets.weights.T, strict=True):
        present = weights > 0
        samples, values, weights = features[present], targets.values[present, own], weights[present]
        if task.kind == "values":
            heads.append(fit_ridge(samples, values, alpha=1.0 / C, weights=weights))
            continue
        codes = values.argmax(axis=1) if task.kind == "classes" else values[:, 0].astype(np.intp)
        head = fit_logistic(samples, codes, n_classes=max(task.n_outputs, 2), C=C, weights=weights)
        if task == Task("classes", 2):
            halves = np.array([[-0.5, 0.5]])
            head = Head(head.coef @ halves, head.intercept @ halves, head.n_iter)
        heads.append(head)
    return Head(
        np.concatenate([head.coef for head in heads], axis=1),
        np.concatenate([head.intercept for head in heads]),
        max(head.n_iter for head in heads),
    )


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
            _mean_loss(targets, decisions - np.outer(column, coef))
            for column, coef in zip(centered.T, head.coef, strict=True)
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
