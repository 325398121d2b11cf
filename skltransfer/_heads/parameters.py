"""Heads as parameters of the estimators."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from sklearn.base import BaseEstimator

from skltransfer._heads.head import HeadLayers


class MLPHead(BaseEstimator):
    """Dense layers with ReLU between the features and the decisions.

    Parameters
    ----------
    hidden : sequence of int, default=(128,)
        Units of each layer.
    dropout : float, default=0.0
        Dropout rate of the units in training.

    Examples
    --------
    >>> from skltransfer import MLPHead
    >>> MLPHead(hidden=(64,), dropout=0.2)
    MLPHead(dropout=0.2, hidden=(64,))
    """

    def __init__(self, hidden: Sequence[int] = (128,), *, dropout: float = 0.0) -> None:
        self.hidden = hidden
        self.dropout = dropout


class AttentionHead(BaseEstimator):
    """Learned weights of the places of a grid or sequence, then a linear layer.

    Each query weighs all places by a softmax of how well they match it, and averages its own
    share of the channels with these weights. Training starts from equal weights, which is
    average pooling. On a frozen pretrained network the queries learn below the solved linear
    layer, which is solved again in the end; else all learn together.

    It shows where it looks. On a frozen network, "linear" is as accurate or better.

    Parameters
    ----------
    n_heads : int, default=1
        Queries; the channels are shared out among them as evenly as possible.
    dropout : float, default=0.0
        Dropout rate of the pooled features in training.

    References
    ----------
    Lee et al., "Set Transformer: A Framework for Attention-based Permutation-Invariant
    Neural Networks", ICML 2019 (pooling by learned queries).

    Examples
    --------
    >>> from skltransfer import AttentionHead
    >>> AttentionHead(n_heads=4)
    AttentionHead(n_heads=4)
    """

    def __init__(self, n_heads: int = 1, *, dropout: float = 0.0) -> None:
        self.n_heads = n_heads
        self.dropout = dropout


NAMED: dict[str, Any] = {"linear": MLPHead(hidden=()), "mlp": MLPHead(), "attention": AttentionHead()}


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
