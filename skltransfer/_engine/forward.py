"""Compiled ways from raw samples to features."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

import numpy as np

from skltransfer._engine.pool import pool
from skltransfer._inputs.audio import LogMelSpectrogram
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.preparation import AnyPreparation, compiled_part
from skltransfer._inputs.samples import SampleSpec
from skltransfer._keras import backend as _backend
from skltransfer._keras.optional import import_keras
from skltransfer._keras.settings import own_settings
from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import Backbone, assign, build
from skltransfer.backbones._folding import fold

HALF = ("float16", "bfloat16")
"""Dtypes that a network in mixed precision computes in; its features are float32."""


class Forward:
    """A compiled way from raw samples to features, with normalizations folded away.

    Parameters
    ----------
    backbone : Backbone
        The network.
    stage : str
        The layer whose output is taken.
    pooling : {"avg", "max", "flatten", "none", "activity"}
        How a grid or sequence of features becomes one vector; see `pool_features`.
    preparation : Preparation, LogMelSpectrogram or None
        How pixels or sounds are prepared; None for samples of numbers.
    sample : tuple of (shape, dtype)
        Shape of one raw sample, and the dtype of batches.
    frozen : bool
        Whether the weights are compiled in, which is faster; else `load` can replace them.

    Attributes
    ----------
    places, standards : dict
        What `ExactBatches` found out about this network.
    """

    def __init__(
        self,
        backbone: Backbone,
        stage: str,
        pooling: str,
        preparation: Preparation | LogMelSpectrogram | None,
        sample: SampleSpec,
        frozen: bool,
    ) -> None:
        keras = import_keras()
        folded = fold(backbone)
        full = self._full = build(folded.architecture)
        assign(full, folded.weights)
        self._loaded = backbone.function_fingerprint
        cut = keras.Model(full.inputs[0], full.get_layer(stage).output)
        dtype = full.inputs[0].dtype

        def function(batch: Any) -> Any:
            x = keras.ops.cast(batch, dtype)
            if preparation is not None:
                x = preparation(x)
            x = cut(x, training=False)
            if keras.backend.standardize_dtype(x.dtype) in HALF:
                x = keras.ops.cast(x, "float32")
            return pool_features(x, pooling, padded=backbone.padded)

        self._call = _backend.compile_forward(full, function, *sample, frozen=frozen)
        self.places: dict[Any, Array] = {}
        self.standards: dict[Any, list[Array]] = {}

    def __call__(self, batch: Array) -> Array:
        """Compute the features of a batch."""
        return self._call(batch)

    def load(self, backbone: Backbone) -> None:
        """Set the weights, unless they are in place already."""
        if self._loaded != backbone.function_fingerprint:
            assign(self._full, fold(backbone).weights)
            self._loaded = backbone.function_fingerprint
            self.standards.clear()

    def map(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Yield the features of each batch, in order; at most a few batches are in memory."""
        width, batches = _backend.concurrent_batches(), iter(batches)
        first = list(islice(batches, 2))
        batches = chain(first, batches)
        if width == 1 or len(first) < 2:
            yield from map(self._call, batches)
            return
        with ThreadPoolExecutor(width) as threads:
            running: deque[Future[Array]] = deque()
            for batch in batches:
                running.append(threads.submit(self._call, batch))
                if len(running) > width:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()


def pool_features(x: Any, pooling: str, *, padded: bool = False) -> Any:
    """Turn a grid or sequence of features into one vector a sample.

    "none" leaves it as it is; "activity" gives the sum of the squared features of each place.
    """
    from keras import ops

    if pooling == "activity":
        return ops.sum(ops.square(x), axis=-1)

    if padded and pooling in ("avg", "max"):
        present = ops.any(ops.not_equal(x, 0), axis=-1, keepdims=True)
        if pooling == "max":
            return ops.max(ops.where(present, x, -np.inf), axis=1)
        return ops.sum(x, axis=1) / ops.maximum(ops.sum(ops.cast(present, x.dtype), axis=1), 1)

    if len(x.shape) == 2 or pooling == "none":
        return x
    if pooling == "flatten":
        return ops.reshape(x, (-1, int(np.prod(x.shape[1:]))))
    places = tuple(range(1, len(x.shape) - 1))
    return ops.mean(x, axis=places) if pooling == "avg" else ops.max(x, axis=places)


@contextmanager
def forward(
    backbone: Backbone,
    stage: str,
    pooling: str,
    preparation: AnyPreparation | None,
    sample: SampleSpec,
    *,
    frozen: bool,
) -> Iterator[Forward]:
    """Borrow a compiled way from raw samples to features, with the backbone's weights in place."""
    network_is = backbone.function_fingerprint if frozen else backbone.architecture
    inside = compiled_part(preparation)
    structure = ("forward", _backend.name(), network_is, stage, pooling, inside, sample)
    with (
        own_settings(),
        pool.borrow(structure, lambda: Forward(backbone, stage, pooling, inside, sample, frozen)) as network,
    ):
        network.load(backbone)
        yield network
