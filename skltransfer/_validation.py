"""Checks and error sentences that every room shares."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


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


def check_split(share: float, n_samples: int, classes: NDArray[np.intp] | None, groups: Any) -> None:
    """Tell before it is tried that samples cannot be held out.

    Parameters
    ----------
    share : float
        Share of the samples to hold out.
    n_samples : int
        How many samples there are.
    classes : ndarray of shape (n_samples,) or None
        Class of each sample, if each class has to be on both sides.
    groups : array-like of shape (n_samples,) or None
        Samples of one group stay together.

    Raises
    ------
    ValueError
        If a side would be empty, or without some class.
    """
    n_held = math.ceil(share * n_samples)
    counts = np.array([n_samples]) if classes is None else np.unique(classes, return_counts=True)[1]
    if groups is not None and len(np.unique(groups)) < 2:
        raise ValueError("groups: expected at least 2 groups, one to hold out. Got 1; pass X_val and y_val instead.")
    if min(counts) < 2:
        raise ValueError(
            "early_stopping holds out samples of each class, so it needs 2 of each. Got a class with 1 sample; add samples, "
            "pass X_val and y_val, or early_stopping=False."
        )
    if groups is None and min(n_held, n_samples - n_held) < len(counts):
        raise ValueError(
            f"validation_fraction={share:g} of {n_samples} samples holds out {n_held} of them. Expected at least "
            f"{len(counts)} samples on each side, one of each class; pass another validation_fraction, or X_val and y_val."
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
