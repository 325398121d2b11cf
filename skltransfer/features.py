"""The frozen part of a network, computed once per row and remembered."""

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

from skltransfer import _backend, engine
from skltransfer._validation import unknown_name
from skltransfer.backbones import Backbone
from skltransfer.feature_cache import Features, content_hash, store_for
from skltransfer.inputs import (
    SMALL_PICTURE,
    AnyPreparation,
    ArrayRows,
    InputFormat,
    Preparation,
    RowFormat,
    Rows,
    TextRows,
    UnequalRows,
    listening,
    seen_size,
)

POOLINGS = ("avg", "max", "flatten")
BATCH_PIXELS = 8 * 128 * 128
BATCH_VALUES = 2**18
BATCH_STEPS = 2048
TOGETHER = 1024
MANY_ROWS = 4096
"""From here on, compiling the weights in takes less time than it saves (and 90 MB for EfficientNet-Lite0)."""

rows_computed = 0
"""Rows that went through a frozen network in this process, so far."""

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
    preparation : Preparation, Tokenization, Listening or None
        How pixels, texts or sounds are prepared; None for rows of numbers.
    """

    backbone: Backbone
    stage: str
    pooling: str
    preparation: AnyPreparation | None

    @property
    def space(self) -> bytes:
        """Digest of everything that features depend on, except the row."""
        return content_hash(
            self.backbone.fingerprint, self.stage, self.pooling, repr(self.preparation), _backend.name()
        )


def plan_extraction(
    backbone: Backbone,
    format: InputFormat,
    *,
    image_size: str | int | tuple[int, int] = "auto",
    stage: str | int = "last",
    pooling: str = "avg",
) -> Extraction:
    """Settle how rows of this format go through this network.

    Parameters
    ----------
    backbone : Backbone
        The network.
    format : InputFormat
        What one row is.
    image_size : "auto", int or (height, width), default="auto"
        Size at which the network sees pictures. "auto" is the network's own fixed size; for
        a pretrained one that takes any size, 160 for arrays of pictures up to 160 pixels and
        the size it was trained at for larger ones and for files; for an untrained one, the
        size that pictures have. Pictures of sounds are shown to a pretrained one enlarged.
    stage : str or int, default="last"
        A name or position in ``backbone.stages``.
    pooling : {"avg", "max", "flatten"}, default="avg"
        How a grid of features becomes one vector.

    Raises
    ------
    ValueError
        If rows of this format cannot go through this network.
    """
    if pooling not in POOLINGS:
        raise unknown_name("pooling", pooling, POOLINGS)
    if pooling == "flatten" and backbone.padded:
        raise ValueError(
            f"pooling='flatten' needs rows of one length. Got the backbone {backbone.name!r}, whose rows have "
            "lengths of their own; pass pooling='avg' or 'max'."
        )
    return Extraction(backbone, _stage(backbone, stage), pooling, _preparation(backbone, format, image_size))


def extract(extraction: Extraction, rows: Rows, *, memory: str | os.PathLike[str] | None = None) -> Features:
    """Return the features of rows, computing only those that are not remembered.

    Parameters
    ----------
    extraction : Extraction
        Which features.
    rows : ArrayRows or PictureRows
        The rows; equal rows are computed once.
    memory : path-like or None
        Folder that remembers features; None remembers them in this process.

    Returns
    -------
    ndarray of shape (n_rows, n_features)
    """
    features: Features | None = None
    for i, row in enumerate(remembered(extraction, rows, memory=memory)):
        if features is None:
            features = np.empty((len(rows), *row.shape), row.dtype)
        features[i] = row
    assert features is not None, "rows are checked to be at least one"
    return features


def extract_rows(extraction: Extraction, rows: Rows, *, memory: str | os.PathLike[str] | None = None) -> Rows:
    """Return the features of rows, unpooled, as rows for the rest of the network; see `extract`."""
    if None in rows.layout(extraction.preparation)[0]:
        return UnequalRows(list(remembered(extraction, rows, memory=memory)))
    return ArrayRows(extract(extraction, rows, memory=memory))


def remembered(
    extraction: Extraction, rows: Rows, *, memory: str | os.PathLike[str] | None = None
) -> Iterator[Features]:
    """Yield the features of rows, computing only those that are not remembered."""
    store, space, frozen = store_for(memory), extraction.space, len(rows) >= MANY_ROWS
    parts = [range(start, min(start + TOGETHER, len(rows))) for start in range(0, len(rows), TOGETHER)]
    for part in parts:
        digests = [rows.digest(i) for i in part]
        with _locks[space]:  # a second thread that asks for the same rows finds them done
            known = store.find(space, list(dict.fromkeys(digests)))
            missing = {digest: i for digest, i in zip(digests, part, strict=True) if digest not in known}
            if missing:
                new = dict(zip(missing, compute(extraction, rows, list(missing.values()), frozen=frozen), strict=True))
                store.keep(space, new)
                known |= new
        yield from (known[digest] for digest in digests)


def compute(
    extraction: Extraction, rows: Rows, positions: Sequence[int], *, frozen: bool = False, values: int | None = None
) -> Iterator[Features]:
    """Yield the features of these rows one by one; they are computed in batches, not remembered.

    Rows of unequal length are computed in the order of their lengths, so that little is padding.

    A ``frozen`` network is compiled with its weights; others share one compiled form with
    all networks of their structure. ``values`` is how many a row has where it is largest, if
    that is not at the input.
    """
    global rows_computed
    preparation = extraction.preparation
    row = row_format(rows, preparation)
    plan = (extraction.backbone, extraction.stage, extraction.pooling, preparation, row)
    with engine.forward(*plan, frozen=frozen) as network:
        if None in row[0]:
            yield from _of_unequal(network, extraction, rows, positions, row[1])
        else:
            left = len(positions)
            for batch in network.map(_batches(rows, positions, preparation, row, values)):
                yield from batch[:left]
                left -= len(batch)
    with _count_lock:
        rows_computed += len(positions)


def row_format(rows: Rows, preparation: AnyPreparation | None) -> RowFormat:
    """Return shape and dtype in which rows go to a compiled network."""
    shape, dtype = rows.layout(preparation)
    return shape, "float32" if isinstance(preparation, Preparation) and dtype != "uint8" else dtype


def _batches(
    rows: Rows, positions: Sequence[int], preparation: Any, row: RowFormat, values: int | None
) -> Iterator[NDArray[Any]]:
    """Read rows a batch at a time; where batches must be equally long, the last row fills up."""
    size = None if preparation is None else preparation.size or (row[0][0], row[0][1])
    if values is None:
        values = math.prod(row[0] if size is None else size)
    room = (BATCH_VALUES, 16, 4096) if size is None else (BATCH_PIXELS, 4, 64)
    length = int(np.clip(room[0] // values, *room[1:]))
    if _backend.fixed_batches() and len(positions) % length:
        positions = [*positions, *[positions[-1]] * (length - len(positions) % length)]
    for start in range(0, len(positions), length):
        yield rows.read(positions[start : start + length], preparation).astype(row[1], copy=False)


def _of_unequal(
    network: engine.Forward, extraction: Extraction, rows: Rows, positions: Sequence[int], dtype: str
) -> list[Features]:
    """Compute features of rows of unequal length, batches of like lengths."""
    assert isinstance(rows, TextRows | UnequalRows)
    preparation = extraction.preparation
    lengths = rows.lengths(positions, preparation)
    batches = batches_by_length(lengths, BATCH_STEPS)
    asked = map(_of_few_lengths, batches) if _backend.fixed_batches() else batches
    read = (rows.read(np.asarray(positions)[batch], preparation).astype(dtype) for batch in asked)
    found: list[Any] = [None] * len(positions)
    for batch, computed in zip(batches, network.map(read), strict=True):
        for position, features in zip(batch, computed, strict=False):
            found[position] = features[: lengths[position]].copy() if extraction.pooling == "none" else features
    return found


def _of_few_lengths(batch: NDArray[np.intp]) -> NDArray[np.intp]:
    """Repeat rows until their number is a power of two: a network is compiled anew for each number and length."""
    return np.resize(batch, 2 ** (len(batch) - 1).bit_length())


def batches_by_length(lengths: NDArray[Any], steps: int) -> list[NDArray[np.intp]]:
    """Group rows of like lengths, so that a batch, filled up to its longest row, has about so many steps."""
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


def _preparation(
    backbone: Backbone, format: InputFormat, image_size: str | int | tuple[int, int]
) -> AnyPreparation | None:
    if format.kind == "texts":
        if backbone.tokenization is None:
            raise ValueError(
                f"X: the backbone {backbone.name!r} takes rows of shape {backbone.input_shape}. Got texts; pass a "
                "backbone for texts, such as 'minilm_l6'."
            )
        return backbone.tokenization
    if backbone.tokenization is not None:
        raise ValueError(
            f"X: the backbone {backbone.name!r} takes texts. Got {format.kind}; pass strings, or another backbone."
        )
    if format.kind in ("table", "sequences"):
        _check_numbers(backbone, format)
        return None
    sound = format.kind == "sounds"
    if len(backbone.input_shape) != 3 or backbone.input_shape[2] not in (1, 3):
        raise ValueError(
            f"X: the backbone {backbone.name!r} takes rows of shape {backbone.input_shape}. Got "
            f"{'sounds' if sound else 'pictures'}; pass a backbone for pictures, such as 'efficientnet_lite0'."
        )
    size = _image_size(backbone, format, image_size)
    own = None if size == format.shape[:2] else size
    channels = int(backbone.input_shape[2] or 3)
    pixels = Preparation(format.low, format.high, own, channels, backbone.mean, backbone.std, backbone.bgr)
    return listening(pixels, format, backbone.input_shape) if sound else pixels


def _check_numbers(backbone: Backbone, format: InputFormat) -> None:
    """Raise ValueError if rows of numbers, or series of them, are not what the network takes."""
    takes, got = backbone.input_shape, format.shape
    if len(takes) == len(got) and all(length in (None, found) for length, found in zip(takes, got, strict=True)):
        return
    what = f"a table of {got[0]} columns" if format.kind == "table" else f"sequences of shape {got}"
    raise ValueError(
        f"X: the backbone {backbone.name!r} takes rows of shape {takes}. Got {what}; if a row is a flattened picture, "
        "pass input_shape=(height, width) or (height, width, channels)."
    )


def _image_size(backbone: Backbone, format: InputFormat, image_size: str | int | tuple[int, int]) -> tuple[int, int]:
    height, width = backbone.input_shape[:2]
    given = (image_size, image_size) if isinstance(image_size, int) else image_size
    if height is not None and width is not None:
        if given != "auto" and tuple(given) != (height, width):
            raise ValueError(
                f"The 'image_size' parameter must be 'auto' or {(height, width)} for the backbone {backbone.name!r}, "
                f"which takes no other size. Got {image_size!r} instead."
            )
        return (height, width)
    if not isinstance(given, str):
        if len(given) != 2 or min(given) < 1:
            raise ValueError(f"The 'image_size' parameter must be (height, width). Got {image_size!r} instead.")
        return (int(given[0]), int(given[1]))
    own = format.shape[:2] if format.kind in ("images", "sounds") else None
    if own is not None and (not backbone.pretrained or backbone.size is None):
        return (own[0], own[1])
    if format.kind == "sounds":
        return seen_size(format)
    if own is not None and max(own) <= SMALL_PICTURE:
        return (SMALL_PICTURE, SMALL_PICTURE)
    if backbone.size is None:
        raise ValueError(
            f"The 'image_size' parameter must be given for image files: the backbone {backbone.name!r} takes any size. "
            "Got 'auto' instead; pass image_size=(height, width)."
        )
    return backbone.size
