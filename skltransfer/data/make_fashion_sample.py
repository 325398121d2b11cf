"""Make the shipped sample from the four files of Fashion-MNIST.

Run as ``python -m skltransfer.data.make_fashion_sample FOLDER``, with the folder that holds
``train-images-idx3-ubyte.gz`` and its three siblings.
"""

from __future__ import annotations

import argparse
import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skltransfer.datasets._fashion import FASHION_FILE

EPOCH = (1980, 1, 1, 0, 0, 0)


def read(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read images and labels of one part, "train" or "t10k", from IDX files."""
    images = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    return np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28), np.frombuffer(labels, np.uint8, offset=8)


def first_of_each(labels: NDArray[np.uint8], count: int) -> NDArray[np.intp]:
    """Positions of the first samples of each class, classes alternating."""
    return np.column_stack([np.flatnonzero(labels == label)[:count] for label in range(10)]).ravel()


def main() -> None:
    """Write the sample; the same files give the same bytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    arrays: dict[str, NDArray[np.uint8]] = {}
    for part, suffix, count in (("train", "", 10), ("t10k", "_test", 20)):
        images, labels = read(folder, part)
        chosen = first_of_each(labels, count)
        arrays |= {f"images{suffix}": images[chosen], f"codes{suffix}": labels[chosen]}
    with zipfile.ZipFile(FASHION_FILE, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", EPOCH), buffer.getvalue(), zipfile.ZIP_DEFLATED)
    print(f"{FASHION_FILE.name}: {FASHION_FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
