"""Estimators whose clones share the networks that were passed in."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.base import BaseEstimator


class SharesNetworks(BaseEstimator):
    """Base of estimators that take Keras networks and layers as parameters, and never change them.

    `sklearn.base.clone` copies a parameter that is no estimator, which takes seconds for a network.
    """

    def __sklearn_clone__(self) -> Any:
        live = {name: value for name, value in self.get_params(deep=False).items() if _is_live(value)}
        bare = copy.copy(self)
        for name in live:
            setattr(bare, name, None)
        return BaseEstimator.__sklearn_clone__(bare).set_params(**live)


def _is_live(value: Any) -> bool:
    """Tell whether a value is a Keras layer or network."""
    return hasattr(value, "get_config") and hasattr(value, "weights")
