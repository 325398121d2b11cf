"""Digests of content."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from pathlib import PurePath
from types import BuiltinFunctionType, CodeType, EllipsisType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

DIGEST_BYTES = 16

PLAIN = bool | int | float | complex | str | bytes | None | EllipsisType
"""What a `repr` tells all of."""


def content_hash(*parts: Any) -> bytes:
    """Digest of 16 bytes that depends on the values, dtypes and shapes of the parts.

    Parameters
    ----------
    *parts : contiguous ndarrays, bytes or str
        What to digest.

    Returns
    -------
    bytes
        The first 16 bytes of a SHA-256.

    Examples
    --------
    >>> import numpy as np
    >>> content_hash(np.zeros(2)) == content_hash(np.zeros(2))
    True
    >>> content_hash(np.zeros(2)) == content_hash(np.zeros(2, dtype="float32"))
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(part.reshape(-1).view(np.uint8).data if part.size else b"")  # bfloat16 has no buffer
        else:
            digest.update(part.encode() if isinstance(part, str) else part)
    return digest.digest()[:DIGEST_BYTES]


def value_digest(value: Any, name: str = "value") -> bytes:
    """Digest of a value by its content: equal in every process, and different for any other content.

    Parameters
    ----------
    value : object
        Numbers, strings, bytes, None, arrays, paths, enumerations, dataclasses, tuples, lists,
        sets, mappings, functions, classes and modules, nested in any way; samples, that is,
        objects with a ``digest(position)`` for each of them; and objects that have a
        ``fingerprint`` of text.
    name : str
        What the value is called in errors.

    Returns
    -------
    bytes
        The first 16 bytes of a SHA-256.

    Raises
    ------
    TypeError
        If there is anything else in it: nothing is left out, and no address in memory counts.

    Examples
    --------
    >>> value_digest({"a": 1, "b": (2.0, None)}) == value_digest({"b": (2.0, None), "a": 1})
    True
    >>> value_digest([1, 2]) == value_digest([[1], 2])
    False
    """
    return _Digest().of(value, name)


