"""Estimators of scikit-learn, as bytes of skops."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection
from typing import Any

import numpy as np

from skltransfer._keras.optional import import_optional
from skltransfer._utils.types import Array


class UntrustedError(ValueError):
    """A file holds classes that a user has to trust, and has not."""


def is_of_sklearn(value: Any) -> bool:
    """Tell whether a value is an estimator of scikit-learn itself."""
    return type(value).__module__.split(".")[0] == "sklearn" and hasattr(value, "get_params")


def to_bytes(step: Any, place: str) -> Array:
    """Write an estimator of scikit-learn.

    Raises
    ------
    TypeError
        If it holds something else than scikit-learn and NumPy have.
    ImportError
        If skops is not installed.
    """
    skops = _skops()
    try:
        data = skops.dumps(step)
        unknown = skops.get_untrusted_types(data=data)
    except Exception as error:  # skops passes on what pickling of anything inside raises
        raise TypeError(
            f"{place}: a {type(step).__name__} that skops cannot write ({error}). Expected an estimator of "
            "scikit-learn with values of scikit-learn and NumPy; keep this pipeline with joblib.dump."
        ) from error
    if foreign := _foreign(unknown):
        raise TypeError(
            f"{place}: a {type(step).__name__} holds {', '.join(foreign)}. Expected what scikit-learn and NumPy have; "
            f"{_remedy(foreign)}."
        )
    return np.frombuffer(data, np.uint8)


def from_bytes(content: Array, trusted: Collection[str]) -> Any:
    """Read what `to_bytes` wrote.

    Parameters
    ----------
    content : ndarray of bytes
        What was written.
    trusted : collection of str
        Classes that skops does not make of a file unless they are trusted, such as trees.

    Raises
    ------
    UntrustedError
        If it holds others of these.
    ValueError
        If it holds something else than scikit-learn and NumPy have, or cannot be read.
    ImportError
        If skops is not installed.
    """
    skops, data = _skops(), content.tobytes()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            n_bytes = sum(entry.file_size for entry in archive.infolist())
        if n_bytes > len(data):
            raise ValueError(f"{n_bytes} bytes in a step of {len(data)}")
        named = skops.get_untrusted_types(data=data)
        foreign = _foreign(named)
        unknown = [name for name in named if name not in trusted]
        step = None if foreign or unknown else skops.loads(data, trusted=named)
    except Exception as error:  # skops passes on what any class inside raises
        raise ValueError(f"a step that skops cannot read: {error}") from error
    if foreign:
        raise ValueError(f"a step with {', '.join(foreign)}, which neither scikit-learn nor NumPy has")
    if unknown:
        raise UntrustedError(
            f"holds {', '.join(unknown)}, which a damaged or malicious file can make crash, or worse. If you trust who "
            f"wrote it, pass trusted={named!r} to skltransfer.load."
        )
    if not is_of_sklearn(step):
        raise ValueError(f"a step that is a {type(step).__name__}")
    return step


def _skops() -> Any:
    return import_optional("skops.io", extra="export", purpose="A file of a pipeline with steps of scikit-learn")


def _foreign(names: list[str]) -> list[str]:
    """Keep the names of what is not scikit-learn's own, which no file needs to have trusted."""
    return [name for name in names if name.split(".")[0] != "sklearn"]


def _remedy(unknown: list[str]) -> str:
    if any(name.startswith("skltransfer.") for name in unknown):
        return "save the estimator of skltransfer in it, such as search.best_estimator_, or a Pipeline with it"
    return "replace that part, or keep this pipeline with joblib.dump"
