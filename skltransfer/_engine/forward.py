"""Compiled ways from raw samples to features."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

from skltransfer._engine.pool import pool
from skltransfer._engine.pooling import INPUT, Output, pool_features
from skltransfer._inputs.audio import LogMelSpectrogram
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.preparation import AnyPreparation, compiled_part
from skltransfer._inputs.samples import SampleSpec
from skltransfer._keras import backend as _backend
from skltransfer._keras.backend import import_keras, own_settings
from skltransfer._keras.runtime import compiled_by, concurrent_batches, named
from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import Backbone, assign, build, refusing_small_images
from skltransfer.backbones._folding import fold

HALF = ("float16", "bfloat16")
"""Dtypes that a network in mixed precision computes in; its features are float32."""


class Forward:
    """A compiled way from raw samples to features, with normalizations folded away.

    Parameters
    ----------
    backbone : Backbone
        The network.
    outputs : tuple of Output
        Which layers' outputs are taken, and how each becomes one vector; they stand beside each other.
    preparation : Preparation, LogMelSpectrogram or None
        How pixels or sounds are prepared; None for samples of numbers.
    sample : tuple of (shape, dtype)
        Shape of one raw sample, and the dtype of batches.
    frozen : bool
        Whether the weights are compiled in, which is faster; else `load` can replace them.
    runtime : {"keras", "onnxruntime", "openvino"}, default="keras"
        What computes; others than "keras" take frozen networks alone.

    Attributes
    ----------
    places, standards : dict
        What `ExactBatches` found out about this network.
    """

    def __init__(
        self,
        backbone: Backbone,
        outputs: tuple[Output, ...],
        preparation: Preparation | LogMelSpectrogram | None,
        sample: SampleSpec,
        frozen: bool,
        runtime: str = "keras",
    ) -> None:
        keras = import_keras()
        folded = fold(backbone)
        full = self._full = build(folded.architecture)
        assign(full, folded.weights)
        self._loaded = backbone.function_fingerprint
        collect, dtype = output_layers(full, outputs, padded=backbone.padded), full.inputs[0].dtype

        def function(batch: Any) -> Any:
            x = keras.ops.cast(batch, dtype)
            return collect(x if preparation is None else preparation(x))

        if runtime == "keras":
            self._call, self._width = _backend.compile_forward(full, function, *sample, frozen=frozen), None
        else:
            self._call, self._width = compiled_by(runtime, function, *sample), concurrent_batches(runtime)
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
        width, batches = self._width or _backend.concurrent_batches(), iter(batches)
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


def output_layers(network: Any, outputs: Sequence[Output], *, padded: bool) -> Callable[[Any], Any]:
    """Return a function from what a network takes to its pooled outputs beside each other.

    Parameters
    ----------
    network : keras.Model
        The network.
    outputs : sequence of Output
        Which of its layers' outputs are taken.
    padded : bool
        Whether places of zeros are padding.
    """
    keras = import_keras()
    layers = {stage: network.get_layer(stage).output for stage, _ in outputs if stage != INPUT}
    cut = keras.Model(network.inputs[0], layers, name="backbone")

    def collect(x: Any) -> Any:
        with refusing_small_images(cut, x.shape):
            found = cut(x, training=False)
        present = keras.ops.not_equal(x, 0) if padded and len(x.shape) == 2 else None
        pooled = []
        for output in outputs:
            value = x if output.stage == INPUT else found[output.stage]
            if keras.backend.standardize_dtype(value.dtype) in HALF:
                value = keras.ops.cast(value, "float32")
            pooled.append(pool_features(value, output.pooling, padded=padded, present=present))
        return pooled[0] if len(pooled) == 1 else keras.ops.concatenate(pooled, axis=-1)

    return collect


@contextmanager
def forward(
    backbone: Backbone,
    outputs: tuple[Output, ...],
    preparation: AnyPreparation | None,
    sample: SampleSpec,
    *,
    frozen: bool,
    runtime: str = "keras",
) -> Iterator[Forward]:
    """Borrow a compiled way from raw samples to features, with the backbone's weights in place."""
    network_is = backbone.function_fingerprint if frozen else backbone.architecture
    inside = compiled_part(preparation)
    structure = ("forward", _backend.name(), named(runtime), network_is, outputs, inside, sample)
    with (
        own_settings(),
        pool.borrow(structure, lambda: Forward(backbone, outputs, inside, sample, frozen, runtime)) as network,
    ):
        network.load(backbone)
        yield network
