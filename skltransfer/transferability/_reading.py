"""Features and labels that measures are computed from."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.multiclass import type_of_target

from skltransfer._targets.reading import read_labels, read_values
from skltransfer._utils.types import Array, Floats
from skltransfer.domain_shift._measures import check_features


def read_features(features: Any) -> Floats:
    """Refuse all but a finite table of samples that differ, and center its columns."""
    table = check_features(features, "features")
    if len(table) < 2 or not np.ptp(table, axis=0).any():
        raise ValueError(
            f"features: expected at least 2 samples that differ. Got {len(table)} samples, all of the same features; "
            "check what they were computed from."
        )
    return table - table.mean(axis=0)


def read_classes(y: Any, n_samples: int, name: str = "y") -> Array:
    """Return the class of each sample as a number from 0.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels of any type.
    n_samples : int
        How many there have to be.
    name : str, default="y"
        What they are called in errors.

    Returns
    -------
    ndarray of int, shape (n_samples,)

    Raises
    ------
    ValueError
        If they are not one label for each sample.
    """
    labels = read_labels(y)
    check_length(labels, n_samples, name)
    if labels.ndim != 1:
        raise ValueError(
            f"{name}: expected one label for each sample. Got {labels.shape[1]} columns; pass one column at a time."
        )
    return np.unique(labels, return_inverse=True)[1]


def read_target_classes(y: Any, n_samples: int) -> Array:
    """Return the class of each sample as a number, of at least two classes."""
    classes = read_classes(y, n_samples)
    if classes.max() == 0:
        raise ValueError("y: expected at least 2 classes. Got 1 class; add samples of another one.")
    return classes


def read_varying_values(y: Any, n_samples: int) -> Floats:
    """Return values as a table of shape (n_samples, n_targets), all of whose columns vary."""
    values = read_values(y)
    check_length(values, n_samples, "y")
    if np.isnan(values).any():
        raise ValueError(f"y: expected a value in each place. Got {np.isnan(values).sum()} NaN; leave these out.")
    constant = np.ptp(values, axis=0) == 0
    if constant.any():
        raise ValueError(f"y: expected values that differ. Got equal ones in target {constant.argmax()}; drop it.")
    return values


def are_values(y: Any) -> bool:
    """Say whether scikit-learn takes y, where it is known, for values and not for classes."""
    labels = np.asarray(y)
    known = labels[np.isfinite(labels)] if labels.dtype.kind == "f" else labels
    return type_of_target(known, input_name="y").startswith("continuous")


def check_length(y: Array, n_samples: int, name: str) -> None:
    """Refuse another number of entries than there are samples."""
    if len(y) != n_samples:
        raise ValueError(f"{name}: expected {n_samples} entries, one for each sample. Got {len(y)}.")