class _Digest:
    """One recursive digest, which knows which functions and classes it is inside of."""

    def __init__(self) -> None:
        self._inside: list[Any] = []

    def of(self, value: Any, name: str) -> bytes:
        for kinds, digest in _DIGESTS:
            if isinstance(value, kinds):
                return digest(self, value, name)
        if _importable(value):
            return self.joined("named", value.__module__, value.__qualname__)
        if isinstance(getattr(value, "fingerprint", None), str):
            return self.joined(_kind(value), value.fingerprint)
        if callable(getattr(value, "digest", None)):
            return self.joined(_kind(value), len(value), *(value.digest(position) for position in range(len(value))))
        if is_dataclass(value):
            parts = [
                (field.name, self.of(getattr(value, field.name), f"{name}.{field.name}")) for field in fields(value)
            ]
            return self.joined(_kind(value), *(part for pair in parts for part in pair))
        raise TypeError(
            f"{name}: expected numbers, text, arrays, functions, dataclasses, or tuples, lists and dicts of them, "
            f"which differ by their content. Got an object of {_kind(value)}."
        )

    def joined(self, *parts: Any) -> bytes:
        """Digest of parts, each with its length, so that no two lists of parts are alike."""
        digest = hashlib.sha256()
        for part in parts:
            encoded = part if isinstance(part, bytes) else str(part).encode(errors="surrogatepass")
            digest.update(f"{type(part).__name__}{len(encoded)}:".encode())
            digest.update(encoded)
        return digest.digest()[:DIGEST_BYTES]

    def plain(self, value: Any, name: str) -> bytes:
        return self.joined(_kind(value), repr(value))

    def array(self, value: Any, name: str) -> bytes:
        array = np.asarray(value)
        if array.dtype.hasobject:
            return self.joined("array", array.shape, self.of(array.ravel().tolist(), name))
        return self.joined("array", array.dtype.descr, array.shape, content_hash(np.ascontiguousarray(array)))

    def sequence(self, value: Any, name: str) -> bytes:
        places = getattr(value, "_fields", range(len(value)))
        return self.joined(
            _kind(value), *(self.of(part, f"{name}[{place}]") for place, part in zip(places, value, strict=True))
        )

    def mapping(self, value: Any, name: str) -> bytes:
        pairs = sorted(self.of(key, name) + self.of(part, f"{name}[{key!r}]") for key, part in value.items())
        return self.joined("mapping", *pairs)

    def unordered(self, value: Any, name: str) -> bytes:
        return self.joined("set", *sorted(self.of(part, name) for part in value))

    def partial(self, value: Any, name: str) -> bytes:
        return self.joined("partial", *(self.of(part, name) for part in (value.func, value.args, value.keywords)))

    def method(self, value: Any, name: str) -> bytes:
        return self.joined("method", self.of(value.__func__, name), self.of(value.__self__, name))

    def builtin(self, value: Any, name: str) -> bytes:
        owner = getattr(value, "__self__", None)
        bound = owner is not None and not isinstance(owner, ModuleType)
        where = self.joined("builtin", value.__module__, value.__qualname__)
        return self.joined(where, self.of(owner, name)) if bound else where

    def module(self, value: Any, name: str) -> bytes:
        return self.joined("module", value.__name__)

    def function(self, value: Any, name: str) -> bytes:
        where = self.joined("function", value.__module__, value.__qualname__)
        if value in self._inside:
            return where
        self._inside.append(value)
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        parts = {"defaults": value.__defaults__, "keywords": value.__kwdefaults__, **{n: _content(c) for n, c in cells}}
        parts |= {f"global {key}": part for key, part in _used_globals(value).items()}
        digest = self.joined(where, self.code(value.__code__, name), self.mapping(parts, name))
        self._inside.pop()
        return digest

    def code(self, value: CodeType, name: str) -> bytes:
        names = value.co_names, value.co_varnames, value.co_freevars
        return self.joined("code", value.co_code, *map(repr, names), self.of(value.co_consts, name))

    def type(self, value: type, name: str) -> bytes:
        where = self.joined("class", value.__module__, value.__qualname__)
        if value in self._inside:
            return where
        self._inside.append(value)
        codes = {
            key: self.code(part.__code__, name)
            for kind in value.__mro__
            for key, part in vars(kind).items()
            if isinstance(part, FunctionType)
        }
        self._inside.pop()
        return self.joined(where, self.mapping(codes, name))


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


def _used_globals(function: FunctionType) -> dict[str, Any]:
    """Plain data, and functions of the same module, that a function refers to."""
    everything = function.__globals__
    found = {key: everything[key] for key in _names(function.__code__) if key in everything}
    return {
        key: part
        for key, part in found.items()
        if isinstance(part, PLAIN | tuple | np.ndarray)
        or (isinstance(part, FunctionType) and part.__module__ == function.__module__)
    }


def _names(code: CodeType) -> set[str]:
    inner = (part for part in code.co_consts if isinstance(part, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _importable(value: Any) -> bool:
    """Tell whether a value is what its module has by its name."""
    found: Any = sys.modules.get(getattr(value, "__module__", None) or "")
    for part in str(getattr(value, "__qualname__", "")).split("."):
        found = getattr(found, part, None)
    return found is value


_DIGESTS: list[tuple[Any, Callable[[_Digest, Any, str], bytes]]] = [
    (np.ndarray | np.generic, _Digest.array),
    (PLAIN | Enum | np.dtype | range | slice | PurePath, _Digest.plain),
    (tuple | list, _Digest.sequence),
    (Mapping, _Digest.mapping),
    (set | frozenset, _Digest.unordered),
    (partial, _Digest.partial),
    (FunctionType, _Digest.function),
    (MethodType, _Digest.method),
    (BuiltinFunctionType, _Digest.builtin),
    (CodeType, _Digest.code),
    (ModuleType, _Digest.module),
    (type, _Digest.type),
]
"""How each kind of value is digested; the first that fits."""
