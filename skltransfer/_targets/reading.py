"""What users pass as y and as sample weights: which of it is missing, and whether it can be learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, assert_all_finite

from skltransfer._utils.types import Array, Floats

NUMBERS = (float, complex, np.inexact, np.datetime64, np.timedelta64)
"""Types of which a value may be unequal to itself: NaN or NaT."""

COLLECTIONS = (list, tuple, set, frozenset, np.ndarray)
"""What holds several labels of one sample."""


def read_labels(y: Any) -> Array:
    """Check labels of one task (1-D) or several (2-D; see `missing` for labels that are not there)."""
    shape = _table_of_labels(y).shape
    if len(shape) != 2 or shape[1] == 1:
        y = column_or_1d(y, warn=True)
        if y.dtype == object and missing(y).any():
            raise ValueError(
                f"Input y contains NaN or None in {missing(y).sum()} of {len(y)} samples. Expected a label in each; "
                "drop the samples without."
            )
        check_one_type(y)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        return y
    y = np.asarray(y)
    for column in range(y.shape[1]):
        labels = known(y[:, column])
        if len(labels):
            check_classification_targets(labels)
    return y


def read_values(y: Any) -> Array:
    """Check numbers of one target (1-D) or several (2-D; NaN means that a value is missing); return a table."""
    shape = as_table(y).shape
    finite: Any = "allow-nan" if len(shape) == 2 and shape[1] > 1 else True
    values = check_array(missing_as_nan(y), ensure_2d=False, dtype=np.float64, ensure_all_finite=finite, input_name="y")
    return values.reshape(len(values), -1)


def read_weights(sample_weight: Any, samples: Any) -> Floats:
    """Check sample weights.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), number or None
        None is 1 for each.
    samples : sized
        As many.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If there are not so many, one is negative, NaN or infinite, or all are 0.

    Examples
    --------
    >>> read_weights(None, ["a", "b"])
    array([1., 1.])
    """
    weights = _check_sample_weight(sample_weight, np.empty(len(samples)), dtype=np.float64, ensure_non_negative=True)
    if not np.isfinite(weights).all():  # scikit-learn looks into arrays only
        raise ValueError(f"sample_weight: expected finite numbers. Got {sample_weight!r}.")
    return weights


def missing(values: Any) -> NDArray[np.bool_]:
    """Tell which values are missing.

    Parameters
    ----------
    values : array-like of any shape and type
        Labels, or values.

    Returns
    -------
    ndarray of bool, of the same shape
        Where a value is None, NaN of any type, NaT or ``pandas.NA``.

    Examples
    --------
    >>> missing(["cat", None]).tolist(), missing([1.0, float("nan")]).tolist()
    ([False, True], [False, True])
    """
    values = np.asarray(values)
    if values.dtype.kind in "fc":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    if values.dtype.kind not in "OT":
        return np.zeros(values.shape, bool)
    return np.array([_is_missing(value) for value in values.ravel().tolist()], bool).reshape(values.shape)


def as_table(y: Any) -> Array:
    """Read answers as an array.

    Raises
    ------
    ValueError
        If samples have lists of them, of unequal lengths, or none.
    """
    try:
        read = np.asarray(y)
    except ValueError as error:
        raise ValueError(
            "y: expected one answer in each sample, or equally many. Got lists of unequal lengths; if a sample has any "
            "number of labels, pass a table of 0 and 1 with a column for each, as MultiLabelBinarizer makes it."
        ) from error
    if read.ndim > 1 and 0 in read.shape[1:]:
        raise ValueError(f"y: expected an answer in each sample. Got an array of shape {read.shape}.")
    return read


def known(values: Array) -> Array:
    """Return the values of a column that are not missing; objects of one type become an array of that type.

    Raises
    ------
    TypeError
        If texts and other labels are mixed, which have no order.
    """
    found = values[~missing(values)]
    if values.dtype != object:
        return found
    check_one_type(found)
    return np.array(found.tolist())


def check_one_type(labels: Array) -> None:
    """Raise TypeError if texts and other labels are mixed, which have no order."""
    items = labels.tolist()
    if len({isinstance(item, str) for item in items}) > 1:
        kinds = sorted({type(item).__name__ for item in items})
        raise TypeError(f"y: expected labels of one type. Got {' and '.join(kinds)}; make all of them texts.")


def missing_as_nan(values: Any) -> Any:
    """Return objects with NaN where they are missing, which arrays of numbers can hold; others as they are.

    Examples
    --------
    >>> missing_as_nan(np.array([[1, None]], dtype=object)).tolist()
    [[1, nan]]
    """
    read = as_table(values)
    return np.where(missing(read), np.nan, read) if read.dtype == object else values


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, NUMBERS) and bool(value != value)


def _table_of_labels(y: Any) -> Array:
    """Return labels as an array, and refuse lists of labels that are no table."""
    try:
        read = np.asarray(y)
    except ValueError:  # lists of unequal lengths
        read = np.array([*y, None], dtype=object)[:-1]
    number = (
        next((i for i, label in enumerate(read) if isinstance(label, COLLECTIONS)), None) if read.ndim == 1 else None
    )
    if number is None:
        return as_table(read)
    raise ValueError(
        "y: expected one label for each sample, or a table with a column for each label. Got collections of labels, "
        f"such as {read[number]!r} for sample {number}; make a table of them by "
        "sklearn.preprocessing.MultiLabelBinarizer."
    )
