"""What a training is, as one value, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer._engine.design import Design
from skltransfer._engine.metrics import Metrics
from skltransfer._inputs.samples import Samples
from skltransfer._targets.targets import Targets
from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import Backbone


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
        Peak learning rate of AdamW.
    seed : int
        Decides the order of the samples, dropout, augmentation and the first weights.
    schedule, warmup : str, float
        See `rate_factor`.
    layer_decay : float
        Factor of the learning rate from one stage to the one before it.
    weight_decay : float
        Decoupled weight decay of each step, as a share of the learning rate.
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
    initial_epoch : int
        Epochs that the network was trained before: layers that are unfrozen one after the other
        are as far as they would be by then, and other random numbers are drawn.
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
    initial_epoch: int = 0


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
class TrainingState:
    """Where a training stood when it ended, for another one to go on from.

    Parameters
    ----------
    design : str
        Digest of the network's `Design`; a network of another design starts anew.
    arrays : list of ndarray
        All that training changes: weights, the optimizer's moments, seeds.
    random : mapping of str to object
        State of the generator of random numbers.
    start : sequence of ndarray or None
        Weights of the network below the head before the first training, where it is held near
        them or has LoRA adapters beside them.
    """

    design: str
    arrays: list[Array]
    random: Mapping[str, Any]
    start: Sequence[Array] | None


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
    metrics : Metrics, optional
        What is measured in each epoch besides the loss and what the goal measures.
    state : TrainingState, optional
        Of an earlier training that this one continues.
    keeps_state : bool
        Whether another training may continue this one.
    """

    design: Design
    settings: TrainingSettings
    data: TrainingData
    backbone: Backbone | None
    head: Sequence[Array] | None = None
    metrics: Metrics | None = None
    state: TrainingState | None = None
    keeps_state: bool = False


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What training gives.

    Parameters
    ----------
    weights : list of ndarray
        Weights of the network below the head.
    head : list of ndarray
        Weights of what is on top.
    epochs : int
        How many were trained.
    history : dict of str to list of float
        Losses, metrics and learning rate of each epoch.
    state : TrainingState or None
        Where it stood, if the job keeps it.
    """

    weights: list[Array]
    head: list[Array]
    epochs: int
    history: dict[str, list[float]]
    state: TrainingState | None = None


class Watcher:
    """Follows a training; this one does nothing."""

    def begin(self, epochs: int) -> None:
        """Learn how many epochs there are at most."""

    def epoch_begin(self, epoch: int) -> None:
        """Learn that an epoch begins."""

    def epoch_end(self, epoch: int, logs: dict[str, float], result: Callable[[], TrainingResult]) -> bool:
        """Learn what was measured in an epoch, and, if wanted, the weights after it; return whether to stop."""
        return False
