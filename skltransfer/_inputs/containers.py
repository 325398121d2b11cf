"""The containers in which users have samples, brought into few, and of which form one item in them is."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from enum import Enum
from numbers import Number
from typing import Any

import numpy as np

from skltransfer._utils.types import Array


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


NUMBERS = (Form.NUMBER, Form.MISSING)
ONE_SAMPLE = (Form.STRING, Form.PATH, Form.IMAGE, Form.ENCODED, Form.CLIP)


def gathered(X: Any) -> Any:
    """Bring samples into an array, a list, or a frame or sparse matrix of numbers.

    Parameters
    ----------
    X : array-like, tensor, frame, series or sequence
        What a user passed. A frame or an array of one column of objects becomes the list of
        what is in it, and so does every other sequence; what can be read as an array becomes one.

    Returns
    -------
    ndarray, list, frame or sparse matrix
        Of at least one sample.

    Raises
    ------
    TypeError
        If it can be read only once, has no order, is not loaded yet, or holds no samples at all.
    ValueError
        If it is a single sample, or there are none.
    """
    if type(X) is np.ndarray and X.dtype.kind in "buif" and X.ndim > 1 and len(X):
        return X
    if is_sparse(X):
        return X  # each kind refuses it in scikit-learn's words
    _refuse(X)
    if isinstance(X, list):
        values = _flat(X)
    elif is_frame(X):
        values = _from_frame(X)
    elif isinstance(X, np.ndarray) or hasattr(X, "to_numpy") or _is_array_like(X):
        values = _from_series(X)
    elif isinstance(X, Sequence):
        values = _flat(list(X))
    else:
        _refuse_unknown(X)
    shape = np.shape(values) if hasattr(values, "shape") else (len(values),)
    if shape[0] == 0:
        raise ValueError(f"X: Found array with 0 sample(s) (shape={shape}) while a minimum of 1 is required.")
    return values


def items(X: Any) -> list[Any]:
    """Return samples as a list with one item each."""
    values = gathered(X)
    return values if isinstance(values, list) else list(as_array(values))


def is_sparse(X: Any) -> bool:
    """Tell whether this is a sparse matrix or array of SciPy's, which is not loaded to find that out."""
    module = sys.modules.get("scipy.sparse")
    return module is not None and bool(module.issparse(X))


def is_frame(X: Any) -> bool:
    return hasattr(X, "columns") and hasattr(X, "to_numpy")


def as_array(values: Any) -> Array:
    """Read a tensor, a frame, a series, or nested sequences as an array.

    Raises
    ------
    TypeError
        If that is impossible, for instance because the values are on a device.
    """
    if isinstance(values, np.ndarray):
        return values
    try:
        return _converted(values)
    except Exception as error:  # each library has errors of its own
        raise TypeError(
            f"X: expected values that NumPy can read. Got a {type(values).__name__} that it cannot ({error}); convert "
            "it to a NumPy array."
        ) from error


def _converted(values: Any) -> Array:
    if hasattr(values, "to_numpy"):
        return np.asarray(values.to_numpy())
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float() if str(values.dtype).endswith("bfloat16") else values
    array = np.asarray(values) if hasattr(values, "__array__") else _from_dlpack(values)
    return array.astype(np.float32) if array.dtype.name.startswith("bfloat") else array


def stacked(values: Any, what: str) -> Array:
    """Stack items of one shape into one array.

    Parameters
    ----------
    values : sequence of array-like
        The items.
    what : str
        What they are, for error sentences.

    Raises
    ------
    ValueError
        If their shapes differ.
    TypeError
        If they hold no numbers.
    """
    arrays = [as_array(item) for item in values]
    for position, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            remedy = "resize them, or pass paths or PIL images, which are resized one by one"
            raise ValueError(
                f"X: expected {what} of one size. Sample 0 has shape {arrays[0].shape}, sample {position} has "
                f"{array.shape}; {remedy if what == 'images' else 'cut them or fill them up to one length'}."
            )
        if array.dtype.kind not in "buif":
            noun = what.removesuffix("s")
            raise TypeError(f"X: expected numbers in every {noun}. Sample {position} holds {array.dtype} values.")
    return np.stack(arrays)


