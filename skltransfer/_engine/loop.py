"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from skltransfer._engine.batches import fill_batch, mix_answers
from skltransfer._engine.callbacks import CallbackRunner
from skltransfer._engine.checkpoint import Checkpoint, training_key
from skltransfer._engine.design import Design
from skltransfer._engine.job import (
    TrainingJob,
    TrainingResult,
    TrainingState,
    Watcher,
)
from skltransfer._engine.measures import EpochMeasures
from skltransfer._engine.pool import pool
from skltransfer._engine.schedules import rate_factor, stage_shares
from skltransfer._engine.trainer import CompiledNetwork, assign_all
from skltransfer._inputs.samples import RaggedSamples, Samples
from skltransfer._inputs.texts import TextSamples
from skltransfer._keras import backend as _backend
from skltransfer._keras.backend import own_settings
from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import read

EVALUATION_BATCH = 256
LENGTH_POOL = 16
"""Batches of shuffled samples that are sorted by length among themselves."""

CALL_BYTES = 2**24
"""Of batches whose steps are one call."""


class DivergenceError(ValueError):
    """The loss of a training is no longer finite."""


@dataclass(eq=False)
class _Progress:
    """Where a training stands between two epochs."""

    random: np.random.Generator
    epoch: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)
    best: float = np.inf
    waited: int = 0
    best_arrays: list[Array] = field(default_factory=list)
    stopped: bool = False
    callbacks: tuple[Any, list[Array]] = (None, [])


def train(
    job: TrainingJob, *, checkpoint: str | None = None, callbacks: Sequence[Any] = (), watcher: Watcher | None = None
) -> TrainingResult:
    """Train a network.

    Parameters
    ----------
    job : TrainingJob
        What is trained, how and on what.
    checkpoint : str, optional
        Folder in which the state is saved after each epoch, and from which it is restored.
    callbacks : sequence of keras.callbacks.Callback
        Called as Keras does.
    watcher : Watcher, optional
        Follows the training.

    Raises
    ------
    ValueError
        If the loss is no longer finite, a callback cannot be honoured, or a checkpoint is
        wanted of a training that has no key; see `training_key`.
    """
    if job.metrics is not None:
        job.metrics.check(job.data.targets.weights)
    with _borrow(job.design) as network:
        loop = job.design.goal.loop(network, job)
        runner = loop.runner(callbacks)
        try:
            saved = None if checkpoint is None else Checkpoint(checkpoint, training_key(job, runner.configuration()))
            if saved is not None:
                runner.keep_state()
            loop.start()
            loop.resume(saved)
            loop.run(saved, runner, watcher or Watcher())
            return loop.result()
        finally:
            runner.release()


def prepare(design: Design) -> None:
    """Compile a network, so that it lies ready.

    Raises
    ------
    ValueError
        If there is nothing in it that can be trained as the design says.
    """
    with _borrow(design):
        pass


@contextmanager
def _borrow(design: Design) -> Iterator[CompiledNetwork]:
    with (
        own_settings(),
        pool.borrow(("train", _backend.name(), design.compiled), lambda: CompiledNetwork(design.compiled)) as trainer,
    ):
        yield trainer


