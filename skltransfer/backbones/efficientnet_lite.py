"""EfficientNet-Lite0 in Keras layers.

EfficientNet-B0 (Tan & Le, 2019, https://arxiv.org/abs/1905.11946) without
squeeze-and-excite and with ReLU6 in place of swish, as released for TensorFlow Lite.
"""

from __future__ import annotations

from typing import Any

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


def efficientnet_lite0(input_shape: tuple[int | None, ...] = (None, None, 3), *, classes: int | None = None) -> Any:
    """Build the network with fresh weights.

    Parameters
    ----------
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
    number = 0
    for repeats, kernel, stride, expansion, channels in GROUPS:
        for repeat in range(repeats):
            x = _block(x, f"block{number}", kernel, stride if repeat == 0 else 1, expansion, channels)
            number += 1
    x = _conv_norm(x, "head", HEAD_CHANNELS, 1, 1)
    x = keras.layers.ReLU(6.0, name="head_relu")(x)
    if classes is not None:
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
        x = keras.layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, x, name="efficientnet_lite0")


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
