"""The value that every estimator takes and gives: a network and its weights, at rest."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from skltransfer._inputs.texts import Tokenization
from skltransfer._keras.optional import import_keras
from skltransfer._keras.settings import own_settings
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.types import Array
from skltransfer.backbones._flattening import flatten
from skltransfer.backbones._graph import (
    check_rebuildable,
    find_stages,
    numbered_names,
    renamed,
    with_named_operations,
)
from skltransfer.backbones._parts import as_json, digest, not_finite, take_apart, write_parts


@dataclass(frozen=True, eq=False, repr=False)
class Backbone:
    """A network with its weights, as an immutable value.

    It holds plain text and read-only arrays, never a live Keras object, so it can be
    hashed, compared, copied for free, pickled and shared between estimators. Make one
    with `load_backbone`.

    Parameters
    ----------
    name : str
        What to call it.
    architecture : str
        The Keras network, serialised as JSON.
    weights : tuple of ndarray
        Its weights, in Keras' order.
    paths : tuple of str
        What Keras calls each weight, such as ``"stem/kernel"``.
    input_shape : tuple of (int or None)
        Shape of one sample: ``(height, width, channels)``, or ``(columns,)``.
    size : tuple of (height, width) or None
        The size it was trained at, if it accepts others too.
    mean, std : tuples of float
        The network sees ``(pixel - mean) / std`` with pixels from 0 to 255, by channel.
    bgr : bool
        Whether it takes blue first.
    pretrained : bool
        Whether its weights were learned from data.
    classifier : tuple of (kernel, bias) or None
        The linear layer that it was pretrained with, on average-pooled features.
    decoder : Backbone or None
        The network that turns its output back into samples, if it was trained to encode them.
    log_variance : tuple of (kernel, bias) or None
        The linear layer that gives the logarithm of the variance of each latent value, beside
        the last layer, if its latent values are those of a distribution.
    tokenization : Tokenization or None
        How texts become the token numbers that it takes.
    padded : bool
        Whether samples have lengths of their own, with vectors of zeros after their ends.

    Examples
    --------
    >>> from skltransfer import load_backbone
    >>> backbone = load_backbone("efficientnet_lite0")
    >>> backbone.size, backbone.n_parameters, len(backbone.stages)
    ((224, 224), 3413024, 17)
    """

    name: str
    architecture: str
    weights: tuple[Array, ...]
    paths: tuple[str, ...]
    input_shape: tuple[int | None, ...]
    size: tuple[int, int] | None = None
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    bgr: bool = False
    pretrained: bool = True
    classifier: tuple[Array, Array] | None = None
    decoder: Backbone | None = None
    log_variance: tuple[Array, Array] | None = None
    tokenization: Tokenization | None = None
    padded: bool = False

    def __post_init__(self) -> None:
        for array in (*self.weights, *(self.classifier or ()), *(self.log_variance or ())):
            array.flags.writeable = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all that it holds, in hexadecimal: equal backbones have equal ones."""
        parts = take_apart(self)
        return digest(parts.arrays, as_json(parts.facts))

    @cached_property
    def function_fingerprint(self) -> str:
        """Digest of what its features depend on, in hexadecimal: the architecture, the weights and the expected input.

        Features are cached under it. A name, or a decoder on top, makes no difference to them.
        """
        expects = repr((self.input_shape, self.mean, self.std, self.bgr, self.tokenization, self.padded))
        weights = (np.ascontiguousarray(array) for array in self.weights)
        return content_hash(self.architecture, expects, *weights).hex()

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """Layers after which the network can be cut in two, from input to output.

        Each stage mixes positions once (a convolution wider than one pixel, an attention
        layer, or a dense layer on vectors; a residual block counts whole) and ends where
        the tensor that passes on is narrowest.
        """
        return find_stages(json.loads(self.architecture))

    @property
    def n_parameters(self) -> int:
        """Number of weights."""
        return sum(array.size for array in self.weights)

    def to_keras(self) -> Any:
        """Build a new `keras.Model` with these weights; changing it changes nothing here."""
        model = build(self.architecture)
        assign(model, self.weights)
        return model

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network and its weights to one file, for `load_backbone`.

        Parameters
        ----------
        path : path-like
            Ends in ``.safetensors``. The file is safe to read: it holds arrays and JSON.

        Raises
        ------
        ValueError
            If the name ends in something else, or a weight is NaN or infinite.
        OSError
            If the file cannot be written.
        """
        write_parts(take_apart(self), path)

    def with_weights(self, weights: Sequence[Array], *, pretrained: bool = True) -> Backbone:
        """Return the same network with other weights, without what was trained on top of the old ones."""
        fresh: dict[str, Any] = {"classifier": None, "decoder": None, "log_variance": None}
        return replace(self, weights=tuple(weights), pretrained=pretrained, **fresh)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backbone) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.function_fingerprint)

    def __copy__(self) -> Backbone:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Backbone:
        return self

    def __repr__(self) -> str:
        state = "pretrained" if self.pretrained else "untrained"
        return f"<Backbone {self.name!r}, {state}, input {self.input_shape}, {self.n_parameters / 1e6:.3g} M weights>"


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


def name_weights(graph: Any) -> tuple[str, ...]:
    """Name each weight from its layer on; a sequential model puts its own name first, which differs from run to run."""
    owners = {id(weight): layer.name for layer in graph.layers for weight in layer.weights}

    def path(weight: Any) -> str:
        layer = owners.get(id(weight), "")
        _, found, name = f"/{weight.path}".partition(f"/{layer}/")
        return f"{layer}/{name}" if layer and found else str(weight.path)

    return tuple(map(path, graph.weights))


def build(architecture: str) -> Any:
    """Build the Keras network of an architecture, with arbitrary weights."""
    keras = import_keras()
    with building(0):
        return keras.saving.deserialize_keras_object(json.loads(architecture), safe_mode=True)


def assign(model: Any, weights: Sequence[Array]) -> None:
    """Set the weights of a Keras network from arrays."""
    for variable, array in zip(model.weights, weights, strict=True):
        variable.assign(array)


def read(variables: Sequence[Any]) -> list[Array]:
    """Copy Keras variables to arrays."""
    ops = import_keras().ops
    return [np.array(ops.convert_to_numpy(ops.convert_to_tensor(variable))) for variable in variables]


@contextmanager
def building(seed: int) -> Iterator[None]:
    """Let Keras draw its default seeds from ``seed``, under settings of our own, and leave both as they were."""
    state = random.getstate()
    random.seed(seed)
    try:
        with own_settings():
            yield
    finally:
        random.setstate(state)
