"""Fitted estimators, as functions that make smaller ones take them and give them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from sklearn.utils.validation import check_is_fitted

from skltransfer._estimators.base import BackboneEstimator
from skltransfer.backbones._backbone import Backbone

LINEAR = {"Dense": "units", "Conv1D": "filters", "Conv2D": "filters", "Conv3D": "filters"}
"""Layers that multiply channels by a kernel, and what they call the number of their outputs."""


def check_compressible(estimator: Any) -> None:
    """Raise if this is no fitted estimator of this package.

    Raises
    ------
    TypeError
        If it is of another package, or holds one of ours.
    NotFittedError
        If it is not fitted.
    """
    if not isinstance(estimator, BackboneEstimator):
        raise TypeError(
            f"estimator: expected a fitted estimator of skltransfer. Got a {type(estimator).__name__}; of a pipeline, "
            "a search or a distillation, pass the estimator inside, such as search.best_estimator_ or clf.student_."
        )
    check_is_fitted(estimator)


def with_smaller_network(estimator: Any, smaller: Callable[[Backbone], Backbone]) -> Any:
    """Return a copy of a fitted estimator with a smaller network.

    Parameters
    ----------
    estimator : BackboneEstimator
        Fitted; it stays as it is.
    smaller : callable
        From a network to a smaller one of the same stages. A parameter that is a `Backbone` is made smaller, too, as
        the copy would hold the large one otherwise.

    Returns
    -------
    BackboneEstimator
        Of the same class, with the same head.
    """
    model, found = estimator.model_, copy.copy(estimator)
    backbone = smaller(model.backbone)
    if isinstance(estimator.backbone, Backbone):
        found.backbone = backbone if estimator.backbone is model.backbone else smaller(estimator.backbone)
    found.model_ = model.with_backbone(backbone)
    return found
