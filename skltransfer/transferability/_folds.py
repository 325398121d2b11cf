"""Folds that several estimators are scored on, and what their scores say of other samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import check_cv

from skltransfer._utils.types import Floats

Splits = list[tuple[Any, Any]]


def draw_splits(cv: Any, y: Any, *, classifier: bool, groups: Any = None) -> Splits:
    """Draw the same folds for all estimators.

    Raises
    ------
    ValueError
        If there are less than 2 of them.
    """
    splits = list(check_cv(cv, y, classifier=classifier).split(np.zeros(len(y)), y, groups))
    if len(splits) < 2:
        raise ValueError(f"cv: expected at least 2 folds, for a standard error. Got {len(splits)}.")
    return splits


def variance_of_mean(splits: Splits) -> float:
    """Return the variance of a mean of folds, as a share of their own, for training samples that they have in common.

    References
    ----------
    Nadeau & Bengio, "Inference for the Generalization Error", Machine Learning 2003.
    """
    return float(1 / len(splits) + np.mean([len(test) / len(train) for train, test in splits]))


def standard_error(scores: Floats, splits: Splits) -> float:
    """Compute the standard error of the mean of folds, corrected for the samples that they share."""
    return float(np.sqrt(variance_of_mean(splits) * scores.var(ddof=1)))