class Loop:
    """One training on a borrowed network."""

    def __init__(self, trainer: CompiledNetwork, job: TrainingJob) -> None:
        self.trainer, self.job, self.training = trainer, job, job.settings
        self.views, self.targets, self.validation = job.data.views, job.data.targets, job.data.validation
        self.n_outputs = self.targets.values.shape[1]
        self.answers = np.concatenate([self.targets.values, self.targets.weights], axis=1)
        self.fills = len(self.targets) >= self.training.batch_size and not trainer.design.trains_statistics
        self.n_measured: int | None = None  # how many samples of a mini-batch, the first ones; None is all
        self.specs = () if job.metrics is None else job.metrics.specs
        self.metrics = [spec.build() for spec in self.specs]
        self.at = _Progress(np.random.default_rng(self.training.seed + self.training.initial_epoch))

    @property
    def _continued(self) -> TrainingState | None:
        """State of an earlier training of such a network, if there is one."""
        state = self.job.state
        return state if state is not None and state.design == self.trainer.design.key else None

    def start(self) -> None:
        """Set weights and strengths as they are before the first epoch, or as an earlier training left them."""
        state, backbone = self._continued, self.job.backbone
        if state is not None and state.start is not None and backbone is not None:
            backbone = backbone.with_weights(state.start)
        self.trainer.reset(backbone, self.job.head, self.at.random)
        self.trainer.set_values(self.training.values)
        if state is not None:
            assign_all(self.trainer.variables, state.arrays)
            self.at.random.bit_generator.state = state.random

    def runner(self, callbacks: Sequence[Any]) -> CallbackRunner:
        """Set up callbacks for this training."""
        n_steps = -(-len(self.targets) // self.training.batch_size)
        n_epochs = self.training.initial_epoch + self.training.epochs
        return CallbackRunner(
            callbacks, self.trainer, names=self._names(), peak=self.training.learning_rate,
            params={"epochs": n_epochs, "steps": n_steps, "verbose": 1}, directions=self._directions(),
        )  # fmt: skip

    def measures(self, losses: Sequence[str]) -> EpochMeasures:
        """Begin to measure an epoch."""
        return EpochMeasures(losses, self.job.design.goal, self.job.metrics, self.metrics)

    def resume(self, saved: Checkpoint | None) -> None:
        """Take up a saved state."""
        found = None if saved is None else saved.load()
        if found is None:
            return
        groups, facts = found
        assign_all(self.trainer.variables, groups["now"])
        self.at = _Progress(
            self.at.random, facts["epoch"], facts["history"], facts["best"], facts["waited"], groups.get("best", []),
            facts["stopped"], (facts["callbacks"], groups.get("callbacks", [])),
        )  # fmt: skip
        self.at.random.bit_generator.state = facts["random"]

    def run(self, saved: Checkpoint | None, callbacks: CallbackRunner, watcher: Watcher) -> None:
        """Train the epochs that are left."""
        at, first = self.at, self.training.initial_epoch
        watcher.begin(self.training.epochs)
        callbacks.begin(*at.callbacks)
        while at.epoch < self.training.epochs and not (at.stopped or self.waited_enough()):
            watcher.epoch_begin(at.epoch)
            callbacks.tell("on_epoch_begin", first + at.epoch, {})
            logs = self.epoch(callbacks)
            at.epoch += 1
            for name, value in logs.items():
                at.history.setdefault(name, []).append(value)
            callbacks.tell("on_epoch_end", first + at.epoch - 1, logs)
            at.stopped = bool(watcher.epoch_end(at.epoch - 1, logs, self.present)) or callbacks.stops
            if saved is not None:
                self.save(saved, callbacks)
        callbacks.tell("on_train_end", {name: values[-1] for name, values in at.history.items()})

    def waited_enough(self) -> bool:
        return self.training.patience is not None and self.at.waited >= self.training.patience

    def epoch(self, callbacks: CallbackRunner) -> dict[str, float]:
        """Take one step for each batch of shuffled samples; return losses, metrics and learning rate."""
        training, at = self.training, self.at
        samples = self.views[at.epoch % len(self.views)]
        self.begin_epoch(samples)
        stages = self.trainer.design.trainable.n_trainable_stages(training.initial_epoch + at.epoch)
        self.trainer.set_shares(stage_shares(self.trainer.depths, stages, training.layer_decay), training.weight_decay)
        parts = self.parts(samples)
        when = [(at.epoch + (step + 0.5) / len(parts)) / training.epochs for step in range(len(parts))]
        factors = np.array([rate_factor(training.schedule, progress, training.warmup) for progress in when])
        measures, step = self.measures(self.trainer.metrics), 0
        for some in self.together(parts, alone=callbacks.by_batch):
            if callbacks.by_batch:
                callbacks.tell("on_train_batch_begin", step, {})
            rates = callbacks.peak * factors[step : step + len(some)]
            self.take_steps(samples, some, rates, measures)
            step += len(some)
            if callbacks.by_batch:
                callbacks.tell("on_train_batch_end", step - 1, measures.means())
                if callbacks.stops:
                    break
        found = measures.means()
        if not np.isfinite(found["loss"]):
            raise DivergenceError(
                f"The loss is {found['loss']} in epoch {at.epoch + 1} at learning_rate={callbacks.peak:g}. "
                "Pass a smaller learning_rate."
            )
        return {**found, **measures.metrics(), **self.validate(callbacks), "learning_rate": float(rates[-1])}

    def take_steps(
        self, samples: Samples, parts: list[NDArray[np.intp]], rates: NDArray[np.float64], measures: EpochMeasures
    ) -> None:
        """Take a step for each batch, and measure how it went."""
        pairs = [self.batch(samples, part) for part in parts]
        batches, answers = zip(*(self.filled(*pair) for pair in pairs), strict=True)
        losses, outputs = self.trainer.steps(np.stack(batches), np.stack(answers), rates)
        measures.add_losses([len(part) for part in parts], losses)
        if outputs is not None:
            for (_, answer), output in zip(pairs, outputs, strict=True):
                measures.add_outputs(answer[: self.n_measured], output[: len(answer)][: self.n_measured])

    def begin_epoch(self, samples: Samples) -> None:
        """Get ready for an epoch on these samples."""

    def parts(self, samples: Samples) -> list[NDArray[np.intp]]:
        """Cut shuffled samples into mini-batches; of unequal ones, like lengths come together, for little padding."""
        size, n_samples = self.training.batch_size, len(self.targets)
        order = np.arange(n_samples) if size >= n_samples else self.at.random.permutation(n_samples)
        if not isinstance(samples, TextSamples | RaggedSamples):
            return _cut(order, size)
        lengths = samples.lengths(order.tolist(), self.job.design.preparation)
        pools = zip(_cut(order, LENGTH_POOL * size), _cut(lengths, LENGTH_POOL * size), strict=True)
        parts = _cut(np.concatenate([pool[np.argsort(own, kind="stable")] for pool, own in pools]), size)
        return [parts[i] for i in self.at.random.permutation(len(parts))]

    def together(self, parts: list[NDArray[np.intp]], *, alone: bool) -> Iterator[list[NDArray[np.intp]]]:
        """Yield batches of one length whose steps are one call, or each alone."""
        shape, dtype = self.trainer.design.spec
        alone = alone or None in shape
        most = 1 if alone else max(1, CALL_BYTES // (len(parts[0]) * math.prod(shape) * np.dtype(dtype).itemsize))
        for _, alike in groupby(parts, lambda part: self.fills or len(part)):
            same = list(alike)
            yield from (same[own] for own in gen_batches(len(same), most))

    def batch(self, samples: Samples, part: NDArray[np.intp]) -> tuple[Array, Array]:
        """Read samples and answers, mixed with others if asked."""
        X, answers = self.read(samples, part), self.answers[part]
        if self.training.mixup:
            share = self.at.random.beta(self.training.mixup, self.training.mixup)
            other = self.at.random.permutation(len(part))
            X = (share * X + (1 - share) * X[other]).astype(X.dtype)
            answers = mix_answers(self.targets, answers, answers[other], share)
        return X, answers

    def filled(self, X: Array, answers: Array) -> tuple[Array, Array]:
        """Fill the last mini-batch up, where all have one length."""
        size = self.training.batch_size
        return (X, answers) if len(X) == size or not self.fills else fill_batch(X, answers, size, self.n_outputs)

    def read(self, samples: Samples, part: Any) -> Array:
        design = self.job.design
        return samples.read(part, design.preparation).astype(design.spec[1], copy=False)

    def validate(self, callbacks: CallbackRunner) -> dict[str, float]:
        """Compute the validation loss and metrics; keep the weights if it is the best so far."""
        if self.validation is None:
            return {}
        samples, targets = self.validation
        answers = np.concatenate([targets.values, targets.weights], axis=1)
        measures, losses = self.measures(()), []
        callbacks.tell("on_test_begin", {})
        for number, part in enumerate(_cut(np.arange(len(samples)), EVALUATION_BATCH)):
            callbacks.tell("on_test_batch_begin", number, {})
            outputs = self.trainer.outputs(self.read(samples, part))
            losses.append(self.trainer.losses(outputs, answers[part]))
            measures.add_outputs(answers[part], outputs)
            callbacks.tell("on_test_batch_end", number, {"loss": float(np.mean(losses[-1])), **measures.means()})
        loss = float(np.mean(np.concatenate(losses)))
        found = {"loss": loss, **measures.means(), **measures.metrics()}
        callbacks.tell("on_test_end", found)
        if self.training.patience is not None:
            self.keep_best(loss)
        return {f"val_{name}": value for name, value in found.items()}

    def keep_best(self, loss: float) -> None:
        if loss < self.at.best - self.training.tol or not self.at.best_arrays:
            self.at.best, self.at.waited, self.at.best_arrays = loss, 0, read(self.trainer.variables)
        else:
            self.at.waited += 1

    def save(self, saved: Checkpoint, callbacks: CallbackRunner) -> None:
        """Save where the training stands."""
        at, arrays = self.at, list[Array]()
        facts = {
            "epoch": at.epoch, "history": at.history, "best": at.best, "waited": at.waited, "stopped": at.stopped,
            "random": at.random.bit_generator.state, "callbacks": callbacks.state(arrays),
        }  # fmt: skip
        saved.save({"now": read(self.trainer.variables), "best": at.best_arrays, "callbacks": arrays}, facts)

    def present(self) -> TrainingResult:
        """Return what training has given so far."""
        return TrainingResult(self.trainer.weights(), self.trainer.head(), self.at.epoch, self.at.history)

    def result(self) -> TrainingResult:
        """Return what training has given, with the best weights if there was validation."""
        if self.at.best_arrays:
            assign_all(self.trainer.variables, self.at.best_arrays)
        return replace(self.present(), state=self.state() if self.job.keeps_state else None)

    def state(self) -> TrainingState:
        """Return where the training stands, for another one to go on from."""
        design, earlier, start = self.trainer.design, self._continued, None
        if design.looks_back:
            assert self.job.backbone is not None
            start = self.job.backbone.weights if earlier is None else earlier.start
        return TrainingState(design.key, read(self.trainer.variables), self.at.random.bit_generator.state, start)

    def _names(self) -> list[str]:
        """Names of what is measured in each epoch."""
        measured = *self.job.design.goal.metrics, *(spec.name for spec in self.specs)
        validated = () if self.validation is None else ("loss", *measured)
        return [*self.trainer.metrics, *measured, *(f"val_{name}" for name in validated), "learning_rate"]

    def _directions(self) -> dict[str, str]:
        """Which way metrics are better that are known for it."""
        known = {"up": "max", "down": "min"}
        found = {
            spec.name: known[metric._direction]
            for spec, metric in zip(self.specs, self.metrics, strict=True)
            if getattr(metric, "_direction", None) in known
        }
        return {"accuracy": "max", **found}


def _cut(samples: Array, size: int) -> list[Array]:
    return [samples[i : i + size] for i in range(0, len(samples), size)]
