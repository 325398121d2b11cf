"""The frozen part of a network, computed once per sample and cached."""

from __future__ import annotations

import math
import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer._engine.forward import Forward, forward
from skltransfer._engine.pooling import Output
from skltransfer._features.cache import Features, store_for
from skltransfer._features.exact import STEP, ExactBatches, fill
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.preparation import AnyPreparation
from skltransfer._inputs.samples import ArraySamples, RaggedSamples, Samples, SampleSpec, filled_length
from skltransfer._inputs.texts import TextSamples
from skltransfer._keras import backend as _backend
from skltransfer._keras.optional import version
from skltransfer._keras.runtime import named, resolved
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.progress import FeatureCount
from skltransfer._validation import unknown_name
from skltransfer.backbones._backbone import Backbone

POOLINGS = ("avg", "max", "flatten")
BATCH_PIXELS = 8 * 128 * 128
BATCH_VALUES = 2**18
BATCH_STEPS = 512
ACCELERATED = 32
"""Times as many samples go together on an accelerator, for which a batch of a CPU is too small."""
TOGETHER = 1024
MANY_SAMPLES = 4096
"""From here on, compiling the weights in takes less time than it saves (and 90 MB for EfficientNet-Lite0)."""

n_computed = 0
"""Samples that went through a frozen network in this process, so far."""

REVISION = "4"
"""Counts up when this package gives the same sample other features, so that a folder of older ones is not read."""

_locks: dict[bytes, threading.Lock] = defaultdict(threading.Lock)
_count_lock = threading.Lock()


@dataclass(frozen=True)
class Extraction:
    """Which features of a network are taken, and how pixels get there.

    Parameters
    ----------
    backbone : Backbone
        The network.
    stage : str
        The layer whose output is taken.
    pooling : {"avg", "max", "flatten", "none", "activity"}
        How a grid of features becomes one vector; "none" leaves it a grid, and "activity"
        makes each place one number.
    preparation : Preparation, Tokenization, LogMelSpectrogram or None
        How pixels, texts or audio are prepared; None for samples of numbers.
    beside : tuple of Output
        Further outputs, which stand behind the features, pooled.
    runtime : {"auto", "keras", "onnxruntime", "openvino"}
        What computes them.
    """

    backbone: Backbone
    stage: str
    pooling: str
    preparation: AnyPreparation | None
    beside: tuple[Output, ...] = ()
    runtime: str = "keras"

    @property
    def outputs(self) -> tuple[Output, ...]:
        """All outputs that are taken."""
        return (Output(self.stage, self.pooling), *self.beside)

    @property
    def pooled(self) -> bool:
        """Tell whether features are one vector a sample, of the same length for all of them."""
        return self.pooling in POOLINGS

    @property
    def space(self) -> bytes:
        """Digest of everything that features depend on, except the sample."""
        libraries = () if self.preparation is None else self.preparation.libraries
        return content_hash(
            REVISION, self.backbone.function_fingerprint, *map(repr, self.outputs), repr(self.preparation),
            _backend.version() + named(resolved(self.runtime)),
            repr([(library, version(library)) for library in libraries]),
        )  # fmt: skip


def plan_extraction(
    backbone: Backbone,
    format: InputFormat,
    *,
    image_size: str | int | tuple[int, int] = "auto",
    stage: str | int = "last",
    pooling: str = "avg",
    runtime: str = "keras",
) -> Extraction:
    """Settle how samples of this format go through this network.

    Parameters
    ----------
    backbone : Backbone
        The network.
    format : InputFormat
        What one sample is.
    image_size : "auto", int or (height, width), default="auto"
        Size at which the network sees images. "auto" is the network's own fixed size; for
        a pretrained one that takes any size, 160 for arrays of images up to 160 pixels and
        the size it was trained at for larger ones and for files; for an untrained one, the
        size that images have. Log-mel spectrograms are enlarged for a pretrained one.
    stage : str or int, default="last"
        A name or position in ``backbone.stages``.
    pooling : {"avg", "max", "flatten"}, default="avg"
        How a grid of features becomes one vector.
    runtime : {"auto", "keras", "onnxruntime", "openvino"}, default="keras"
        What computes them.

    Raises
    ------
    ValueError
        If samples of this format cannot go through this network.
    """
    if pooling not in POOLINGS:
        raise unknown_name("pooling", pooling, POOLINGS)
    if pooling == "flatten" and backbone.padded:
        raise ValueError(
            f"pooling='flatten' needs samples of one length. Got the backbone {backbone.name!r}, whose samples have "
            "lengths of their own; pass pooling='avg' or 'max'."
        )
    preparation = format.kind.preparation(backbone, format, image_size)
    resolved(runtime)
    return Extraction(backbone, _stage(backbone, stage), pooling, preparation, runtime=runtime)


