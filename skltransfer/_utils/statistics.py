"""Weighted mean and standard deviation."""

from __future__ import annotations

import numpy as np

from skltransfer._utils.types import Floats


def weighted_moments(values: Floats, weights: Floats, name: str = "X") -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column; a constant column gets deviation 1.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_columns)
        The table.
    weights : ndarray of shape (n_samples,)
        How often each sample counts.
    name : str
        What the table is called in errors.

    Returns
    -------
    mean, scale : ndarrays of shape (n_columns,), float64
        In the units of the columns.

    Raises
    ------
    ValueError
        If values are so large that their variance is not a number.

    Examples
    --------
    >>> import numpy as np
    >>> weighted_moments(np.array([[1.0, 5.0], [3.0, 5.0]]), np.ones(2))
    (array([2., 5.]), array([1., 1.]))
    """
    share = weights / weights.sum()
    with np.errstate(over="ignore", invalid="ignore"):
        mean = share @ values.astype(np.float64, copy=False)
        variance = share @ np.square(values - mean)
    if not np.isfinite(variance).all():
        wrong = np.isfinite(variance).argmin()
        raise ValueError(
            f"{name}: expected values whose variance is a finite number. Got values up to "
            f"{np.abs(values[:, wrong]).max():g} in column {wrong}; divide them by a number of their size."
        )
    scale = np.sqrt(variance)
    return mean, np.where(scale <= 10 * np.finfo(np.float64).eps * np.abs(mean), 1.0, scale)


def known_moments(values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column, of the values that are not missing.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_columns)
        The table; NaN where a value is missing.
    weights : ndarray of shape (n_samples,)
        Sample weights.

    Raises
    ------
    ValueError
        If a column has no value at all.
    """
    known = ~np.isnan(values)
    if known.all():
        return weighted_moments(values, weights)
    if not known.any(axis=0).all():
        raise ValueError(f"X: column {known.any(axis=0).argmin()} has no value at all. Drop it.")
    pairs = [
        weighted_moments(column[there, None], weights[there]) for column, there in zip(values.T, known.T, strict=True)
    ]
    return np.concatenate([mean for mean, _ in pairs]), np.concatenate([scale for _, scale in pairs])
