"""A value taken apart into arrays and facts: for its digest, and for files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skltransfer._utils.files import written_whole
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.types import Array

FORMAT = "skltransfer.Backbone/2"


class Parts(NamedTuple):
    """All that a value holds."""

    arrays: dict[str, Array]
    facts: dict[str, Any]


def take_apart(value: Any) -> Parts:
    """Take a dataclass apart, and those in it, field by field.

    Parameters
    ----------
    value : dataclass instance
        Its fields are numbers, strings, None, arrays, further dataclasses, or tuples of these.

    Returns
    -------
    Parts
        Arrays by name, such as ``"decoder/weights/0"``, and facts that JSON can hold: a dict of all fields,
        where each array is a dict with its name.
    """
    arrays: dict[str, Array] = {}

    def facts(value: Any, place: str) -> Any:
        if isinstance(value, np.ndarray):
            arrays[place] = np.ascontiguousarray(value)
            return {"array": place}
        if is_dataclass(value):
            start = f"{place}/" if place else ""
            return {field.name: facts(getattr(value, field.name), start + field.name) for field in fields(value)}
        if isinstance(value, tuple | list):
            return [facts(item, f"{place}/{number}") for number, item in enumerate(value)]
        return value.item() if isinstance(value, np.generic) else value

    return Parts(arrays, facts(value, ""))


def digest(arrays: Mapping[str, Array], facts: str) -> str:
    """Digest of all arrays, and of facts as JSON, in hexadecimal."""
    names = sorted(arrays)
    return content_hash(json.dumps([facts, names]), *(np.ascontiguousarray(arrays[name]) for name in names)).hex()


def as_json(facts: Mapping[str, Any]) -> str:
    """Write facts in one way."""
    return json.dumps(facts, sort_keys=True)


def not_finite(arrays: Mapping[str, Array]) -> list[str]:
    """Name the arrays that hold NaN or infinity."""
    return [name for name, array in arrays.items() if array.dtype.kind in "fV" and not np.isfinite(array).all()]


def write_parts(parts: Parts, path: str | os.PathLike[str]) -> None:
    """Write a value to a safetensors file, which is complete or not there at all.

    Raises
    ------
    ValueError
        If the name does not end in ``.safetensors``, or an array holds NaN or infinity.
    """
    from safetensors.numpy import save

    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path: expected a name that ends in .safetensors. Got {path.name!r}.")
    if broken := not_finite(parts.arrays):
        raise ValueError(f"{path.name}: expected finite weights. Got NaN or infinity in {', '.join(broken)}.")
    facts = as_json(parts.facts)
    header = {"format": FORMAT, "checksum": digest(parts.arrays, facts), "facts": facts}
    with written_whole(path) as file:
        file.write(save(parts.arrays, header))
