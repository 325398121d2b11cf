"""What can be read off a serialised network: where it can be cut, and what can be folded."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

Config = dict[str, Any]
Tensor = tuple[str, int, int]  # layer, its call, its output

ATTENTION = {"MultiHeadAttention", "GroupQueryAttention", "Attention", "AdditiveAttention"}
RECURRENT = {"RNN", "LSTM", "GRU", "SimpleRNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}
PRODUCTS = {"Matmul", "Einsum"}
"""Operations by which attention is written out."""

WEIGHTLESS = {
    "Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Dropout", "SpatialDropout", "MaxPooling", "AveragePooling",
    "GlobalMaxPooling", "GlobalAveragePooling", "ZeroPadding", "Cropping", "UpSampling", "Flatten", "Reshape",
    "Permute", "Identity", "Add", "Multiply", "Concatenate", "Rescaling",
}  # fmt: skip
"""Layers without weights, of one to three axes, that several places of a network may share."""

NAMES = {"name", "keras_history", "input_layers", "output_layers"}
"""Where a serialised network mentions layers."""

FOLDABLE = {"Conv1D", "Conv2D", "Conv3D", "DepthwiseConv1D", "DepthwiseConv2D", "Dense"}


class Call(NamedTuple):
    """One call of a layer: what it takes, and whether it mixes positions."""

    layer: str
    number: int
    takes: tuple[tuple[Tensor, tuple[int | None, ...]], ...]
    mixes: bool


def check_graph(network: Config) -> None:
    """Raise ValueError if the graph of a network, or of one in it, has a loop or lacks a layer.

    Parameters
    ----------
    network : dict
        A serialised functional Keras model.
    """
    layers = network["config"]["layers"]
    names = [layer["config"]["name"] for layer in layers]
    if len(set(names)) < len(names):
        raise ValueError("two of its layers have one name")
    calls_in_order(network)
    for layer in layers:
        if "output_layers" in layer["config"]:
            check_graph(layer)


def find_stages(network: Config) -> tuple[str, ...]:
    """Find where a network can be cut in two, one cut for each time that it mixes positions.

    Parameters
    ----------
    network : dict
        A serialised functional Keras model.

    Returns
    -------
    tuple of str
        The layers that end a stage, in order; the last one is the network's output.
    """
    calls = calls_in_order(network)
    output = _output(network)
    last_use = {tensor: i for i, call in enumerate(calls) for tensor, _ in call.takes}
    widths = {tensor: _width(shape) for call in calls for tensor, shape in call.takes}
    last_use[output] = len(calls)
    widths.setdefault(output, 0)

    whole = _whole_layers(calls, network)
    stages: list[str] = []
    candidate: tuple[int, str] | None = None  # narrowest cut since the last mixing call
    alive: set[Tensor] = set()
    mixes = False
    for position, call in enumerate(calls):
        mixes = mixes or call.mixes
        alive |= {tensor for tensor in last_use if tensor[:2] == (call.layer, call.number)}
        alive = {tensor for tensor in alive if last_use[tensor] > position}
        if len(alive) != 1 or not whole[position]:
            continue
        (tensor,) = alive
        if mixes:
            if candidate is not None:
                stages.append(candidate[1])
            candidate, mixes = (widths[tensor], tensor[0]), False
        elif candidate is not None and widths[tensor] <= candidate[0]:
            candidate = (widths[tensor], tensor[0])
    return (*stages, output[0])


def channels(network: Config) -> dict[str, tuple[int, int | None]]:
    """Find the rank and the last axis of each layer's output that another layer takes.

    Parameters
    ----------
    network : dict
        A serialised functional Keras model.
    """
    taken = (tensor for call in calls_in_order(network) for tensor in call.takes)
    return {source[0]: (len(shape), shape[-1]) for source, shape in taken}


def _whole_layers(calls: Sequence[Call], network: Config) -> list[bool]:
    """Tell after which calls a cut leaves no shared layer on both sides, and does not end in one.

    A layer that is called on both sides would have one copy of its weights fine-tuned, and the other not.
    """
    layers = {layer["config"]["name"]: layer for layer in network["config"]["layers"]}
    last = {call.layer: position for position, call in enumerate(calls)}
    n_calls = Counter(call.layer for call in calls)
    straddling: set[str] = set()
    allowed = []
    for position, call in enumerate(calls):
        shared = n_calls[call.layer] > 1
        if shared and not _is_weightless(layers[call.layer]):
            (straddling.add if last[call.layer] > position else straddling.discard)(call.layer)
        allowed.append(not shared and not straddling)
    return allowed


def _is_weightless(layer: Config) -> bool:
    module, kind = layer["module"] or "", layer["class_name"]
    return module.startswith("keras.src.ops") or (module == "keras.layers" and kind.rstrip("123D") in WEIGHTLESS)


def layer_stages(network: Config, stages: tuple[str, ...]) -> dict[str, int]:
    """Tell to which stage each layer belongs, as a number.

    Parameters
    ----------
    network : dict
        A serialised functional Keras model.
    stages : tuple of str
        The layers that end a stage, as `find_stages` gives them.

    Returns
    -------
    dict of str to int
        By name of the layer.
    """
    numbers: dict[str, int] = {}
    stage = 0
    for call in calls_in_order(network):
        numbers.setdefault(call.layer, stage)
        if stage < len(stages) - 1 and call.layer == stages[stage]:
            stage += 1
    return numbers


def find_places(network: Config) -> str | None:
    """Find the layer whose grid or sequence is the last one that another layer takes, or None.

    Parameters
    ----------
    network : dict
        A serialised functional Keras model.
    """
    inputs = {layer["config"]["name"] for layer in network["config"]["layers"] if layer["class_name"] == "InputLayer"}
    taken = (tensor for call in reversed(calls_in_order(network)) for tensor in call.takes)
    found = (source[0] for source, shape in taken if any(length != 1 for length in shape[1:-1]))
    return next((name for name in found if name not in inputs), None)


def check_rebuildable(network: Config) -> None:
    """Raise ValueError if a layer could not be built again from its description.

    Parameters
    ----------
    network : dict
        A serialised functional Keras model.
    """
    for layer in network["config"]["layers"]:
        name, kind = layer["config"].get("name"), layer["class_name"]
        if "layers" in layer["config"]:
            check_rebuildable(layer)
        elif _holds_code(layer["config"]):
            raise ValueError(
                f"backbone: expected layers without code of their own. Got the {kind} {name!r} with a lambda; write it "
                "as a layer class, registered by keras.saving.register_keras_serializable()."
            )
        elif layer["module"] in (None, "__main__") and ">" not in (layer.get("registered_name") or ""):
            raise ValueError(
                f"backbone: expected layers that can be built again. Got {name!r} of the class {kind!r}, which is "
                "defined in this script or notebook; put @keras.saving.register_keras_serializable() above the class, "
                "or put it in a module."
            )


def _holds_code(node: Any) -> bool:
    """Tell whether a description holds a lambda."""
    if isinstance(node, dict):
        return node.get("class_name") == "__lambda__" or any(map(_holds_code, node.values()))
    return isinstance(node, list | tuple) and any(map(_holds_code, node))


def with_named_operations(network: Config) -> Config:
    """Return a network whose operations have names that hang on it alone, and not on how many Keras has seen.

    Parameters
    ----------
    network : dict
        A serialised functional Keras model.
    """
    operations = [layer for layer in network["config"]["layers"] if (layer["module"] or "").startswith("keras.src.ops")]
    return renamed(network, {layer["name"]: f"operation{number}" for number, layer in enumerate(operations)})


def numbered_names(network: Config) -> dict[str, str]:
    """Return other names for layers that Keras named, numbered from the first of each class on.

    Keras counts all layers that it has seen in the process; so one function builds another network at each call.

    Parameters
    ----------
    network : dict
        A serialised functional Keras model.

    Returns
    -------
    dict of str to str
        New names by the old ones.

    Examples
    --------
    >>> layers = [{"name": name, "class_name": "Dense"} for name in ("dense_7", "dense_8", "top")]
    >>> numbered_names({"config": {"layers": layers}})
    {'dense_7': 'dense', 'dense_8': 'dense_1'}
    """
    names: dict[str, str] = {}
    counts = Counter[str]()
    for layer in network["config"]["layers"]:
        stem = re.sub(r"_\d+$", "", layer["name"])
        if stem.replace("_", "") == layer["class_name"].lower():
            names[layer["name"]] = f"{stem}_{counts[stem]}" if counts[stem] else stem
            counts[stem] += 1
    others = {layer["name"] for layer in network["config"]["layers"]} - set(names)
    return {} if others & set(names.values()) else names


def renamed(node: Any, names: dict[str, str], key: str = "") -> Any:
    """Rename layers wherever a serialised network mentions them."""
    if isinstance(node, dict):
        return {name: renamed(value, names, name) for name, value in node.items()}
    if isinstance(node, list | tuple):
        return [renamed(value, names, key) for value in node]
    return names.get(node, node) if key in NAMES and isinstance(node, str) else node


def fold_norms(network: Config) -> dict[str, str]:
    """Turn each batch normalization that follows a linear layer into an identity, in place.

    Parameters
    ----------
    network : dict
        A serialised functional Keras model; it is changed: the linear layers get a bias.

    Returns
    -------
    dict of str to str
        The name of each linear layer, and the normalization that it takes over.
    """
    layers = {layer["config"]["name"]: layer for layer in network["config"]["layers"]}
    users: dict[str, int] = {_output(network)[0]: 1}
    for call in _calls(network):
        for tensor, _ in call.takes:
            users[tensor[0]] = users.get(tensor[0], 0) + 1
    folded: dict[str, str] = {}
    for name, layer in layers.items():
        nodes = layer["inbound_nodes"]
        if layer["class_name"] != "BatchNormalization" or len(nodes) != 1:
            continue
        source = next(_tensors(nodes[0]))[0][0]
        if users[source] == 1 and _is_foldable(layers[source], layer):
            layers[source]["config"]["use_bias"] = True
            layer |= {
                "module": "keras.layers",
                "class_name": "Identity",
                "config": {key: layer["config"][key] for key in ("name", "dtype", "trainable")},
                "inbound_nodes": [{"args": nodes[0]["args"], "kwargs": {}}],
            }
            layer.pop("build_config", None)
            folded[source] = name
    return folded


def _is_foldable(linear: Config, norm: Config) -> bool:
    if linear["class_name"] not in FOLDABLE or len(linear["inbound_nodes"]) != 1:
        return False
    axis = norm["config"]["axis"]
    axes = axis if isinstance(axis, list) else [axis]
    channels_last = linear["config"].get("data_format") in (None, "channels_last")
    ranks = [len(shape) for _, shape in _tensors(norm["inbound_nodes"][0])]
    plain = linear["config"].get("activation") in (None, "linear")
    return plain and channels_last and len(axes) == 1 and axes[0] in (-1, ranks[0] - 1)


def _calls(network: Config) -> list[Call]:
    return [
        Call(layer["config"]["name"], number, tuple(_tensors(node)), _mixes(layer))
        for layer in network["config"]["layers"]
        for number, node in enumerate(layer["inbound_nodes"] or [{}])
    ]


def calls_in_order(network: Config) -> list[Call]:
    """List the calls of a serialised network, each after those whose tensors it takes.

    Raises
    ------
    ValueError
        If there is no such order.
    """
    ordered: list[Call] = []
    done: set[tuple[str, int]] = set()
    waiting = _calls(network)
    while waiting:
        ready = [call for call in waiting if all(tensor[:2] in done for tensor, _ in call.takes)]
        if not ready:
            raise ValueError(
                f"the graph of layers has no order: {waiting[0].layer!r} takes what no layer gives, or its own output"
            )
        ordered += ready
        done |= {(call.layer, call.number) for call in ready}
        waiting = [call for call in waiting if (call.layer, call.number) not in done]
    return ordered


def _tensors(node: Any) -> Iterator[tuple[Tensor, tuple[int | None, ...]]]:
    """Yield every tensor, and its shape, that the arguments of a call mention."""
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            layer, call, output = node["config"]["keras_history"]
            yield (layer, call, output), tuple(node["config"]["shape"])
        else:
            for value in node.values():
                yield from _tensors(value)
    elif isinstance(node, list):
        for value in node:
            yield from _tensors(value)


def _output(network: Config) -> Tensor:
    output = network["config"]["output_layers"]
    while isinstance(output[0], list):
        output = output[0]
    return (output[0], output[1], output[2])


def _width(shape: tuple[int | None, ...]) -> int:
    width = 1
    for length in shape[1:]:
        width *= length or 1
    return width


def _mixes(layer: Config) -> bool:
    """Tell whether a layer lets one position of its input see another."""
    kind, config = layer["class_name"], layer["config"]
    if "layers" in config:
        return any(_mixes(inner) for inner in config["layers"])
    if "kernel_size" in config:
        sizes = config["kernel_size"]
        return max(sizes if isinstance(sizes, list) else [sizes]) > 1
    if kind == "Dense":
        return any(len(shape) == 2 for node in layer.get("inbound_nodes", []) for _, shape in _tensors(node))
    return kind in ATTENTION | RECURRENT | PRODUCTS
