"""A fitted head, as an immutable value: features in, decision values out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from skltransfer._utils.types import Floats

BLOCK_SAMPLES = 1024
SMALLEST_SQUARE = 1e-12
"""Added to the mean square of a sample's features, so that a sample of zeros is no division by 0."""


class HeadLayers(NamedTuple):
    """The layers of a head below its linear layer: units, dropout rate, and attention queries (0 averages places)."""

    hidden: tuple[int, ...]
    dropout: float
    n_heads: int = 0


@dataclass(frozen=True, eq=False)
class Head:
    """Attention over places if there are queries, hidden layers with ReLU if there are any, and a linear layer.

    Parameters
    ----------
    coef : ndarray of shape (n_units, n_outputs)
        Kernel of the linear layer; its units are features where there is no hidden layer.
    intercept : ndarray of shape (n_outputs,)
        Bias of the linear layer.
    n_iter : int
        Iterations of the solver, or epochs.
    hidden : tuple of (kernel, bias)
        Hidden layers.
    queries : ndarray of shape (n_channels, n_heads) or None
        What each attention head looks for; the head then takes features before they are pooled.
    padded : bool
        Whether places of zeros are padding.
    """

    coef: Floats
    intercept: Floats
    n_iter: int
    hidden: tuple[tuple[Floats, Floats], ...] = ()
    queries: Floats | None = None
    padded: bool = False

    @classmethod
    def from_arrays(cls, arrays: Sequence[Floats], n_iter: int, *, padded: bool) -> Head:
        """Make a head of what `arrays` gives."""
        queries, layers = (arrays[0], arrays[1:]) if len(arrays) % 2 else (None, arrays)
        *hidden, (coef, intercept) = zip(layers[::2], layers[1::2], strict=True)
        return cls(coef, intercept, n_iter, tuple(hidden), queries, padded)

    @classmethod
    def beside(cls, heads: Sequence[Head]) -> Head:
        """Put linear heads on the same features beside each other."""
        return cls(
            np.concatenate([head.coef for head in heads], axis=1),
            np.concatenate([head.intercept for head in heads]),
            max(head.n_iter for head in heads),
        )

    def divided_by(self, temperature: float) -> Head:
        """Divide the decision values of a linear head."""
        return replace(self, coef=self.coef / temperature, intercept=self.intercept / temperature)

    @property
    def arrays(self) -> list[Floats]:
        """Queries if there are any, then kernel and bias of each layer, as a network takes them."""
        layers = (*self.hidden, (self.coef, self.intercept))
        return [*([] if self.queries is None else [self.queries]), *(array for pair in layers for array in pair)]

    @property
    def layers(self) -> HeadLayers:
        """The layers that it has, without dropout."""
        return HeadLayers(tuple(len(bias) for _, bias in self.hidden), 0.0, self.n_heads)

    @property
    def n_heads(self) -> int:
        """How many queries it has."""
        return 0 if self.queries is None else self.queries.shape[1]

    @property
    def takes_maps(self) -> bool:
        """Whether it takes features before they are pooled, of shape (n_samples, ..., n_channels)."""
        return self.queries is not None

    def __call__(self, features: Floats) -> Floats:
        """Return decision values of shape (n_samples, n_outputs), of features as it takes them."""
        return self.decide(self.pool(features) if self.takes_maps else features)

    def decide(self, pooled: Floats) -> Floats:
        """Return decision values of pooled features."""
        blocks = (pooled[i : i + BLOCK_SAMPLES] for i in range(0, len(pooled), BLOCK_SAMPLES))
        return np.concatenate([self.embed(block) @ self.coef + self.intercept for block in blocks])

    def embed(self, pooled: Floats) -> Floats:
        """Return what the linear layer decides on."""
        for kernel, bias in self.hidden:
            pooled = np.maximum(pooled @ kernel + bias, 0.0)
        return pooled

    def slopes(self, pooled: Floats, directions: Floats) -> Floats:
        """Return the gradient, by the pooled features of each sample, of its decision values times its direction."""
        active, x = [], pooled
        for kernel, bias in self.hidden:
            x = np.maximum(x @ kernel + bias, 0.0)
            active.append(x > 0)
        slopes = directions @ self.coef.T
        for (kernel, _), passes in zip(reversed(self.hidden), reversed(active), strict=True):
            slopes = (slopes * passes) @ kernel.T
        return slopes

    def attention(self, maps: Floats) -> Floats:
        """Return the weight of each place for each query, shape (n_samples, n_places, n_heads)."""
        assert self.queries is not None
        x = _places(maps)
        present = np.any(x != 0, axis=2, keepdims=True) if self.padded else np.ones((*x.shape[:2], 1), bool)
        n_places = np.maximum(present.sum(axis=1, keepdims=True), 1).astype(x.dtype)
        square = np.mean(np.square(x), axis=2, keepdims=True).sum(axis=1, keepdims=True) / n_places
        scores = x @ self.queries / np.sqrt(x.shape[2] * (square + SMALLEST_SQUARE))
        scores = np.where(present, scores, np.finfo(scores.dtype).min)
        return softmax(scores, axis=1)

    def pool(self, maps: Floats) -> Floats:
        """Average features over their places by attention."""
        assert self.queries is not None
        x, weights = _places(maps), self.attention(maps)
        owner = head_of_channels(*self.queries.shape)
        return np.concatenate(
            [(weights[:, None, :, head] @ x[:, :, owner == head])[:, 0] for head in range(self.n_heads)], axis=1
        )


def head_of_channels(n_channels: int, n_heads: int) -> NDArray[np.intp]:
    """Return which attention head each channel belongs to.

    Examples
    --------
    >>> head_of_channels(5, 2).tolist()
    [0, 0, 0, 1, 1]
    """
    return np.repeat(np.arange(n_heads), [len(part) for part in np.array_split(np.arange(n_channels), n_heads)])


def average_places(blocks: Iterable[Floats], *, padded: bool) -> Floats:
    """Average features over their places.

    Parameters
    ----------
    blocks : iterable of ndarray of shape (n_samples, ..., n_channels)
        Some samples each.
    padded : bool
        Whether places of zeros are padding.

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
