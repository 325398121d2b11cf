"""Whether a backbone that comes from outside is one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from skltransfer._inputs.texts import Tokenization
from skltransfer._keras.backend import import_keras
from skltransfer.backbones._backbone import Backbone, build, name_weights
from skltransfer.backbones._graph import check_graph

LARGEST = 2**28
"""Values of one sample in any tensor of a network, at most: a GiB in float32."""

FARTHEST = {"dilation_rate": 1024, "kernel_size": 2**16, "strides": 2**16, "pool_size": 2**16}
"""Pixels, or steps, at most."""


class _Shapes(NamedTuple):
    """What a network declares."""

    sample: tuple[int | None, ...]
    weights: tuple[tuple[tuple[int, ...], str], ...]
    paths: tuple[str, ...]


def check_network(backbone: Backbone) -> None:
    """Raise ValueError, or what Keras raises, if the weights are not those that the architecture declares.

    Nothing of the size that a network declares is allocated before it is known to be the size of the weights.

    Parameters
    ----------
    backbone : Backbone
        As it was read from a file.
    """
    declared = _declared(backbone.architecture)
    if declared.sample != backbone.input_shape:
        raise ValueError(f"its input_shape is {backbone.input_shape}, and its network takes {declared.sample}")
    held = tuple((array.shape, array.dtype.name) for array in backbone.weights)
    if held != declared.weights:
        raise ValueError(f"its weights do not fit its network: {_differences(declared.weights, held)}")
    if list(map(_ends, declared.paths)) != list(map(_ends, backbone.paths)):
        raise ValueError("its paths are not those of its network")
    _check_expected(backbone)
    if backbone.decoder is not None:
        check_network(backbone.decoder)


def _check_expected(backbone: Backbone) -> None:
    """Raise ValueError if samples cannot be prepared as it says."""
    channels = backbone.input_shape[-1] if backbone.input_shape else None
    for name, values in (("mean", backbone.mean), ("std", backbone.std)):
        if len(values) not in (1, channels) or not np.isfinite(values).all() or (name == "std" and min(values) <= 0):
            raise ValueError(f"its {name} is {values}")
    if backbone.size is not None and min(backbone.size) < 1:
        raise ValueError(f"its size is {backbone.size}")
    for name, layer in (("classifier", backbone.classifier), ("log_variance", backbone.log_variance)):
        if layer is not None and (layer[0].ndim != 2 or layer[1].shape != layer[0].shape[1:]):
            raise ValueError(f"its {name} has the shapes {layer[0].shape} and {layer[1].shape}")
    if isinstance(backbone.tokenization, Tokenization):
        backbone.tokenization.encode(["word"])


@lru_cache(maxsize=32)
def _declared(architecture: str) -> _Shapes:
    """Build a network without its weights."""
    network = json.loads(architecture)
    check_graph(network)
    _check_steps(network)
    with ThreadPoolExecutor(1) as thread:  # Keras notes in its thread which weights are not there yet
        return thread.submit(_without_weights, architecture).result()


def _check_steps(node: Any) -> None:
    """Raise ValueError if a layer reaches so far that it would fill the memory, whatever the shape of its output."""
    if isinstance(node, list):
        for item in node:
            _check_steps(item)
    if isinstance(node, dict):
        for name, value in node.items():
            _check_steps(value)
            steps = value if isinstance(value, list) else [value]
            if name in FARTHEST and any(isinstance(step, int | float) and step > FARTHEST[name] for step in steps):
                raise ValueError(f"a layer has {name}={value}, more than {FARTHEST[name]}")


def _without_weights(architecture: str) -> _Shapes:
    with import_keras().StatelessScope(initialize_variables=False):
        network = build(architecture)
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise ValueError(f"it has {len(network.inputs)} inputs and {len(network.outputs)} outputs")
    for shape in _computed(network):
        if math.prod(length or 1 for length in shape[1:]) > LARGEST:
            raise ValueError(f"its network makes a sample an array of shape {shape[1:]}")
    weights = tuple((tuple(weight.shape), str(weight.dtype)) for weight in network.weights)
    return _Shapes(tuple(network.inputs[0].shape[1:]), weights, name_weights(network))


def _computed(network: Any) -> Iterator[tuple[int | None, ...]]:
    """Yield the shapes of all tensors of a network."""
    for operation in network.operations:
        for node in operation._inbound_nodes:
            yield from (tensor.shape for tensor in node.output_tensors)


def _ends(path: str) -> tuple[str, str]:
    """Layer and weight; what is between them may hang on how many layers Keras has made before."""
    return path.partition("/")[0], path.rpartition("/")[2]


def _differences(needed: Sequence[Any], held: Sequence[Any]) -> str:
    """Say where weights are others than needed."""
    if len(needed) != len(held):
        return f"expected {len(needed)} of them, got {len(held)}"
    number = next(i for i, (one, other) in enumerate(zip(needed, held, strict=True)) if one != other)
    return f"expected {needed[number]} at place {number}, got {held[number]}"
