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
    items = found.tolist()
    if len({isinstance(item, str) for item in items}) > 1:
        kinds = sorted({type(item).__name__ for item in items})
        raise TypeError(f"y: expected labels of one type. Got {' and '.join(kinds)}; make all of them texts.")
    return np.array(items)


def missing_as_nan(values: Any) -> Any:
    """Return objects with NaN where they are missing, which arrays of numbers can hold; others as they are.

    Examples
    --------
    >>> missing_as_nan(np.array([[1, None]], dtype=object)).tolist()
    [[1, nan]]
    """
    read = np.asarray(values)
    return np.where(missing(read), np.nan, read) if read.dtype == object else values


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, NUMBERS) and bool(value != value)
