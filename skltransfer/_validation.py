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
    names, likeness = list(known), difflib.SequenceMatcher(b=str(got).lower())

    def like(name: str) -> float:
        likeness.set_seq1(name.lower())
        return likeness.ratio()

    closest = max(names, key=like, default=None)  # the first of equally close ones
    listed = ", ".join(map(repr, names[:12])) + (", …" if len(names) > 12 else "")
    hint = f" Did you mean {closest!r}?" if closest is not None and like(closest) >= 0.5 else ""
    return ValueError(f"Got {parameter}={got!r}; known: {listed}.{hint}")
