"""Samples with their labels or values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skltransfer._inputs.samples import Samples
from skltransfer._targets.weights import read_weights
from skltransfer._utils.types import Array, Floats


class Labeled(NamedTuple):
    """Samples of positive weight, with their labels or values, sample weights and groups."""

    samples: Samples
    y: Array
    weights: Floats
    groups: Array | None


def labeled(
    samples: Samples, y: Any, read: Callable[[Any], Array], *, name: str, sample_weight: Any = None, groups: Any = None
) -> Labeled:
    """Read labels or values, and keep the samples of positive weight.

    Parameters
    ----------
    samples : Samples
        All samples.
    y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        Their labels or values.
    read : callable
        Checks ``y``; `read_labels` or `read_values`.
    name : str
        Of the estimator, for an error.
    sample_weight, groups : array-like of shape (n_samples,), optional
        Sample weights, and the group of each sample.

    Raises
    ------
    ValueError
        If they do not fit together.
    """
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    y = read(y)
    if len(y) != len(samples):
        raise ValueError(f"y: expected {len(samples)} entries, one for each sample of X. Got {len(y)}.")
    weights = read_weights(sample_weight, y)
    kept = weights > 0
    return Labeled(samples.take(kept), y[kept], weights[kept], None if groups is None else np.asarray(groups)[kept])
