"""Heads with hidden layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skltransfer.heads._linear import BLOCK_ROWS, Floats, LinearHead


class MLPHead(BaseEstimator):
    """Dense layers with ReLU between the features and the decisions.

    Parameters
    ----------
    hidden : sequence of int, default=(128,)
        Units of each layer.
    dropout : float, default=0.0
        Share of units that are left out, at random, in each step of the training.

    Examples
    --------
    >>> from skltransfer import MLPHead
    >>> MLPHead(hidden=(64,), dropout=0.2)
    MLPHead(dropout=0.2, hidden=(64,))
    """

    def __init__(self, hidden: Sequence[int] = (128,), *, dropout: float = 0.0) -> None:
        self.hidden = hidden
        self.dropout = dropout


@dataclass(frozen=True, eq=False)
class DenseHead:
    """A trained head with hidden layers.

    Parameters
    ----------
    hidden : tuple of (kernel, bias)
        The layers with ReLU.
    last : LinearHead
        From the last hidden layer to decision values.
    """

    hidden: tuple[tuple[Floats, Floats], ...]
    last: LinearHead

    def __call__(self, features: Floats) -> Floats:
        """Return decision values of shape (n_rows, n_outputs)."""
        return np.concatenate([self._block(features[i : i + BLOCK_ROWS]) for i in range(0, len(features), BLOCK_ROWS)])

    def _block(self, x: Floats) -> Floats:
        for kernel, bias in self.hidden:
            x = np.maximum(x @ kernel + bias, 0.0)
        return self.last(x)


Head = LinearHead | DenseHead


def head_arrays(head: Head) -> list[Floats]:
    """Kernel and bias of each layer, as a network takes them."""
    hidden, last = (head.hidden, head.last) if isinstance(head, DenseHead) else ((), head)
    return [array for pair in (*hidden, (last.coef, last.intercept)) for array in pair]


def head_from_arrays(arrays: Sequence[Floats], n_iter: int) -> Head:
    """Make a head of kernels and biases, the linear layer last."""
    pairs = list(zip(arrays[::2], arrays[1::2], strict=True))
    last = LinearHead(*pairs[-1], n_iter)
    return DenseHead(tuple(pairs[:-1]), last) if len(pairs) > 1 else last


def head_layers(head: Any) -> tuple[tuple[int, ...], float]:
    """Settle hidden units and dropout of ``head``: "linear", "mlp" or an `MLPHead`.

    Raises
    ------
    ValueError
        If it is none of these, or its values cannot be used.
    """
    if isinstance(head, str) and head in ("linear", "mlp"):
        return head_layers(MLPHead(hidden=())) if head == "linear" else head_layers(MLPHead())
    if not isinstance(head, MLPHead):
        raise ValueError(f"The 'head' parameter must be 'linear', 'mlp' or MLPHead(…). Got {head!r} instead.")
    hidden = tuple(head.hidden) if isinstance(head.hidden, Sequence) else (0,)
    if any(not isinstance(units, int | np.integer) or units < 1 for units in hidden):
        raise ValueError(f"MLPHead(hidden=…): expected whole numbers of units of at least 1. Got {head.hidden!r}.")
    if not 0 <= head.dropout < 1:
        raise ValueError(f"MLPHead(dropout=…): expected a share from 0 to below 1. Got {head.dropout!r}.")
    return tuple(map(int, hidden)), float(head.dropout)
