"""What the estimators share: reading samples, and finding the backbone they start from."""

from __future__ import annotations

import os
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from skltransfer._inputs.audio import RATES
from skltransfer._inputs.containers import gathered
from skltransfer._inputs.kind import InputFormat, ReadOptions, SampleKind
from skltransfer._inputs.recognition import SAMPLE_KINDS, recognise
from skltransfer._inputs.samples import Samples
from skltransfer._inputs.texts import TextSamples
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._registry import load_backbone
from skltransfer.backbones._text import text_transformer

AUDIO_PARAMETERS: dict[str, Any] = {"sample_rate": [Interval(Real, *RATES, closed="both"), None]}
"""Constraints of the parameters of estimators that take sounds."""


class BackboneEstimator(BaseEstimator):
    """Base of every estimator that shows samples to a network.

    Subclasses have the parameters ``backbone``, ``input_shape``, ``pixel_range``, ``sample_kind`` and
    ``random_state``; those that take sounds have ``sample_rate``.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "backbone": "no_validation",
        "input_shape": [tuple, list, None],
        "pixel_range": [tuple, list, None],
        "image_size": [tuple, list, Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "sample_kind": [StrOptions(set(SAMPLE_KINDS)), None],
        "memory": [str, os.PathLike, None],
        "random_state": ["random_state"],
    }

    sample_rate: Any = None

    _format: InputFormat

    def _read(self, X: Any, *, reset: bool) -> Samples:
        """Check the samples and learn, or hold them against, the format of a sample."""
        options = ReadOptions(
            input_shape=self.input_shape,
            pixel_range=self.pixel_range,
            sample_rate=self.sample_rate,
            sequences=self._takes_sequences(),
            allow_nan=self.__sklearn_tags__().input_tags.allow_nan,
        )
        values = gathered(X)
        kind = self._kind(values, options) if reset else self._format.kind
        if reset or hasattr(X, "columns"):
            validate_data(self, X, reset=reset, skip_check_array=True, ensure_2d=False)
        validate = partial(validate_data, self, reset=reset)
        samples, format = kind.read(values, options, validate, None if reset else self._format)
        if reset:
            self._format, self.n_features_in_ = format, kind.n_features(format)
        return samples

    def _kind(self, values: Any, options: ReadOptions) -> SampleKind:
        """Return the kind that the user says samples are, or of which they look."""
        return recognise(values, options) if self.sample_kind is None else SAMPLE_KINDS[self.sample_kind]

    def _takes_sequences(self) -> bool:
        """Tell whether arrays of shape (n, steps, channels) are series of numbers, and not grey images."""
        return isinstance(self.backbone, Backbone) and len(self.backbone.input_shape) == 2

    def _starting_backbone(self, samples: Samples) -> Backbone:
        """Load the backbone that the parameters name, for samples of the learned format."""
        source, kind = self.backbone, self._format.kind
        if isinstance(source, str) and source == "auto":
            source = kind.default_backbone
        if isinstance(samples, TextSamples) and isinstance(source, str) and source == "small_transformer":
            return text_transformer(samples.texts, self._seed())
        named = isinstance(source, str) or callable(source)
        shape = kind.builder_shape(self._format, self.image_size) if named else None
        return load_backbone(source, input_shape=shape, random_state=self.random_state)

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))
