"""What `Writer` made, as the values that they were."""

from __future__ import annotations

import base64
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skltransfer._inputs.recognition import SAMPLE_KINDS
from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._checks import check_network
from skltransfer.saving._arrays import read
from skltransfer.saving._checks import check_parameters, fits, hints_of, may_have
from skltransfer.saving._classes import ESTIMATORS, HINTS, LEARNED, PARAMETERS, VALUES
from skltransfer.saving._consistency import check_fitted
from skltransfer.saving._steps import from_bytes

FLOATS = {"nan", "inf", "-inf"}


class Reader:
    """Make values of facts, each of a class in an explicit list.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Arrays by name.
    objects : list
        What is referred to by its number.
    trusted : collection of str
        Classes of scikit-learn that are made where a step needs them, see `from_bytes`.
    """

    def __init__(self, arrays: Mapping[str, Array], objects: Any, trusted: Collection[str] = ()) -> None:
        self._arrays, self._trusted = arrays, trusted
        self._made: list[Any] = []
        if not isinstance(objects, list):
            raise TypeError(f"expected a list of objects. Got {_short(objects)}")
        for facts in objects:
            self._made.append(self._object(facts))

    def value(self, facts: Any) -> Any:
        """Return what is described.

        Raises
        ------
        ValueError, TypeError, KeyError, IndexError
            If nothing is.
        """
        if facts is None or isinstance(facts, bool | int | float | str):
            return facts
        if isinstance(facts, list):
            return [self.value(item) for item in facts]
        tag, content = _only(facts)
        if tag == "ref":
            return self._referred(content)
        if tag == "dict":
            return {self.value(key): self.value(item) for key, item in content}
        if tag in _SEQUENCES:
            return _SEQUENCES[tag](self.value(item) for item in content)
        return _small_value(tag, content)

    def _referred(self, number: Any) -> Any:
        if type(number) is not int or not 0 <= number < len(self._made):
            raise ValueError(f"expected the number of an earlier object. Got {_short(number)}")
        return self._made[number]

    def _object(self, facts: Any) -> Any:
        if not isinstance(facts, dict):
            raise TypeError(f"expected an object. Got {_short(facts)}")
        if "value" in facts:
            return self._instance(facts["value"], facts["fields"])
        if "estimator" in facts:
            return self._estimator(facts["estimator"], facts["attributes"])
        if "array" in facts:
            array = read(facts, self._arrays)
            return array[()] if facts.get("scalar") else array
        if "objects" in facts:
            return self._of_objects(facts["objects"], facts["shape"])
        tag, content = _only(facts)
        if tag not in _MAKERS:
            raise ValueError(f"expected a known kind of object. Got {_short(tag)}")
        return _MAKERS[tag](self, content)

    def _of_objects(self, items: Any, shape: Any) -> Array:
        array = np.empty(len(items), dtype=object)
        array[:] = [self.value(item) for item in items]
        return array.reshape([int(length) for length in shape])

    def _instance(self, name: Any, facts: Any) -> Any:
        """Make an immutable value."""
        cls = _class_of(name, VALUES)
        known, values = _fields(cls), {key: self.value(fact) for key, fact in facts.items()}
        missing = {key for key, optional in known.items() if not optional} - set(values)
        if missing or set(values) - set(known):
            raise ValueError(f"{name}: expected the fields {', '.join(known)}. Got {', '.join(values)}")
        for key, value in values.items():
            hint = HINTS.get(key, hints_of(cls)[key])
            if not fits(value, hint):
                raise TypeError(f"{name}.{key}: expected {hint}. Got a {type(value).__name__}")
        made = cls(**values)
        if isinstance(made, Backbone):
            check_network(made)
        return made

    def _estimator(self, name: Any, facts: Any) -> Any:
        """Make an estimator of its parameters and of what it learned, without a call of its own."""
        cls = _class_of(name, {**ESTIMATORS, **PARAMETERS})
        made = cls.__new__(cls)
        values = {key: self.value(fact) for key, fact in facts.items()}
        requests = values.pop("_metadata_request", {})
        names = cls._get_param_names()
        for key, value in {**_defaults(cls), **values}.items():
            if not may_have(cls, key):
                raise ValueError(f"{name}: expected what a fit leaves. Got {key!r}")
            setattr(made, key, value)
        if missing := set(names) - set(vars(made)):
            raise ValueError(f"{name}: expected the parameters {', '.join(names)}. Got none of {', '.join(missing)}")
        _check_learned(cls, values)
        check_parameters(made)
        check_fitted(made)
        return _requesting(made, requests)

    def _pipeline(self, facts: Any) -> Any:
        """Make a pipeline."""
        values = {key: self.value(fact) for key, fact in facts.items()}
        requests = values.pop("_metadata_request", {})
        made = Pipeline([tuple(step) for step in values["steps"]])
        for key, value in values.items():
            if not may_have(Pipeline, key):
                raise ValueError(f"Pipeline: expected what a fit leaves. Got {key!r}")
            setattr(made, key, value)
        return _requesting(made, requests)

    def _random_state(self, facts: Any) -> np.random.RandomState:
        made = np.random.RandomState()
        made.set_state(self.value(facts))
        return made

    def _frozen(self, facts: Any) -> FrozenEstimator:
        return FrozenEstimator(self.value(facts))

    def _skops(self, name: Any) -> Any:
        return from_bytes(self._arrays[name], self._trusted)


