"""Files changed at random, as disks, networks and strangers change them."""

from __future__ import annotations

import json
import struct
from io import BytesIO
from typing import Any

import numpy as np

from skltransfer.backbones._backbone import digest
from skltransfer.saving import _container

DAMAGES = ("bits", "cut", "bytes")
"""Changes of any file, which leave its checksum as it is."""

KINDS = (*DAMAGES, "facts", "network", "arrays")
"""Changes of a model file; the last three under a checksum that fits."""

SAVED_KINDS = (*DAMAGES, "longer", "lengths", "shapes", "objects")
"""Changes of a file of `skltransfer.save`; the last three under a digest that fits."""

VALUES = (None, -1, 0, 1, 3, 10**9, 2e8, float("nan"), "", "relu", "block0", [], [3], {}, True)


def mutated(content: bytes, kind: str, seed: int) -> bytes:
    """Change a file.

    Parameters
    ----------
    content : bytes
        What is in it; for the last three kinds, a file that `Backbone.save` wrote.
    kind : {"bits", "cut", "bytes", "facts", "network", "arrays"}
        Whether bits are flipped, the file is truncated, bytes are replaced near its begin (or in the header of a
        safetensors file); or a value in the
        facts, in the description of the network, or in the shapes of the arrays is another one, under a checksum
        that fits.
    seed : int
        Decides what is changed.
    """
    random = np.random.default_rng(seed)
    if kind == "cut":
        return content[: random.integers(len(content))]
    if kind in ("bits", "bytes"):
        changed = bytearray(content)
        end = len(content) if kind == "bits" else min(len(content), 8 + struct.unpack("<Q", content[:8])[0])
        for place in random.integers(end, size=random.integers(1, 4)):
            changed[place] = changed[place] ^ (1 << random.integers(8)) if kind == "bits" else random.integers(256)
        return bytes(changed)
    return _with_lie(content, kind, random)


def _with_lie(content: bytes, kind: str, random: np.random.Generator) -> bytes:
    """Change one value, and write the checksum that fits."""
    from safetensors.numpy import load, save

    size = struct.unpack("<Q", content[:8])[0]
    arrays, header = load(content), json.loads(content[8 : 8 + size])["__metadata__"]
    facts = json.loads(header["facts"])
    if kind == "arrays":
        name = sorted(arrays)[random.integers(len(arrays))]
        arrays[name] = [arrays[name].ravel(), arrays[name][:-1], arrays[name].astype("float64"), np.zeros(3)][
            random.integers(4)
        ]
    elif kind == "facts":
        _change(facts, random)
    else:
        network = json.loads(facts["architecture"])
        _change(network, random)
        facts["architecture"] = json.dumps(network)
    header["facts"] = json.dumps(facts)
    header["checksum"] = digest(arrays, header["facts"])
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, header)


def _change(tree: Any, random: np.random.Generator) -> None:
    """Replace, remove or double one value anywhere in a tree."""
    places = list(_places(tree))
    node, key = places[random.integers(len(places))]
    how = random.integers(10)
    if how == 0:
        del node[key]
    elif how == 1 and isinstance(node, list):
        node.append(node[key])
    elif how == 2:
        other, there = places[random.integers(len(places))]
        node[key] = json.loads(json.dumps(other[there]))
    else:
        node[key] = VALUES[random.integers(len(VALUES))]


def _places(tree: Any) -> Any:
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from _places(tree[key])


def mutated_saved(content: bytes, kind: str, seed: int) -> bytes:
    """Change a file that `skltransfer.save` wrote.

    Parameters
    ----------
    content : bytes
        What is in it.
    kind : {"bits", "cut", "bytes", "longer", "lengths", "shapes", "objects"}
        Whether bits are flipped, the file is truncated, bytes near its begin are replaced, or bytes are appended; or
        its lengths, the shapes in the header of its arrays, or a value in its facts is another one, under a digest that
        fits.
    seed : int
        Decides what is changed.
    """
    random = np.random.default_rng(seed)
    if kind == "cut":
        return content[: random.integers(len(content))]
    if kind == "longer":
        return content + random.bytes(int(random.integers(1, 1000)))
    if kind in ("bits", "bytes"):
        changed = bytearray(content)
        for place in random.integers(len(content) if kind == "bits" else 1000, size=random.integers(1, 4)):
            changed[place] = changed[place] ^ (1 << random.integers(8)) if kind == "bits" else random.integers(256)
        return bytes(changed)
    _, version, n_facts, _ = _container.HEADER.unpack_from(content)
    body = content[_container.HEADER.size : -_container.DIGEST]
    facts, arrays = body[:n_facts], body[n_facts:]
    if kind == "objects":
        tree = json.loads(facts)
        _change(tree, random)
        facts = json.dumps(tree).encode()
    if kind == "shapes":
        size = struct.unpack("<Q", arrays[:8])[0]
        header = json.loads(arrays[8 : 8 + size])
        _change(header[sorted(header)[random.integers(len(header))]], random)
        described = json.dumps(header).encode()
        arrays = struct.pack("<Q", len(described)) + described + arrays[8 + size :]
    lengths = [len(facts), len(arrays)]
    if kind == "lengths":
        lengths[random.integers(2)] = int(random.integers(2 ** random.integers(1, 63)))
    file = BytesIO()
    _container.seal(file, version, lengths, (facts, arrays))
    return file.getvalue()
