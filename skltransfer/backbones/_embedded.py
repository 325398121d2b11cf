"""Networks whose weights are pinned: a row of `EMBEDDED` each, and what loads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from skltransfer.backbones._backbone import Backbone, building, from_keras
from skltransfer.backbones._options import PINNED_IMAGES, PINNED_TEXTS, Options
from skltransfer.backbones.efficientnet_lite import efficientnet_lite0
from skltransfer.backbones.minilm import load_minilm

LITE0_FILE = Path(__file__).parent / "weights" / "efficientnet_lite0.safetensors"
LITE0_DIGEST = "9b3fd52e9361e86b55da9b1a10c79d6c289b948f7dcbe99f5d0033be4382c18d"


def load_lite0(weights: Any, seed: int | None) -> Backbone:
    """Load the network that ships in the package, or an untrained one if there is a seed."""
    return _lite0(seed)


@lru_cache(maxsize=4)
def _lite0(seed: int | None) -> Backbone:
    with building(seed or 0):
        untrained = from_keras(
            efficientnet_lite0(), size=(224, 224), mean=(127.0,) * 3, std=(128.0,) * 3, pretrained=False,
        )  # fmt: skip
    if seed is not None:
        return untrained
    arrays = read_weights(LITE0_FILE, LITE0_DIGEST)
    return replace(
        untrained,
        weights=tuple(arrays[path] for path in untrained.paths),
        classifier=(arrays["logits/kernel"], arrays["logits/bias"]),
        pretrained=True,
    )


def read_weights(path: Path, digest: str) -> dict[str, np.ndarray]:
    """Read a safetensors file as float32 arrays by name.

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
    import hashlib

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


@dataclass(frozen=True)
class Embedded:
    """A network whose weights are pinned.

    Parameters
    ----------
    load : callable
        From ``weights``, and a seed if there are none, to a `Backbone`; the last few are kept.
    takes : Options
        Which options of `load_backbone` go with it.
    license : str
        Of its weights, by its SPDX identifier.
    """

    load: Callable[[Any, int | None], Backbone]
    takes: Options
    license: str


EMBEDDED: dict[str, Embedded] = {
    "efficientnet_lite0": Embedded(load_lite0, PINNED_IMAGES, "Apache-2.0"),
    "minilm_l6": Embedded(load_minilm, PINNED_TEXTS, "Apache-2.0"),
}
