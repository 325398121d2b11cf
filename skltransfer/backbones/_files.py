"""A backbone as one file: safetensors, with all that is not an array as JSON in its header."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from skltransfer._inputs.texts import Tokenization
from skltransfer._utils.files import written_whole
from skltransfer.backbones._backbone import Backbone

ARRAYS = ("weights", "classifier", "log_variance")
TUPLES = ("paths", "input_shape", "size", "mean", "std")
FORMAT = "skltransfer.Backbone/1"


def save_backbone(backbone: Backbone, path: str | os.PathLike[str]) -> None:
    """Write a backbone to a file, which is complete or not there at all."""
    from safetensors.numpy import save

    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path: expected a name that ends in .safetensors. Got {path.name!r}.")
    arrays, facts = _parts(backbone)
    header = {"format": FORMAT, "fingerprint": _digest(backbone), "facts": json.dumps(facts)}
    with written_whole(path) as file:
        file.write(save(arrays, header))


def read_backbone(path: Path) -> Backbone:
    """Read a backbone from a file that `Backbone.save` wrote.

    Raises
    ------
    OSError
        If the file is missing, is not such a file, or is damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise OSError(f"backbone={str(path)!r} is missing. Expected a file that Backbone.save wrote.")
    try:
        with safe_open(path, "numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except SafetensorError as error:
        raise OSError(f"backbone={str(path)!r} is damaged ({error}). Write it again with Backbone.save.") from error
    if header.get("format") != FORMAT:
        raise OSError(
            f"backbone={str(path)!r} holds arrays, but no network. Expected a file that Backbone.save wrote; for the "
            "weights of a network by name, pass load_backbone(name, weights=path)."
        )
    backbone = _whole(arrays, json.loads(header["facts"]))
    if _digest(backbone) != header["fingerprint"]:
        raise OSError(
            f"backbone={str(path)!r} was changed: expected the fingerprint {header['fingerprint']}, got "
            f"{_digest(backbone)}. Write it again with Backbone.save."
        )
    return backbone


def _digest(backbone: Backbone) -> str:
    return backbone.fingerprint + ("" if backbone.decoder is None else backbone.decoder.fingerprint)


def _parts(backbone: Backbone) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Take a backbone apart: arrays by name, and facts for JSON; its decoder's beside its own."""
    groups = {name: getattr(backbone, name) or () for name in ARRAYS}
    arrays = {f"{name}/{i}": np.ascontiguousarray(a) for name, group in groups.items() for i, a in enumerate(group)}
    facts = {field.name: getattr(backbone, field.name) for field in fields(backbone) if field.name not in ARRAYS}
    if backbone.tokenization is not None:
        facts["tokenization"] = asdict(backbone.tokenization)
    if backbone.decoder is not None:
        inner, facts["decoder"] = _parts(backbone.decoder)
        arrays |= {f"decoder/{name}": array for name, array in inner.items()}
    return arrays, facts


def _whole(arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> Backbone:
    """Put a backbone together again."""
    facts = facts | {name: None if facts[name] is None else tuple(facts[name]) for name in TUPLES}
    groups: dict[str, Any] = {name: tuple(arrays[key] for key in _in_order(arrays, name)) or None for name in ARRAYS}
    if facts.get("tokenization") is not None:
        facts["tokenization"] = Tokenization(**facts["tokenization"])
    if facts["decoder"] is not None:
        inner = {name.removeprefix("decoder/"): array for name, array in arrays.items() if name.startswith("decoder/")}
        facts["decoder"] = _whole(inner, facts["decoder"])
    return Backbone(**(groups | {"weights": groups["weights"] or ()}), **facts)


def _in_order(arrays: dict[str, Any], name: str) -> list[str]:
    keys = [key for key in arrays if key.startswith(f"{name}/")]
    return sorted(keys, key=lambda key: int(key.rpartition("/")[2]))
