"""Checks and error sentences that every room shares."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from typing import Any

BACKENDS = {"tensorflow": "cpu", "torch": "torch", "jax": "jax"}


def unknown_name(parameter: str, got: object, known: Iterable[str]) -> ValueError:
    """Say which names are known and which one was probably meant.

    Parameters
    ----------
    parameter : str
        Name of the parameter that holds the unknown name.
    got : object
        The value that was passed.
    known : iterable of str
        The names that would have been accepted.

    Returns
    -------
    ValueError
        The error, ready to be raised.

    Examples
    --------
    >>> str(unknown_name("pooling", "agv", ["avg", "max"]))
    "Got pooling='agv'; known: 'avg', 'max'. Did you mean 'avg'?"
    """
    names = list(known)
    by_lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(str(got).lower(), by_lower, n=1, cutoff=0.5)
    listed = ", ".join(map(repr, names[:12])) + (", …" if len(names) > 12 else "")
    hint = f" Did you mean {by_lower[close[0]]!r}?" if close else ""
    return ValueError(f"Got {parameter}={got!r}; known: {listed}.{hint}")


def import_optional(module: str, *, extra: str, purpose: str) -> Any:
    """Import an optional package, or say how to install it.

    Parameters
    ----------
    module : str
        Module to import.
    extra : str
        The pip extra of skltransfer that brings it.
    purpose : str
        What needs it, as the start of the error sentence.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    ImportError
        If the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'{purpose} needs {module!r}, which is not installed. Run: pip install "skltransfer[{extra}]"'
        ) from error


def import_keras() -> Any:
    """Import Keras with whichever backend is installed.

    Returns
    -------
    module
        The ``keras`` module.

    Raises
    ------
    ImportError
        If the backend that Keras is set to use is not installed.
    """
    try:
        return importlib.import_module("keras")
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in {*BACKENDS, "keras"}:
            raise
        raise ImportError(
            f"Keras needs a backend, and {missing!r} is not installed. "
            'Run: pip install "skltransfer[cpu]" for TensorFlow (the fastest on a CPU), or install '
            '"skltransfer[torch]" or "skltransfer[jax]" and set the environment variable KERAS_BACKEND to torch or jax.'
        ) from error
