"""Arrays that lie small in a file, and compute as any other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer._utils.types import Array, Floats

FORMS = ("int8", "int4", "float16", "bfloat16")
LARGEST = {"int8": 127, "int4": 7}
"""Whole numbers of each form, at most and, negative, at least."""


class SmallArray(np.ndarray):
    """An array of floats whose values are those of a smaller type, as which it is pickled and saved.

    Whatever is computed of it is an array like any other. Make one with `small`.

    Attributes
    ----------
    form : {"int8", "int4", "float16", "bfloat16"} or None
        The smaller type; None if this array has none.
    scale : ndarray or None
        What whole numbers are multiplied by, of a shape that is broadcast.
    """

    form: str | None
    scale: Array | None

    def __array_finalize__(self, source: Any) -> None:
        self.form, self.scale = None, None

    def __reduce__(self) -> Any:
        if self.form is None:
            return super().__reduce__()
        return restored, (self.form, self.shape, self.dtype.str, packed(self), self.scale)


def small(values: Floats, form: str, axes: tuple[int, ...] = (), *, largest: Floats | None = None) -> SmallArray:
    """Round numbers to a smaller type.

    Parameters
    ----------
    values : ndarray of float32 or float64
        Finite.
    form : {"int8", "int4", "float16", "bfloat16"}
        The smaller type.
    axes : tuple of int
        Whole numbers along these axes share a scale, by which the largest of them is 127 (int8) or 7 (int4).
    largest : ndarray, optional
        What becomes 127 or 7, if not the largest number; it is not below that, and keeps these axes with length 1.

    Raises
    ------
    ValueError
        If a number is too large for the type.

    Examples
    --------
    >>> np.asarray(small(np.array([[0.5, 100.0], [1.0, -50.0]], "float32"), "int8", axes=(0,))).round(3)
    array([[  0.504, 100.   ],
           [  1.   , -50.394]], dtype=float32)
    """
    scale = None
    if form in LARGEST:
        largest = np.abs(values).max(axis=axes, keepdims=True) if largest is None else largest
        scale = largest / LARGEST[form]
        scale = np.where(scale > 0, scale, 1).astype(values.dtype)
        codes: Array = _rounded(values / scale, axes).clip(-LARGEST[form], LARGEST[form]).astype(np.int8)
    else:
        codes = _halves(values, form)
    found = _valued(form, values.dtype.str, codes, scale)
    if not np.isfinite(found).all():
        raise ValueError(f"expected numbers up to 65504, as {form} has. Got {np.abs(values).max():.4g}.")
    return found


def _rounded(values: Floats, axes: tuple[int, ...]) -> Floats:
    """Round to whole numbers, and as many of those that are halfway the other way that sums along axes stay."""
    whole = np.rint(values)
    rest = (values - whole).transpose(*axes, *(axis for axis in range(values.ndim) if axis not in axes))
    lines = rest.reshape(-1, int(np.prod(rest.shape[len(axes) :])))
    missing = np.rint(lines.sum(axis=0))
    places = np.argsort(np.argsort(-lines * np.sign(missing), axis=0, kind="stable"), axis=0, kind="stable")
    more = np.where(places < np.abs(missing), np.sign(missing), 0.0).reshape(rest.shape)
    back = np.argsort([*axes, *(axis for axis in range(values.ndim) if axis not in axes)])
    return whole + more.transpose(back)


def packed(array: SmallArray) -> Array:
    """Return what an array holds as numbers of its smaller type; of int4, two in a byte."""
    assert array.form is not None
    values = np.asarray(array)
    if array.scale is None:
        return _halves(values, array.form)
    codes = np.rint(values / array.scale).astype(np.int8)
    if array.form == "int8":
        return codes
    nibbles = np.resize((codes.ravel() + 8).astype(np.uint8), codes.size + codes.size % 2)
    return nibbles[::2] | (nibbles[1::2] << 4)


def restored(form: str, shape: tuple[int, ...], dtype: str, content: Array, scale: Array | None) -> SmallArray:
    """Make an array of what `packed` gave."""
    if form == "int4":
        nibbles = np.stack([content & 15, content >> 4], axis=1).ravel()[: np.prod(shape, dtype=int)]
        content = nibbles.reshape(shape).astype(np.int8) - np.int8(8)
    return _valued(form, dtype, content, scale)


def _valued(form: str, dtype: str, codes: Array, scale: Array | None) -> SmallArray:
    if form == "bfloat16":
        codes = (codes.astype(np.uint32) << 16).view(np.float32)
    values = codes.astype(dtype) if scale is None else codes.astype(dtype) * scale
    array = values.view(SmallArray)
    array.form, array.scale = form, scale
    return array


def _halves(values: Floats, form: str) -> NDArray[Any]:
    """Round to 16 bits; those of bfloat16, which NumPy does not have, are the upper ones of float32."""
    if form == "float16":
        with np.errstate(over="ignore"):
            return values.astype(np.float16)
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
