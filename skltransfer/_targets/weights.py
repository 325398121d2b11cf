"""How often each sample counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from skltransfer._utils.types import Floats


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
