"""What the estimators share that put a head on a backbone and may move it."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from skltransfer import engine
from skltransfer._base import SOUND_PARAMETERS
from skltransfer._progress import FitWatcher
from skltransfer._trained import Held, Split, TrainedEstimator, split_network
from skltransfer.features import Extraction, extract, plan_extraction
from skltransfer.finetuning import Movement, augmentation_json, movement
from skltransfer.heads import (
    Head,
    LinearHead,
    Targets,
    channel_importance,
    head_arrays,
    head_from_arrays,
    head_layers,
    solve,
)
from skltransfer.inputs import Rows

Array = NDArray[Any]


class TunedEstimator(TrainedEstimator):
    """Base of the estimators that fit a head, and may fine-tune the backbone below it."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TrainedEstimator._parameter_constraints,
        **SOUND_PARAMETERS,
        "head": "no_validation",
        "mixup": [Interval(Real, 0, None, closed="left")],
        "n_views": [Interval(Integral, 2, None, closed="left")],
        "solve_head": ["boolean"],
    }

    _head: Head

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
            backbone = self._standardized(backbone, rows, targets.weights.max(axis=1))
        whole = plan_extraction(backbone, self._format, image_size=self.image_size)
        split = split_network(whole, moves.stages, rows, self.memory)
        views = self._views(split, rows)
        options = {"mixup": float(self.mixup), "label_smoothing": float(label_smoothing)}
        training = None if solved else self._training(len(rows), moves, once, **options)
        goal = engine.Decisions(targets.tasks, hidden, dropout)
        design = None if solved else self._design(split, moves, views[0], goal)
        context = self._init_callback_context(max_subtasks=0 if training is None else training.epochs)
        context.call_on_fit_task_begin(estimator=self)
        self.history_: dict[str, list[float]] = {}
        if training is None or design is None:
            features = np.concatenate([split.features(view, self.memory) for view in views])
            head = solve(features, targets.repeated(len(views)), C=C)
        else:
            start, attention = self._starts(whole, rows, targets, head if proceed else None, hidden, C)
            trained = self._train(
                design, training, split, FitWatcher(self, context, verbose=int(self.verbose)),
                [split.rows(view, self.memory) for view in views], targets,
                head=None if start is None else head_arrays(start), attention=attention,
                validation=None if held is None else (split.rows(held[0], self.memory), held[1].normalised()),
            )  # fmt: skip
            head, split = head_from_arrays(trained.head, trained.epochs), split.with_weights(trained.weights)
            backbone, self.history_ = split.joined(backbone), trained.history
        self._network, self.backbone_, self._head = split, backbone, head
        self.n_iter_ = head.n_iter if isinstance(head, LinearHead) else head.last.n_iter
        context.call_on_fit_task_end(estimator=self)

    def _views(self, split: Split, rows: Rows) -> list[Rows]:
        """Rows as they are, and changed at random for a part that stays as it is."""
        if self.augmentation is None or split.below is None:
            return [rows]
        change = engine.Augmentation(augmentation_json(self.augmentation), self._format, self._seed())
        views = [rows, *(engine.ViewRows(rows, change, view) for view in range(1, self.n_views))]
        start = self._parts % len(views)
        return [*views[start:], *views[:start]]

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

    def _design(self, split: Split, moves: Movement, rows: Rows, goal: engine.Decisions) -> engine.Design:
        """Settle the network that is trained, and compile it, so that what cannot move is told before work starts."""
        body = None if split.above is None else split.above.backbone
        inside = self.augmentation is not None and split.below is None
        shape, dtype = self._row(split, rows)
        design = engine.design_network(
            body,
            moves,
            statistics_move=self._trains_statistics(),
            goal=goal,
            preparation=None if split.above is None else split.above.preparation,
            row=(shape, "float32" if self.mixup and dtype == "uint8" else dtype),
            augmentation=augmentation_json(self.augmentation) if inside else None,
            pulled=bool(self.l2_sp and body is not None),
            matched=bool(self.delta and body is not None),
        )
        engine.prepare(design)
        return design

    def _decide(self, X: Any) -> Array:
        """Decision values of shape (n_rows, n_outputs)."""
        return self._head(self._network.features(self._read(X, reset=False), self.memory))