def _refuse(X: Any) -> None:
    """Raise an error if this is plainly not a container of samples."""
    name = type(X).__name__
    if form_of(X) in ONE_SAMPLE or (isinstance(X, tuple) and is_clip(X)):
        folder = isinstance(X, str | os.PathLike) and os.path.isdir(X)
        remedy = "list the files in it, such as sorted(Path(X).iterdir())" if folder else "pass [X]"
        what = f"the folder {str(X)!r}" if folder else f"one sample, {named(X)}"
        raise ValueError(f"X: expected a list or an array of samples. Got {what}; {remedy}.")
    if is_missing(X):
        raise TypeError(f"X: expected a list or an array of samples. Got {X!r}.")
    if isinstance(X, Iterator):
        raise TypeError(
            f"X: expected samples that can be read several times. Got a {name}, which can be read once; pass list(X)."
        )
    if isinstance(X, Set):
        raise TypeError(f"X: expected samples in an order. Got a {name}, which has none; pass sorted(X) or a list.")
    if isinstance(X, Mapping):
        raise TypeError(f"X: expected a list or an array of samples. Got a {name}; pass one of its values.")
    if not hasattr(X, "to_numpy") and not _is_array_like(X):
        for method in ("collect", "compute"):
            if callable(getattr(X, method, None)):
                raise TypeError(f"X: expected samples in memory. Got a {name}, which is lazy; pass X.{method}().")
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        raise ValueError(
            "X: expected an array without masked values. Got a masked array with some; fill them, as with X.filled(0)."
        )


def _refuse_unknown(X: Any) -> None:
    name = type(X).__name__
    remedy = "; pass list(X), or the part of it that holds the samples" if isinstance(X, Iterable) else ""
    raise TypeError(f"X: expected a list or an array of samples. Got a {name}{remedy}.")


def _is_array_like(X: Any) -> bool:
    return hasattr(X, "__array__") or hasattr(X, "__dlpack__")


def _from_dlpack(values: Any) -> Array:
    return np.from_dlpack(values) if hasattr(values, "__dlpack__") else np.asarray(values)


def _from_frame(X: Any) -> Any:
    """Return what is in the only column if that is objects; any other frame as it is."""
    if len(X.columns) != 1:
        return X
    values = _from_series(X[X.columns[0]])
    return values if isinstance(values, list) or values.ndim > 1 else X


def _from_series(X: Any) -> Any:
    """Return what is in a series, or in an array, of objects; any other as an array."""
    values = as_array(X)
    if values.dtype == object and hasattr(X, "to_list"):  # nested lists, of which Polars makes nested arrays
        values = np.empty(len(values), dtype=object)
        for position, item in enumerate(X.to_list()):
            values[position] = item
    return _from_array(values)


def _from_array(X: Array) -> Any:
    """Return what is in the only column of an array of objects; any other array as it is."""
    if X.ndim == 0:
        raise ValueError("X: expected a list or an array of samples. Got an array without dimensions; pass [X].")
    if X.dtype.kind == "S":
        raise TypeError(
            "X: expected bytes as they are. Got an array of bytes of one length, which NumPy fills up, or cuts, with "
            "zeros; pass a list, or an array of dtype object."
        )
    if X.dtype.kind not in "OUT":
        return X
    if X.ndim == 1 or X.shape[1:] == (1,):
        column = X.ravel().tolist()
        plain = column and all(form_of(item) in NUMBERS for item in column) and not _all_missing(column)
        return X if plain else _unwrapped(column)
    if X.ndim > 2:
        numbers = np.asarray(X.tolist())
        return numbers if numbers.dtype.kind in "buif" else X
    return X


def _flat(values: list[Any]) -> list[Any]:
    """Take items out of samples of one item each, which are no numbers."""
    inside = (*ONE_SAMPLE, Form.OTHER)
    wrapped = (isinstance(item, list) and len(item) == 1 and form_of(item[0]) in inside for item in values)
    return _unwrapped([item[0] for item in values] if values and all(wrapped) else values)


def _unwrapped(values: list[Any]) -> list[Any]:
    """Take bytes and paths out of what Hugging Face's data sets keep them in, ``{"bytes": …, "path": …}``."""
    if not any(isinstance(item, dict) for item in values):
        return values
    return [_stored(item) if isinstance(item, dict) and _is_stored(item) else item for item in values]


def _is_stored(item: dict[Any, Any]) -> bool:
    return bool(item) and set(item) <= {"bytes", "path"}


def _stored(item: dict[Any, Any]) -> Any:
    content = item.get("bytes")
    return item.get("path") if content is None else content


def _all_missing(column: list[Any]) -> bool:
    return all(item is None for item in column)
