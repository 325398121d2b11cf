"""Networks with weights of fewer bits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from skltransfer._keras.onnx import check_traceable
from skltransfer._utils.types import Array, Floats
from skltransfer._validation import unknown_name
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._folding import fold
from skltransfer.backbones._small import FORMS, small
from skltransfer.compression._fitted import check_compressible, with_smaller_network
from skltransfer.export._integers import activation_ranges


def quantize(estimator: Any, dtype: str = "int8", *, calibration: Any = None) -> Any:
    """Round the weights of a fitted estimator's network to fewer bits.

    Batch normalizations are folded into the layers before them, and kernels and embeddings are rounded, those of each
    output channel with a scale of their own; biases and the head stay as they are. The arrays are pickled, and saved
    by ``backbone_.save``, as small as they are, and computed with as float32, so that predictions are those of
    the rounded weights on every backend.

    Parameters
    ----------
    estimator : TransferClassifier, TransferRegressor, BackboneTransformer, AutoencoderTransformer, \
DomainAdaptationClassifier or DomainAdaptationRegressor
        Fitted; it is not changed.
    dtype : {"int8", "int4", "float16", "bfloat16"}, default="int8"
        What weights are rounded to. Pickled, a network has about a quarter, an eighth or half of its size.
    calibration : like the X of `fit`, default=None
        Some samples, a hundred or more, on which ranges of activations are measured; only with "int8", and on
        TensorFlow. `skltransfer.export.save` then writes a file that computes in integers. Without them, its file
        has the rounded weights as float32.

    Returns
    -------
    estimator
        Fitted, of the same class. It can be fitted again, from the parameters, which stay as they are; if
        ``backbone`` is a `Backbone`, it is rounded, too.

    Raises
    ------
    TypeError
        If this is no estimator of skltransfer.
    NotFittedError
        If it is not fitted.
    ValueError
        If ``dtype`` is unknown or a weight is too large for it, or there are samples for calibration with another
        one than "int8".
    RuntimeError
        If Keras does not run on TensorFlow, and there are samples for calibration.
    ImportError
        If onnx, onnxruntime or tf2onnx is not installed, and there are samples for calibration.

    References
    ----------
    Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR
    2018.

    Krishnamoorthi, "Quantizing Deep Convolutional Networks for Efficient Inference", 2018 (scales by channel).

    Examples
    --------
    >>> import pickle
    >>> from skltransfer import TransferClassifier
    >>> from skltransfer.compression import quantize
    >>> from skltransfer.datasets import load_fashion_sample
    >>> sample = load_fashion_sample()
    >>> clf = TransferClassifier(image_size=64).fit(sample.images, sample.target)
    >>> small = quantize(clf, "int8")
    >>> len(pickle.dumps(small)) < len(pickle.dumps(clf)) / 3.5
    True
    """
    if dtype not in FORMS:
        raise unknown_name("dtype", dtype, FORMS)
    check_compressible(estimator)
    if calibration is None:
        return with_smaller_network(estimator, partial(rounded, dtype=dtype))
    if dtype != "int8":
        raise ValueError(
            f"calibration is for files that compute in integers of 8 bits. Got dtype={dtype!r}; pass dtype='int8', or "
            "calibration=None."
        )
    check_traceable()
    samples = estimator._read_known(calibration)
    found = with_smaller_network(estimator, partial(rounded, dtype=dtype))
    found.model_ = replace(found.model_, activation_ranges=activation_ranges(found.model_, samples))
    return found


def rounded(backbone: Backbone, dtype: str) -> Backbone:
    """Return a network without normalizations, whose kernels are rounded."""
    folded = fold(backbone)
    try:
        weights = tuple(_rounded_weights(folded, dtype))
    except ValueError as error:
        raise ValueError(f"dtype={dtype!r}: {backbone.name!r} has a weight that it cannot hold: {error}") from error
    decoder = None if backbone.decoder is None else rounded(backbone.decoder, dtype)
    return replace(folded, weights=weights, decoder=decoder, classifier=None)


def _rounded_weights(backbone: Backbone, dtype: str) -> Iterator[Array]:
    layers = {layer["config"]["name"]: layer for layer in json.loads(backbone.architecture)["config"]["layers"]}
    for path, array in zip(backbone.paths, backbone.weights, strict=True):
        kind = layers.get(path.partition("/")[0], {}).get("class_name", "")
        if array.ndim > 1 and array.dtype in (np.float32, np.float64):
            axes = _axes(kind, path.rpartition("/")[2], array.ndim)
            sums = dtype == "int8" and axes == tuple(range(array.ndim - 1))
            yield small(array, dtype, axes, largest=_largest_sums(array) if sums else None)
        else:
            yield array


def _axes(kind: str, name: str, n_axes: int) -> tuple[int, ...]:
    """Return the axes along which weights share a scale: all but those of output channels."""
    if name == "embeddings":
        own = [0]
    elif kind.startswith("Depthwise") or name == "depthwise_kernel":
        own = [n_axes - 2, n_axes - 1]
    elif "Conv" in kind and kind.endswith("Transpose"):
        own = [n_axes - 2]
    else:
        own = [n_axes - 1]
    return tuple(axis for axis in range(n_axes) if axis not in own)


def _largest_sums(kernel: Floats) -> Floats:
    """Return the largest sum of two weights beside each other, of one sign, in each output channel.

    Processors without instructions for sums of products of bytes add up two products of 8 and 8 bits in 16 bits. These
    do not overflow if codes of such pairs sum up to 128 at most. Runtimes lay channels, or pixels, beside each other.
    """
    lines = [kernel.reshape(-1, kernel.shape[-1]), np.moveaxis(kernel, -2, 0).reshape(-1, kernel.shape[-1])]
    signs = [np.maximum(sign * line, 0) for line in lines for sign in (1, -1)]
    sums = [(line[:-1] + line[1:]).max(axis=0) for line in signs] if len(lines[0]) > 1 else [np.abs(lines[0][0])]
    return np.max(sums, axis=0).reshape((1,) * (kernel.ndim - 1) + (-1,))