def extract(extraction: Extraction, samples: Samples, *, memory: str | os.PathLike[str] | None = None) -> Features:
    """Return the features of samples, computing only those that are not cached.

    Parameters
    ----------
    extraction : Extraction
        Which features.
    samples : ArraySamples or ImageFileSamples
        The samples; equal samples are computed once.
    memory : path-like or None
        Folder in which features are cached; None caches them in this process.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
    """
    features: Features | None = None
    for i, sample in enumerate(iter_features(extraction, samples, memory=memory)):
        if features is None:
            features = np.empty((len(samples), *sample.shape), sample.dtype)
        features[i] = sample
    assert features is not None, "samples are checked to be at least one"
    return features


def extract_samples(
    extraction: Extraction, samples: Samples, *, memory: str | os.PathLike[str] | None = None
) -> Samples:
    """Return the features of samples as samples for the rest of the network; see `extract`."""
    if not extraction.pooled and None in samples.layout(extraction.preparation)[0]:
        return RaggedSamples(list(iter_features(extraction, samples, memory=memory)))
    return ArraySamples(extract(extraction, samples, memory=memory))


def iter_features(
    extraction: Extraction, samples: Samples, *, memory: str | os.PathLike[str] | None = None
) -> Iterator[Features]:
    """Yield the features of samples, computing only those that are not cached."""
    store, count, frozen = store_for(memory), FeatureCount(len(samples)), len(samples) >= MANY_SAMPLES
    parts = [range(start, min(start + TOGETHER, len(samples))) for start in range(0, len(samples), TOGETHER)]
    try:
        for part in parts:
            digests = [samples.digest(i) for i in part]
            known = _known(store, extraction, samples, dict(zip(digests, part, strict=True)), count, frozen=frozen)
            count.add(len(part))
            yield from (known[digest] for digest in digests)
    finally:
        count.end()


def _known(
    store: Any, extraction: Extraction, samples: Samples, wanted: dict[bytes, int], count: FeatureCount, *, frozen: bool
) -> dict[bytes, Features]:
    """Return the features of some samples by their digests, and compute those that are missing."""
    space = extraction.space
    with _locks[space]:  # a second thread that asks for the same samples finds them done
        known = store.find(space, list(wanted))
        missing = {digest: i for digest, i in wanted.items() if digest not in known}
        if missing:
            count.computing()
            new = dict(zip(missing, compute(extraction, samples, list(missing.values()), frozen=frozen), strict=True))
            if store.has_room(len(samples), next(iter(new.values())).nbytes):
                store.keep(space, new)
            known |= new
    return known


def compute(
    extraction: Extraction,
    samples: Samples,
    positions: Sequence[int],
    *,
    frozen: bool = False,
    values: int | None = None,
) -> Iterator[Features]:
    """Yield the features of these samples one by one; they are computed in batches, not cached.

    Each is a function of its sample alone, bit for bit, however many samples are computed
    together and in which order.

    A ``frozen`` network is compiled with its weights; others share one compiled form with
    all networks of their structure. ``values`` is how many a sample has where it is largest, if
    that is not at the input.

    Raises
    ------
    ValueError
        If features are NaN or infinite.
    """
    global n_computed
    sample = sample_spec(samples, extraction.preparation)
    plan = (extraction.backbone, extraction.outputs, extraction.preparation, sample)
    with ExitStack() as stack:
        runtime = resolved(extraction.runtime)
        networks = [stack.enter_context(forward(*plan, frozen=runtime != "keras", runtime=runtime))]
        if frozen and runtime == "keras":
            networks.append(stack.enter_context(forward(*plan, frozen=True)))
        if None in sample[0]:
            found = iter(_of_unequal(networks, extraction, samples, positions, sample))
        else:
            batches = _exact(networks, sample, _batch_length(extraction.preparation, sample, values))
            found = _in_batches(batches, samples, positions, extraction.preparation)
        for position, features in zip(positions, found, strict=True):
            _check_finite(features, position, extraction.backbone.name)
            yield features
    with _count_lock:
        n_computed += len(positions)


