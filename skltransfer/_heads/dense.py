"""Heads with hidden layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator

from skltransfer._heads.solver import BLOCK_SAMPLES, LinearHead
from skltransfer._utils.types import Floats


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
        """Return decision values of shape (n_samples, n_outputs)."""
        return np.concatenate(
            [self._block(features[i : i + BLOCK_SAMPLES]) for i in range(0, len(features), BLOCK_SAMPLES)]
        )

    def slopes(self, features: Floats, directions: Floats) -> Floats:
        """Return the gradient, by the features of each sample, of its decision values times its direction."""
        open_units, x = [], features
        for kernel, bias in self.hidden:
            x = np.maximum(x @ kernel + bias, 0.0)
            open_units.append(x > 0)
        slopes = self.last.slopes(x, directions)
        for (kernel, _), passes in zip(reversed(self.hidden), reversed(open_units), strict=True):
            slopes = (slopes * passes) @ kernel.T
        return slopes

    def below(self, x: Floats) -> Floats:
        """Return what the last hidden layer gives."""
        for kernel, bias in self.hidden:
            x = np.maximum(x @ kernel + bias, 0.0)
        return x

    def _block(self, x: Floats) -> Floats:
        return self.last(self.below(x))
