"""What users pass to `fit`, and to predictions: samples, held against their format, with labels or values."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import validate_data

from skltransfer._inputs.containers import gathered
from skltransfer._inputs.kind import InputFormat, ReadOptions
from skltransfer._inputs.recognition import SAMPLE_KINDS, recognise
from skltransfer._inputs.samples import Samples
from skltransfer._targets.reading import read_weights
from skltransfer._utils.types import Array, Floats
from skltransfer.backbones._backbone import Backbone

LEARNED_OF_X = ("n_features_in_", "feature_names_in_")


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


def read_new(estimator: Any, X: Any) -> tuple[Samples, InputFormat]:
    """Check samples, and learn their format and what their columns are called.

    Parameters
    ----------
    estimator : BackboneEstimator
        Its parameters say what samples are; it gets ``n_features_in_`` and ``feature_names_in_``.
    X : array-like, frame or sequence
        What a user passed.

    Returns
    -------
    samples : Samples
        The samples.
    format : InputFormat
        What one of them is.

    Raises
    ------
    ValueError, TypeError
        If they are not of one kind, are damaged, or not what the parameters say.
    """
    values, options = gathered(X), read_options(estimator)
    named = estimator.sample_kind
    kind = recognise(values, options) if named is None else SAMPLE_KINDS[named]
    validate_data(estimator, X, reset=True, skip_check_array=True, ensure_2d=False)
    samples, format = kind.read(values, options, partial(validate_data, estimator, reset=True), None)
    estimator.n_features_in_ = kind.n_features(format)
    return samples, format


def read_known(estimator: Any, X: Any, format: InputFormat) -> Samples:
    """Check samples against a learned format, and their columns against those that the estimator knows.

    Raises
    ------
    ValueError, TypeError
        If they are damaged, or unlike those of `fit`.
    """
    values = gathered(X)
    if hasattr(X, "columns"):
        validate_data(estimator, X, reset=False, skip_check_array=True, ensure_2d=False)
    return format.kind.read(values, read_options(estimator), partial(validate_data, estimator, reset=False), format)[0]


def allows_nan(estimator: Any) -> bool:
    """Whether a table may miss values, by the parameters of an estimator."""
    given = ((getattr(estimator, name), value) for name, value in estimator._nan_allowed_by.items())
    return any(isinstance(found, str) and found == value for found, value in given)


def read_options(estimator: Any) -> ReadOptions:
    """Return what the parameters of an estimator say of samples."""
    backbone = estimator.backbone
    takes_series = isinstance(backbone, Backbone) and len(backbone.input_shape) == 2
    return ReadOptions(
        input_shape=estimator.input_shape,
        pixel_range=estimator.pixel_range,
        sample_rate=estimator.get_params(deep=False).get("sample_rate"),
        sequences=takes_series or (isinstance(backbone, str) and backbone in estimator._series_backbones),
        allow_nan=allows_nan(estimator),
    )


class Labeled(NamedTuple):
    """Samples of positive weight, with their labels or values, sample weights and groups."""

    samples: Samples
    y: Array
    weights: Floats
    groups: Array | None


def labeled(
    estimator: Any,
    samples: Samples,
    y: Any,
    read: Callable[[Any], Array],
    sample_weight: Any = None,
    groups: Any = None,
) -> Labeled:
    """Read labels or values, and keep the samples of positive weight.

    Parameters
    ----------
    estimator : estimator
        Whose name an error has.
    samples : Samples
        All samples.
    y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        Their labels or values.
    read : callable
        Checks ``y``; `read_labels` or `read_values`.
    sample_weight, groups : array-like of shape (n_samples,), optional
        Sample weights, and the group of each sample.

    Raises
    ------
    ValueError
        If they do not fit together.
    """
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None.")
    y = read(y)
    if len(y) != len(samples):
        raise ValueError(f"y: expected {len(samples)} entries, one for each sample of X. Got {len(y)}.")
    weights = read_weights(sample_weight, y)
    kept = weights > 0
    return Labeled(samples.take(kept), y[kept], weights[kept], None if groups is None else np.asarray(groups)[kept])
