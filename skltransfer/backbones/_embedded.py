"""Networks whose weights are pinned: a row of `EMBEDDED` each, and what loads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._options import PINNED_IMAGE_FILES, PINNED_IMAGES, PINNED_TEXTS, Options
from skltransfer.backbones.efficientnet_lite import load_lite, load_lite0
from skltransfer.backbones.minilm import load_minilm


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
    "efficientnet_lite1": Embedded(partial(load_lite, 1), PINNED_IMAGE_FILES, "Apache-2.0"),
    "efficientnet_lite2": Embedded(partial(load_lite, 2), PINNED_IMAGE_FILES, "Apache-2.0"),
    "minilm_l6": Embedded(load_minilm, PINNED_TEXTS, "Apache-2.0"),
}
