"""The one way in which all estimators are fitted: a recipe and samples in, a fitted model out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from skltransfer._engine.design import Design, design_network
from skltransfer._engine.goal import Goal
from skltransfer._engine.job import TrainingJob, TrainingResult, TrainingSettings, TrainingState
from skltransfer._engine.loop import prepare, train
from skltransfer._engine.trainable import TrainableLayers, resolve_trainable
from skltransfer._estimators.fitted import FittedModel
from skltransfer._estimators.holdout import HeldOut, hold_out
from skltransfer._estimators.parameters import FitParameters
from skltransfer._estimators.progress import FitMonitor, FitWatcher, Unwatched
from skltransfer._features.extraction import sample_spec
from skltransfer._features.split import SplitNetwork, first
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import Samples, SampleSpec
from skltransfer._targets.targets import Targets
from skltransfer._utils.statistics import known_moments
from skltransfer._utils.types import Array, Floats
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._builders import standardize

FULL_BATCH_SAMPLES = 1024
"""Tables of up to so many samples are one mini-batch."""
MIN_STEPS = 300
RATE_TIMES_WEIGHTS = 300.0
"""Learning rate at which pretrained weights are fine-tuned, times how many there are; see `docs/design.md`."""


@dataclass(frozen=True, eq=False)
class Start:
    """Where a fit starts.

    Parameters
    ----------
    backbone : Backbone
        The network below the head.
    pretrained : bool
        Whether the one that the first fit started from was pretrained.
    head : list of ndarray or None
        Weights of the head; None if they are solved for, or drawn.
    n_epochs : int
        Epochs that it was trained before, by an estimator that it continues.
    continued : bool
        Whether it continues an earlier fit of the same estimator.
    history : mapping of str to list of float
        Of the epochs that it was trained before.
    training : TrainingState or None
        Where their training stood.
    """

    backbone: Backbone
    pretrained: bool
    head: list[Array] | None = None
    n_epochs: int = 0
    continued: bool = False
    history: Mapping[str, list[float]] = field(default_factory=dict)
    training: TrainingState | None = None

    @classmethod
    def again(cls, earlier: FittedModel, head: list[Array] | None, *, once: bool) -> Start:
        """Start from what an estimator learned; with `once`, go on with the training that it learned from."""
        start = cls(earlier.backbone, earlier.pretrained, head, continued=True)
        if not once:
            return start
        return replace(start, n_epochs=earlier.n_epochs, history=earlier.history, training=earlier.training)


@dataclass(frozen=True, eq=False)
class State:
    """A network between two phases of a fit: below the head, and the weights of the head if there are any.

    Where another call may continue it, `training` is where its training stood.
    """

    network: SplitNetwork
    head: list[Array] | None
    training: TrainingState | None = None


@dataclass(frozen=True, eq=False)
class Phase:
    """One training.

    Parameters
    ----------
    design : Design
        The network that is compiled.
    settings : TrainingSettings
        How it is trained.
    job : callable
        From the `State` before it to a `TrainingJob`.
    loss_name : str or None
        Another name under which the loss is in the history.
    """

    design: Design
    settings: TrainingSettings
    job: Callable[[State], TrainingJob]
    loss_name: str | None = None


@dataclass(frozen=True, eq=False)
class Setup:
    """What is settled before anything is trained.

    Parameters
    ----------
    start : Start
        Where the fit starts.
    trainable : TrainableLayers
        Which layers are fine-tuned.
    network : SplitNetwork
        The frozen part and the trainable part.
    samples, targets : Samples, Targets
        What is learned from.
    held_out : tuple of Samples and Targets, or None
        What decides when to stop.
    groups : ndarray of shape (n_samples,) or None
        Samples of one group are held out together.
    """

    start: Start
    trainable: TrainableLayers
    network: SplitNetwork
    samples: Samples
    targets: Targets
    held_out: HeldOut | None
    groups: Array | None = None

    def n_epochs_after(self, history: dict[str, list[float]]) -> int:
        """Return where another call of `partial_fit` continues; a solved head counts as an epoch."""
        n_before, n_now = (len(of.get("loss", ())) for of in (self.start.history, history))
        return self.start.n_epochs + max(n_now - n_before, 1)


@dataclass(frozen=True, eq=False)
class Recipe(ABC):
    """What the fit of one kind of estimator consists of.

    Parameters
    ----------
    parameters : FitParameters
        Of the estimator.
    format : InputFormat
        What one sample is.
    """

    parameters: FitParameters
    format: InputFormat

    n_own_stages = 0

    @abstractmethod
    def start(self, samples: Samples) -> Start:
        """Find the network to start from."""

    @abstractmethod
    def check(self, trainable: TrainableLayers, targets: Targets) -> None:
        """Refuse parameters that contradict each other, or the samples."""

    @abstractmethod
    def split(self, start: Start, trainable: TrainableLayers, samples: Samples) -> SplitNetwork:
        """Split the network into its frozen part and its trainable one."""

    @abstractmethod
    def phases(self, setup: Setup) -> list[Phase]:
        """Settle what is trained, one after the other, and compile it."""

    @abstractmethod
    def finish(self, setup: Setup, states: Sequence[State], history: dict[str, list[float]]) -> FittedModel:
        """Make the fitted model of the states before, between and after the phases."""

    def adjusted(self, start: Start, samples: Samples, targets: Targets) -> Start:
        """Let an untrained network for numbers bring each column, or channel, to unit variance."""
        if not self.format.kind.is_numeric or start.backbone.pretrained:
            return start
        return replace(
            start, backbone=standardize(start.backbone, *column_moments(samples, self.column_weights(targets)))
        )

    def interim(self, setup: Setup, state: State, history: dict[str, list[float]]) -> FittedModel:
        """Make the fitted model that training would give if it ended here, for callbacks that score it."""
        return self.finish(setup, [state], history)

    def holds_out(self, trainable: TrainableLayers) -> bool:
        """Whether samples are held out for early stopping."""
        return self.parameters.early_stopping

    def column_weights(self, targets: Targets) -> Floats:
        """How much each sample counts in the mean and standard deviation of a column."""
        return targets.weights.max(axis=1)


def fit(
    recipe: Recipe,
    samples: Samples,
    targets: Targets,
    monitor: FitMonitor | Unwatched,
    *,
    held_out: HeldOut | None = None,
    groups: Any = None,
) -> FittedModel:
    """Fit a model.

    Parameters
    ----------
    recipe : Recipe
        What this fit consists of.
    samples, targets : Samples, Targets
        What is learned from.
    monitor : FitMonitor
        Follows the training.
    held_out : tuple of Samples and Targets, optional
        What decides when to stop; else some samples are set aside, if the recipe asks for it.
    groups : array-like of shape (n_samples,), optional
        Samples of one group are held out together.
    """
    with monitor.showing():
        model = _fit(recipe, samples, targets, monitor, held_out, groups)
    return replace(model, n_samples=len(targets))


def _fit(
    recipe: Recipe,
    samples: Samples,
    targets: Targets,
    monitor: FitMonitor | Unwatched,
    held_out: HeldOut | None,
    groups: Any,
) -> FittedModel:
    own = recipe.parameters
    start = recipe.start(samples)
    n_stages = len(start.backbone.stages) - recipe.n_own_stages
    trainable = resolve_trainable(own.trainable, pretrained=start.pretrained, n_stages=n_stages)
    recipe.check(trainable, targets)
    if held_out is None and recipe.holds_out(trainable):
        share = float(own.validation_fraction)
        samples, targets, held_out = hold_out(samples, targets, groups, share=share, seed=own.seed)
        groups = None
    if not start.continued:
        start = recipe.adjusted(start, samples, targets)
    network = recipe.split(start, trainable, samples)
    setup = Setup(start, trainable, network, samples, targets, held_out, groups)
    phases = recipe.phases(setup)
    monitor.begin(sum(phase.settings.epochs for phase in phases))
    states, history = [State(network, start.head)], dict(start.history)
    for phase in phases:
        interim = partial(_interim, recipe, setup, states[-1], history, phase)
        found = _trained(phase.job(states[-1]), own, monitor.watcher(interim))
        states.append(_next(states[-1], found))
        history = _extended(history, found, phase.loss_name)
    return recipe.finish(setup, states, history)


def settings_for(
    own: FitParameters,
    n_samples: int,
    start: Start,
    trainable: TrainableLayers,
    *,
    table: bool,
    values: dict[str, Any],
    mixup: float = 0.0,
) -> TrainingSettings:
    """Settle what "auto" means for so many samples."""
    whole = table and n_samples <= FULL_BATCH_SAMPLES
    batch_size = (n_samples if whole else 32) if own.batch_size == "auto" else int(own.batch_size)
    steps = -(-n_samples // batch_size)
    settings = TrainingSettings(
        epochs=max(10, -(-MIN_STEPS // steps)) if own.epochs == "auto" else int(own.epochs),
        batch_size=batch_size,
        learning_rate=_learning_rate(own, start, trainable, whole=whole and steps == 1),
        seed=own.seed,
        initial_epoch=start.n_epochs,
        schedule=own.schedule,
        warmup=float(own.warmup),
        layer_decay=float(own.layer_decay),
        weight_decay=float(own.weight_decay),
        values={"l2_sp": float(own.l2_sp), "importance": float(own.delta), **values},
        mixup=mixup,
        patience=int(own.n_iter_no_change) if own.early_stopping else None,
        tol=float(own.tol),
    )
    return replace(settings, epochs=1, schedule="constant", warmup=0.0, patience=None) if own.once else settings


def design_for(
    own: FitParameters, network: SplitNetwork, start: Start, trainable: TrainableLayers, spec: SampleSpec, goal: Goal,
    **options: Any,
) -> Design:  # fmt: skip
    """Settle the network that is trained, and compile it, so that what cannot be trained raises before work starts."""
    above = network.above
    trains_statistics = not start.pretrained if own.batch_norm == "auto" else own.batch_norm == "train"
    design = design_network(
        None if above is None else above.backbone,
        trainable,
        goal=goal,
        trains_statistics=network.n_trainable > 0 and trains_statistics,
        preparation=None if above is None else above.preparation,
        spec=spec,
        padded=network.padded,
        l2_sp=bool(own.l2_sp and above is not None),
        delta=bool(own.delta and above is not None),
        **options,
    )
    prepare(design)
    return design


def trainable_spec(network: SplitNetwork, samples: Samples, memory: Any) -> SampleSpec:
    """Shape and dtype of what the trainable part takes."""
    if network.below is None:
        return sample_spec(samples, None if network.above is None else network.above.preparation)
    return network.samples(first(samples), memory).layout(None)


def _learning_rate(own: FitParameters, start: Start, trainable: TrainableLayers, *, whole: bool) -> float:
    if own.learning_rate != "auto":
        return float(own.learning_rate)
    if whole:
        return 0.003 if trainable.kind == "lora" else 0.01
    if start.pretrained and trainable.stages > 0 and trainable.kind == "weights":
        return fine_tuning_rate(start.backbone)
    return 0.001


def fine_tuning_rate(backbone: Backbone) -> float:
    """Return the learning rate at which pretrained weights are fine-tuned."""
    return float(np.clip(RATE_TIMES_WEIGHTS / backbone.n_parameters, 1e-4, 1e-3))


def column_moments(samples: Samples, weights: Floats) -> tuple[Floats, Floats]:
    """Return the mean and standard deviation of each column, or of each channel of sequences."""
    values = np.asarray(samples.read(range(len(samples))))
    steps = int(np.prod(values.shape[1:-1]))
    return known_moments(values.reshape(-1, values.shape[-1]), np.repeat(weights, steps))


def _next(state: State, found: TrainingResult) -> State:
    return State(state.network.with_weights(found.weights), found.head, found.state)


def _interim(
    recipe: Recipe, setup: Setup, state: State, history: dict[str, list[float]], phase: Phase, found: TrainingResult
) -> dict[str, Any]:
    """Return the attributes of an estimator that would end here."""
    return {"model_": recipe.interim(setup, _next(state, found), _extended(history, found, phase.loss_name))}


def _trained(job: TrainingJob, own: FitParameters, watcher: FitWatcher | Unwatched) -> TrainingResult:
    try:
        folder = None if own.checkpoint is None else os.fspath(own.checkpoint)
        return train(job, checkpoint=folder, callbacks=own.callbacks or (), watcher=watcher)
    finally:
        watcher.end()


def _extended(history: dict[str, list[float]], found: TrainingResult, loss_name: str | None) -> dict[str, list[float]]:
    """Append the epochs of a phase; what it does not measure is NaN."""
    new = found.history if loss_name is None else {loss_name: found.history["loss"], **found.history}
    before = len(history.get("loss", []))
    return {
        name: history.get(name, [np.nan] * before) + new.get(name, [np.nan] * found.epochs)
        for name in dict.fromkeys([*history, *new])
    }
