"""The training loop."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from skltransfer._engine.checkpoint import Checkpoint
from skltransfer._engine.design import Design
from skltransfer._engine.pool import pool
from skltransfer._engine.schedules import rate_factor, stage_shares
from skltransfer._engine.trainer import CompiledNetwork, assign_all
from skltransfer._inputs.samples import RaggedSamples, Samples
from skltransfer._inputs.texts import TextSamples
from skltransfer._keras import backend as _backend
from skltransfer._keras.optional import import_keras
from skltransfer._keras.settings import own_settings
from skltransfer._targets.targets import Targets
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import Backbone, read

EVALUATION_BATCH = 256
LENGTH_POOL = 16
"""Batches of shuffled samples that are sorted by length among themselves."""

CALL_BYTES = 2**24
"""Of batches whose steps are one call."""


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained; nothing in here compiles it anew.

    Parameters
    ----------
    epochs : int
        Passes over the samples.
    batch_size : int
        Samples a step.
    learning_rate : float
        Largest step size of Adam.
    seed : int
        Decides the order of the samples, dropout, augmentation and first weights.
    schedule, warmup : str, float
        See `rate_factor`.
    layer_decay : float
        Factor of the learning rate from one stage to the one before it.
    weight_decay : float
        Decoupled decay of each step, as a share of the learning rate.
    mixup : float
        Both parameters of the Beta distribution that pairs of samples are mixed by; 0 mixes
        none.
    values : mapping of str to object
        Strengths that the network knows by name, such as that of a penalty, and what the loop
        of the goal reads.
    patience : int or None
        Epochs without a better validation loss after which to stop, and go back to the best
        weights; None never stops.
    tol : float
        By how much a validation loss has to be lower to be better.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    schedule: str = "constant"
    warmup: float = 0.0
    layer_decay: float = 1.0
    weight_decay: float = 0.0
    mixup: float = 0.0
    values: Mapping[str, Any] = field(default_factory=dict)
    patience: int | None = None
    tol: float = 0.0


class Watcher:
    """Looks on while a network is trained; this one does nothing."""

    def begin(self, epochs: int) -> None:
        """Learn how many epochs there are at most."""

    def epoch_begin(self, epoch: int) -> None:
        """Be told that an epoch begins."""

    def epoch_end(self, epoch: int, logs: dict[str, float]) -> bool:
        """Be told how it went; return whether to stop."""
        return False


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What training gives.

    Parameters
    ----------
    weights : list of ndarray
        Of the network below the head.
    head : list of ndarray
        Of what is on top.
    epochs : int
        How many were trained.
    history : dict of str to list of float
        Losses and learning rate, epoch by epoch.
    """

    weights: list[Array]
    head: list[Array]
    epochs: int
    history: dict[str, list[float]]


@dataclass(eq=False)
class _Progress:
    """Where a training stands between two epochs."""

    random: np.random.Generator
    epoch: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)
    best: float = np.inf
    waited: int = 0
    best_arrays: list[Array] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a network is trained on.

    Parameters
    ----------
    views : sequence of Samples
        The samples, as each epoch in turn sees them; they are read a batch at a time.
    targets : Targets
        What samples should come out as. Weights of each task should have a mean of 1.
    validation : tuple of Samples and Targets, optional
        Samples that decide when to stop, and which epoch's weights are kept.
    groups : ndarray of shape (n_samples,), optional
        Number of the group of each sample, such as its domain, for a loop that draws from groups.
    """

    views: Sequence[Samples]
    targets: Targets
    validation: tuple[Samples, Targets] | None = None
    groups: NDArray[np.intp] | None = None


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """All that decides what a training gives.

    Parameters
    ----------
    design : Design
        The network.
    settings : TrainingSettings
        How long and how fast.
    data : TrainingData
        On what.
    backbone : Backbone or None
        Where the weights start; None if samples are features already.
    head : sequence of ndarray, optional
        Where the weights on top start; those of decisions are else drawn at random.
    """

    design: Design
    settings: TrainingSettings
    data: TrainingData
    backbone: Backbone | None
    head: Sequence[Array] | None = None


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
        They are copied.
    watcher : Watcher, optional
        Told of each epoch.

    Raises
    ------
    ValueError
        If the loss is no longer finite.
    """
    with _borrow(job.design) as network:
        loop = job.design.goal.loop(network, job)
        loop.start()
        saved = Checkpoint(checkpoint, loop.key()) if checkpoint is not None else None
        loop.resume(saved)
        loop.run(saved, _callback_list(callbacks, network.network, job.settings.epochs), watcher or Watcher())
        return loop.result()


