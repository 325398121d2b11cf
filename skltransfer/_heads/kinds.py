"""What heads there are: as parameters, as layers of a network, and as arrays of it."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

from skltransfer._heads.attention import AttendingHead, AttentionHead
from skltransfer._heads.dense import DenseHead, MLPHead
from skltransfer._heads.solver import LinearHead
from skltransfer._utils.types import Floats

Head = LinearHead | DenseHead | AttendingHead

NAMED: dict[str, Any] = {"linear": MLPHead(hidden=()), "mlp": MLPHead(), "attention": AttentionHead()}


class HeadLayers(NamedTuple):
    """The layers of a head below its linear layer: units, share left out, and queries (0 pools by average)."""

    hidden: tuple[int, ...]
    dropout: float
    n_heads: int = 0


def head_arrays(head: Head) -> list[Floats]:
    """Return queries if there are any, then kernel and bias of each layer, as a network takes them."""
    if isinstance(head, AttendingHead):
        return [head.queries, *head_arrays(head.then)]
    hidden, last = (head.hidden, head.last) if isinstance(head, DenseHead) else ((), head)
    return [array for pair in (*hidden, (last.coef, last.intercept)) for array in pair]


def embedding(head: Head, features: Floats) -> Floats:
    """Return what the linear layer of a head decides on."""
    return head.below(features) if isinstance(head, DenseHead) else features


def head_from_arrays(arrays: Sequence[Floats], n_iter: int, *, padded: bool) -> Head:
    """Make a head of what `head_arrays` gives, the linear layer last."""
    if len(arrays) % 2:
        then = head_from_arrays(arrays[1:], n_iter, padded=padded)
        assert not isinstance(then, AttendingHead)
        return AttendingHead(arrays[0], then, padded)
    pairs = list(zip(arrays[::2], arrays[1::2], strict=True))
    last = LinearHead(*pairs[-1], n_iter)
    return DenseHead(tuple(pairs[:-1]), last) if len(pairs) > 1 else last


def head_layers(head: Any) -> HeadLayers:
    """Settle the layers of ``head``: "linear", "mlp", "attention", an `MLPHead` or an `AttentionHead`.

    Raises
    ------
    ValueError
        If it is none of these, or its values cannot be used.
    """
    if isinstance(head, str):
        head = NAMED.get(head, head)
    if not isinstance(head, MLPHead | AttentionHead):
        raise ValueError(
            "The 'head' parameter must be 'linear', 'mlp' or MLPHead(…), 'attention' or AttentionHead(…). Got "
            f"{head!r} instead."
        )
    if not 0 <= head.dropout < 1:
        kind = type(head).__name__
        raise ValueError(f"{kind}(dropout=…): expected a share from 0 to below 1. Got {head.dropout!r}.")
    if isinstance(head, AttentionHead):
        if not isinstance(head.n_heads, Integral) or head.n_heads < 1:
            raise ValueError(f"AttentionHead(n_heads=…): expected a whole number of at least 1. Got {head.n_heads!r}.")
        return HeadLayers((), float(head.dropout), int(head.n_heads))
    hidden = tuple(head.hidden) if isinstance(head.hidden, Sequence) else (0,)
    if any(not isinstance(units, Integral) or units < 1 for units in hidden):
        raise ValueError(f"MLPHead(hidden=…): expected whole numbers of units of at least 1. Got {head.hidden!r}.")
    return HeadLayers(tuple(map(int, hidden)), float(head.dropout))
