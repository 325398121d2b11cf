"""What a student learns of a teacher: its softened answers beside the labels that are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.utils import column_or_1d

from skltransfer._engine.design import Design
from skltransfer._engine.job import TrainingJob
from skltransfer._engine.trainable import TrainableLayers
from skltransfer._estimators.fit import Setup, State, fit
from skltransfer._estimators.fitted import FittedModel
from skltransfer._estimators.progress import Unwatched
from skltransfer._heads.goal import Decisions
from skltransfer._heads.parameters import head_layers
from skltransfer._inputs.samples import Samples
from skltransfer._targets.domains import masked
from skltransfer._targets.labels import LabelEncoding
from skltransfer._targets.reading import as_table, missing, missing_as_nan, read_labels, read_values
from skltransfer._targets.targets import Targets
from skltransfer._targets.task import Task, weighted_hits, weighted_loss
from skltransfer._targets.values import ValueEncoding
from skltransfer._utils.progress import showing
from skltransfer._utils.types import Array, Floats
from skltransfer.backbones._backbone import Backbone
from skltransfer.supervised._fitting import SupervisedParameters, SupervisedRecipe

TEMPERATURE, LABEL_SHARE = 3.0, 0.1
"""What decision values of both are divided by before they are compared, and the share of labels in the loss."""


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

    def _head_start(
        self, setup: Setup, state: State, averages: Callable[[], Array]
    ) -> tuple[list[Array] | None, Array | None]:
        """Start from a head that decides as the teacher does, where it is not carried over."""
        n_tasks, width = len(self.encoding.tasks), self.imitated.answers.shape[1]
        answers, weights = setup.targets.values[:, width:], setup.targets.weights[:, n_tasks:]
        decided = _decided(self.encoding.tasks, answers)
        return super()._head_start(
            replace(setup, targets=Targets(self.encoding.tasks, decided, weights)), state, averages
        )

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


def some_labels(y: Any) -> tuple[Array, NDArray[np.bool_]]:
    """Check labels of one task, and tell which samples have them."""
    y = column_or_1d(y, warn=True)
    labeled = ~masked(y)
    if labeled.any():
        read_labels(y[labeled])
    return y, labeled


def some_values(y: Any) -> tuple[Array, NDArray[np.bool_]]:
    """Check values, and tell which samples have them."""
    y = np.atleast_1d(as_table(missing_as_nan(y)))
    y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
    labeled = np.all(~missing(y).reshape(len(y), -1), axis=1)
    if labeled.any():
        read_values(y[labeled])
    return y, labeled


def known_targets(estimator: Any, y: Any) -> tuple[Targets, NDArray[np.bool_]]:
    """Encode labels or values as a fitted estimator does, of the samples that have them, and tell which these are."""
    encoding = estimator.model_.encoding
    if isinstance(encoding, ValueEncoding):
        values, labeled = some_values(y)
        known = values[labeled].reshape(-1, len(encoding.mean)).astype(np.float64)
        return encoding.targets(known, np.ones(len(known))), labeled
    if encoding.several:
        labels, labeled = read_labels(y), np.ones(len(y), bool)
    else:
        labels, labeled = some_labels(y)
    return encoding.targets(labels[labeled], np.ones(labeled.sum()), estimator.class_weight), labeled


def imitating(
    estimator: Any, smaller: Backbone, samples: Samples, known: tuple[Targets, NDArray[np.bool_]], *, epochs: int
) -> FittedModel:
    """Train another network in place of an estimator's own, above which its head goes on, to answer as it does.

    Parameters
    ----------
    estimator : TransferClassifier or TransferRegressor
        Fitted; its parameters say how.
    smaller : Backbone
        The network that is trained, all of it.
    samples : Samples
        On which it is to answer as before.
    known : tuple of Targets and ndarray of bool
        See `known_targets`.
    epochs : int
        Of training.
    """
    model, (labels, labeled) = estimator.model_, known
    own = replace(
        SupervisedParameters.of(clone(estimator)), trainable="all", epochs=epochs, warm_start=True, budget=None,
        metrics=None,
    )  # fmt: skip
    temperature = 1.0 if isinstance(model.encoding, ValueEncoding) else TEMPERATURE
    answers = _softened_decisions(labels.tasks, model.decisions(samples, estimator.memory) / temperature)
    imitated = Imitated(model.encoding, labels, labeled, answers, np.ones(len(labeled)), temperature, LABEL_SHARE)
    earlier = model.with_backbone(smaller)
    recipe = ImitationRecipe(own, model.format, model.encoding, head_layers(own.head), earlier, imitated)
    with showing(type(estimator).__name__, int(estimator.verbose)):
        return fit(recipe, samples, imitated.targets(), Unwatched())


def _softened_decisions(tasks: Sequence[Task], decisions: Floats) -> Floats:
    """Turn decision values that are divided by a temperature into probabilities, and leave values as they are."""
    return _by_kind(tasks, decisions, {"classes": partial(softmax, axis=1), "labels": expit})


def _decided(tasks: Sequence[Task], answers: Floats) -> Floats:
    """Turn probabilities into what is most probable, and leave values as they are."""
    return _by_kind(
        tasks, answers, {"classes": lambda own: np.eye(own.shape[1])[own.argmax(axis=1)], "labels": np.round}
    )


def _by_kind(tasks: Sequence[Task], values: Floats, turned: Mapping[str, Callable[[Floats], Floats]]) -> Floats:
    """Turn the columns of each task by what is given for its kind, and leave the others."""
    ends = np.cumsum([task.n_outputs for task in tasks])[:-1]
    each = zip(tasks, np.split(values, ends, axis=1), strict=True)
    return np.concatenate([turned.get(task.kind, np.asarray)(own) for task, own in each], axis=1)


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
