"""What the estimators share that train a network: what moves, how long, and what is held out."""

from __future__ import annotations

import os
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.callback import CallbackSupportMixin
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, train_test_split
from sklearn.utils._param_validation import Interval, StrOptions

from skltransfer._engine.callbacks import check_callbacks
from skltransfer._engine.design import Design, Goal, design_network
from skltransfer._engine.job import TrainingData, TrainingJob, TrainingResult, TrainingSettings
from skltransfer._engine.loop import prepare, train
from skltransfer._engine.metrics import Metrics
from skltransfer._engine.schedules import SCHEDULES
from skltransfer._engine.trainable import TrainableLayers
from skltransfer._estimators.base import BackboneEstimator, describe
from skltransfer._estimators.progress import FitWatcher
from skltransfer._features.extraction import sample_spec
from skltransfer._features.split import SplitNetwork, first
from skltransfer._inputs.samples import Samples, SampleSpec
from skltransfer._targets.targets import Targets
from skltransfer._utils.statistics import weighted_moments
from skltransfer._utils.types import Array
from skltransfer._validation import check_held, check_split
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._builders import standardize

Held = tuple[Samples, Targets] | None

FULL_BATCH_SAMPLES = 1024
MIN_STEPS = 300


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
    metrics: Any = None

    backbone_: Backbone
    _pretrained: bool
    _parts: int

    def _check_together(self, moves: TrainableLayers) -> None:
        """Refuse parameters that cannot mean anything together."""
        check_callbacks(self.callbacks or ())
        if moves.kind == "lora" and self.l2_sp:
            raise ValueError("l2_sp pulls weights that LoRA does not move. Pass l2_sp=0, or another trainable.")
        if self.augmentation is not None and self._format.kind not in ("image_arrays", "image_files"):
            raise ValueError(
                f"augmentation changes images. Got {describe(self._format)}; pass augmentation=None, or "
                "input_shape=(height, width) if samples are flattened images."
            )
        if self.checkpoint is not None and not isinstance(self.random_state, Integral):
            raise ValueError(
                "checkpoint: expected an int as random_state, so that the same fit finds its state again. Got "
                f"random_state={self.random_state!r}; pass a number, such as random_state=0."
            )

    def _standardized(self, backbone: Backbone, samples: Samples, weights: Array) -> Backbone:
        """Let an untrained network for samples of numbers bring each column, or channel, to one unit."""
        if self._format.kind not in ("table", "sequences") or backbone.pretrained:
            return backbone
        values = np.asarray(samples.read(range(len(samples))))
        steps = int(np.prod(values.shape[1:-1]))
        moments = _known_moments(values.reshape(-1, values.shape[-1]), np.repeat(weights, steps))
        return standardize(backbone, *moments)

    def _trains_statistics(self) -> bool:
        """Tell whether normalisations that move use the statistics of batches."""
        return not self._pretrained if self.batch_norm == "auto" else self.batch_norm == "train"

    def _sample(self, split: SplitNetwork, samples: Samples) -> SampleSpec:
        """Shape and dtype of what the moving part takes."""
        if split.below is None:
            return sample_spec(samples, None if split.above is None else split.above.preparation)
        return split.samples(first(samples), self.memory).layout(None)

    def _design(
        self, split: SplitNetwork, moves: TrainableLayers, sample: SampleSpec, goal: Goal, **options: Any
    ) -> Design:
        """Settle the network that is trained, and compile it, so that what cannot move is told before work starts."""
        body = None if split.above is None else split.above.backbone
        design = design_network(
            body,
            moves,
            statistics_move=split.moving > 0 and self._trains_statistics(),
            goal=goal,
            preparation=None if split.above is None else split.above.preparation,
            spec=sample,
            padded=split.padded,
            pulled=bool(self.l2_sp and body is not None),
            matched=bool(self.delta and body is not None),
            **options,
        )
        prepare(design)
        return design

    def _train(
        self,
        design: Design,
        training: TrainingSettings,
        split: SplitNetwork,
        watcher: FitWatcher,
        data: TrainingData,
        head: list[Array] | None,
        metrics: Metrics | None = None,
    ) -> TrainingResult:
        body = None if split.above is None else split.above.backbone
        try:
            return train(
                TrainingJob(design, training, data, body, head, metrics),
                checkpoint=None if self.checkpoint is None else os.fspath(self.checkpoint),
                callbacks=self.callbacks or (),
                watcher=watcher,
            )
        finally:
            watcher.end()

    def _training(
        self, n_samples: int, moves: TrainableLayers, once: bool, values: dict[str, Any], **more: Any
    ) -> TrainingSettings:
        """Settle what "auto" means for so many samples."""
        whole = self._format.kind == "table" and n_samples <= FULL_BATCH_SAMPLES
        batch_size = (n_samples if whole else 32) if self.batch_size == "auto" else int(self.batch_size)
        steps = -(-n_samples // batch_size)
        rate = self.learning_rate
        if rate == "auto":
            lora = moves.kind == "lora"
            gentle = self._pretrained and moves.stages > 0 and moves.kind == "weights"
            rate = (0.003 if lora else 0.01) if whole and steps == 1 else 1e-4 if gentle else 0.001
        epochs = max(10, -(-MIN_STEPS // steps)) if self.epochs == "auto" else int(self.epochs)
        training = TrainingSettings(
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=float(rate),
            seed=self._seed(),
            initial_epoch=self._parts,
            schedule=self.schedule,
            warmup=float(self.warmup),
            layer_decay=float(self.layer_decay),
            weight_decay=float(self.weight_decay),
            values={"l2_sp": float(self.l2_sp), "importance": float(self.delta), **values},
            **more,
        )
        return replace(training, epochs=1, schedule="constant", warmup=0.0, patience=None) if once else training

    def _stopping(self) -> dict[str, Any]:
        """Settle when a training stops early."""
        return {"patience": int(self.n_iter_no_change) if self.early_stopping else None, "tol": float(self.tol)}

    def _hold_out(self, samples: Samples, targets: Targets, groups: Any) -> tuple[Samples, Targets, Held]:
        """Set samples aside that training does not see: whole groups if given, and some of each class."""
        share, everything, strata = float(self.validation_fraction), np.arange(len(samples)), targets.strata()
        check_split(share, len(samples), strata, groups)
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
        return samples.take(~out), targets.take(~out), (samples.take(out), targets.take(out))
