"""Sequences: equally long series of numbers, a channel each."""

from __future__ import annotations

from typing import Any

import numpy as np

from skltransfer._inputs.containers import Form, stacked
from skltransfer._inputs.kind import (
    ImageSize,
    InputFormat,
    Network,
    ReadOptions,
    SampleKind,
    Validate,
    unflattened,
)
from skltransfer._inputs.numbers import as_numbers, check_finite
from skltransfer._inputs.samples import ArraySamples
from skltransfer._inputs.table import check_takes_numbers


class Sequences(SampleKind):
    """Arrays of shape (steps, channels), in time order."""

    name = "sequences"
    noun = "sequences"
    forms = frozenset({Form.ARRAY, Form.VECTOR})
    default_backbone = "small_transformer"
    is_numeric = True

    def _read(
        self, X: Any, options: ReadOptions, validate: Validate, learned: InputFormat | None
    ) -> tuple[ArraySamples, InputFormat]:
        X = stacked(X, "sequences") if isinstance(X, list) else X
        if learned is not None and len(X.shape) == 2:
            X = unflattened(X, validate, learned)
        values = as_numbers(X, np.float32)
        check_finite(values)
        if values.ndim != 3:
            raise ValueError(f"X: expected sequences of shape (n, steps, channels). Got an array of {values.shape}.")
        format = InputFormat(self, values.shape[1:])
        if learned is not None and format != learned:
            raise ValueError(
                f"X: expected {learned.describe()}, as in fit. Got {format.describe()}; cut or "
                "fill them up to this length."
            )
        return ArraySamples(values), format

    def describe(self, format: InputFormat) -> str:
        """Say what samples of this format are, for an error sentence."""
        return f"sequences of shape {format.shape}"

    def builder_shape(self, format: InputFormat, image_size: Any) -> tuple[int, ...]:
        """Return the shape of one sample for a function that builds a network."""
        return format.shape

    def layout(self, X: Any, format: InputFormat) -> tuple[tuple[int, ...], str]:
        """Return shape and dtype of a sample, which is read as single precision."""
        return format.shape, "float32"

    def _preparation(self, network: Network, format: InputFormat, image_size: ImageSize) -> None:
        check_takes_numbers(network, format)
