"""What a backbone can be made from, and which options of `load_backbone` go with it."""

from __future__ import annotations

from dataclasses import replace
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
    LITE0 = "'efficientnet_lite0'"
    MINILM = "'minilm_l6'"


_NO_WEIGHTS = "it has its weights; leave weights out"
_NO_SHAPE = "the shape of its samples is its own; leave input_shape out"
_KNOWN = "what pixels it expects is known; leave {option} out"
REFUSED: dict[Source, dict[str, str]] = {
    Source.VALUE: {"weights": _NO_WEIGHTS, "input_shape": _NO_SHAPE},
    Source.MODEL: {"weights": _NO_WEIGHTS, "input_shape": _NO_SHAPE},
    Source.FILE: {"weights": _NO_WEIGHTS, "input_shape": _NO_SHAPE},
    Source.HUB: {"weights": _NO_WEIGHTS, "input_shape": _NO_SHAPE, "mean": _KNOWN, "std": _KNOWN},
    Source.LITE0: {"input_shape": _NO_SHAPE, "mean": _KNOWN, "std": _KNOWN},
    Source.MINILM: {"input_shape": _NO_SHAPE, "mean": "it takes texts", "std": "it takes texts"},
    Source.APPLICATION: {"input_shape": _NO_SHAPE, "mean": _KNOWN, "std": _KNOWN},
    Source.BUILDER: {},
}
"""Options that do not go with a source, and why."""


def check_options(kind: Source, what: str, options: dict[str, Any]) -> None:
    """Raise ValueError if an option does not go with the source.

    Parameters
    ----------
    kind : Source
        What the source is.
    what : str
        How an error sentence calls it.
    options : dict of str to object
        Options of `load_backbone` by name.
    """
    for option, value in options.items():
        unset = "pretrained" if option == "weights" else None
        if (isinstance(value, str) or value is None) and value == unset:
            continue
        if option in REFUSED[kind]:
            raise ValueError(
                f"{option}={value!r} does not go with {what}: {REFUSED[kind][option].format(option=option)}."
            )
        if option == "weights" and (kind, value is None) in (
            (Source.LITE0, False),
            (Source.BUILDER, False),
            (Source.MINILM, True),
        ):
            expected = "'pretrained' or a folder" if kind == Source.MINILM else "'pretrained' or None"
            raise ValueError(f"weights={value!r} does not go with {what}: expected {expected}.")


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
