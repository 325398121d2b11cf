"""A network in two parts: frozen layers, computed once a sample, and trainable ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from skltransfer._features.extraction import TOGETHER, Extraction, compute, extract, extract_samples, iter_features
from skltransfer._inputs.samples import Samples, pad
from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._cutting import cut, join

FROZEN_BYTES = 2**31
"""What a frozen part computes is kept for all epochs up to this size; beyond, each epoch computes it again."""


MAP_SAMPLES = 256
"""Samples whose features before pooling are in memory at a time, in prediction."""


@dataclass(frozen=True)
class SplitNetwork:
    """A network as a fit sees it: a part that stays as it is, computed once a sample, and a part that moves."""

    below: Extraction | None
    above: Extraction | None
    n_trainable: int

    @property
    def padded(self) -> bool:
        """Tell whether the head, or the pooling below it, takes sequences of unequal length."""
        if self.above is not None:
            return self.above.backbone.padded
        assert self.below is not None
        return self.below.backbone.padded and not self.below.pooled

    def samples(self, samples: Samples, memory: Any) -> Samples:
        """Return samples as the trainable part takes them."""
        return samples if self.below is None else extract_samples(self.below, samples, memory=memory)

    def features(self, samples: Samples, memory: Any) -> Array:
        """Pooled features of all samples."""
        if self.above is None:
            assert self.below is not None
            return extract(self.below, samples, memory=memory)
        return np.stack(list(self.each(samples, memory)))

    def each(self, samples: Samples, memory: Any) -> Iterator[Array]:
        """Yield the features of each sample as the head takes them."""
        if self.above is None:
            assert self.below is not None
            return iter_features(self.below, samples, memory=memory)
        taken = self.samples(samples, memory)
        return compute(self.above, taken, range(len(taken)))

    def parts(self, samples: Samples, memory: Any) -> Iterator[Array]:
        """Yield pooled features, of some samples at a time."""
        each = self.each(samples, memory)
        while part := list(islice(each, TOGETHER)):
            yield np.stack(part)

    def blocks(self, samples: Samples, memory: Any) -> Iterator[Array]:
        """Yield features before they are pooled, some samples at a time; samples of unequal length are filled up."""
        return self._together(self.each(samples, memory))

    def blocks_of(self, taken: Samples) -> Iterator[Array]:
        """Yield the same as `blocks`, for what `samples` gave."""
        if self.above is not None:
            return self._together(compute(self.above, taken, range(len(taken))))
        return (taken.read(range(len(taken))[some]) for some in gen_batches(len(taken), MAP_SAMPLES))

    def _together(self, each: Iterator[Array]) -> Iterator[Array]:
        while block := list(islice(each, MAP_SAMPLES)):
            yield pad(block) if self.padded else np.stack(block)

    def unpooled(self) -> SplitNetwork:
        """Return the same network without the pooling at its end."""
        if self.above is None:
            assert self.below is not None
            return replace(self, below=replace(self.below, pooling="none", beside=()))
        return replace(self, above=replace(self.above, pooling="none"))

    def with_weights(self, weights: list[Array]) -> SplitNetwork:
        """Put weights into the part that moves."""
        if self.above is None:
            return self
        return replace(self, above=replace(self.above, backbone=self.above.backbone.with_weights(weights)))

    def joined(self, backbone: Backbone) -> Backbone:
        """Put the trainable part back into the whole network."""
        if self.above is None:
            assert self.below is not None
            return self.below.backbone
        if self.n_trainable == 0:
            return backbone
        return self.above.backbone if self.below is None else join(backbone, self.above.backbone, self.n_trainable)


@dataclass(frozen=True)
class StreamedFeatures:
    """Pooled features of samples, and of views of them behind these, which are computed when they are asked for."""

    network: SplitNetwork
    views: Sequence[Samples]
    memory: Any

    def __len__(self) -> int:
        """Return how many samples there are, of all views."""
        return sum(map(len, self.views))

    @property
    def n_features(self) -> int:
        """How many features a sample has."""
        return self.network.features(first(self.views[0]), self.memory).shape[1]

    def take(self, positions: NDArray[np.intp]) -> Array:
        """Return the features of the samples at these positions, which are sorted."""
        wanted = np.zeros(len(self), bool)
        wanted[positions] = True
        masks = np.split(wanted, np.cumsum([len(view) for view in self.views])[:-1])
        each = zip(self.views, masks, strict=True)
        return self._beside([view.take(mask) for view, mask in each if mask.any()])

    def together(self) -> Array:
        """Return the features of all samples."""
        return self._beside(self.views)

    def parts(self) -> Iterator[Array]:
        """Yield the features of all samples in their order, of some at a time."""
        for view in self.views:
            yield from self.network.parts(view, self.memory)

    def _beside(self, views: Sequence[Samples]) -> Array:
        each = [self.network.features(view, self.memory) for view in views]
        return np.concatenate(each) if len(each) > 1 else each[0]


def split_network(whole: Extraction, n_trainable: int, samples: Samples, memory: Any) -> SplitNetwork:
    """Split off all but the last ``n_trainable`` stages, unless what they compute is too large to keep."""
    stages = whole.backbone.stages
    if n_trainable == 0 and whole.pooling != "none":
        return SplitNetwork(whole, None, 0)
    if n_trainable == len(stages):
        return SplitNetwork(None, whole, n_trainable)
    below = replace(whole, stage=stages[-n_trainable - 1], pooling="none")
    if extract_samples(below, first(samples), memory=memory).read([0]).nbytes * len(samples) > FROZEN_BYTES:
        return SplitNetwork(None, whole, n_trainable)
    if n_trainable == 0:
        return SplitNetwork(below, None, 0)
    above = cut(whole.backbone, n_trainable)
    return SplitNetwork(below, Extraction(above, above.stages[-1], whole.pooling, None), n_trainable)


def first(samples: Samples) -> Samples:
    """Return the first sample alone."""
    return samples.take(np.arange(len(samples)) == 0)
