"""What the estimators share: reading samples, and finding the backbone they start from."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from skltransfer._estimators.sharing import SharesNetworks
from skltransfer._inputs.audio import RATES, audio_format, read_audio
from skltransfer._inputs.formats import InputFormat
from skltransfer._inputs.image_arrays import SMALL_IMAGE, check_pixels_finite, check_range, image_array, learn_range
from skltransfer._inputs.image_files import read_image_files
from skltransfer._inputs.recognition import recognise
from skltransfer._inputs.samples import ArraySamples, Samples
from skltransfer._inputs.texts import TextSamples, read_texts
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._registry import load_backbone, takes_shape
from skltransfer.backbones._text import text_transformer

AUDIO_PARAMETERS: dict[str, Any] = {"sample_rate": [Interval(Real, *RATES, closed="both"), None]}
"""Constraints of the parameters of estimators that take sounds."""


class BackboneEstimator(SharesNetworks):
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

    def _starting_backbone(self, samples: Samples) -> Backbone:
        """Load the backbone that the parameters name, for samples of the learned format."""
        source, format = self.backbone, self._format
        if isinstance(source, str) and source == "auto":
            source = {"table": "mlp", "texts": "minilm_l6"}.get(format.kind, "efficientnet_lite0")
        if isinstance(samples, TextSamples) and isinstance(source, str) and source == "small_transformer":
            return text_transformer(samples.texts, self._seed())
        shape = self._builder_shape() if takes_shape(source) and format.kind != "texts" else None
        return load_backbone(source, input_shape=shape, random_state=self.random_state)

    def _builder_shape(self) -> tuple[int, ...]:
        """Shape of one sample, for a builder function."""
        shape = self._format.shape
        if self._format.kind in ("table", "sequences") or isinstance(self.image_size, str):
            if self._format.kind == "image_files":
                return (SMALL_IMAGE, SMALL_IMAGE, 3)
            return shape
        size = (self.image_size, self.image_size) if isinstance(self.image_size, Integral) else tuple(self.image_size)
        return (*map(int, size), shape[2])

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))


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
