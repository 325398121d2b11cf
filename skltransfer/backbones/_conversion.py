"""Keras networks to backbones: what can be one, and networks within networks laid open."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from skltransfer._keras.backend import import_keras
from skltransfer.backbones._backbone import Backbone, building, name_weights, not_finite, read
from skltransfer.backbones._graph import Config, check_rebuildable, numbered_names, renamed, with_named_operations

History = list[Any]  # layer, its call, its output


def from_keras(model: Any, *, name: str | None = None, **expects: Any) -> Backbone:
    """Take a copy of a built Keras network.

    Parameters
    ----------
    model : keras.Model
        A functional or sequential model with one input and one output. It is not changed.
    name : str, optional
        Defaults to the model's name.
    **expects
        Fields of `Backbone` that the model does not know of itself: ``size``, ``mean``,
        ``std``, ``bgr``, ``pretrained``, ``classifier``.

    Raises
    ------
    ValueError
        If the model is not built, is not a graph of layers, has several inputs or outputs, has layers that cannot
        be built again, or has weights that are NaN or infinite.
    """
    keras = import_keras()
    if not model.built or getattr(model, "inputs", None) is None:
        raise ValueError(
            f"backbone: expected a built functional or sequential keras.Model. Got {type(model).__name__} "
            f"{model.name!r} without a fixed graph; wrap it as keras.Model(inputs, model(inputs)) with a keras.Input."
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"backbone: expected one input and one output. Got {len(model.inputs)} inputs and {len(model.outputs)} "
            f"outputs in {model.name!r}; cut it with keras.Model(inputs, output)."
        )
    with building(0):
        plain = _plain(model)
        check_rebuildable(keras.saving.serialize_keras_object(plain))
        graph = flatten(plain)
        config = keras.saving.serialize_keras_object(graph)
    for key in ("compile_config", "build_config"):
        config.pop(key, None)
    weights, paths = read(graph.weights), name_weights(graph)
    if broken := not_finite(dict(zip(paths, weights, strict=True))):
        raise ValueError(
            f"backbone: expected finite weights. Got NaN or infinity in {', '.join(broken)} of {model.name!r}; train "
            "it again, with a smaller learning rate."
        )
    return Backbone(
        name=name or model.name,
        architecture=json.dumps(with_named_operations(config), sort_keys=True),
        weights=tuple(weights),
        paths=paths,
        input_shape=tuple(graph.inputs[0].shape[1:]),
        **expects,
    )


def with_numbered_layers(backbone: Backbone) -> Backbone:
    """Return the same network, whatever Keras built before it: names that Keras gives to layers are numbered anew."""
    network = json.loads(backbone.architecture)
    names = numbered_names(network)
    network = renamed(network, names)
    network["config"]["name"] = backbone.name
    paths = tuple("/".join(names.get(part, part) for part in path.split("/")) for path in backbone.paths)
    return replace(backbone, architecture=json.dumps(network, sort_keys=True), paths=paths)


def _plain(model: Any) -> Any:
    """Return a functional model of one tensor in and one out, which its last layer gives by one call, not in half."""
    keras = import_keras()
    (output,), inputs = model.outputs, model.inputs
    sequential = isinstance(model, keras.Sequential)
    if not sequential and (isinstance(model.input, dict) or isinstance(model.output, dict)):
        model = keras.Model(inputs[0], output)
    elif type(model).__name__ != "Functional":
        model = keras.Model(inputs, model.outputs)
    last = output._keras_history.operation
    nodes = [node for level in model._nodes_by_depth.values() for node in level if node.operation is last]
    half = output.dtype in ("float16", "bfloat16")
    if len(nodes) == len(nodes[0].output_tensors) == 1 and not half:
        return model
    last = keras.layers.Identity(dtype="float32" if half else output.dtype, name="output")
    return keras.Model(inputs, last(output), name=model.name)


def flatten(model: Any) -> Any:
    """Return the same network without networks in it, so that stages and foldable layers are seen.

    Parameters
    ----------
    model : keras.Model
        A functional model. It is not changed.

    Returns
    -------
    keras.Model
        A new model with equal weights; or the model itself, if it has no network in it, or one that is called
        more than once, shares layers with another, or takes or gives several tensors.
    """
    if not any(map(_is_network, model.operations)):
        return model
    leaves = list(_leaves(model))
    if any(hasattr(layer, "layers") for _, layer in leaves) or len({id(layer) for _, layer in leaves}) < len(leaves):
        return model
    names = _names(leaves)
    try:
        layers, end = _laid_open(model, names, None)
    except _StaysClosedError:
        return model
    config = import_keras().saving.serialize_keras_object(model)
    config["config"] |= {"layers": layers, "output_layers": end}
    flat = import_keras().saving.deserialize_keras_object(config, safe_mode=True)
    for _, layer in leaves:
        weights = getattr(layer, "weights", ())
        for new, old in zip(flat.get_layer(names[id(layer)]).weights if weights else (), weights, strict=True):
            new.assign(old)
    return flat


class _StaysClosedError(ValueError):
    """A network is called in a way that its layers cannot be."""


def _is_network(operation: Any) -> bool:
    return type(operation).__name__ in ("Functional", "Sequential")


def _graph(model: Any) -> Any:
    """Return a sequential model as a functional one of the same layers."""
    return model if type(model).__name__ == "Functional" else import_keras().Model(model.inputs, model.outputs)


def _leaves(model: Any, within: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all operations that are no networks, and what they are in; of the inputs, the outermost alone."""
    for operation in _graph(model).operations:
        if _is_network(operation):
            yield from _leaves(operation, f"{within}{operation.name}_")
        elif not within or not _is_input(operation):
            yield within, operation


