"""Checks and error sentences that every room shares."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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
