"""Clones that share the networks that were passed in."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.base import BaseEstimator


def clone_sharing_networks(estimator: Any) -> Any:
    """Clone an estimator that takes Keras networks and layers as parameters, and never changes them.

    `sklearn.base.clone` copies a parameter that is no estimator, which takes seconds for a network.

    Parameters
    ----------
    estimator : estimator
        Fitted or not.

    Returns
    -------
    estimator
        Not fitted, with the same networks.
    """
    live = {name: value for name, value in estimator.get_params(deep=False).items() if _is_live(value)}
    bare = copy.copy(estimator)
    for name in live:
        setattr(bare, name, None)
    return BaseEstimator.__sklearn_clone__(bare).set_params(**live)


def _is_live(value: Any) -> bool:
    """Return whether a value is a Keras layer or network."""
    return hasattr(value, "get_config") and hasattr(value, "weights")
