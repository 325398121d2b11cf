"""Where a serialised network attends, and what its attention adds up to."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from skltransfer._keras.backend import import_keras
from skltransfer.backbones._backbone import Backbone, build, building
from skltransfer.backbones._conversion import from_keras
from skltransfer.backbones._graph import ATTENTION, PRODUCTS, Config, calls_in_order


def attention_layers(network: Config) -> tuple[str, ...]:
    """Find the layers that weigh places by others, from input to output.

    Parameters
    ----------
    network : dict
        A serialised functional Keras model.

    Returns
    -------
    tuple of str
        Attention layers of Keras, and softmaxes that a product of attention written out takes;
        those that are called once.
    """
    layers = {layer["config"]["name"]: layer for layer in network["config"]["layers"]}
    calls = calls_in_order(network)
    weighed = {
        tensor[0]
        for call in calls
        if layers[call.layer]["class_name"] in PRODUCTS
        for tensor, shape in call.takes
        if len(shape) > 2 and _is_softmax(layers[tensor[0]])
    }
    names = [call.layer for call in calls if layers[call.layer]["class_name"] in ATTENTION or call.layer in weighed]
    return tuple(name for name in names if names.count(name) == 1)


def rollout(backbone: Backbone) -> Backbone | None:
    """Make the network that gives, for each sample, how much each place counts in the average over places.

    The attention of all blocks is multiplied, half of each block being what passes by it.

    Parameters
    ----------
    backbone : Backbone
        Any network.

    Returns
    -------
    Backbone or None
        It takes the same samples, and gives shape ``(n_samples, n_places)``; samples sum to 1. None if
        the network does not give a sequence whose places attend to each other.

    References
    ----------
    Abnar & Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020.
    """
    plan = _rollout(backbone.architecture, backbone.padded)
    if plan is None:
        return None
    weights = tuple(backbone.weights[i] for i in plan.positions)
    return replace(
        backbone, name=f"rollout of {backbone.name}", architecture=plan.network.architecture,
        weights=weights, paths=plan.network.paths,
    )  # fmt: skip


def patch_grid(backbone: Backbone, n_places: int) -> tuple[int, ...]:
    """Return how the places of a sequence lie in a image, or ``(n_places,)`` if the network does not tell.

    It tells by the last grid of so many places that it computes before.
    """
    if len(backbone.input_shape) != 3:
        return (n_places,)
    shapes = [shape for call in calls_in_order(json.loads(backbone.architecture)) for _, shape in call.takes]
    grids = [shape[1:3] for shape in shapes if len(shape) == 4 and None not in shape[1:3]]
    found = [grid for grid in grids if math.prod(map(int, grid)) == n_places]  # type: ignore[arg-type]
    return tuple(int(length) for length in found[-1] if length) if found else (n_places,)


class _Plan(NamedTuple):
    network: Backbone
    positions: tuple[int, ...]


@lru_cache(maxsize=32)
def _rollout(architecture: str, padded: bool) -> _Plan | None:
    config = json.loads(architecture)
    names = attention_layers(config)
    if not names:
        return None
    for layer in config["config"]["layers"]:
        if layer["config"]["name"] in names and layer["class_name"] in ATTENTION:
            layer["inbound_nodes"][0]["kwargs"]["return_attention_scores"] = True
    whole = build(json.dumps(config))
    scores = [_scores(whole.get_layer(name).output) for name in names]
    shape = whole.outputs[0].shape
    if len(shape) != 3 or any(tensor.shape[-2:] != (shape[1], shape[1]) for tensor in scores):
        return None
    with building(0):
        network = import_keras().Model(whole.inputs[0], _shares(whole.outputs[0], scores, padded))
    place = {id(weight): position for position, weight in enumerate(whole.weights)}
    return _Plan(from_keras(network), tuple(place[id(weight)] for weight in network.weights))


def _shares(output: Any, scores: Sequence[Any], padded: bool) -> Any:
    """Follow an average over the places of the output down to the places of the input."""
    from keras import layers, ops

    present = ops.max(ops.abs(output), axis=-1)
    present = ops.cast(present > 0, output.dtype) if padded else ops.ones_like(present)
    shares = present / ops.maximum(ops.sum(present, axis=-1, keepdims=True), 1.0)
    for weights in reversed(scores):
        weights = ops.mean(weights, axis=1) if len(weights.shape) == 4 else weights
        shares = 0.5 * (shares + ops.squeeze(ops.matmul(ops.expand_dims(shares, 1), weights), 1))
    return layers.Activation("linear", name="rollout")(shares)


def _scores(output: Any) -> Any:
    """Take the weights from what an attention layer gives."""
    return output[-1] if isinstance(output, list | tuple) else output


def _is_softmax(layer: Config) -> bool:
    return layer["class_name"] == "Softmax" or layer["config"].get("activation") == "softmax"
