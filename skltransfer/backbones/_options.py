"""What a backbone can be made from, and which options of `load_backbone` go with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from skltransfer.backbones._backbone import Backbone


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


def check_options(takes: Options, what: str, options: dict[str, Any]) -> None:
    """Raise ValueError if an option does not go with the source.

    Parameters
    ----------
    takes : Options
        Which options go with it.
    what : str
        How an error sentence calls the source.
    options : dict of str to object
        Options of `load_backbone` by name.
    """
    for option, value in options.items():
        unset = "pretrained" if option == "weights" else None
        if (isinstance(value, str) or value is None) and value == unset:
            continue
        if option in takes.refused:
            raise ValueError(f"{option}={value!r} does not go with {what}: {takes.refused[option]}.")
        if option == "weights" and not _allowed(value, takes.weights):
            expected = " or ".join(("'pretrained'", *takes.weights))
            raise ValueError(f"weights={value!r} does not go with {what}: expected {expected}.")


def _allowed(weights: Any, words: tuple[str, ...]) -> bool:
    return "None" in words if weights is None else words != ("None",)


def expecting(backbone: Backbone, mean: Any, std: Any) -> Backbone:
    """Return the network with other pixels that it expects."""
    given: dict[str, Any] = {name: value for name, value in (("mean", mean), ("std", std)) if value is not None}
    if not given:
        return backbone
    if len(backbone.input_shape) != 3:
        raise ValueError(
            f"{' and '.join(given)}: expected a network for images. Got {backbone.name!r}, which takes samples of "
            f"shape {backbone.input_shape}; leave {' and '.join(given)} out."
        )
    channels = backbone.input_shape[-1]
    given = {name: by_channel(name, value, channels) for name, value in given.items()}
    return replace(backbone, **given)


def by_channel(name: str, value: Any, channels: int | None) -> tuple[float, ...]:
    """Check a number, or one for each channel."""
    try:
        numbers = tuple(map(float, np.atleast_1d(value)))
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) not in (1, channels) or not np.isfinite(numbers).all() or (name == "std" and min(numbers) <= 0):
        positive = "positive " if name == "std" else ""
        raise ValueError(f"{name}: expected a {positive}number, or one for each of {channels} channels. Got {value!r}.")
    return numbers
