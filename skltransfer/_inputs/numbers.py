"""Checks of arrays of numbers, in scikit-learn's words and without it."""

from __future__ import annotations

from typing import Any

import numpy as np

from skltransfer._inputs.containers import as_array
from skltransfer._utils.types import Array


def as_numbers(X: Any, dtype: Any = None) -> Array:
    """Return an array of real numbers.

    Parameters
    ----------
    X : array-like
        Of any number of dimensions.
    dtype : dtype or None, default=None
        What it is converted to; None keeps the dtype of numbers, and makes float64 of objects.

    Raises
    ------
    ValueError
        If values are complex, strings, or no numbers.

    Examples
    --------
    >>> import numpy as np
    >>> as_numbers(np.array([[1, None]], dtype=object)).tolist(), as_numbers([[1, 2]], np.float32).dtype
    ([[1.0, nan]], dtype('float32'))
    """
    values = as_array(X)
    if values.dtype.kind == "c" or (values.dtype == object and any(np.iscomplexobj(cell) for cell in values.flat)):
        raise ValueError(f"Complex data not supported\n{values}\n")
    if values.dtype.kind in "SU" and dtype is None:
        raise ValueError(
            "X: expected numbers. Got an array of bytes/strings; convert your data to numeric values explicitly."
        )
    wanted = np.float64 if dtype is None and values.dtype == object else dtype
    if wanted is None or values.dtype == wanted:
        return values
    with np.errstate(over="ignore"):  # what is too large becomes infinity, which is refused
        return values.astype(wanted)


def check_finite(values: Array, *, allow_nan: bool = False) -> None:
    """Raise ValueError if a number is infinite, or missing where none may be."""
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return
    if not allow_nan and np.isnan(values).any():
        raise ValueError("Input X contains NaN. Drop or fill the samples that miss values.")
    if np.isinf(values).any():
        raise ValueError(f"Input X contains infinity or a value too large for {values.dtype!r}.")
