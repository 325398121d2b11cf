"""Whether values of a file are of the types that their fields are annotated with."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np


@lru_cache
def hints_of(cls: Any) -> Mapping[str, Any]:
    """Return the annotations of a class."""
    return get_type_hints(cls)


def fits(value: Any, hint: Any) -> bool:
    """Tell whether a value is of an annotated type.

    Examples
    --------
    >>> fits((1, None), tuple[int | None, ...]), fits((1, "a"), tuple[int, int])
    (True, False)
    """
    kind, inner = get_origin(hint) or hint, get_args(hint)
    if kind is Any:
        return True
    if kind in (Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if kind is Literal:
        return value in inner
    if kind is tuple:
        return isinstance(value, tuple) and _fit_each(value, inner)
    if kind in (list, Sequence):
        return isinstance(value, list | tuple) and all(fits(item, inner[0]) for item in value)
    if kind is Mapping:
        return isinstance(value, Mapping) and all(
            fits(key, inner[0]) and fits(item, inner[1]) for key, item in value.items()
        )
    if kind in (float, int, bool):
        return isinstance(value, _NUMBERS[kind]) and (kind is bool) == isinstance(value, bool | np.bool_)
    return callable(value) if kind is Callable else isinstance(value, kind)


_NUMBERS: dict[Any, Any] = {float: Real, int: Integral, bool: bool | np.bool_}


def _fit_each(values: tuple[Any, ...], hints: tuple[Any, ...]) -> bool:
    if len(hints) == 2 and hints[1] is Ellipsis:
        return all(fits(value, hints[0]) for value in values)
    return len(values) == len(hints) and all(map(fits, values, hints))


def may_have(cls: Any, name: str) -> bool:
    """Tell whether an estimator may have an attribute: a parameter, or what a fit leaves.

    Examples
    --------
    >>> from sklearn.pipeline import Pipeline
    >>> may_have(Pipeline, "steps"), may_have(Pipeline, "note_"), may_have(Pipeline, "predict")
    (True, True, False)
    """
    left = name.isidentifier() and name.strip("_") != name and not hasattr(cls, name)
    return name in cls._get_param_names() or left


def check_parameters(estimator: Any) -> None:
    """Raise ValueError if a fitted estimator has parameters of another type than it takes."""
    if any(name.endswith("_") for name in vars(estimator)) and hasattr(estimator, "_parameter_constraints"):
        estimator._validate_params()
