"""How a grid or sequence of features becomes one vector a sample."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

INPUT = "<input>"
"""As the stage of an `Output`: what the network takes."""


class Output(NamedTuple):
    """A layer whose output is taken, and how it is pooled; see `pool_features`."""

    stage: str
    pooling: str

    @property
    def size(self) -> int:
        """How many cells a side a grid has, or how many places a bag."""
        return int(self.pooling.lstrip("abdgir"))


def pool_features(x: Any, pooling: str, *, padded: bool = False, present: Any = None) -> Any:
    """Turn a grid or sequence of features into one vector a sample.

    Parameters
    ----------
    x : tensor of shape (n_samples, ..., n_channels)
        The features; token numbers of shape (n_samples, n_tokens) for a bag.
    pooling : {"avg", "max", "flatten", "none", "activity", "grid…", "bag…"}
        "none" leaves features as they are; "activity" gives the sum of the squared features of each
        place; "grid4" averages them in 4 times 4 cells that cover the grid; "bag2048" counts tokens
        in 2048 places.
    padded : bool
        Whether places of zeros are padding.
    present : tensor of shape (n_samples, n_steps), optional
        Which places are none; found by their values, if it is not given.
    """
    from keras import ops

    if pooling == "activity":
        return ops.sum(ops.square(x), axis=-1)
    if pooling.startswith("grid"):
        return _grid(x, int(pooling[4:]))
    if pooling.startswith("bag"):
        return _bag(x, int(pooling[3:]))

    if padded and pooling in ("avg", "max"):
        present = ops.any(ops.not_equal(x, 0), axis=-1) if present is None else present
        present = ops.expand_dims(present, -1)
        if pooling == "max":
            return ops.max(ops.where(present, x, -np.inf), axis=1)
        x = ops.where(present, x, 0)
        return ops.sum(x, axis=1) / ops.maximum(ops.sum(ops.cast(present, x.dtype), axis=1), 1)

    if len(x.shape) == 2 or pooling == "none":
        return x
    if pooling == "flatten":
        return ops.reshape(x, (-1, int(np.prod(x.shape[1:]))))
    places = tuple(range(1, len(x.shape) - 1))
    return ops.mean(x, axis=places) if pooling == "avg" else ops.max(x, axis=places)


def _grid(x: Any, cells: int) -> Any:
    """Average in cells that cover a grid, neighbors overlapping where its size is no multiple."""
    from keras import ops

    for axis in (1, 2):
        size = x.shape[axis]
        windows = [(i * size // cells, -(-(i + 1) * size // cells)) for i in range(cells)]
        parts = [x[:, a:b] if axis == 1 else x[:, :, a:b] for a, b in windows]
        x = ops.concatenate([ops.mean(part, axis=axis, keepdims=True) for part in parts], axis=axis)
    return ops.reshape(x, (-1, cells * cells * x.shape[-1]))


def _bag(tokens: Any, places: int) -> Any:
    """Count tokens, one more for each time that a count doubles, in places and with signs that a hash draws.

    References
    ----------
    Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009.
    """
    from keras import ops

    present = ops.cast(ops.not_equal(tokens, 0), "float32")
    counts = ops.sum(ops.cast(ops.equal(tokens[:, :, None], tokens[:, None, :]), "float32"), axis=2)
    mixed = ops.mod(ops.mod(ops.cast(tokens, "int32"), 46337) * 40503 + 11, 65521)  # within 32 bits
    signs = ops.cast(1 - 2 * ops.mod(mixed // places, 2), "float32")
    values = present * signs * (1 + ops.log(counts)) / counts
    found = ops.sum(ops.one_hot(ops.mod(mixed, places), places) * values[:, :, None], axis=1)
    return found / ops.sqrt(ops.sum(ops.square(found), axis=1, keepdims=True) + 1e-12)
