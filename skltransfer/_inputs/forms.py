"""Of which form one item is: what can be said of it without knowing what the other samples are."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from enum import Enum
from numbers import Number
from typing import Any

import numpy as np


class Form(Enum):
    """Form of one item; the value names it in an error sentence."""

    MISSING = "missing"
    NUMBER = "a number"
    VECTOR = "a series of numbers"
    ARRAY = "an array"
    STRING = "a string"
    PATH = "a path"
    IMAGE = "a PIL image"
    ENCODED = "bytes"
    CLIP = "a clip with its sample rate"
    OTHER = "an object"


def form_of(item: Any) -> Form:
    """Tell of which form an item is.

    Examples
    --------
    >>> form_of("a text").name, form_of([1, 2]).name, form_of([[1], [2]]).name, form_of((8000, [0.1, 0.2])).name
    ('STRING', 'VECTOR', 'ARRAY', 'CLIP')
    """
    if isinstance(item, str):
        return Form.STRING
    if is_missing(item):
        return Form.MISSING
    if isinstance(item, os.PathLike):
        return Form.PATH
    if is_pil(item):
        return Form.IMAGE
    if isinstance(item, bytes | bytearray | memoryview | io.BytesIO):
        return Form.ENCODED
    if isinstance(item, Number | np.generic):
        return Form.NUMBER
    if is_clip(item):
        return Form.CLIP
    depth = dimensions(item)
    return Form.OTHER if depth is None else (Form.NUMBER, Form.VECTOR, Form.ARRAY)[min(depth, 2)]


def named(item: Any) -> str:
    """Name an item in an error sentence, by its form and type.

    Examples
    --------
    >>> named(3.5), named(None), named({})
    ('a number (float)', 'missing (None)', 'an object (dict)')
    """
    form, kind = form_of(item), type(item).__name__
    if form is Form.MISSING:
        return f"missing ({item!r})"
    if form in (Form.VECTOR, Form.ARRAY) and hasattr(item, "shape"):
        return f"an array of shape {tuple(item.shape)}"
    plain = form in (Form.STRING, Form.CLIP, Form.IMAGE) or kind == form.value
    return form.value if plain else f"{form.value} ({kind})"


def is_missing(item: Any) -> bool:
    """Tell whether an item is None, NaN, `pandas.NA` or NaT."""
    if item is None or type(item).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(item, Number | np.generic) and bool(item != item)


def is_path(item: Any) -> bool:
    return isinstance(item, str | os.PathLike)


def is_pil(item: Any) -> bool:
    return hasattr(item, "convert") and hasattr(item, "mode") and hasattr(item, "resize")


def is_clip(item: Any) -> bool:
    """Tell whether an item is a waveform with its own rate.

    That is a tuple of both, in any order, or a mapping with ``"array"`` and ``"sampling_rate"``.
    """
    if isinstance(item, Mapping):
        return {"array", "sampling_rate"} <= set(item)
    if not isinstance(item, tuple) or len(item) != 2:
        return False
    depths = [0 if isinstance(part, Number) else dimensions(part) for part in item]
    return depths in ([0, 1], [1, 0], [0, 2], [2, 0])


def dimensions(item: Any) -> int | None:
    """Count the dimensions of an array or of nested sequences; None if it is neither.

    Examples
    --------
    >>> dimensions([[1, 2], [3, 4]]), dimensions({1, 2})
    (2, None)
    """
    found = getattr(item, "ndim", None)
    if isinstance(found, int):
        return found
    if isinstance(shape := getattr(item, "shape", None), tuple):
        return len(shape)
    if hasattr(item, "__array__"):
        return int(np.asarray(item).ndim)
    if isinstance(item, str | bytes) or not isinstance(item, Sequence):
        return None
    inner = dimensions(item[0]) if len(item) else None
    return 1 if inner is None else 1 + inner
