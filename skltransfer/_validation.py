"""Checks and error sentences that every room shares."""

from __future__ import annotations

import difflib
import importlib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def check_split(share: float, n_rows: int, classes: NDArray[np.intp] | None, groups: Any) -> None:
    """Tell before it is tried that rows cannot be held out.

    Parameters
    ----------
    share : float
        Share of the rows to hold out.
    n_rows : int
        How many rows there are.
    classes : ndarray of shape (n_rows,) or None
        Class of each row, if each class has to be on both sides.
    groups : array-like of shape (n_rows,) or None
        Rows of one group stay together.

    Raises
    ------
    ValueError
        If a side would be empty, or without some class.
    """
    n_held = math.ceil(share * n_rows)
    counts = np.array([n_rows]) if classes is None else np.unique(classes, return_counts=True)[1]
    if groups is not None and len(np.unique(groups)) < 2:
        raise ValueError("groups: expected at least 2 groups, one to hold out. Got 1; pass X_val and y_val instead.")
    if min(counts) < 2:
        raise ValueError(
            "early_stopping holds out rows of each class, so it needs 2 of each. Got a class with 1 row; add rows, "
            "pass X_val and y_val, or early_stopping=False."
        )
    if groups is None and min(n_held, n_rows - n_held) < len(counts):
        raise ValueError(
            f"validation_fraction={share:g} of {n_rows} rows holds out {n_held} of them. Expected at least "
            f"{len(counts)} rows on each side, one of each class; pass another validation_fraction, or X_val and y_val."
        )


def check_held(classes: NDArray[np.intp] | None, held: NDArray[np.intp]) -> None:
    """Raise ValueError if whole groups held out leave a side without some class."""
    if classes is None:
        return
    wanted, kept = set(classes.tolist()), np.delete(classes, held)
    if set(classes[held].tolist()) != wanted or set(kept.tolist()) != wanted:
        raise ValueError(
            "early_stopping found no whole groups to hold out such that each class is on both sides. Pass X_val and "
            "y_val, or a larger validation_fraction."
        )
