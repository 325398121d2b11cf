"""Networks that encode samples into a few values, and those that decode them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import Backbone, build, building
from skltransfer.backbones._builders import PIXELS, RESTORE, STANDARDIZE, standardize, standardizing
from skltransfer.backbones._conversion import from_keras

LATENT = "latent"


def autoencoder(
    shape: tuple[int, ...], latent_dim: int, *, hidden: Sequence[int] | None, bounded: bool, seed: int
) -> Backbone:
    """Build an untrained encoder, with its decoder.

    Parameters
    ----------
    shape : tuple of int
        Of one sample: ``(columns,)`` for dense layers, ``(steps, channels)`` or ``(height, width,
        channels)`` for convolutions.
    latent_dim : int
        Latent values of a sample.
    hidden : sequence of int or None
        Units of the dense layers, or filters of the convolutions, each of which halves the
        size. None chooses them by the shape.
    bounded : bool
        Whether the decoder can only give values from 0 to 1.
    seed : int
        Draws the weights.
    """
    hidden = default_hidden(shape) if hidden is None else tuple(hidden)
    return _built(tuple(shape), latent_dim, hidden, bounded, seed)


def encode(
    backbone: Backbone,
    shape: tuple[int, ...],
    latent_dim: int,
    *,
    hidden: Sequence[int] | None,
    bounded: bool,
    seed: int,
) -> Backbone:
    """Put a latent layer on a network, and an untrained decoder beside it; see `autoencoder`."""
    hidden = default_hidden(shape) if hidden is None else tuple(hidden)
    encoder = _with_latent(backbone.architecture, latent_dim, seed)
    arrays = dict(zip(backbone.paths, backbone.weights, strict=True))
    coded = replace(
        backbone,
        name=f"{backbone.name} encoder",
        architecture=encoder.architecture,
        weights=tuple(arrays.get(path, array) for path, array in zip(encoder.paths, encoder.weights, strict=True)),
        paths=encoder.paths,
        classifier=None,
        decoder=_decoder(tuple(shape), latent_dim, hidden, bounded, seed),
    )
    known = statistics(coded)
    return standardize(coded, known["moving_mean"], np.sqrt(known["moving_variance"])) if known else coded


def with_log_variance(backbone: Backbone) -> Backbone:
    """Make sure that there is a layer of log-variances; a new one gives 0."""
    if backbone.log_variance is not None:
        return backbone
    kernel = backbone.weights[backbone.paths.index(f"{LATENT}/kernel")]
    return replace(backbone, log_variance=(np.zeros_like(kernel), np.zeros(kernel.shape[1], kernel.dtype)))


def statistics(backbone: Backbone) -> dict[str, Array]:
    """Return what the standardizing layer of a network knows, by name; empty if it has none."""
    arrays = zip(backbone.paths, backbone.weights, strict=True)
    return {path.rpartition("/")[2]: array for path, array in arrays if path.startswith(f"{STANDARDIZE}/")}


@lru_cache(maxsize=32)
def decoded_shape(decoder: str) -> tuple[int, ...]:
    """Shape of a sample as a decoder of this architecture gives it."""
    return tuple(build(decoder).outputs[0].shape[1:])


def log_variances(backbone: Backbone) -> Backbone:
    """Return the network that gives the log-variance of each latent value, where the other gives its mean."""
    assert backbone.log_variance is not None
    latent = dict(zip((f"{LATENT}/kernel", f"{LATENT}/bias"), backbone.log_variance, strict=True))
    weights = (latent.get(path, array) for path, array in zip(backbone.paths, backbone.weights, strict=True))
    return backbone.with_weights(tuple(weights))


def default_hidden(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Units or filters for samples of a shape: convolutions go on until a side is about 4."""
    if len(shape) == 1:
        return (128, 64)
    levels = round(math.log2(max(4, max(shape[:-1])) / 4))
    return (32, 64, 128, 128, 128, 128, 128, 128)[: max(1, levels)]


@lru_cache(maxsize=32)
def _built(shape: tuple[int, ...], latent_dim: int, hidden: tuple[int, ...], bounded: bool, seed: int) -> Backbone:
    with building(seed):
        encoder = _encoder(shape, latent_dim, hidden)
        expects = PIXELS if len(shape) == 3 else {}
        backbone = from_keras(encoder, name="autoencoder", pretrained=False, **expects)
    return replace(backbone, decoder=_decoder(shape, latent_dim, hidden, bounded, seed))


