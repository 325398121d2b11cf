"""Backbones read from files."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from skltransfer._inputs.texts import Tokenization
from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import FORMAT, Backbone, digest, not_finite
from skltransfer.backbones._checks import check_network
from skltransfer.backbones._small import restored

AGAIN = "Write it again with Backbone.save."


def read_backbone(path: Path) -> Backbone:
    """Read a backbone from a file that `Backbone.save` wrote.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    OSError
        If the file is missing, is not such a file, is damaged or was changed, or holds weights that are NaN or
        infinite.
    """
    arrays, header = _contents(path)
    found = digest(arrays, header["facts"])
    if found != header["checksum"]:
        raise OSError(
            f"backbone={str(path)!r} was changed: expected the checksum {header['checksum']}, got {found}. {AGAIN}"
        )
    if broken := not_finite(arrays):
        raise OSError(f"backbone={str(path)!r}: expected finite weights. Got NaN or infinity in {', '.join(broken)}.")
    try:
        backbone = _whole(json.loads(header["facts"]), arrays)
        check_network(backbone)
    except Exception as error:  # whatever Keras raises on a network that is none
        raise OSError(f"backbone={str(path)!r} holds no network that can be built ({error}). {AGAIN}") from error
    return backbone


def _contents(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Read arrays and header."""
    from safetensors import safe_open

    if not path.is_file():
        raise OSError(f"backbone={str(path)!r} is missing. Expected a file that Backbone.save wrote.")
    try:
        with safe_open(path, "numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except PermissionError:
        raise
    except Exception as error:  # safetensors has its own errors, and passes on those of NumPy
        raise OSError(f"backbone={str(path)!r} is damaged ({error}). {AGAIN}") from error
    _check_header(path, header)
    return arrays, header


def _check_header(path: Path, header: Mapping[str, str]) -> None:
    """Raise OSError if the header is not that of this version of the format."""
    written = header.get("format", "")
    if not written.startswith(FORMAT.partition("/")[0]):
        raise OSError(
            f"backbone={str(path)!r} holds arrays, but no network. Expected a file that Backbone.save wrote; for the "
            "weights of a network by name, pass load_backbone(name, weights=path)."
        )
    if written != FORMAT:
        raise OSError(
            f"backbone={str(path)!r} was written by another version of skltransfer: expected the format {FORMAT!r}, "
            f"got {written!r}. Load it with that version, or save it again with this one."
        )
    if missing := {"checksum", "facts"} - set(header):
        raise OSError(
            f"backbone={str(path)!r} is damaged: its header has no {' and no '.join(sorted(missing))}. {AGAIN}"
        )


def _whole(facts: Any, arrays: Mapping[str, Array]) -> Backbone:
    """Put a backbone together again."""
    hints = get_type_hints(Backbone)
    names = [field.name for field in fields(Backbone)]
    if not isinstance(facts, dict) or sorted(facts) != sorted(names):
        raise ValueError(f"expected the facts {names}, got {list(facts)}")
    values = {name: _value(facts[name], arrays) for name in names}
    if facts["decoder"] is not None:
        values["decoder"] = _whole(facts["decoder"], arrays)
    if facts["tokenization"] is not None:
        values["tokenization"] = Tokenization(**facts["tokenization"])
    for name, value in values.items():
        if not _fits(value, hints[name]):
            raise TypeError(f"{name}: expected {hints[name]}, got {str(facts[name])[:100]}")
    return Backbone(**values)


def _value(fact: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(fact, list):
        return tuple(_value(item, arrays) for item in fact)
    if not isinstance(fact, dict) or "array" not in fact:
        return fact
    array = arrays[fact["array"]]
    if "form" not in fact:
        return array
    scale = arrays.get(f"{fact['array']}/scale")
    return restored(fact["form"], tuple(fact["shape"]), fact["dtype"], array, scale)


def _fits(value: Any, hint: Any) -> bool:
    """Tell whether a value is of an annotated type."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if kind is tuple:
        inner = inner[:1] * len(value) if isinstance(value, tuple) and inner[-1] is Ellipsis else inner
        return isinstance(value, tuple) and len(value) == len(inner) and all(map(_fits, value, inner))
    if kind is np.ndarray:
        return isinstance(value, np.ndarray)
    if hint is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    return type(value) is hint
