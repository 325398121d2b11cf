"""The methods of domain adaptation by name; each stands beside its loss, in the file of its family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from skltransfer._validation import unknown_name
from skltransfer.adaptation import _adversarial, _alignments, _discrepancies, _predictions
from skltransfer.adaptation._method import Method, Side, Step, Terms, no_terms

AUTO = "auto"
"""Chooses one of them in `fit`."""

METHODS: dict[str, Method] = {
    "source_only": Method(no_terms, by=None),
    "adabn": Method(no_terms, by=None, renormalizes=True),
    **_alignments.METHODS,
    **_discrepancies.METHODS,
    **_adversarial.METHODS,
    **_predictions.METHODS,
}


@dataclass(frozen=True)
class _Own:
    """Terms of a function of the source and the target; equal for equal functions."""

    distance: Callable[[Side, Side], Any]

    def __call__(self, step: Step) -> Terms:
        return {"own": step.strength * self.distance(step.source, step.target)}


def settle_method(method: Any) -> Method:
    """Find a method by its name, or make one of a function.

    Parameters
    ----------
    method : str or callable
        A name in `METHODS`, "auto" (which needs what "source_only" does, and becomes one of them in `fit`), or a
        function of two `Side` that gives a tensor of shape ().

    Raises
    ------
    ValueError
        If the name is not known.

    Examples
    --------
    >>> settle_method("dann").adversary
    'domains'
    """
    if isinstance(method, str) and method == AUTO:
        return METHODS["source_only"]
    if callable(method):
        return Method(_Own(method))
    if method not in METHODS:
        raise unknown_name("method", method, tuple(METHODS))
    return METHODS[method]
