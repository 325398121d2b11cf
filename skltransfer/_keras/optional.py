"""Imports of optional packages."""

from __future__ import annotations

import importlib
import importlib.metadata
from functools import lru_cache
from typing import Any


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


@lru_cache
def version(package: str) -> str:
    """Return the version of a package, or nothing if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