def _is_input(operation: Any) -> bool:
    return type(operation).__name__ == "InputLayer"


def _names(leaves: list[tuple[str, Any]]) -> dict[int, str]:
    """Name each layer as it is called, after the network that it is in where two are called the same."""
    counts = Counter(layer.name for _, layer in leaves)
    return {id(layer): layer.name if counts[layer.name] == 1 else within + layer.name for within, layer in leaves}


def _laid_open(model: Any, names: dict[int, str], source: History | None) -> tuple[list[Config], History]:
    """Describe the layers of a network, which takes the tensor ``source``, and say which tensor it gives."""
    graph = _graph(model)
    network = import_keras().saving.serialize_keras_object(graph)["config"]
    gives: dict[str, History] = {}

    def linked(history: History) -> History:
        target = gives[history[0]]
        return target if len(target) == 3 else [*target, *history[1:]]

    layers: list[Config] = []
    for operation, entry in zip(graph.operations, network["layers"], strict=True):
        if _is_network(operation):
            taken, training = _call(entry)
            inner, gives[operation.name] = _laid_open(operation, names, linked(taken))
            _set_training(operation, inner, training)
            layers += inner
        elif source is not None and _is_input(operation):
            gives[operation.name] = source
        else:
            entry["inbound_nodes"] = _relinked(entry["inbound_nodes"], linked)
            entry["name"] = entry["config"]["name"] = names[id(operation)]
            gives[operation.name] = [names[id(operation)]]
            layers.append(entry)
    end = network["output_layers"]
    while isinstance(end[0], list):
        end = end[0]
    return layers, linked(end)


def _call(entry: Config) -> tuple[History, bool | None]:
    """Return the tensor that an inner network takes, and whether it computes as in training."""
    nodes = entry["inbound_nodes"]
    if len(nodes) != 1 or len(nodes[0]["args"]) != 1 or not isinstance(nodes[0]["args"][0], dict):
        raise _StaysClosedError
    argument, keywords = nodes[0]["args"][0], dict(nodes[0]["kwargs"])
    training = keywords.pop("training", None)
    if argument.get("class_name") != "__keras_tensor__" or any(value is not None for value in keywords.values()):
        raise _StaysClosedError
    return argument["config"]["keras_history"], training


def _set_training(network: Any, layers: list[Config], training: bool | None) -> None:
    """Tell the layers of an inner network what it was told itself."""
    if training is None:
        return
    own = (layer for _, layer in _leaves(network) if getattr(layer, "_call_has_training_arg", False))
    told = {type(layer).__name__ for layer in own}
    for layer in layers:
        if layer["class_name"] in told:
            for node in layer["inbound_nodes"]:
                node["kwargs"].setdefault("training", training)


def _relinked(node: Any, linked: Any) -> Any:
    """Let every tensor that a call takes come from where it comes from now."""
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            return {**node, "config": {**node["config"], "keras_history": linked(node["config"]["keras_history"])}}
        return {key: _relinked(value, linked) for key, value in node.items()}
    return [_relinked(item, linked) for item in node] if isinstance(node, list | tuple) else node