def _encoder(shape: tuple[int, ...], latent_dim: int, hidden: tuple[int, ...]) -> Any:
    import keras
    from keras import layers

    dtype = "float64" if len(shape) == 1 else "float32"
    inputs = keras.Input(shape, name="row", dtype=dtype)
    x = inputs if len(shape) == 3 else standardizing(inputs, dtype)
    for number, units in enumerate(hidden):
        if len(shape) == 1:
            x = layers.Dense(units, activation="relu", dtype=dtype, name=f"dense{number}")(x)
        else:
            convolution = layers.Conv2D if len(shape) == 3 else layers.Conv1D
            x = convolution(units, 3, 2, padding="same", activation="relu", name=f"conv{number}")(x)
    if len(shape) > 1:
        x = layers.Flatten(name="flatten")(x)
    return keras.Model(inputs, layers.Dense(latent_dim, dtype=dtype, name=LATENT)(x), name="encoder")


@lru_cache(maxsize=32)
def _with_latent(architecture: str, latent_dim: int, seed: int) -> Backbone:
    import keras
    from keras import layers

    network = build(architecture)
    with building(seed):
        x = network.outputs[0]
        if len(x.shape) > 2:
            pooling = layers.GlobalAveragePooling2D if len(x.shape) == 4 else layers.GlobalAveragePooling1D
            x = pooling(name="pooling")(x)
        latent = layers.Dense(latent_dim, dtype=x.dtype, name=LATENT)(x)
        return from_keras(keras.Model(network.inputs, latent, name="encoder"))


@lru_cache(maxsize=32)
def _decoder(shape: tuple[int, ...], latent_dim: int, hidden: tuple[int, ...], bounded: bool, seed: int) -> Backbone:
    import keras
    from keras import layers

    dtype = "float64" if len(shape) == 1 else "float32"
    with building(seed + 1):
        inputs = keras.Input((latent_dim,), name="latent_values", dtype=dtype)
        x = (_dense_samples if len(shape) == 1 else _convolved_samples)(inputs, shape, hidden, bounded)
        if len(shape) < 3 and not bounded:
            x = layers.BatchNormalization(epsilon=1e-12, trainable=False, dtype=dtype, name=RESTORE)(x)
        return from_keras(keras.Model(inputs, x, name="decoder"), pretrained=False)


def _dense_samples(x: Any, shape: tuple[int, ...], hidden: tuple[int, ...], bounded: bool) -> Any:
    from keras import layers

    for number, units in enumerate(reversed(hidden)):
        x = layers.Dense(units, activation="relu", dtype="float64", name=f"dense{number}")(x)
    return layers.Dense(shape[0], activation="sigmoid" if bounded else None, dtype="float64", name="row")(x)


def _convolved_samples(x: Any, shape: tuple[int, ...], hidden: tuple[int, ...], bounded: bool) -> Any:
    """Go up through the sizes that the encoder went down through, odd ones cropped."""
    from keras import layers

    images = len(shape) == 3
    transposed = layers.Conv2DTranspose if images else layers.Conv1DTranspose
    cropping = layers.Cropping2D if images else layers.Cropping1D
    sizes = [tuple(-(-length // 2**level) for length in shape[:-1]) for level in range(len(hidden) + 1)]
    grid = (*sizes[-1], hidden[-1] if hidden else shape[-1])
    ends = "sigmoid" if bounded else None
    x = layers.Dense(math.prod(grid), activation="relu" if hidden else ends, name="dense")(x)
    x = layers.Reshape(grid, name="grid")(x)
    for level in reversed(range(len(hidden))):
        units, activation = (hidden[level - 1], "relu") if level else (shape[-1], ends)
        x = transposed(units, 3, 2, padding="same", activation=activation, name=f"conv{level}")(x)
        spare = [length - wanted for length, wanted in zip(x.shape[1:-1], sizes[level], strict=True)]
        if any(spare):
            crops = [(0, length) for length in spare]
            x = cropping(crops if images else crops[0], name=f"crop{level}")(x)
    return x
