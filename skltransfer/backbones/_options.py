"""What a backbone can be made from, and which options of `load_backbone` go with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """What a backbone can be made from."""

    VALUE = "a Backbone"
    MODEL = "a keras.Model"
    FILE = "a file"
    BUILDER = "a builder function"
    APPLICATION = "a network of keras.applications"
    HUB = "a preset"
    EMBEDDED = "an embedded network"


@dataclass(frozen=True)
class Options:
    """Which options of `load_backbone` go with a source.

    Parameters
    ----------
    refused : mapping of str to str
        Options that do not, and why.
    weights : tuple of str
        What ``weights`` may be, in words, besides "pretrained": "None", "a file" or "a folder".
    """

    refused: Mapping[str, str]
    weights: tuple[str, ...] = ()


_NO_SHAPE = {"input_shape": "the shape of its samples is its own; leave input_shape out"}
_ITS_OWN = {"weights": "it has its weights; leave weights out", **_NO_SHAPE}
_KNOWN = {option: f"what pixels it expects is known; leave {option} out" for option in ("mean", "std")}
_NO_PIXELS = dict.fromkeys(("mean", "std"), "it takes texts")

PINNED_IMAGES = Options({**_NO_SHAPE, **_KNOWN}, ("None",))
PINNED_IMAGE_FILES = Options({**_NO_SHAPE, **_KNOWN}, ("None", "a file", "a folder"))
PINNED_TEXTS = Options({**_NO_SHAPE, **_NO_PIXELS}, ("a folder",))
OPTIONS: dict[Source, Options] = {
    Source.VALUE: Options(_ITS_OWN),
    Source.MODEL: Options(_ITS_OWN),
    Source.FILE: Options(_ITS_OWN),
    Source.HUB: Options({**_ITS_OWN, **_KNOWN}),
    Source.APPLICATION: Options({**_NO_SHAPE, **_KNOWN}, ("None", "a file")),
    Source.BUILDER: Options({}, ("None",)),
}
"""Of an embedded network, its row in `EMBEDDED` has them."""
