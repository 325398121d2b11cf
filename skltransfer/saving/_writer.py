"""Values as facts that JSON can hold, and arrays beside them."""

from __future__ import annotations

import base64
import math
import os
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils._metadata_requests import MetadataRequest

from skltransfer._inputs.kind import SampleKind
from skltransfer._utils.types import Array
from skltransfer.backbones._registry import load_backbone
from skltransfer.saving._arrays import written
from skltransfer.saving._checks import check_parameters, may_have
from skltransfer.saving._classes import ESTIMATORS, PARAMETERS, VALUES
from skltransfer.saving._steps import is_of_sklearn, to_bytes

SEQUENCES: dict[Any, str] = {tuple: "tuple", set: "set", frozenset: "frozenset"}
CAN_BE = (
    "numbers, strings, arrays, paths, lists, dicts, random states, values and estimators of skltransfer, and "
    "estimators of scikit-learn"
)


class Writer:
    """Turn a value into facts and arrays; what occurs in several places is written once.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Arrays by name.
    objects : list
        What is referred to by its number; it refers to earlier ones only.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self.objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []

    def facts(self, value: Any, place: str) -> Any:
        """Describe a value.

        Parameters
        ----------
        value : object
            What is written.
        place : str
            Where it is, for an error sentence.

        Raises
        ------
        TypeError
            If it cannot be written.
        """
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind is list:
            return [self.facts(item, f"{place}[{number}]") for number, item in enumerate(value)]
        if kind in SEQUENCES:
            return {SEQUENCES[kind]: [self.facts(item, f"{place}[{number}]") for number, item in enumerate(value)]}
        if kind is dict:
            pairs = [[self.facts(key, place), self.facts(item, f"{place}[{key!r}]")] for key, item in value.items()]
            return {"dict": pairs}
        small = _small_facts(value)
        return small if small is not None else {"ref": self._number(value, place)}

    def _number(self, value: Any, place: str) -> int:
        """Write a value once, and return its number."""
        if id(value) not in self._numbers:
            facts = self._object(value, place)
            self._kept.append(value)  # as long as it lives, no other value has its id
            self._numbers[id(value)] = len(self.objects)
            self.objects.append(facts)
        return self._numbers[id(value)]

    def _object(self, value: Any, place: str) -> Any:
        name = type(value).__name__
        if isinstance(value, np.ndarray | np.generic):
            return self._array(value, place)
        if VALUES.get(name) is type(value):
            return {"value": name, "fields": self._fields(value, place)}
        if ESTIMATORS.get(name) is type(value) or PARAMETERS.get(name) is type(value):
            check_parameters(value)
            return {"estimator": name, "attributes": self._attributes(value, name)}
        if isinstance(value, np.random.RandomState):
            return {"random_state": self.facts(value.get_state(legacy=False), place)}
        if type(value) is FrozenEstimator:
            return {"frozen": self.facts(value.estimator, f"{place}.estimator")}
        if type(value) is Pipeline and holds_own(value):
            return {"pipeline": self._attributes(value, name)}
        if is_of_sklearn(value):
            self.arrays[str(len(self.arrays))] = to_bytes(value, place)
            return {"skops": str(len(self.arrays) - 1)}
        raise refused(value, place)

    def _array(self, value: Any, place: str) -> dict[str, Any]:
        array = value if isinstance(value, np.ndarray) else np.asarray(value)
        scalar = {} if array is value else {"scalar": True}
        if array.dtype.kind == "O":
            items = [self.facts(item, place) for item in array.ravel().tolist()]
            return {"objects": items, "shape": list(array.shape)}
        try:
            return {**written(array, str(len(self.arrays)), self.arrays), **scalar}
        except TypeError as error:
            raise TypeError(f"{place}: {error}. Expected an array of numbers, strings, times or objects.") from None

    def _fields(self, value: Any, place: str) -> dict[str, Any]:
        names = [field.name for field in fields(value)] if is_dataclass(value) else value._fields
        return {name: self.facts(getattr(value, name), f"{place}.{name}") for name in names}

    def _attributes(self, estimator: Any, name: str) -> dict[str, Any]:
        """Describe parameters and what was learned; a Keras network that was passed in becomes a `Backbone`."""
        found = {}
        for attribute, value in vars(estimator).items():
            if not may_have(type(estimator), attribute):
                raise TypeError(
                    f"{name}.{attribute} is neither a parameter nor what a fit leaves, which begins or ends with an "
                    f"underscore. Expected no other attributes. Got {value!r}; delete it from a copy."
                )
            if attribute == "_metadata_request" and isinstance(value, MetadataRequest):
                found[attribute] = self.facts(_requests(value), name)
            elif attribute in NETWORKS and hasattr(value, "get_config") and hasattr(value, "weights"):
                found[attribute] = self.facts(load_backbone(value), name)
            else:
                found[attribute] = self.facts(value, f"{name}.{attribute}")
        return found


NETWORKS = ("backbone", "student", "teacher")
"""Parameters that may be Keras networks."""


def _small_facts(value: Any) -> dict[str, Any] | None:
    """Describe a value that is written wherever it occurs."""
    if isinstance(value, SampleKind):
        return {"kind": value.name}
    if isinstance(value, PurePath):
        return {"path": os.fspath(value)}
    if type(value) is bytes:
        return {"bytes": base64.b64encode(value).decode()}
    return {"dtype": value.str} if isinstance(value, np.dtype) and value.kind not in "VO" else None


def _requests(request: MetadataRequest) -> dict[str, dict[str, Any]]:
    return {method: dict(asked) for method, asked in request._serialize().items()}


def holds_own(value: Any) -> bool:
    """Tell whether there is an estimator of this package in a pipeline."""
    if isinstance(value, Pipeline):
        return any(holds_own(step) for _, step in value.steps)
    inner = value.estimator if isinstance(value, FrozenEstimator) else value
    return ESTIMATORS.get(type(inner).__name__) is type(inner)


def refused(value: Any, place: str) -> TypeError:
    """Return an error that says what cannot be written, and what to do."""
    what = f"the function {value.__qualname__}" if hasattr(value, "__qualname__") else f"a {type(value).__name__}"
    parameter = place.partition("[")[0].rpartition(".")[2]
    if parameter == "_skl_callbacks":
        remedy = "take callbacks out with set_callbacks()"
    elif parameter == "memory":
        remedy = "pass the folder as a path, or take it out of a copy with set_params(memory=None)"
    elif parameter in NETWORKS:
        remedy = f"name it with register_backbone, or set_params({parameter}=load_backbone(…)) with what it makes of it"
    else:
        remedy = f"pass a name where there is one, or take it out of a copy with set_params({parameter}=None)"
    return TypeError(f"{place}: {what} cannot be written. Expected {CAN_BE}; {remedy}. joblib.dump keeps anything.")
