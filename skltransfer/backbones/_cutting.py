"""A network cut in two at a stage, and put together again."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache

from skltransfer._keras.backend import import_keras
from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import Backbone, build, building
from skltransfer.backbones._conversion import from_keras
from skltransfer.backbones._graph import find_places, layer_stages

Positions = tuple[int, ...]


@dataclass(frozen=True)
class _Plan:
    """What a cut needs to know about an architecture: the suffix, and where its weights are in the whole."""

    suffix: Backbone
    positions: Positions


def cut(backbone: Backbone, n_stages: int) -> Backbone:
    """Return the last stages as a network of their own, which takes what the others compute.

    Parameters
    ----------
    backbone : Backbone
        The whole network.
    n_stages : int
        How many stages, at least 1 and fewer than there are.

    Returns
    -------
    Backbone
        Its stages are those of the whole network from there on.
    """
    plan = _plan(backbone.architecture, backbone.stages[-n_stages - 1])
    return replace(
        plan.suffix,
        name=f"{backbone.name}[-{n_stages}:]",
        weights=tuple(backbone.weights[i] for i in plan.positions),
        pretrained=backbone.pretrained,
        padded=backbone.padded,
    )


def join(backbone: Backbone, suffix: Backbone, n_stages: int) -> Backbone:
    """Return the whole network with the last stages' weights taken from ``suffix``."""
    plan = _plan(backbone.architecture, backbone.stages[-n_stages - 1])
    weights: list[Array] = list(backbone.weights)
    for position, array in zip(plan.positions, suffix.weights, strict=True):
        weights[position] = array
    return backbone.with_weights(weights)


@lru_cache(maxsize=32)
def _plan(architecture: str, stage: str) -> _Plan:
    keras = import_keras()
    with building(0):
        whole = build(architecture)
        suffix = keras.Model(whole.get_layer(stage).output, whole.outputs[0])
    place = {id(weight): position for position, weight in enumerate(whole.weights)}
    positions = tuple(place[id(weight)] for weight in suffix.weights)
    return _Plan(from_keras(suffix), positions)


@lru_cache(maxsize=32)
def last_places(architecture: str) -> str | None:
    """Return the layer that gives the last grid or sequence, or None if the network gives vectors alone.

    Parameters
    ----------
    architecture : str
        A serialised functional Keras model.
    """
    output = build(architecture).outputs[0]
    if len(output.shape) > 2:
        return str(output._keras_history.operation.name)
    return find_places(json.loads(architecture))


def weight_depths(backbone: Backbone) -> tuple[int, ...]:
    """For each weight, how many stages lie between its own and the head.

    Parameters
    ----------
    backbone : Backbone
        The network.

    Returns
    -------
    tuple of int
        In the order of ``backbone.weights``.
    """
    return _depths(backbone.architecture, backbone.stages)


@lru_cache(maxsize=32)
def _depths(architecture: str, stages: tuple[str, ...]) -> tuple[int, ...]:
    stage_of = layer_stages(json.loads(architecture), stages)
    network = build(architecture)
    number = {id(weight): stage_of[layer.name] for layer in network.layers for weight in layer.weights}
    return tuple(len(stages) - 1 - number[id(weight)] for weight in network.weights)
