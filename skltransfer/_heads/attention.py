"""A head that weighs the places of a grid or sequence before it decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator

from skltransfer._heads.dense import DenseHead
from skltransfer._heads.solver import LinearHead
from skltransfer._utils.types import Floats

SMALLEST_SQUARE = 1e-12
"""Added to the mean square of a sample's features, so that a sample of zeros is no division by 0."""


class AttentionHead(BaseEstimator):
    """Learned weights of the places of a grid or sequence, then a linear layer.

    Each query weighs all places by a softmax of how well they match it, and averages its own
    share of the channels with these weights. TrainingSettings starts from equal weights, which is
    average pooling. On a frozen pretrained network the queries learn below the solved linear
    layer, which is solved again in the end; else all learn together.

    It shows where it looks. On a frozen network, "linear" is as accurate or better.

    Parameters
    ----------
    n_heads : int, default=1
        Queries; the channels are shared out among them as evenly as possible.
    dropout : float, default=0.0
        Share of the pooled features that are left out, at random, in each step of the
        training.

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


@dataclass(frozen=True, eq=False)
class AttendingHead:
    """A trained head that takes features before they are pooled.

    Parameters
    ----------
    queries : ndarray of shape (n_channels, n_heads)
        What each head looks for.
    then : LinearHead or DenseHead
        From pooled features to decision values.
    padded : bool
        Whether places of zeros are no places, but what samples are filled up with.
    """

    queries: Floats
    then: LinearHead | DenseHead
    padded: bool

    @property
    def last(self) -> LinearHead:
        """The linear layer."""
        return self.then if isinstance(self.then, LinearHead) else self.then.last

    def __call__(self, maps: Floats) -> Floats:
        """Return decision values of shape (n_samples, n_outputs) for features of shape (n_samples, ..., n_channels)."""
        return self.then(self.pool(maps))

    def weights(self, maps: Floats) -> Floats:
        """Return the weight of each place for each head, shape (n_samples, n_places, n_heads)."""
        x = _places(maps)
        present = np.any(x != 0, axis=2, keepdims=True) if self.padded else np.ones((*x.shape[:2], 1), bool)
        n_places = np.maximum(present.sum(axis=1, keepdims=True), 1).astype(x.dtype)
        square = np.mean(np.square(x), axis=2, keepdims=True).sum(axis=1, keepdims=True) / n_places
        scores = x @ self.queries / np.sqrt(x.shape[2] * (square + SMALLEST_SQUARE))
        scores = np.where(present, scores, np.finfo(scores.dtype).min)
        return softmax(scores, axis=1)

    def pool(self, maps: Floats) -> Floats:
        """Average the channels of each head over all places, by its weights."""
        x, weights = _places(maps), self.weights(maps)
        owner = head_of_channels(*self.queries.shape)
        return np.concatenate(
            [(weights[:, None, :, head] @ x[:, :, owner == head])[:, 0] for head in range(weights.shape[2])], axis=1
        )


def head_of_channels(n_channels: int, n_heads: int) -> NDArray[np.intp]:
    """Tell which head each channel belongs to.

    Examples
    --------
    >>> head_of_channels(5, 2).tolist()
    [0, 0, 0, 1, 1]
    """
    return np.repeat(np.arange(n_heads), [len(part) for part in np.array_split(np.arange(n_channels), n_heads)])


def average_places(blocks: Iterable[Floats], *, padded: bool) -> Floats:
    """Average features over their places, as heads do whose queries are 0.

    Parameters
    ----------
    blocks : iterable of ndarray of shape (n_samples, ..., n_channels)
        Some samples each.
    padded : bool
        See `AttendingHead`.

    Returns
    -------
    ndarray of shape (n_samples, n_channels)
    """
    averages = []
    for maps in blocks:
        x = _places(maps)
        present = np.any(x != 0, axis=2).sum(axis=1) if padded else np.full(len(x), x.shape[1])
        averages.append(x.sum(axis=1) / np.maximum(present, 1)[:, None].astype(x.dtype))
    return np.concatenate(averages)


def _places(maps: Floats) -> Floats:
    return maps.reshape(len(maps), -1, maps.shape[-1])
