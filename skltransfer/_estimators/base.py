"""What the estimators share: reading samples, and finding the backbone they start from."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial, wraps
from numbers import Integral, Real
from typing import Any, ClassVar

import joblib
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from skltransfer._estimators.sharing import clone_sharing_networks
from skltransfer._inputs.audio import RATES
from skltransfer._inputs.containers import gathered
from skltransfer._inputs.kind import InputFormat, ReadOptions, SampleKind
from skltransfer._inputs.recognition import SAMPLE_KINDS, recognise
from skltransfer._inputs.samples import Samples
from skltransfer.backbones._backbone import Backbone

AUDIO_PARAMETERS: dict[str, Any] = {"sample_rate": [Interval(Real, *RATES, closed="both"), None]}
"""Constraints of the parameters of estimators that take audio."""

LEARNED_OF_X = ("n_features_in_", "feature_names_in_")


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

    model_: Any

    @property
    def backbone_(self) -> Backbone:
        """The network, ready to start another estimator."""
        return self.model_.backbone

    def __sklearn_clone__(self) -> Any:
        return clone_sharing_networks(self)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _read_new(self, X: Any) -> tuple[Samples, InputFormat]:
        """Check samples, and learn their format."""
        return self._read(X, None)

    def _read_known(self, X: Any, format: InputFormat | None = None) -> Samples:
        """Check samples against a format: by default, that of the fitted model."""
        return self._read(X, self.model_.format if format is None else format)[0]

    def _read(self, X: Any, learned: InputFormat | None) -> tuple[Samples, InputFormat]:
        """Check samples, and learn their format or hold them against a learned one."""
        options = ReadOptions(
            input_shape=self.input_shape,
            pixel_range=self.pixel_range,
            sample_rate=self.get_params(deep=False).get("sample_rate"),
            sequences=self._takes_sequences(),
            allow_nan=self.__sklearn_tags__().input_tags.allow_nan,
        )
        values, reset = gathered(X), learned is None
        kind = self._kind(values, options) if learned is None else learned.kind
        if reset or hasattr(X, "columns"):
            validate_data(self, X, reset=reset, skip_check_array=True, ensure_2d=False)
        samples, format = kind.read(values, options, partial(validate_data, self, reset=reset), learned)
        if reset:
            self.n_features_in_ = kind.n_features(format)
        return samples, format

    def _kind(self, values: Any, options: ReadOptions) -> SampleKind:
        """Return the kind that the user says samples are, or of which they look."""
        return recognise(values, options) if self.sample_kind is None else SAMPLE_KINDS[self.sample_kind]

    def _takes_sequences(self) -> bool:
        """Return whether arrays of shape (n, steps, channels) are series of numbers, and not gray images."""
        return isinstance(self.backbone, Backbone) and len(self.backbone.input_shape) == 2


def keeps_earlier_fit(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let a fit that fails, or is interrupted, leave the estimator as it was."""

    @wraps(method)
    def fitted(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = {name: getattr(self, name) for name in LEARNED_OF_X if hasattr(self, name)}
        try:
            return method(self, *args, **kwargs)
        except BaseException:
            for name in LEARNED_OF_X:
                self.__dict__.pop(name, None)
            self.__dict__.update(before)
            raise

    return fitted


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
