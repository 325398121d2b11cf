"""What a student learns of a teacher: its softened answers beside the labels that are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer._engine.design import Design
from skltransfer._engine.job import TrainingJob
from skltransfer._engine.trainable import TrainableLayers
from skltransfer._estimators.fit import Setup
from skltransfer._heads.goal import Decisions
from skltransfer._targets.labels import LabelEncoding
from skltransfer._targets.targets import Targets
from skltransfer._targets.task import weighted_hits, weighted_loss
from skltransfer._targets.values import ValueEncoding
from skltransfer._utils.types import Array, Floats
from skltransfer.supervised._fitting import SupervisedRecipe


@dataclass(frozen=True)
class Imitation(Decisions):
    """Decisions that come near to labels, and softened near to the answers of a teacher.

    Targets have the tasks twice: first the labels, then what the teacher answers. Outputs are decision values, then
    the same divided by the temperature.
    """

    def network(self, design: Design, body: Any) -> Any:
        """Build the network that decides, softened as well."""
        from skltransfer.compression._network import ImitatingNetwork

        return ImitatingNetwork(design, body, self)

    def measure(self, answers: Any, outputs: Any) -> dict[str, tuple[float, float]]:
        """Measure known labels alone."""
        width = sum(task.n_outputs for task in self.tasks)
        weights = answers[:, 2 * width : 2 * width + len(self.tasks)]
        hits = weighted_hits(self.tasks, np.concatenate([answers[:, :width], weights], axis=1), outputs)
        return {"accuracy": hits} if self.metrics else {}

    def sample_losses(self, answers: Any, outputs: Any) -> Any:
        """Losses of samples, of both halves."""
        width = outputs.shape[-1]
        return weighted_loss(self.tasks * 2, answers[:, :width], answers[:, width:], outputs)


@dataclass(frozen=True, eq=False)
class Imitated:
    """What a teacher says of samples, and the labels of some of them.

    Parameters
    ----------
    encoding : LabelEncoding or ValueEncoding
        What the teacher answers.
    labels : Targets
        Of the samples with labels.
    labeled : ndarray of bool, shape (n_samples,)
        Which these are.
    answers : ndarray of shape (n_samples, sum of n_outputs)
        Softened probabilities of the teacher, or its values in the units of targets.
    weights : ndarray of shape (n_samples,)
        Sample weights.
    temperature : float
        What decision values are divided by, before they are compared with these answers.
    label_share : float
        Share of the loss of labels in the whole.
    """

    encoding: LabelEncoding | ValueEncoding
    labels: Targets
    labeled: NDArray[np.bool_]
    answers: Floats
    weights: Floats
    temperature: float
    label_share: float

    def targets(self) -> Targets:
        """Put the answers of the teacher behind the labels; one that is missing weighs 0."""
        n_tasks = len(self.labels.tasks)
        values, weights = np.zeros_like(self.answers), np.zeros((len(self.labeled), n_tasks))
        values[self.labeled], weights[self.labeled] = self.labels.values, self.labels.weights
        return Targets(
            self.labels.tasks * 2,
            np.concatenate([values, self.answers], axis=1),
            np.concatenate([weights, np.repeat(self.weights[:, None], n_tasks, axis=1)], axis=1),
        )


@dataclass(frozen=True, eq=False)
class ImitationRecipe(SupervisedRecipe):
    """A student that is trained on the answers of a teacher.

    Parameters
    ----------
    imitated : Imitated
        What it learns.
    """

    imitated: Imitated

    @property
    def on_kernels(self) -> bool:
        """A student is a network, of a table too."""
        return False

    def _solved(self, trainable: TrainableLayers) -> bool:
        return False

    def _goal(self, setup: Setup) -> Imitation:
        return Imitation(self.encoding.tasks, *self.layers)

    def _job(self, *args: Any) -> TrainingJob:
        """Share the loss between both halves; softened answers have gradients as small as the squared temperature."""
        job = super()._job(*args)
        held_out = job.data.validation
        data = replace(
            job.data,
            targets=self._shared(job.data.targets),
            validation=None if held_out is None else (held_out[0], self._shared(held_out[1])),
        )
        values = {**job.settings.values, "sharpness": 1 / self.imitated.temperature}
        return replace(job, settings=replace(job.settings, values=values), data=data)

    def _shared(self, targets: Targets) -> Targets:
        share = self.imitated.label_share
        factors = np.repeat([share, (1 - share) * self.imitated.temperature**2], len(self.encoding.tasks))
        return replace(targets, weights=targets.weights * factors)


def softened(probabilities: Array, temperature: float) -> Floats:
    """Soften probabilities, as if their decision values were divided by a temperature.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Each sample's sum to 1.
    temperature : float
        Above 0; beyond 1, they become more alike.

    References
    ----------
    Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network", 2015.

    Examples
    --------
    >>> softened(np.array([[0.8, 0.2]]), 2.0).round(3)
    array([[0.667, 0.333]])
    """
    powers = np.asarray(probabilities, np.float64) ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)