_MAKERS: dict[str, Callable[[Reader, Any], Any]] = {
    "pipeline": Reader._pipeline,
    "random_state": Reader._random_state,
    "frozen": Reader._frozen,
    "skops": Reader._skops,
}
_SEQUENCES: dict[str, Callable[[Any], Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}


def _small_value(tag: str, content: Any) -> Any:
    if tag == "float" and content in FLOATS:
        return float(content)
    if tag == "kind":
        return SAMPLE_KINDS[content]
    if tag == "path":
        return Path(content)
    if tag == "bytes":
        return base64.b64decode(content, validate=True)
    if tag == "dtype" and np.dtype(str(content)).kind not in "VO":
        return np.dtype(str(content))
    raise ValueError(f"expected a known kind of value. Got {_short(tag)} with {_short(content)}")


def _class_of(name: Any, known: Mapping[str, Any]) -> Any:
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"expected a class among {', '.join(sorted(known))}. Got {_short(name)}")
    return known[name]


def _only(facts: Any) -> tuple[Any, Any]:
    if not isinstance(facts, dict) or len(facts) != 1:
        raise ValueError(f"expected one description of a value. Got {_short(facts)}")
    return next(iter(facts.items()))


def _fields(cls: Any) -> dict[str, bool]:
    """Return whether each field of a dataclass or named tuple may be left out, as files of older versions do."""
    if not is_dataclass(cls):
        return {name: name in cls._field_defaults for name in cls._fields}
    return {
        field.name: field.default is not MISSING or field.default_factory is not MISSING
        for field in fields(cls)
        if field.init
    }


def _defaults(cls: Any) -> dict[str, Any]:
    parameters = inspect.signature(cls).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not inspect.Parameter.empty}


def _check_learned(cls: Any, values: Mapping[str, Any]) -> None:
    """Raise TypeError if what a fit left is of another class than a fit leaves."""
    for name, kind in LEARNED.get(cls, {}).items():
        if name in values and type(values[name]) is not kind:
            raise TypeError(f"{cls.__name__}.{name}: expected a {kind.__name__}. Got a {type(values[name]).__name__}")
    teacher = values.get("teacher_")
    if teacher is not None:
        check_is_fitted(teacher)


def _requesting(made: Any, requests: Mapping[str, Mapping[str, Any]]) -> Any:
    """Let an estimator ask for metadata, as `set_fit_request` and the like did."""
    if not requests:
        return made
    found = made._get_metadata_request()
    for method, asked in requests.items():
        for parameter, alias in asked.items():
            getattr(found, method).add_request(param=parameter, alias=alias)
    made._metadata_request = found
    return made


def _short(value: Any) -> str:
    return repr(value)[:100]
