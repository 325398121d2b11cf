"""What the estimators share that put a head on a backbone and may move it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.callback import CallbackSupportMixin
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, train_test_split
from sklearn.utils._param_validation import Interval, StrOptions

from skltransfer import engine
from skltransfer._base import BackboneEstimator
from skltransfer._progress import FitWatcher
from skltransfer._validation import check_held, check_split
from skltransfer.backbones import Backbone, cut, join, standardize
from skltransfer.features import Extraction, compute, extract, plan_extraction, row_format
from skltransfer.finetuning import SCHEDULES, Movement, augmentation_json, movement
from skltransfer.heads import Head, LinearHead, Targets, channel_importance, head_layers, solve, weighted_moments
from skltransfer.inputs import ArrayRows, Rows

Array = NDArray[Any]
Held = tuple[Rows, Targets] | None

FULL_BATCH_ROWS = 1024
MIN_STEPS = 300
FROZEN_BYTES = 2**31
"""What a frozen part computes is kept for all epochs up to this size; beyond, each epoch computes it again."""


@dataclass(frozen=True)
class _Split:
    """A network as a fit sees it: a part that stays as it is, computed once a row, and a part that moves."""

    below: Extraction | None
    above: Extraction | None

    def rows(self, rows: Rows, memory: Any) -> Rows:
        """Rows as the moving part takes them."""
        return rows if self.below is None else ArrayRows(extract(self.below, rows, memory=memory))

    def features(self, rows: Rows, memory: Any) -> Array:
        """Features as the head takes them."""
        if self.above is None:
            assert self.below is not None
            return extract(self.below, rows, memory=memory)
        taken = self.rows(rows, memory)
        return np.stack(list(compute(self.above, taken, range(len(taken)))))


class TunedEstimator(CallbackSupportMixin, BackboneEstimator):
    """Base of the estimators that fit a head, and may fine-tune the backbone below it."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BackboneEstimator._parameter_constraints,
        "trainable": "no_validation",
        "head": "no_validation",
        "epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "schedule": [StrOptions(set(SCHEDULES))],
        "warmup": [Interval(Real, 0, 1, closed="left")],
        "layer_decay": [Interval(Real, 0, 1, closed="right")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "l2_sp": [Interval(Real, 0, None, closed="left")],
        "delta": [Interval(Real, 0, None, closed="left")],
        "mixup": [Interval(Real, 0, None, closed="left")],
        "augmentation": "no_validation",
        "n_views": [Interval(Integral, 2, None, closed="left")],
        "solve_head": ["boolean"],
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

    backbone_: Backbone
    _head: Head
    _pretrained: bool
    _parts: int

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_head")

    def _fit_rows(
        self,
        rows: Rows,
        targets: Targets,
        *,
        C: float,
        held: Held = None,
        groups: Any = None,
        label_smoothing: float = 0.0,
        once: bool = False,
    ) -> None:
        """Fit to targets; ``held`` decides when to stop; ``once`` takes one more epoch from where the fit stands."""
        head: Head | None = self.__dict__.pop("_head", None)  # from here on, until all is done, this is not fitted
        proceed = head is not None and (once or self.warm_start)
        backbone = self.backbone_ if proceed else self._starting_backbone()
        self._pretrained = self._pretrained if proceed else backbone.pretrained
        self._parts = self._parts + 1 if proceed and once else 0
        moves = movement(self.trainable, pretrained=self._pretrained, n_stages=len(backbone.stages))
        self._check_together(moves)
        hidden, dropout = head_layers(self.head)
        solved = moves.stages == 0 and not hidden and not once
        if self.early_stopping and held is None and not solved:
            rows, targets, held = self._hold_out(rows, targets, groups)
        if not proceed:
            backbone = self._standardized(backbone, rows, targets)
        whole = plan_extraction(backbone, self._format, image_size=self.image_size)
        split = self._split(whole, moves, rows)
        views = self._views(split, rows)
        training = None if solved else self._training(len(rows), moves, label_smoothing, once)
        design = None if solved else self._design(split, moves, targets, views[0], hidden, dropout)
        context = self._init_callback_context(max_subtasks=0 if training is None else training.epochs)
        context.call_on_fit_task_begin(estimator=self)
        self.history_: dict[str, list[float]] = {}
        if training is None or design is None:
            features = np.concatenate([split.features(view, self.memory) for view in views])
            head = solve(features, targets.repeated(len(views)), C=C)
        else:
            starts = self._starts(whole, rows, targets, head if proceed else None, hidden, C)
            watcher = FitWatcher(self, context, verbose=int(self.verbose))
            trained = self._train(design, training, split, views, targets, held, starts, watcher)
            head, split = trained.head, self._moved(split, trained.weights)
            backbone = self._moved_whole(backbone, split, moves)
            self.history_ = trained.history
        self._network, self.backbone_, self._head = split, backbone, head
        self.n_iter_ = head.n_iter if isinstance(head, LinearHead) else head.last.n_iter
        context.call_on_fit_task_end(estimator=self)

    def _check_together(self, moves: Movement) -> None:
        """Refuse parameters that cannot mean anything together."""
        if moves.kind == "lora" and self.l2_sp:
            raise ValueError("l2_sp pulls weights that LoRA does not move. Pass l2_sp=0, or another trainable.")
        if self.augmentation is not None and self._format.kind == "table":
            raise ValueError(
                "augmentation changes pictures. Got a table; pass augmentation=None, or input_shape=(height, width) if "
                "rows are flattened pictures."
            )
        if self.checkpoint is not None and not isinstance(self.random_state, Integral):
            raise ValueError(
                "checkpoint: expected an int as random_state, so that the same fit finds its state again. Got "
                f"random_state={self.random_state!r}; pass a number, such as random_state=0."
            )

    def _standardized(self, backbone: Backbone, rows: Rows, targets: Targets) -> Backbone:
        if self._format.kind != "table" or backbone.pretrained:
            return backbone
        values = np.asarray(rows.read(range(len(rows))))
        return standardize(backbone, *weighted_moments(values, targets.weights.max(axis=1)))

    def _views(self, split: _Split, rows: Rows) -> list[Rows]:
        """Rows as they are, and changed at random for a part that stays as it is."""
        if self.augmentation is None or split.below is None:
            return [rows]
        change = engine.Augmentation(augmentation_json(self.augmentation), self._format, self._seed())
        views = [rows, *(engine.ViewRows(rows, change, view) for view in range(1, self.n_views))]
        start = self._parts % len(views)
        return [*views[start:], *views[:start]]

    def _split(self, whole: Extraction, moves: Movement, rows: Rows) -> _Split:
        """Split off the part that stays as it is, unless what it computes is too large to keep."""
        stages = whole.backbone.stages
        if moves.stages == 0:
            return _Split(whole, None)
        if moves.stages == len(stages):
            return _Split(None, whole)
        below = replace(whole, stage=stages[-moves.stages - 1], pooling="none")
        first = extract(below, rows.take(np.arange(len(rows)) == 0), memory=self.memory)
        if first.nbytes * len(rows) > FROZEN_BYTES:
            return _Split(None, whole)
        above = cut(whole.backbone, moves.stages)
        return _Split(below, Extraction(above, above.stages[-1], whole.pooling, None))

    def _starts(
        self, whole: Extraction, rows: Rows, targets: Targets, head: Head | None, hidden: tuple[int, ...], C: float
    ) -> tuple[Head | None, Array | None]:
        """Head to start from, and how much each feature counts in the pull of DELTA."""
        wanted = head is None and self.solve_head and self._pretrained
        if hidden or not (wanted or self.delta):
            return head, None
        features = extract(whole, rows, memory=self.memory)
        solved = solve(features, targets, C=C)
        attention = channel_importance(features, targets, solved) if self.delta else None
        return (solved if wanted else head), attention

    def _design(
        self, split: _Split, moves: Movement, targets: Targets, rows: Rows, hidden: tuple[int, ...], dropout: float
    ) -> engine.Design:
        """Settle the network that is trained, and compile it, so that what cannot move is told before work starts."""
        above, below = split.above, split.below
        body = None if above is None else above.backbone
        preparation = None if above is None else above.preparation
        if below is None:
            shape, dtype = row_format(rows, preparation)
        else:
            first = extract(below, rows.take(np.arange(len(rows)) == 0), memory=self.memory)
            shape, dtype = first.shape[1:], str(first.dtype)
        trains = not self._pretrained if self.batch_norm == "auto" else self.batch_norm == "train"
        inside = self.augmentation is not None and below is None
        design = engine.design_network(
            body,
            moves,
            statistics_move=bool(trains and body is not None),
            tasks=targets.tasks,
            hidden=hidden,
            dropout=dropout,
            preparation=preparation,
            row=(shape, "float32" if self.mixup and dtype == "uint8" else dtype),
            augmentation=augmentation_json(self.augmentation) if inside else None,
            pulled=bool(self.l2_sp and body is not None),
            matched=bool(self.delta and body is not None),
        )
        engine.prepare(design)
        return design

    def _train(
        self,
        design: engine.Design,
        training: engine.Training,
        split: _Split,
        views: list[Rows],
        targets: Targets,
        held: Held,
        starts: tuple[Head | None, Array | None],
        watcher: FitWatcher,
    ) -> engine.Trained:
        validation = None if held is None else (split.rows(held[0], self.memory), held[1].normalised())
        try:
            return engine.train(
                design,
                training,
                None if split.above is None else split.above.backbone,
                [split.rows(view, self.memory) for view in views],
                targets.normalised(),
                head=starts[0],
                attention=starts[1],
                validation=validation,
                checkpoint=None if self.checkpoint is None else os.fspath(self.checkpoint),
                callbacks=self.callbacks or (),
                watcher=watcher,
            )
        finally:
            watcher.end()

    def _moved(self, split: _Split, weights: list[Array]) -> _Split:
        """Put trained weights into the part that moves."""
        if split.above is None:
            return split
        return replace(split, above=replace(split.above, backbone=split.above.backbone.with_weights(weights)))

    def _moved_whole(self, backbone: Backbone, split: _Split, moves: Movement) -> Backbone:
        """Put the part that moved back into the whole network."""
        if split.above is None:
            return backbone
        return split.above.backbone if split.below is None else join(backbone, split.above.backbone, moves.stages)

    def _training(self, n_rows: int, moves: Movement, label_smoothing: float, once: bool) -> engine.Training:
        """Settle what "auto" means for so many rows."""
        whole = self._format.kind == "table" and n_rows <= FULL_BATCH_ROWS
        batch_size = (n_rows if whole else 32) if self.batch_size == "auto" else int(self.batch_size)
        steps = -(-n_rows // batch_size)
        rate = self.learning_rate
        if rate == "auto":
            lora = moves.kind == "lora"
            gentle = self._pretrained and moves.stages > 0 and moves.kind == "weights"
            rate = (0.003 if lora else 0.01) if steps == 1 else 1e-4 if gentle else 0.001
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
            mixup=float(self.mixup),
            label_smoothing=float(label_smoothing),
            patience=int(self.n_iter_no_change) if self.early_stopping else None,
            tol=float(self.tol),
        )
        return replace(training, epochs=1, schedule="constant", warmup=0.0, patience=None) if once else training

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

    def _decide(self, X: Any) -> Array:
        """Decision values of shape (n_rows, n_outputs)."""
        return self._head(self._network.features(self._read(X, reset=False), self.memory))
