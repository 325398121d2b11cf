"""A forest of decision trees beside the default on a table: where it is better, trees are the better tool."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from skltransfer._heads.solve import codes_of
from skltransfer._targets.targets import Targets
from skltransfer._utils.types import Array, Floats

TREES, MOST = 50, 2000
"""Trees of a forest, and samples that it is grown on."""


def forest_rows(table: Floats, targets: Targets, groups: Array, seed: int) -> list[dict[str, Any]]:
    """Measure a random forest on the samples that its trees do not see.

    Parameters
    ----------
    table : ndarray of shape (n_samples, n_columns)
        Numbers.
    targets : Targets
        What samples should come out as.
    groups : ndarray of shape (n_samples,)
        One sample of each group is used.
    seed : int
        Of the forest.

    Returns
    -------
    list of dict
        A row of ``selection_`` for each task: the log loss of classes, or the squared error of values in units of
        their variance.

    References
    ----------
    Breiman, "Random Forests", Machine Learning 2001 (errors out of bag).
    """
    some = np.sort(np.unique(groups, return_index=True)[1])
    if len(some) > MOST:
        some = some[np.linspace(0, len(some) - 1, MOST).astype(np.intp)]
    table, rows = table[some], []
    for number, task in enumerate(targets.take(some).each()):
        present = task.weights[:, 0] > 0
        error = _error(table[present], task.take(present), seed)
        rows.append(
            {"task": number, "step": "other tools", "candidate": "random forest", "error": error,
             "standard_error": np.nan, "temperature": np.nan, "chosen": False}
        )  # fmt: skip
    return rows


def _error(table: Floats, targets: Targets, seed: int) -> float:
    options: dict[str, Any] = {"n_estimators": TREES, "bootstrap": True, "random_state": seed}
    weights = targets.weights[:, 0]
    if targets.tasks[0].kind == "values":
        values = targets.values if targets.values.shape[1] > 1 else targets.values[:, 0]
        forest = RandomForestRegressor(oob_score=_squared, **options).fit(table, values, weights)
        return float(-forest.oob_score_)
    codes, n_classes = codes_of(targets)
    forest = RandomForestClassifier(oob_score=True, **options).fit(table, codes, weights)
    votes = np.zeros((len(codes), n_classes))
    votes[:, forest.classes_] = np.nan_to_num(forest.oob_decision_function_, nan=1.0 / n_classes)
    n_trees = TREES * np.exp(-1.0)  # that do not see a sample
    shares = (votes * n_trees + 1.0 / n_classes) / (n_trees + 1.0)
    return float(np.average(-np.log(shares[np.arange(len(codes)), codes]), weights=weights))


def _squared(values: Array, predictions: Array) -> float:
    """Return the squared error in units of the variance, negative as a score is."""
    return -float(np.mean(np.square(values.reshape(predictions.shape) - predictions)) / (np.var(values) or 1.0))
