"""The goal of domain adaptation."""

from __future__ import annotations

from dataclasses import dataclass

from skltransfer._heads.goal import Decisions
from skltransfer.adaptation._methods import METHODS, Method


@dataclass(frozen=True)
class Adaptation(Decisions):
    """Decisions of one task that carry over from domains with labels to domains without.

    Parameters
    ----------
    method : Method
        How the domains are brought together.
    samples : tuple of int
        Samples of each domain in a batch, the sources first.
    n_sources : int
        How many of them are sources.
    deep : bool
        Whether what is brought together is above the hidden layers, and not below them.
    """

    method: Method = METHODS["source_only"]
    samples: tuple[int, ...] = ()
    n_sources: int = 1
    deep: bool = True
