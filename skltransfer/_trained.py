"""What the estimators share that train a network: what moves, how long, and what is held out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.callback import CallbackSupportMixin
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, train_test_split
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions

from skltransfer import engine
from skltransfer._base import BackboneEstimator, describe
from skltransfer._progress import FitWatcher
from skltransfer._validation import check_held, check_split
from skltransfer.backbones import Backbone, cut, join, standardize
from skltransfer.features import Extraction, compute, extract, extract_rows, remembered, row_format
from skltransfer.finetuning import SCHEDULES, Movement
from skltransfer.heads import Targets, weighted_moments
from skltransfer.inputs import RowFormat, Rows, fill_up

Array = NDArray[Any]
Held = tuple[Rows, Targets] | None

FULL_BATCH_ROWS = 1024
MIN_STEPS = 300
FROZEN_BYTES = 2**31
"""What a frozen part computes is kept for all epochs up to this size; beyond, each epoch computes it again."""
MAP_ROWS = 256
"""Rows whose features before pooling are in memory at a time, in prediction."""


@dataclass(frozen=True)
class Split:
    """A network as a fit sees it: a part that stays as it is, computed once a row, and a part that moves."""

    below: Extraction | None
    above: Extraction | None
    moving: int

    @property
    def padded(self) -> bool:
        """Tell whether features come in sequences of unequal length."""
        part = self.below if self.above is None else self.above
        assert part is not None
        return part.backbone.padded

    def rows(self, rows: Rows, memory: Any) -> Rows:
        """Rows as the moving part takes them."""
        return rows if self.below is None else extract_rows(self.below, rows, memory=memory)

    def features(self, rows: Rows, memory: Any) -> Array:
        """Pooled features of all rows."""
        if self.above is None:
            assert self.below is not None
            return extract(self.below, rows, memory=memory)
        return np.stack(list(self.each(rows, memory)))

    def each(self, rows: Rows, memory: Any) -> Iterator[Array]:
        """Yield the features of each row as the head takes them."""
        if self.above is None:
            assert self.below is not None
            return remembered(self.below, rows, memory=memory)
        taken = self.rows(rows, memory)
        return compute(self.above, taken, range(len(taken)))

    def blocks(self, rows: Rows, memory: Any) -> Iterator[Array]:
        """Yield features before they are pooled, some rows at a time; rows of unequal length are filled up."""
        return self._together(self.each(rows, memory))

    def blocks_of(self, taken: Rows) -> Iterator[Array]:
        """Yield the same as `blocks`, for what `rows` gave."""
        if self.above is not None:
            return self._together(compute(self.above, taken, range(len(taken))))
        return (taken.read(range(len(taken))[some]) for some in gen_batches(len(taken), MAP_ROWS))

    def _together(self, each: Iterator[Array]) -> Iterator[Array]:
        while block := list(islice(each, MAP_ROWS)):
            yield fill_up(block) if self.padded else np.stack(block)

    def unpooled(self) -> Split:
        """Return the same network without the pooling at its end."""
        if self.above is None:
            assert self.below is not None
            return replace(self, below=replace(self.below, pooling="none"))
        return replace(self, above=replace(self.above, pooling="none"))

    def with_weights(self, weights: list[Array]) -> Split:
        """Put weights into the part that moves."""
        if self.above is None:
            return self
        return replace(self, above=replace(self.above, backbone=self.above.backbone.with_weights(weights)))

    def joined(self, backbone: Backbone) -> Backbone:
        """Put the part that moves back into the whole network."""
        if self.above is None:
            assert self.below is not None
            return self.below.backbone
        if self.moving == 0:
            return backbone
        return self.above.backbone if self.below is None else join(backbone, self.above.backbone, self.moving)


def split_network(whole: Extraction, moving: int, rows: Rows, memory: Any) -> Split:
    """Split off all but the last ``moving`` stages, unless what they compute is too large to keep."""
    stages = whole.backbone.stages
    if moving == 0 and whole.pooling != "none":
        return Split(whole, None, 0)
    if moving == len(stages):
        return Split(None, whole, moving)
    below = replace(whole, stage=stages[-moving - 1], pooling="none")
    if extract_rows(below, first(rows), memory=memory).read([0]).nbytes * len(rows) > FROZEN_BYTES:
        return Split(None, whole, moving)
    if moving == 0:
        return Split(below, None, 0)
    above = cut(whole.backbone, moving)
    return Split(below, Extraction(above, above.stages[-1], whole.pooling, None), moving)


def first(rows: Rows) -> Rows:
    """Return the first row alone."""
    return rows.take(np.arange(len(rows)) == 0)


def _known_moments(values: Array, weights: Array) -> tuple[Array, Array]:
    """Mean and deviation of each column, of the values that are not missing."""
    known = ~np.isnan(values)
    if known.all():
        return weighted_moments(values, weights)
    if not known.any(axis=0).all():
        raise ValueError(f"X: column {known.any(axis=0).argmin()} has no value at all. Drop it.")
    pairs = [
        weighted_moments(column[there, None], weights[there]) for column, there in zip(values.T, known.T, strict=True)
    ]
    return np.concatenate([mean for mean, _ in pairs]), np.concatenate([scale for _, scale in pairs])


class TrainedEstimator(CallbackSupportMixin, BackboneEstimator):
    """Base of the estimators that may train the backbone.

    Parameters that a subclass does not have are attributes of the class, and off.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BackboneEstimator._parameter_constraints,
        "trainable": "no_validation",
        "epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "schedule": [StrOptions(set(SCHEDULES))],
        "warmup": [Interval(Real, 0, 1, closed="left")],
        "layer_decay": [Interval(Real, 0, 1, closed="right")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "l2_sp": [Interval(Real, 0, None, closed="left")],
        "delta": [Interval(Real, 0, None, closed="left")],
        "augmentation": "no_validation",
        "batch_norm": [StrOptions({"auto", "inference", "train"})],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "checkpoint": [str, os.PathLike, None],
        "callbacks": [list, tuple, None],
        "verbose": ["verbose"],
    }

    l2_sp: float = 0.0
    delta: float = 0.0
    augmentation: Any = None
    checkpoint: Any = None
    callbacks: Any = None

    backbone_: Backbone
    _pretrained: bool
    _parts: int

    def _check_together(self, moves: Movement) -> None:
        """Refuse parameters that cannot mean anything together."""
        if moves.kind == "lora" and self.l2_sp:
            raise ValueError("l2_sp pulls weights that LoRA does not move. Pass l2_sp=0, or another trainable.")
        if self.augmentation is not None and self._format.kind not in ("images", "pictures"):
            raise ValueError(
                f"augmentation changes pictures. Got {describe(self._format)}; pass augmentation=None, or "
                "input_shape=(height, width) if rows are flattened pictures."
            )
        if self.checkpoint is not None and not isinstance(self.random_state, Integral):
            raise ValueError(
                "checkpoint: expected an int as random_state, so that the same fit finds its state again. Got "
                f"random_state={self.random_state!r}; pass a number, such as random_state=0."
            )

    def _standardized(self, backbone: Backbone, rows: Rows, weights: Array) -> Backbone:
        """Let an untrained network for rows of numbers bring each column, or channel, to one unit."""
        if self._format.kind not in ("table", "sequences") or backbone.pretrained:
            return backbone
        values = np.asarray(rows.read(range(len(rows))))
        steps = int(np.prod(values.shape[1:-1]))
        moments = _known_moments(values.reshape(-1, values.shape[-1]), np.repeat(weights, steps))
        return standardize(backbone, *moments)

    def _trains_statistics(self) -> bool:
        """Tell whether normalisations that move use the statistics of batches."""
        return not self._pretrained if self.batch_norm == "auto" else self.batch_norm == "train"

    def _row(self, split: Split, rows: Rows) -> RowFormat:
        """Shape and dtype of what the moving part takes."""
        if split.below is None:
            return row_format(rows, None if split.above is None else split.above.preparation)
        return split.rows(first(rows), self.memory).layout(None)

    def _design(
        self, split: Split, moves: Movement, row: RowFormat, goal: engine.Goal, **options: Any
    ) -> engine.Design:
        """Settle the network that is trained, and compile it, so that what cannot move is told before work starts."""
        body = None if split.above is None else split.above.backbone
        design = engine.design_network(
            body,
            moves,
            statistics_move=split.moving > 0 and self._trains_statistics(),
            goal=goal,
            preparation=None if split.above is None else split.above.preparation,
            row=row,
            padded=split.padded,
            pulled=bool(self.l2_sp and body is not None),
            matched=bool(self.delta and body is not None),
            **options,
        )
        engine.prepare(design)
        return design

    def _train(
        self,
        design: engine.Design,
        training: engine.Training,
        split: Split,
        watcher: FitWatcher,
        views: list[Rows],
        targets: Targets,
        **starts: Any,
    ) -> engine.Trained:
        try:
            return engine.train(
                design,
                training,
                None if split.above is None else split.above.backbone,
                views,
                targets,
                checkpoint=None if self.checkpoint is None else os.fspath(self.checkpoint),
                callbacks=self.callbacks or (),
                watcher=watcher,
                **starts,
            )
        finally:
            watcher.end()

    def _training(self, n_rows: int, moves: Movement, once: bool, **more: Any) -> engine.Training:
        """Settle what "auto" means for so many rows."""
        whole = self._format.kind == "table" and n_rows <= FULL_BATCH_ROWS
        batch_size = (n_rows if whole else 32) if self.batch_size == "auto" else int(self.batch_size)
        steps = -(-n_rows // batch_size)
        rate = self.learning_rate
        if rate == "auto":
            lora = moves.kind == "lora"
            gentle = self._pretrained and moves.stages > 0 and moves.kind == "weights"
            rate = (0.003 if lora else 0.01) if whole and steps == 1 else 1e-4 if gentle else 0.001
        epochs = max(10, -(-MIN_STEPS // steps)) if self.epochs == "auto" else int(self.epochs)
        training = engine.Training(
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=float(rate),
            seed=self._seed() + self._parts,
            schedule=self.schedule,
            warmup=float(self.warmup),
            layer_decay=float(self.layer_decay),
            weight_decay=float(self.weight_decay),
            l2_sp=float(self.l2_sp),
            delta=float(self.delta),
            **more,
        )
        return replace(training, epochs=1, schedule="constant", warmup=0.0, patience=None) if once else training

    def _stopping(self) -> dict[str, Any]:
        """Settle when a training stops early."""
        return {"patience": int(self.n_iter_no_change) if self.early_stopping else None, "tol": float(self.tol)}

    def _hold_out(self, rows: Rows, targets: Targets, groups: Any) -> tuple[Rows, Targets, Held]:
        """Set rows aside that training does not see: whole groups if given, and some of each class."""
        share, everything, strata = float(self.validation_fraction), np.arange(len(rows)), targets.strata()
        check_split(share, len(rows), strata, groups)
        options: dict[str, Any] = {"random_state": self._seed()}
        if groups is None:
            _, held = train_test_split(everything, test_size=share, stratify=strata, **options)
        elif strata is None:
            held = next(GroupShuffleSplit(1, test_size=share, **options).split(everything, groups=groups))[1]
        else:
            folds = StratifiedGroupKFold(max(2, round(1 / share)), shuffle=True, **options)
            held = next(folds.split(everything, strata, groups))[1]
        check_held(strata, held)
        out = np.isin(everything, held)
        return rows.take(~out), targets.take(~out), (rows.take(out), targets.take(out))
