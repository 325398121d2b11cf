"""What the estimators share: parameters that say what samples are, and what is read off a fitted model."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any, ClassVar

import joblib
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._repr_html.estimator import _VisualBlock

from skltransfer._estimators.reading import read_known
from skltransfer._estimators.sharing import clone_sharing_networks
from skltransfer._estimators.summary import Summary
from skltransfer._inputs.audio import RATES
from skltransfer._inputs.recognition import SAMPLE_KINDS
from skltransfer._inputs.samples import Samples
from skltransfer._keras.runtime import RUNTIMES
from skltransfer.backbones._backbone import Backbone

AUDIO_PARAMETERS: dict[str, Any] = {"sample_rate": [Interval(Real, *RATES, closed="both"), None]}
"""Constraints of the parameters of estimators that take audio."""


RUNTIME_PARAMETERS: dict[str, Any] = {"runtime": [StrOptions(set(RUNTIMES))]}
"""Constraints of the parameters of estimators that compute features of frozen layers."""


class BackboneEstimator(BaseEstimator):
    """Base of every estimator that shows samples to a network.

    Subclasses have the parameters ``backbone``, ``input_shape``, ``pixel_range``, ``sample_kind`` and
    ``random_state``; those that take audio have ``sample_rate``.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "backbone": "no_validation",
        "input_shape": [tuple, list, None],
        "pixel_range": [tuple, list, None],
        "image_size": [tuple, list, Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "sample_kind": [StrOptions(set(SAMPLE_KINDS)), None],
        "memory": [str, os.PathLike, joblib.Memory, None],
        "random_state": ["random_state"],
    }

    _series_backbones: ClassVar[tuple[str, ...]] = ()
    """Names of backbones to which arrays of shape (n, steps, channels) are series of numbers, and not gray images."""

    _nan_allowed_by: ClassVar[dict[str, str]] = {}
    """Parameters, and the values of them with which a table may miss values."""

    model_: Any

    @property
    def backbone_(self) -> Backbone:
        """The network, ready to start another estimator."""
        return self.model_.backbone

    @property
    def _adapts_to_samples(self) -> bool:
        """Whether a prediction depends on which samples are predicted together."""
        return False

    def __sklearn_clone__(self) -> Any:
        return clone_sharing_networks(self)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _sk_visual_block_(self) -> Any:
        """Say in notebooks, below the name, which network it is, what was trained, and how many weights there are."""
        caption = str(Summary.of(self)) if self.__sklearn_is_fitted__() else None
        name = type(self).__name__
        return _VisualBlock("single", self, names=name, name_details=str(self), name_caption=caption)

    def _read_known(self, X: Any) -> Samples:
        """Check samples against the format of the fitted model."""
        return read_known(self, X, self.model_.format)


class TrainedMixin(CallbackSupportMixin):
    """Estimators that may train a network: what a fit measured."""

    model_: Any

    @property
    def n_iter_(self) -> int:
        """Iterations of the solver, or epochs."""
        return self.model_.n_iter

    @property
    def history_(self) -> dict[str, list[float]]:
        """Losses and learning rate of each epoch; empty if the head was solved."""
        return dict(self.model_.history)
