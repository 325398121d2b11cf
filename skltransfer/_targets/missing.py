"""Which labels or values are missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer._utils.types import Array

NUMBERS = (float, complex, np.inexact, np.datetime64, np.timedelta64)
"""Types of which a value may be unequal to itself: NaN or NaT."""


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