def prepare(design: Design) -> None:
    """Compile a network, so that it lies ready.

    Raises
    ------
    ValueError
        If nothing in it can move as the design says.
    """
    with _borrow(design):
        pass


@contextmanager
def _borrow(design: Design) -> Iterator[CompiledNetwork]:
    with (
        own_settings(),
        pool.borrow(("train", _backend.name(), design), lambda: CompiledNetwork(design)) as trainer,
    ):
        yield trainer


class Loop:
    """One training on a borrowed network."""

    def __init__(self, trainer: CompiledNetwork, job: TrainingJob) -> None:
        self.trainer, self.job, self.training = trainer, job, job.settings
        self.views, self.targets, self.validation = job.data.views, job.data.targets, job.data.validation
        self.answers = np.concatenate([self.targets.values, self.targets.weights], axis=1)
        self.fills = len(self.targets) >= self.training.batch_size and not trainer.design.statistics_move
        self.at = _Progress(np.random.default_rng(self.training.seed))

    def start(self) -> None:
        """Set weights and strengths as they are before the first epoch."""
        self.trainer.reset(self.job.backbone, self.job.head, self.at.random)
        self.trainer.set_values(self.training.values)

    def key(self) -> str:
        """Digest of everything that decides the outcome."""
        backbone, head = self.job.backbone, self.job.head
        from_head = [] if head is None else [np.ascontiguousarray(array) for array in head]
        held = [] if self.validation is None else [self.validation[0]]
        samples = b"".join(view.digest(i) for view in (*self.views, *held) for i in range(len(view)))
        wanted = [] if self.validation is None else [np.ascontiguousarray(self.validation[1].values)]
        plan = repr((_backend.name(), self.trainer.design, sorted(asdict(self.training).items())))
        start = "" if backbone is None else backbone.function_fingerprint
        return content_hash(plan, start, samples, np.ascontiguousarray(self.answers), *from_head, *wanted).hex()

    def resume(self, saved: Checkpoint | None) -> None:
        """Take up a saved state."""
        found = None if saved is None else saved.load()
        if found is None:
            return
        groups, facts = found
        assign_all(self.trainer.variables, groups["now"])
        self.at = _Progress(
            self.at.random, facts["epoch"], facts["history"], facts["best"], facts["waited"], groups.get("best", [])
        )
        self.at.random.bit_generator.state = facts["random"]

    def run(self, saved: Checkpoint | None, callbacks: Any, watcher: Watcher) -> None:
        """Train the epochs that are left."""
        at, training = self.at, self.training
        watcher.begin(training.epochs)
        callbacks.on_train_begin()
        while at.epoch < training.epochs and not self.waited_enough():
            watcher.epoch_begin(at.epoch)
            callbacks.on_epoch_begin(at.epoch)
            logs = self.epoch(callbacks)
            at.epoch += 1
            for name, value in logs.items():
                at.history.setdefault(name, []).append(value)
            if saved is not None:
                self.save(saved)
            callbacks.on_epoch_end(at.epoch - 1, logs)
            if watcher.epoch_end(at.epoch - 1, logs) or getattr(self.trainer.network, "stop_training", False):
                break
        callbacks.on_train_end()

    def waited_enough(self) -> bool:
        return self.training.patience is not None and self.at.waited >= self.training.patience

    def epoch(self, callbacks: Any) -> dict[str, float]:
        """Take one step for each batch of shuffled samples; return losses and learning rate."""
        training, at = self.training, self.at
        samples = self.views[at.epoch % len(self.views)]
        self.begin_epoch(samples)
        moving = self.trainer.design.trainable.n_trainable_stages(at.epoch)
        self.trainer.set_shares(stage_shares(self.trainer.depths, moving, training.layer_decay), training.weight_decay)
        parts = self.parts(samples)
        n_seen = sum(map(len, parts))
        when = [(at.epoch + (step + 0.5) / len(parts)) / training.epochs for step in range(len(parts))]
        rates = [
            training.learning_rate * rate_factor(training.schedule, progress, training.warmup) for progress in when
        ]
        total, step = np.zeros(len(self.trainer.metrics)), 0
        for some in self.together(parts, alone=bool(callbacks.callbacks)):
            callbacks.on_train_batch_begin(step)
            batches, answers = zip(*(self.filled(*self.batch(samples, part)) for part in some), strict=True)
            found = self.trainer.steps(np.stack(batches), np.stack(answers), np.array(rates[step : step + len(some)]))
            step += len(some)
            callbacks.on_train_batch_end(step - 1, {"loss": float(found[-1, 0])})
            total += [len(part) for part in some] @ found
        means = dict(zip(self.trainer.metrics, (total / n_seen).tolist(), strict=True))
        if not np.isfinite(means["loss"]):
            raise ValueError(
                f"The loss is {means['loss']} in epoch {at.epoch + 1} at learning_rate={training.learning_rate:g}. "
                "Pass a smaller learning_rate."
            )
        return {**means, **self.validate(), "learning_rate": rates[-1]}

    def begin_epoch(self, samples: Samples) -> None:
        """Get ready for an epoch on these samples."""

    def parts(self, samples: Samples) -> list[NDArray[np.intp]]:
        """Cut shuffled samples into batches; of unequal samples, like lengths come together, so that little is padding."""
        size, n_samples = self.training.batch_size, len(self.targets)
        order = np.arange(n_samples) if size >= n_samples else self.at.random.permutation(n_samples)
        if not isinstance(samples, TextSamples | RaggedSamples):
            return _cut(order, size)
        lengths = samples.lengths(order.tolist(), self.trainer.design.preparation)
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
            answers = self.mix(answers, answers[other], share)
        return X, answers

    def filled(self, X: Array, answers: Array) -> tuple[Array, Array]:
        """Fill the last batch up with samples of no weight: a step for another length would be compiled anew."""
        size, found = self.training.batch_size, len(X)
        if found == size or not self.fills:
            return X, answers
        again, width = np.resize(np.arange(found), size), self.targets.values.shape[1]
        answers = answers[again]
        answers[:, width:] *= size / found
        answers[found:, width:] = 0.0
        return X[again], answers

    def mix(self, some: Array, others: Array, share: float) -> Array:
        """Mix targets, each with the weight of its sample."""
        width = self.targets.values.shape[1]
        weights = share * some[:, width:] + (1 - share) * others[:, width:]
        mixed = np.empty_like(some)
        mixed[:, width:] = weights
        for task, own in enumerate(self.targets.columns()):
            heavy = share * some[:, width + task, None], (1 - share) * others[:, width + task, None]
            total = np.maximum(weights[:, task, None], np.finfo(float).tiny)
            mixed[:, own] = (heavy[0] * some[:, own] + heavy[1] * others[:, own]) / total
        return mixed

    def read(self, samples: Samples, part: Any) -> Array:
        design = self.trainer.design
        return samples.read(part, design.preparation).astype(design.spec[1], copy=False)

    def validate(self) -> dict[str, float]:
        """Compute the validation loss; keep the weights if it is the best so far."""
        if self.validation is None:
            return {}
        samples, targets = self.validation
        answers = np.concatenate([targets.values, targets.weights], axis=1)
        parts = [
            np.arange(i, min(i + EVALUATION_BATCH, len(samples))) for i in range(0, len(samples), EVALUATION_BATCH)
        ]
        found = [self.trainer.losses(self.read(samples, part), answers[part]) for part in parts]
        loss = float(np.mean(np.concatenate(found)))
        if self.training.patience is not None:
            self.keep_best(loss)
        return {"val_loss": loss}

    def keep_best(self, loss: float) -> None:
        if loss < self.at.best - self.training.tol or not self.at.best_arrays:
            self.at.best, self.at.waited, self.at.best_arrays = loss, 0, read(self.trainer.variables)
        else:
            self.at.waited += 1

    def save(self, saved: Checkpoint) -> None:
        at = self.at
        facts = {"epoch": at.epoch, "history": at.history, "best": at.best, "waited": at.waited}
        facts["random"] = at.random.bit_generator.state
        saved.save({"now": read(self.trainer.variables), "best": at.best_arrays}, facts)

    def result(self) -> TrainingResult:
        if self.at.best_arrays:
            assign_all(self.trainer.variables, self.at.best_arrays)
        return TrainingResult(self.trainer.weights(), self.trainer.head(), self.at.epoch, self.at.history)


def _cut(samples: Array, size: int) -> list[Array]:
    return [samples[i : i + size] for i in range(0, len(samples), size)]


def _callback_list(callbacks: Sequence[Any], network: Any, epochs: int) -> Any:
    network.stop_training = False
    copies = [copy.deepcopy(callback) for callback in callbacks]
    return import_keras().callbacks.CallbackList(copies, model=network, epochs=epochs)
