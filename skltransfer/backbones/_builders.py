"""Small networks that start untrained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skltransfer.backbones._backbone import Array, Backbone

STANDARDIZE = "standardize"


def mlp(input_shape: tuple[int, ...], *, hidden: Sequence[int] = (64,)) -> Any:
    """Dense layers for rows of numbers, in double precision.

    Parameters
    ----------
    input_shape : tuple of (columns,)
        Shape of one row.
    hidden : sequence of int, default=(64,)
        Units of each layer.

    Returns
    -------
    keras.Model
        Maps ``(rows, columns)`` to ``(rows, hidden[-1])``. Its first layer standardises the
        columns; `standardize` sets it from data.
    """
    import keras
    from keras import layers

    inputs = keras.Input(input_shape, name="row", dtype="float64")
    x = layers.BatchNormalization(
        center=False, scale=False, epsilon=1e-12, trainable=False, dtype="float64", name=STANDARDIZE
    )(inputs)
    for number, units in enumerate(hidden):
        x = layers.Dense(units, activation="relu", dtype="float64", name=f"dense{number}")(x)
    return keras.Model(inputs, x, name="mlp")


def small_cnn(input_shape: tuple[int, int, int]) -> Any:
    """Three convolutions and a dense layer, for small pictures.

    Parameters
    ----------
    input_shape : tuple of (height, width, channels)
        Shape of one picture, in pixels.

    Returns
    -------
    keras.Model
        Maps ``(rows, height, width, channels)`` to ``(rows, 64)``.
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
    """Nine layers with residual connections, for small pictures.

    Parameters
    ----------
    input_shape : tuple of (height, width, channels)
        Shape of one picture, in pixels.

    Returns
    -------
    keras.Model
        Maps ``(rows, height, width, channels)`` to ``(rows, height / 4, width / 4, 128)``.

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


def standardize(backbone: Backbone, mean: Array, scale: Array) -> Backbone:
    """Set the column statistics of a network that starts with a standardising layer.

    Parameters
    ----------
    backbone : Backbone
        Returned as it is if it has no such layer.
    mean, scale : ndarrays of shape (columns,)
        Mean and standard deviation of each column.
    """
    statistics = {
        f"{STANDARDIZE}/moving_mean": np.array(mean, dtype=np.float64),
        f"{STANDARDIZE}/moving_variance": np.square(scale),
    }
    weights = [statistics.get(path, array) for path, array in zip(backbone.paths, backbone.weights, strict=True)]
    return backbone.with_weights(weights, pretrained=backbone.pretrained)
