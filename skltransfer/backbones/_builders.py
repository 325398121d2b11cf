"""Small networks that start untrained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import Backbone

STANDARDIZE, RESTORE = "standardize", "restore"
"""Layers that bring columns to one unit, and back to their own."""


def mlp(input_shape: tuple[int, ...], *, hidden: Sequence[int] = (64,)) -> Any:
    """Dense layers for samples of numbers, in double precision.

    Parameters
    ----------
    input_shape : tuple of (columns,)
        Shape of one sample.
    hidden : sequence of int, default=(64,)
        Units of each layer.

    Returns
    -------
    keras.Model
        Maps ``(samples, columns)`` to ``(samples, hidden[-1])``. Its first layer standardises the
        columns; `standardize` sets it from data.
    """
    import keras
    from keras import layers

    inputs = keras.Input(input_shape, name="row", dtype="float64")
    x = standardizing(inputs, "float64")
    for number, units in enumerate(hidden):
        x = layers.Dense(units, activation="relu", dtype="float64", name=f"dense{number}")(x)
    return keras.Model(inputs, x, name="mlp")


def small_cnn(input_shape: tuple[int, int, int]) -> Any:
    """Three convolutions and a dense layer, for small images.

    Parameters
    ----------
    input_shape : tuple of (height, width, channels)
        Shape of one image, in pixels.

    Returns
    -------
    keras.Model
        Maps ``(samples, height, width, channels)`` to ``(samples, 64)``.
    """
    import keras
    from keras import layers

    inputs = keras.Input(input_shape, name="image")
    x = inputs
    for number, filters in enumerate((32, 64, 64)):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        if number < 2:
            x = layers.MaxPooling2D(padding="same", name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="dense")(x)
    return keras.Model(inputs, x, name="small_cnn")


def small_resnet(input_shape: tuple[int | None, ...]) -> Any:
    """Nine layers with residual connections, for small images.

    Parameters
    ----------
    input_shape : tuple of (height, width, channels)
        Shape of one image, in pixels.

    Returns
    -------
    keras.Model
        Maps ``(samples, height, width, channels)`` to ``(samples, height / 4, width / 4, 128)``.

    References
    ----------
    He, Zhang, Ren & Sun, "Identity Mappings in Deep Residual Networks", ECCV 2016.
    """
    import keras
    from keras import layers

    def norm_relu(x: Any, name: str) -> Any:
        return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x))

    inputs = keras.Input(input_shape, name="image")
    x = layers.Conv2D(32, 3, padding="same", use_bias=False, name="stem")(inputs)
    for number, (filters, stride) in enumerate(((32, 1), (32, 1), (64, 2), (128, 2))):
        name = f"block{number}"
        y = norm_relu(x, f"{name}_a")
        if x.shape[-1] != filters:
            x = layers.Conv2D(filters, 1, stride, padding="same", use_bias=False, name=f"{name}_shortcut")(y)
        y = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False, name=f"{name}_conv_a")(y)
        y = norm_relu(y, f"{name}_b")
        y = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv_b")(y)
        x = layers.Add(name=f"{name}_add")([x, y])
    return keras.Model(inputs, norm_relu(x, "head"), name="small_resnet")


def small_transformer(
    input_shape: tuple[int, ...], *, patch: int | None = None, width: int = 64, depth: int = 4, n_heads: int = 4
) -> Any:
    """Attention between patches of a image, or between parts of a sequence.

    Parameters
    ----------
    input_shape : tuple of (height, width, channels) or (steps, channels)
        Shape of one image in pixels, or of one sequence of numbers.
    patch : int, optional
        Side of a patch in pixels, or steps of a part; by default an eighth of the longer side
        of the image, or of the sequence.
    width : int, default=64
        Values that describe a patch.
    depth : int, default=4
        Blocks of attention and dense layers.
    n_heads : int, default=4
        Ways of attention in each block.

    Returns
    -------
    keras.Model
        Maps ``(samples, *input_shape)`` to ``(samples, patches, width)``. For sequences, its first layer
        standardises the channels; `standardize` sets it from data.

    References
    ----------
    Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition
    at Scale", ICLR 2021.
    """
    import keras
    from keras import layers

    patch = patch_side(input_shape) if patch is None else patch
    inputs = keras.Input(input_shape, name="image" if len(input_shape) == 3 else "sample")
    x = _patches(inputs, patch, width)
    x = layers.EinsumDense(
        "npd,de->npe", (x.shape[1], width), bias_axes="pe", bias_initializer="random_normal", name="places"
    )(x)
    for number in range(depth):
        name = f"block{number}"
        y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_a")(x)
        y = layers.MultiHeadAttention(n_heads, width // n_heads, name=f"{name}_attention")(y, y)
        x = layers.Add(name=f"{name}_add_a")([x, y])
        y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_b")(x)
        y = layers.Dense(2 * width, activation="gelu", name=f"{name}_dense_a")(y)
        y = layers.Dense(width, name=f"{name}_dense_b")(y)
        x = layers.Add(name=f"{name}_add_b")([x, y])
    return keras.Model(inputs, layers.LayerNormalization(epsilon=1e-6, name="norm")(x), name="small_transformer")


def _patches(inputs: Any, patch: int, width: int) -> Any:
    """Describe each patch of a image, or part of a sequence, by so many values."""
    from keras import layers

    lengths = inputs.shape[1:-1]
    spare = [(0, -length % patch) for length in lengths]
    if len(lengths) == 1:
        x = standardizing(inputs, "float32")
        x = layers.ZeroPadding1D(spare[0], name="pad")(x) if spare[0][1] else x
        return layers.Conv1D(width, patch, patch, name="patches")(x)
    x = layers.ZeroPadding2D(spare, name="pad")(inputs) if np.any(spare) else inputs
    x = layers.Conv2D(width, patch, patch, name="patches")(x)
    return layers.Reshape((x.shape[1] * x.shape[2], width), name="sequence")(x)


def patch_side(shape: tuple[int, ...]) -> int:
    """Side of a patch such that about eight lie along the longer side of a sample of this shape."""
    return max(1, -(-max(shape[:-1]) // 8))


def standardizing(x: Any, dtype: str) -> Any:
    """Add a layer that standardises columns, or channels; `standardize` sets it from data."""
    from keras import layers

    return layers.BatchNormalization(
        center=False, scale=False, epsilon=1e-12, trainable=False, dtype=dtype, name=STANDARDIZE
    )(x)


def is_standardizing(backbone: Backbone) -> bool:
    """Tell whether a network starts by standardizing the columns."""
    return f"{STANDARDIZE}/moving_mean" in backbone.paths


def standardize(backbone: Backbone, mean: Array, scale: Array) -> Backbone:
    """Set the column statistics of a network that starts with a standardising layer, and of its decoder.

    Parameters
    ----------
    backbone : Backbone
        Returned as it is if it has no such layer.
    mean, scale : ndarrays of shape (columns,)
        Mean and standard deviation of each column, or of each channel of sequences.
    """
    encoding = {f"{STANDARDIZE}/moving_mean": mean, f"{STANDARDIZE}/moving_variance": np.square(scale)}
    decoding = {f"{RESTORE}/beta": mean, f"{RESTORE}/gamma": scale}
    decoder = backbone.decoder
    if decoder is not None:
        decoder = replace(decoder, weights=_with_statistics(decoder, decoding))
    return replace(backbone, weights=_with_statistics(backbone, encoding), decoder=decoder)


def _with_statistics(network: Backbone, statistics: dict[str, Array]) -> tuple[Array, ...]:
    return tuple(
        statistics[path].astype(array.dtype) if path in statistics else array
        for path, array in zip(network.paths, network.weights, strict=True)
    )


PIXELS: dict[str, Any] = {"mean": (127.5,), "std": (127.5,)}
