"""Arrays of any type as arrays that safetensors has, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from skltransfer._utils.types import Array
from skltransfer.backbones._small import FORMS, LARGEST, SmallArray, packed, restored

PLAIN = frozenset(
    f"{kind}{size}" for kind, sizes in {"i": "1248", "u": "1248", "f": "248", "b": "1"}.items() for size in sizes
)
"""Types that safetensors has, by kind and bytes."""

AS_BYTES = "USmMciuf"
"""Kinds of types that are written as their bytes: strings, times, complex numbers, other orders of bytes."""


def written(array: Array, name: str, arrays: dict[str, Array]) -> dict[str, Any]:
    """Put an array among those of a file.

    Parameters
    ----------
    array : ndarray
        Of numbers, strings or times, no objects.
    name : str
        What it is called.
    arrays : dict of str to ndarray
        Gets it, in a type that safetensors has.

    Returns
    -------
    dict
        What makes it the same again, in values that JSON can hold.

    Raises
    ------
    TypeError
        If it is of a type that cannot be written.
    """
    if isinstance(array, SmallArray) and array.form is not None:
        arrays[name] = np.ascontiguousarray(packed(array))
        scaled = {} if array.scale is None else {"scale": written(array.scale, f"{name}/scale", arrays)}
        return {"array": name, "form": array.form, "shape": list(array.shape), "dtype": array.dtype.str, **scaled}
    array = np.asarray(array) if array.dtype.itemsize else array.astype(f"{array.dtype.kind}1")
    turned = array.flags.f_contiguous and not array.flags.c_contiguous
    plain = np.ascontiguousarray(array.T if turned else array).reshape(array.shape[::-1] if turned else array.shape)
    facts = {"array": name, **({"turned": True} if turned else {})}
    facts |= {} if array.flags.writeable else {"fixed": True}
    if array.dtype.isnative and f"{array.dtype.kind}{array.dtype.itemsize}" in PLAIN:
        arrays[name] = plain
        return facts
    if _dtype(_name(array.dtype)) != array.dtype:
        raise TypeError(f"an array of dtype {array.dtype} cannot be written")
    arrays[name] = np.frombuffer(plain.tobytes(), np.uint8)
    return {**facts, "dtype": _name(array.dtype), "shape": list(plain.shape)}


def read(facts: Mapping[str, Any], arrays: Mapping[str, Array]) -> Array:
    """Return an array that `written` put there.

    Raises
    ------
    ValueError, TypeError, KeyError
        If it was none.
    """
    array = arrays[facts["array"]]
    if "form" in facts:
        return _small(facts, array, arrays)
    if "dtype" in facts:
        array = _retyped(array, _dtype(facts["dtype"]), _shape(facts["shape"]))
    array = array.T if facts.get("turned") else array
    array.flags.writeable = not facts.get("fixed", False)
    return array


def _retyped(array: Array, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    if array.dtype != np.uint8 or not dtype.itemsize or array.nbytes != dtype.itemsize * math.prod(shape):
        raise ValueError(f"expected {dtype.itemsize * math.prod(shape)} bytes of an array. Got {array.nbytes}")
    if dtype.kind == "U" and array.size and array.view(np.dtype("u4").newbyteorder(dtype.byteorder)).max() > 0x10FFFF:
        raise ValueError("expected characters of Unicode in an array of strings")
    return np.frombuffer(bytearray(array.tobytes()), dtype).reshape(shape)


def _small(facts: Mapping[str, Any], content: Array, arrays: Mapping[str, Array]) -> SmallArray:
    """Make an array that lies small, of content that has no other size than it says."""
    form, shape, dtype = facts["form"], _shape(facts["shape"]), np.dtype(str(facts["dtype"]))
    scale = read(facts["scale"], arrays) if "scale" in facts else None
    expected = ((math.prod(shape) + 1) // 2,) if form == "int4" else shape
    if form not in FORMS or dtype.kind != "f" or content.shape != expected or (scale is None) != (form not in LARGEST):
        raise ValueError(f"expected an array of shape {shape} as {form}. Got one of shape {content.shape}")
    if scale is not None and np.broadcast_shapes(scale.shape, shape) != shape:
        raise ValueError(f"expected a scale for an array of shape {shape}. Got one of shape {scale.shape}")
    return restored(form, shape, dtype.str, content, scale)


def _shape(lengths: Any) -> tuple[int, ...]:
    if not isinstance(lengths, list) or not all(type(length) is int and length >= 0 for length in lengths):
        raise ValueError(f"expected a shape. Got {lengths!r}")
    return tuple(lengths)


def _name(dtype: np.dtype[Any]) -> str:
    return dtype.name if dtype.kind == "V" else dtype.str


def _dtype(name: Any) -> np.dtype[Any]:
    """Find a type by its name; that of half precision with a long exponent, which NumPy has not, is in ml_dtypes."""
    if name == "bfloat16":
        from ml_dtypes import bfloat16

        return np.dtype(bfloat16)
    dtype = np.dtype(str(name))
    if dtype.kind not in AS_BYTES or dtype.hasobject or dtype.names or dtype.subdtype:
        raise TypeError(f"an array of dtype {dtype} cannot be written")
    return dtype
