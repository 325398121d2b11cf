"""The frozen part of a network, computed once per sample and cached."""

from __future__ import annotations

import math
import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer._engine.forward import Forward, forward
from skltransfer._features.cache import Features, store_for
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.preparation import AnyPreparation
from skltransfer._inputs.samples import ArraySamples, RaggedSamples, Samples, SampleSpec
from skltransfer._inputs.texts import TextSamples
from skltransfer._keras import backend as _backend
from skltransfer._utils.hashing import content_hash
from skltransfer._validation import unknown_name
from skltransfer.backbones._backbone import Backbone

POOLINGS = ("avg", "max", "flatten")
BATCH_PIXELS = 8 * 128 * 128
BATCH_VALUES = 2**18
BATCH_STEPS = 2048
TOGETHER = 1024
MANY_SAMPLES = 4096
"""From here on, compiling the weights in takes less time than it saves (and 90 MB for EfficientNet-Lite0)."""

n_computed = 0
"""Samples that went through a frozen network in this process, so far."""

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
    """

    backbone: Backbone
    stage: str
    pooling: str
    preparation: AnyPreparation | None

    @property
    def space(self) -> bytes:
        """Digest of everything that features depend on, except the sample."""
        return content_hash(
            self.backbone.function_fingerprint, self.stage, self.pooling, repr(self.preparation), _backend.name()
        )


def plan_extraction(
    backbone: Backbone,
    format: InputFormat,
    *,
    image_size: str | int | tuple[int, int] = "auto",
    stage: str | int = "last",
    pooling: str = "avg",
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
    return Extraction(backbone, _stage(backbone, stage), pooling, preparation)


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
    for i, sample in enumerate(remembered(extraction, samples, memory=memory)):
        if features is None:
            features = np.empty((len(samples), *sample.shape), sample.dtype)
        features[i] = sample
    assert features is not None, "samples are checked to be at least one"
    return features


def extract_samples(
    extraction: Extraction, samples: Samples, *, memory: str | os.PathLike[str] | None = None
) -> Samples:
    """Return the features of samples, unpooled, as samples for the rest of the network; see `extract`."""
    if None in samples.layout(extraction.preparation)[0]:
        return RaggedSamples(list(remembered(extraction, samples, memory=memory)))
    return ArraySamples(extract(extraction, samples, memory=memory))


def remembered(
    extraction: Extraction, samples: Samples, *, memory: str | os.PathLike[str] | None = None
) -> Iterator[Features]:
    """Yield the features of samples, computing only those that are not cached."""
    store, space, frozen = store_for(memory), extraction.space, len(samples) >= MANY_SAMPLES
    parts = [range(start, min(start + TOGETHER, len(samples))) for start in range(0, len(samples), TOGETHER)]
    for part in parts:
        digests = [samples.digest(i) for i in part]
        with _locks[space]:  # a second thread that asks for the same samples finds them done
            known = store.find(space, list(dict.fromkeys(digests)))
            missing = {digest: i for digest, i in zip(digests, part, strict=True) if digest not in known}
            if missing:
                new = dict(
                    zip(missing, compute(extraction, samples, list(missing.values()), frozen=frozen), strict=True)
                )
                store.keep(space, new)
                known |= new
        yield from (known[digest] for digest in digests)


def compute(
    extraction: Extraction,
    samples: Samples,
    positions: Sequence[int],
    *,
    frozen: bool = False,
    values: int | None = None,
) -> Iterator[Features]:
    """Yield the features of these samples one by one; they are computed in batches, not cached.

    Samples of unequal length are computed in the order of their lengths, so that little is padding.

    A ``frozen`` network is compiled with its weights; others share one compiled form with
    all networks of their structure. ``values`` is how many a sample has where it is largest, if
    that is not at the input.
    """
    global n_computed
    preparation = extraction.preparation
    sample = sample_spec(samples, preparation)
    plan = (extraction.backbone, extraction.stage, extraction.pooling, preparation, sample)
    with forward(*plan, frozen=frozen) as network:
        if None in sample[0]:
            yield from _of_unequal(network, extraction, samples, positions, sample[1])
        else:
            left = len(positions)
            for batch in network.map(_batches(samples, positions, preparation, sample, values)):
                yield from batch[:left]
                left -= len(batch)
    with _count_lock:
        n_computed += len(positions)


def sample_spec(samples: Samples, preparation: AnyPreparation | None) -> SampleSpec:
    """Return shape and dtype in which samples go to a compiled network."""
    shape, dtype = samples.layout(preparation)
    return shape, "float32" if isinstance(preparation, Preparation) and dtype != "uint8" else dtype


def _batches(
    samples: Samples, positions: Sequence[int], preparation: Any, sample: SampleSpec, values: int | None
) -> Iterator[NDArray[Any]]:
    """Read samples a batch at a time; where batches must be equally long, the last sample fills up."""
    size = None if preparation is None else preparation.size or (sample[0][0], sample[0][1])
    if values is None:
        values = math.prod(sample[0] if size is None else size)
    room = (BATCH_VALUES, 16, 4096) if size is None else (BATCH_PIXELS, 4, 64)
    length = int(np.clip(room[0] // values, *room[1:]))
    if _backend.fixed_batches() and len(positions) % length:
        positions = [*positions, *[positions[-1]] * (length - len(positions) % length)]
    for start in range(0, len(positions), length):
        yield samples.read(positions[start : start + length], preparation).astype(sample[1], copy=False)


def _of_unequal(
    network: Forward, extraction: Extraction, samples: Samples, positions: Sequence[int], dtype: str
) -> list[Features]:
    """Compute features of samples of unequal length, batches of like lengths."""
    assert isinstance(samples, TextSamples | RaggedSamples)
    preparation = extraction.preparation
    lengths = samples.lengths(positions, preparation)
    batches = batches_by_length(lengths, BATCH_STEPS)
    asked = map(_of_few_lengths, batches) if _backend.fixed_batches() else batches
    read = (samples.read(np.asarray(positions)[batch], preparation).astype(dtype) for batch in asked)
    found: list[Any] = [None] * len(positions)
    for batch, computed in zip(batches, network.map(read), strict=True):
        for position, features in zip(batch, computed, strict=False):
            found[position] = features[: lengths[position]].copy() if extraction.pooling == "none" else features
    return found


def _of_few_lengths(batch: NDArray[np.intp]) -> NDArray[np.intp]:
    """Repeat samples until their number is a power of two: a network is compiled anew for each number and length."""
    return np.resize(batch, 2 ** (len(batch) - 1).bit_length())


def batches_by_length(lengths: NDArray[Any], steps: int) -> list[NDArray[np.intp]]:
    """Group samples of like lengths, so that a batch, filled up to its longest sample, has about so many steps."""
    batches: list[NDArray[np.intp]] = []
    left = np.argsort(lengths, kind="stable")
    while len(left):
        fit = np.flatnonzero(np.arange(1, len(left) + 1) * lengths[left] <= steps)
        number = int(fit[-1]) + 1 if len(fit) else 1
        batches.append(left[:number])
        left = left[number:]
    return batches


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