def _check_finite(features: Features, position: int, network: str) -> None:
    if not np.isfinite(features).all():
        raise ValueError(
            f"X: sample {position} has features that are NaN or infinite in the backbone {network!r}. Expected values "
            "that it can compute with; scale the samples, or pass another backbone."
        )


def sample_spec(samples: Samples, preparation: AnyPreparation | None) -> SampleSpec:
    """Return shape and dtype in which samples go to a compiled network."""
    shape, dtype = samples.layout(preparation)
    return shape, "float32" if isinstance(preparation, Preparation) and dtype != "uint8" else dtype


def _batch_length(preparation: Any, sample: SampleSpec, values: int | None) -> int:
    """How many samples of one shape are computed together."""
    size = None if preparation is None else preparation.size or (sample[0][0], sample[0][1])
    if values is None:
        values = math.prod(sample[0] if size is None else size)
    room = (BATCH_VALUES, 16, 4096) if size is None else (BATCH_PIXELS, 4, 64)
    wide = _wide()
    return -(-int(np.clip(wide * room[0] // values, room[1], wide * room[2])) // STEP) * STEP


def _wide() -> int:
    return ACCELERATED if _backend.on_accelerator() else 1


def _exact(networks: Sequence[Forward], sample: SampleSpec, full: int) -> ExactBatches:
    """Settle which network computes: one with its weights compiled in only if it gives the same bits."""
    batches = ExactBatches(networks[0], sample, full)
    for constant in networks[1:]:
        faster = ExactBatches(constant, sample, full, networks[0])
        if len(faster.places(full)) >= len(batches.places(full)):
            return faster
    return batches


def _in_batches(
    batches: ExactBatches, samples: Samples, positions: Sequence[int], preparation: Any
) -> Iterator[Features]:
    """Yield the features of samples of one shape."""
    cuts = list(batches.cut(len(positions)))
    ends = np.cumsum([len(places) for _, places in cuts]).tolist()

    def read() -> Iterator[NDArray[Any]]:
        for (size, places), end in zip(cuts, ends, strict=True):
            block = samples.read(positions[end - len(places) : end], preparation)
            yield fill(block.astype(batches.sample[1], copy=False), size, places)

    for (_, places), computed in zip(cuts, batches.network.map(read()), strict=True):
        yield from computed[places]


def _of_unequal(
    networks: Sequence[Forward],
    extraction: Extraction,
    samples: Samples,
    positions: Sequence[int],
    spec: SampleSpec,
) -> list[Features]:
    """Compute features of samples of unequal length; those that are filled up to one length come together."""
    assert isinstance(samples, TextSamples | RaggedSamples)
    lengths = samples.lengths(positions, extraction.preparation).tolist()
    groups: dict[int, list[int]] = defaultdict(list)
    for number, length in enumerate(lengths):
        groups[filled_length(length)].append(number)
    found: list[Any] = [None] * len(positions)
    for filled, numbers in sorted(groups.items()):
        full = max(1, _wide() * BATCH_STEPS // filled // STEP) * STEP
        batches = _exact(networks, ((filled, *spec[0][1:]), spec[1]), full)
        own = [positions[number] for number in numbers]
        for number, features in zip(numbers, _in_batches(batches, samples, own, extraction.preparation), strict=True):
            found[number] = features if extraction.pooled else features[: lengths[number]].copy()
    return found


def _stage(backbone: Backbone, stage: str | int) -> str:
    stages = backbone.stages
    if stage == "last":
        return stages[-1]
    if isinstance(stage, str):
        if stage not in stages:
            raise unknown_name("stage", stage, ("last", *stages))
        return stage
    if not -len(stages) <= stage < len(stages):
        raise ValueError(
            f"stage={stage} is out of range: {backbone.name!r} has {len(stages)} stages, numbered from 0 to "
            f"{len(stages) - 1}, or from -{len(stages)} to -1 counted from the end."
        )
    return stages[stage]
