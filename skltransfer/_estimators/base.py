"""What the estimators share: reading samples, and finding the backbone they start from."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from skltransfer._inputs.audio import RATES, audio_format, read_audio
from skltransfer._inputs.formats import InputFormat
from skltransfer._inputs.image_arrays import check_pixels_finite, check_range, image_array, learn_range
from skltransfer._inputs.image_files import read_image_files
from skltransfer._inputs.recognition import recognise
from skltransfer._inputs.samples import ArraySamples, Samples
from skltransfer._inputs.texts import read_texts
from skltransfer.backbones._backbone import Backbone

AUDIO_PARAMETERS: dict[str, Any] = {"sample_rate": [Interval(Real, *RATES, closed="both"), None]}
"""Constraints of the parameters of estimators that take audio."""

LEARNED_OF_X = ("n_features_in_", "feature_names_in_")


class BackboneEstimator(BaseEstimator):
    """Base of every estimator that shows samples to a network.

    Subclasses have the parameters ``backbone``, ``input_shape`` and ``random_state``; those that
    take sounds have ``sample_rate``.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "backbone": "no_validation",
        "input_shape": [tuple, list, None],
        "image_size": [tuple, list, Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "memory": [str, os.PathLike, None],
        "random_state": ["random_state"],
    }

    sample_rate: Any = None

    model_: Any

    @property
    def backbone_(self) -> Backbone:
        """The network, ready to start another estimator."""
        return self.model_.backbone

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _read_new(self, X: Any) -> tuple[Samples, InputFormat]:
        """Check samples, and learn their format."""
        samples = self._read(X, reset=True)
        return samples, self.__dict__.pop("_format")

    def _read_known(self, X: Any, format: InputFormat | None = None) -> Samples:
        """Check samples against a format: by default, that of the fitted model."""
        self._format = self.model_.format if format is None else format
        try:
            return self._read(X, reset=False)
        finally:
            del self._format

    def _read(self, X: Any, *, reset: bool) -> Samples:
        """Check the samples and learn, or hold them against, the format of a sample."""
        kind = recognise(X, self.input_shape, self.sample_rate)
        if kind == "image_arrays" and self._takes_sequences():
            kind = "sequences"
        if not reset and kind != self._format.kind:
            raise ValueError(
                f"X: expected {describe(self._format)}, as in fit. Got {_KINDS[kind]}; "
                f"{type(self).__name__} predicts samples of the kind that it was fitted on."
            )
        readers = {
            "table": self._read_table,
            "sequences": self._read_sequences,
            "image_arrays": self._read_images,
            "image_files": self._read_image_files,
            "texts": self._read_texts,
            "audio": self._read_sounds,
        }
        return readers[kind](X, reset)

    def _takes_sequences(self) -> bool:
        """Tell whether arrays of shape (n, steps, channels) are series of numbers, and not grey images."""
        return isinstance(self.backbone, Backbone) and len(self.backbone.input_shape) == 2

    def _read_table(self, X: Any, reset: bool) -> Samples:
        finite: Any = "allow-nan" if self.__sklearn_tags__().input_tags.allow_nan else True
        values = validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite=finite)
        if reset:
            self._format = InputFormat("table", values.shape[1:])
        return ArraySamples(values)

    def _read_sequences(self, X: Any, reset: bool) -> Samples:
        values = check_array(X, dtype=np.float32, allow_nd=True, ensure_2d=False)
        if values.ndim != 3:
            raise ValueError(f"X: expected sequences of shape (n, steps, channels). Got an array of {values.shape}.")
        if reset:
            self._format = InputFormat("sequences", values.shape[1:])
            self.n_features_in_ = int(np.prod(values.shape[1:]))
        elif values.shape[1:] != self._format.shape:
            raise ValueError(
                f"X: expected {describe(self._format)}, as in fit. Got sequences of shape {values.shape[1:]}; cut or "
                "fill them up to this length."
            )
        return ArraySamples(values)

    def _read_images(self, X: Any, reset: bool) -> Samples:
        flat = self.input_shape is not None and np.ndim(X) == 2
        if flat:
            X = validate_data(self, X, reset=reset, dtype="numeric")
        elif isinstance(X, np.ndarray) and X.dtype != object:
            X = check_array(X, dtype="numeric", allow_nd=True, ensure_2d=False, ensure_all_finite=False)
        pixels = image_array(X, self.input_shape)
        _check_some(pixels)
        check_pixels_finite(pixels)
        if reset:
            self._format = InputFormat("image_arrays", pixels.shape[1:], *learn_range(pixels))
            self.n_features_in_ = int(np.prod(pixels.shape[1:]))
            return ArraySamples(pixels)
        if pixels.shape[1:] != self._format.shape:
            raise ValueError(
                f"X: expected {describe(self._format)}, as in fit. Got images of shape {pixels.shape[1:]}; resize "
                "them, or fit on images of this size."
            )
        check_range(pixels, self._format)
        return ArraySamples(pixels)

    def _read_image_files(self, X: Any, reset: bool) -> Samples:
        return self._read_column(X, reset, read_image_files(X), InputFormat("image_files", (0, 0, 3)))

    def _read_texts(self, X: Any, reset: bool) -> Samples:
        return self._read_column(X, reset, read_texts(X), InputFormat("texts", ()))

    def _read_sounds(self, X: Any, reset: bool) -> Samples:
        if self.input_shape is not None:
            raise ValueError("input_shape is for flattened images. Got sounds; pass input_shape=None.")
        samples, longest = read_audio(X, self.sample_rate)
        return self._read_column(X, reset, samples, audio_format(longest))

    def _read_column(self, X: Any, reset: bool, samples: Samples, format: InputFormat) -> Samples:
        """Learn, or hold against, the name of a column of objects."""
        if hasattr(X, "columns"):
            validate_data(self, X, reset=reset, skip_check_array=True)
        elif reset:
            self.n_features_in_ = 1
        if reset:
            self._format = format
        return samples


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


_KINDS = {
    "table": "samples of numbers",
    "sequences": "sequences of numbers",
    "image_arrays": "arrays of pixels",
    "image_files": "image files or PIL images",
    "texts": "texts",
    "audio": "audio",
}


def describe(format: InputFormat) -> str:
    """Say what samples are, for an error sentence."""
    if format.kind in ("image_arrays", "sequences"):
        return f"{'images' if format.kind == 'images' else 'sequences'} of shape {format.shape}"
    return _KINDS[format.kind]


def _check_some(samples: NDArray[Any]) -> None:
    if len(samples) == 0:
        raise ValueError(f"X: Found array with 0 sample(s) (shape={samples.shape}) while a minimum of 1 is required.")
