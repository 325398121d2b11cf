"""Networks whose wide layers are products of two narrow ones."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from skltransfer._keras.backend import import_keras
from skltransfer._utils.types import Array, Floats
from skltransfer.backbones._backbone import Backbone, build, name_weights
from skltransfer.backbones._folding import fold
from skltransfer.compression._fitted import LINEAR, check_compressible, with_smaller_network

SUFFIX = "_basis"
"""Of the names of layers that are added."""


def low_rank(estimator: Any, energy: float = 0.95) -> Any:
    """Replace kernels of a fitted estimator's network by products of two smaller ones.

    Of each dense layer and each convolution of one pixel, the kernel is the product of its largest singular values and
    vectors: a layer of so many channels, without bias, and one that has the place, the bias and the activation of the
    old one. Layers that would not become smaller stay as they are. Batch normalizations are folded into the layers
    before them.

    Parameters
    ----------
    estimator : TransferClassifier, TransferRegressor, BackboneTransformer, AutoencoderTransformer, \
DomainAdaptationClassifier or DomainAdaptationRegressor
        Fitted; it is not changed. The head stays as it is.
    energy : float, default=0.95
        Share of the sum of squared singular values that a kernel keeps, above 0 and below 1.

    Returns
    -------
    estimator
        Fitted, of the same class. Its ``backbone_`` can be fine-tuned by another estimator.

    Raises
    ------
    TypeError
        If this is no estimator of skltransfer.
    NotFittedError
        If it is not fitted.
    ValueError
        If ``energy`` is not such a number.

    Notes
    -----
    Convolutions of one pixel in networks that were made to be small have nearly full rank, and lose accuracy before
    they become much smaller; wide dense layers are what this is for.

    References
    ----------
    Denton et al., "Exploiting Linear Structure Within Convolutional Networks for Efficient Evaluation", NeurIPS 2014.

    Examples
    --------
    >>> from skltransfer import TransferClassifier
    >>> from skltransfer.compression import low_rank
    >>> from skltransfer.datasets import load_fashion_sample
    >>> sample = load_fashion_sample()
    >>> clf = TransferClassifier(image_size=64).fit(sample.images, sample.target)
    >>> low_rank(clf, energy=0.9).backbone_.n_parameters < clf.backbone_.n_parameters
    True
    """
    if not isinstance(energy, Real) or not 0 < energy < 1:
        raise ValueError(f"energy: expected a number above 0 and below 1. Got {energy!r}.")
    check_compressible(estimator)
    return with_smaller_network(estimator, partial(factored, energy=float(energy)))


def factored(backbone: Backbone, energy: float) -> Backbone:
    """Return a network in which layers are products of two, where this makes them smaller."""
    folded = fold(backbone)
    if len(set(folded.paths)) < len(folded.paths):
        return folded
    network, arrays = json.loads(folded.architecture), dict(zip(folded.paths, folded.weights, strict=True))
    layers: list[Any] = []
    for layer in network["config"]["layers"]:
        kernel = arrays.get(f"{layer['config']['name']}/kernel")
        parts = None if kernel is None or not _is_product(layer) else factors(kernel, energy)
        if parts is not None:
            first, second = _pair(layer, parts[0].shape[-1])
            arrays[f"{first['config']['name']}/kernel"], arrays[f"{second['config']['name']}/kernel"] = parts
            layers.append(first)
        layers.append(layer)
    network["config"]["layers"] = layers
    decoder = None if backbone.decoder is None else factored(backbone.decoder, energy)
    return replace(_with_arrays(folded, network, arrays), classifier=None, decoder=decoder)


def factors(kernel: Array, energy: float) -> tuple[Floats, Floats] | None:
    """Return two kernels whose product keeps so much of one; None if they are not smaller.

    Parameters
    ----------
    kernel : ndarray of shape (..., n_inputs, n_outputs)
        All axes but the last two have length 1.
    energy : float
        Share of the sum of squared singular values.

    Examples
    --------
    >>> first, second = factors(np.outer(np.arange(4.0), np.arange(5.0)), 0.99)
    >>> first.shape, second.shape
    ((4, 1), (1, 5))
    """
    left, values, right = np.linalg.svd(kernel.reshape(kernel.shape[-2:]).astype(np.float64), full_matrices=False)
    shares = np.cumsum(np.square(values))
    rank = int(np.searchsorted(shares, energy * shares[-1])) + 1
    if rank * sum(kernel.shape[-2:]) >= kernel.size:
        return None
    ones, roots = kernel.shape[:-2], np.sqrt(values[:rank])
    first, second = left[:, :rank] * roots, roots[:, None] * right[:rank]
    return first.reshape(*ones, -1, rank).astype(kernel.dtype), second.reshape(*ones, rank, -1).astype(kernel.dtype)


def _is_product(layer: Any) -> bool:
    """Tell whether a layer multiplies vectors by its kernel, and is called once."""
    config = layer["config"]
    one_pixel = set(config.get("kernel_size", (1,))) == {1} and config.get("groups", 1) == 1
    last = config.get("data_format", "channels_last") == "channels_last"
    plain = not (config.get("lora_rank") or config.get("quantization_mode"))
    return layer["class_name"] in LINEAR and one_pixel and last and plain and len(layer["inbound_nodes"]) == 1


def _pair(layer: Any, rank: int) -> tuple[Any, Any]:
    """Return the layer that is added before one, and this one, which is changed to take its output."""
    first, config = copy.deepcopy(layer), layer["config"]
    name = config["name"] + SUFFIX
    first["name"] = first["config"]["name"] = name
    first["config"] |= {LINEAR[layer["class_name"]]: rank, "use_bias": False, "activation": "linear"}
    if "strides" in config:
        config["strides"] = [1] * len(config["strides"])
    tensor = layer["inbound_nodes"][0]["args"][0]["config"]
    shape = _shape_between(first, tensor["shape"], rank)
    tensor |= {"keras_history": [name, 0, 0], "shape": shape}
    layer["build_config"] = {"input_shape": shape}
    return first, layer


def _shape_between(first: Any, taken: list[int | None], rank: int) -> list[int | None]:
    """Return the shape of what the added layer gives."""
    layer = import_keras().saving.deserialize_keras_object(first)
    return [*layer.compute_output_shape(tuple(taken))[:-1], rank]


def _with_arrays(backbone: Backbone, network: Any, arrays: dict[str, Array]) -> Backbone:
    """Return the same backbone with another network, whose layers have weights in the same order."""
    architecture, held = json.dumps(network, sort_keys=True), dict[str, list[Array]]()
    for path, array in arrays.items():
        held.setdefault(path.partition("/")[0], []).append(array)
    paths, queues = name_weights(build(architecture)), {name: iter(own) for name, own in held.items()}
    weights = tuple(next(queues[path.partition("/")[0]]) for path in paths)
    return replace(backbone, architecture=architecture, weights=weights, paths=paths)
