"""Imports of Keras, and of optional packages."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from functools import lru_cache
from typing import Any

BACKENDS = {"tensorflow": "cpu", "torch": "torch", "jax": "jax"}


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


def check_backend(backend: str) -> None:
    """Raise a RuntimeError for a backend of Keras that skltransfer does not run on."""
    if backend not in BACKENDS:
        raise RuntimeError(
            f"Keras runs on {backend!r}; expected tensorflow, torch or jax. Set the environment variable KERAS_BACKEND "
            "to one of them before Keras is imported."
        )


@lru_cache
def version(package: str) -> str:
    """Return the version of a package, or nothing if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


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
    RuntimeError
        If ``KERAS_BACKEND`` names a backend that skltransfer does not run on.
    """
    check_backend(os.environ.get("KERAS_BACKEND") or "tensorflow")
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
