"""EfficientNet-Lite0, Lite1 and Lite2 in Keras layers.

EfficientNet (Tan & Le, 2019, https://arxiv.org/abs/1905.11946) without squeeze-and-excite
and with ReLU6 in place of swish, as released for TensorFlow Lite.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

# Per group of blocks: repeats, kernel, stride of the first block, expansion, channels.
GROUPS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280


class Scale(NamedTuple):
    """How much wider and deeper than Lite0 a network is, and the height and width that it was trained at."""

    width: float
    depth: float
    pixels: int


SCALES = {0: Scale(1.0, 1.0, 224), 1: Scale(1.0, 1.1, 240), 2: Scale(1.1, 1.2, 260)}


class Block(NamedTuple):
    """One inverted residual."""

    kernel: int
    stride: int
    expansion: int
    channels: int


def blocks(scale: int) -> Iterator[Block]:
    """Yield the blocks of a network, from input to output; stem and head are the same in all.

    Parameters
    ----------
    scale : {0, 1, 2}
        Which network.
    """
    width, depth, _ = SCALES[scale]
    for group, (repeats, kernel, stride, expansion, channels) in enumerate(GROUPS):
        inner = 0 < group < len(GROUPS) - 1
        for repeat in range(math.ceil(repeats * depth) if inner else repeats):
            yield Block(kernel, stride if repeat == 0 else 1, expansion, _channels(channels * width))


def _channels(wanted: float) -> int:
    """Round to a multiple of 8 that is not below nine tenths."""
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


def efficientnet_lite(
    scale: int, input_shape: tuple[int | None, ...] = (None, None, 3), *, classes: int | None = None
) -> Any:
    """Build a network with fresh weights.

    Parameters
    ----------
    scale : {0, 1, 2}
        Which network.
    input_shape : tuple of (height, width, 3), default=(None, None, 3)
        Shape of one image, already normalised as ``(pixel - 127) / 128``.
        ``None`` accepts any height or width.
    classes : int or None, default=None
        With a number, global average pooling and a linear layer of so many logits follow
        the 1280 feature maps.

    Returns
    -------
    keras.Model
        Maps ``(samples, height, width, 3)`` to ``(samples, height / 32, width / 32, 1280)``,
        or to ``(samples, classes)`` logits.

    References
    ----------
    Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
    ICML 2019, https://arxiv.org/abs/1905.11946
    """
    import keras

    inputs = keras.Input(input_shape, name="image")
    x = _conv_norm(inputs, "stem", STEM_CHANNELS, 3, 2)
    x = keras.layers.ReLU(6.0, name="stem_relu")(x)
    for number, block in enumerate(blocks(scale)):
        x = _block(x, f"block{number}", *block)
    x = _conv_norm(x, "head", HEAD_CHANNELS, 1, 1)
    x = keras.layers.ReLU(6.0, name="head_relu")(x)
    if classes is not None:
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
        x = keras.layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, x, name=f"efficientnet_lite{scale}")


def _block(inputs: Any, name: str, kernel: int, stride: int, expansion: int, channels: int) -> Any:
    """Inverted residual: widen, mix each channel over space, narrow, add the input back."""
    from keras import layers

    x = inputs
    if expansion != 1:
        x = _conv_norm(x, f"{name}_expand", inputs.shape[-1] * expansion, 1, 1)
        x = layers.ReLU(6.0, name=f"{name}_expand_relu")(x)
    x = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}_depthwise_norm")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    x = _conv_norm(x, f"{name}_project", channels, 1, 1)
    if stride == 1 and inputs.shape[-1] == channels:
        x = layers.Add(name=f"{name}_add")([x, inputs])
    return x


def _conv_norm(x: Any, name: str, channels: int, kernel: int, stride: int) -> Any:
    from keras import layers

    x = layers.Conv2D(channels, kernel, stride, "same", use_bias=False, name=name)(x)
    return layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}_norm")(x)
