"""The value that every estimator takes and gives: a network and its weights, at rest."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skltransfer._inputs.texts import Tokenization
from skltransfer._keras.backend import allows_empty, import_keras, own_settings
from skltransfer._utils.files import written_whole
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.types import Array
from skltransfer.backbones._graph import find_stages
from skltransfer.backbones._small import SmallArray, packed

FORMAT = "skltransfer.Backbone/2"


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


@contextmanager
def refusing_small_images(model: Any, shape: Sequence[int | None]) -> Iterator[None]:
    """Call a network on images in here, so that one that has nothing left of them says so.

    Raises
    ------
    ValueError
        If images of this shape, with an axis of samples before it, are too small.
    """
    try:
        yield
    except Exception as error:
        _check_large_enough(model, shape, error)
        raise
    if allows_empty():
        _check_large_enough(model, shape, None)


def _check_large_enough(model: Any, shape: Sequence[int | None], cause: Exception | None) -> None:
    if len(shape) != 4 or None in shape[1:]:
        return
    try:
        model.compute_output_shape((1, *shape[1:]))
    except ValueError:
        raise ValueError(
            f"image_size: a layer of the backbone has nothing left of images of {shape[1]} by {shape[2]} pixels. "
            "Expected larger ones; pass a larger image_size."
        ) from cause


class Parts(NamedTuple):
    """All that a value holds."""

    arrays: dict[str, Array]
    facts: dict[str, Any]


def take_apart(value: Any) -> Parts:
    """Take a dataclass apart, and those in it, field by field.

    Parameters
    ----------
    value : dataclass instance
        Its fields are numbers, strings, None, arrays, further dataclasses, or tuples of these.

    Returns
    -------
    Parts
        Arrays by name, such as ``"decoder/weights/0"``, and facts that JSON can hold: a dict of all fields,
        where each array is a dict with its name, and, if it lies there as a smaller type, what it is.
    """
    arrays: dict[str, Array] = {}

    def facts(value: Any, place: str) -> Any:
        if isinstance(value, SmallArray) and value.form is not None:
            arrays[place] = packed(value)
            if value.scale is not None:
                arrays[f"{place}/scale"] = value.scale
            return {"array": place, "form": value.form, "shape": list(value.shape), "dtype": value.dtype.str}
        if isinstance(value, np.ndarray):
            arrays[place] = np.ascontiguousarray(value)
            return {"array": place}
        if is_dataclass(value):
            start = f"{place}/" if place else ""
            return {field.name: facts(getattr(value, field.name), start + field.name) for field in fields(value)}
        if isinstance(value, tuple | list):
            return [facts(item, f"{place}/{number}") for number, item in enumerate(value)]
        return value.item() if isinstance(value, np.generic) else value

    return Parts(arrays, facts(value, ""))


def digest(arrays: Mapping[str, Array], facts: str) -> str:
    """Digest of all arrays, and of facts as JSON, in hexadecimal."""
    names = sorted(arrays)
    return content_hash(json.dumps([facts, names]), *(np.ascontiguousarray(arrays[name]) for name in names)).hex()


def as_json(facts: Mapping[str, Any]) -> str:
    """Write facts in one way."""
    return json.dumps(facts, sort_keys=True)


def not_finite(arrays: Mapping[str, Array]) -> list[str]:
    """Name the arrays that hold NaN or infinity."""
    return [name for name, array in arrays.items() if array.dtype.kind in "fV" and not np.isfinite(array).all()]


def write_parts(parts: Parts, path: str | os.PathLike[str]) -> None:
    """Write a value to a safetensors file, which is complete or not there at all.

    Raises
    ------
    ValueError
        If the name does not end in ``.safetensors``, or an array holds NaN or infinity.
    """
    from safetensors.numpy import save

    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path: expected a name that ends in .safetensors. Got {path.name!r}.")
    if broken := not_finite(parts.arrays):
        raise ValueError(f"{path.name}: expected finite weights. Got NaN or infinity in {', '.join(broken)}.")
    facts = as_json(parts.facts)
    header = {"format": FORMAT, "checksum": digest(parts.arrays, facts), "facts": facts}
    with written_whole(path) as file:
        file.write(save(parts.arrays, header))
