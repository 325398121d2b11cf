"""Labels, as users have them, to targets and back."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.class_weight import compute_class_weight

from skltransfer._targets.answers import Labels
from skltransfer._targets.probabilities import log_probabilities, probabilities
from skltransfer._targets.reading import known, missing
from skltransfer._targets.targets import Targets
from skltransfer._targets.task import Task
from skltransfer._utils.types import Array, Floats


@dataclass(frozen=True, eq=False)
class LabelEncoding(Labels):
    """What the labels of each task are, how they are learned, and how they become targets; see `Labels`."""

    @staticmethod
    def learn(y: Array) -> LabelEncoding:
        """Learn the labels of each task.

        Raises
        ------
        ValueError
            If a task has fewer than two classes.

        Warns
        -----
        UserWarning
            If labels look like classes that are one-hot encoded.
        """
        columns = [known(column) for column in y.T] if y.ndim == 2 else [y]
        classes = tuple(LabelEncoder().fit(column).classes_ for column in columns)
        binary = y.ndim == 2 and all(set(labels.tolist()) <= {0, 1} for labels in classes)
        if binary:
            _warn_of_one_hot(y)
            classes = tuple(np.array([0, 1]) for _ in classes)
        for number, labels in enumerate(classes):
            if len(labels) < 2:
                task = f"task {number} of y" if y.ndim == 2 else "y"
                raise ValueError(
                    f"{task}: expected at least 2 classes among the samples of positive weight. Got {len(labels)} "
                    f"class: {labels.tolist()}; add samples of another class."
                )
        return LabelEncoding(classes, y.ndim == 2, binary)

    @property
    def units(self) -> tuple[Any, Any]:
        """Decisions about labels have no units."""
        return 0.0, 1.0

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The task of each column of labels."""
        return tuple(Task("labels", 1) if self.binary else Task("classes", len(labels)) for labels in self.classes)

    def targets(self, y: Array, weights: Floats, class_weight: Any) -> Targets:
        """Encode labels.

        Raises
        ------
        ValueError
            If a label is not among those that were learned, labels have another shape, or the weights
            of classes leave nothing to learn.
        """
        self._check_shape(y)
        check_class_weight(class_weight, self.classes)
        columns = y.T if y.ndim == 2 else y[None]
        values, task_weights = [], []
        for number, (column, labels) in enumerate(zip(columns, self.classes, strict=True)):
            present = ~missing(column)
            codes = np.zeros(len(column), dtype=np.intp)
            codes[present] = _codes(known(column) if self.several else column, labels, number)
            own = np.where(present, weights, 0.0)
            if class_weight is not None:
                own = own * _class_weights(class_weight, labels, codes[present], weights[present])[codes]
            values.append(codes[:, None].astype(float) if self.binary else np.eye(len(labels))[codes])
            task_weights.append(own)
        return Targets(self.tasks, np.concatenate(values, axis=1), np.stack(task_weights, axis=1))

    def _check_shape(self, y: Array) -> None:
        """Refuse labels of another number of tasks than were learned."""
        learned = f"(n_samples, {len(self.classes)})" if self.several else "(n_samples,)"
        if (y.ndim == 2) != self.several or (self.several and y.shape[1] != len(self.classes)):
            raise ValueError(
                f"y: expected labels of shape {learned}, as the classes that were learned first. Got an array of shape "
                f"{y.shape}; pass labels of the same tasks, and, at the first call of partial_fit, a column of classes "
                "for each task."
            )

    def directions(self, y: Array) -> Floats:
        """Return how decision values add up to those of labels: 1 for each label's own, -1 where one is not had."""
        chosen = self.targets(y, np.ones(len(y)), None).values
        return 2 * chosen - 1 if self.binary else chosen

    def probabilities(self, decisions: Floats) -> Any:
        """Probabilities: an array, or a list with one for each task of several classes."""
        if self.binary:
            return probabilities(decisions.reshape(-1, 1))[:, 1].reshape(decisions.shape)
        each = [probabilities(part) for part in self.split(decisions)]
        return each if self.several else each[0]

    def log_probabilities(self, decisions: Floats) -> Any:
        """Logarithms of `probabilities`."""
        if self.binary:
            return log_probabilities(decisions.reshape(-1, 1))[:, 1].reshape(decisions.shape)
        each = [log_probabilities(part) for part in self.split(decisions)]
        return each if self.several else each[0]


def _warn_of_one_hot(y: Array) -> None:
    """Warn of labels of 0 and 1 of which each sample has exactly one."""
    if y.shape[1] > 2 and not missing(y).any() and ((y == 1).sum(axis=1) == 1).all():
        warnings.warn(
            f"Each of {len(y)} samples has exactly one of {y.shape[1]} labels, so they look like classes, one-hot "
            "encoded. They are learned as labels of which a sample may have several, or none; pass y.argmax(axis=1) if "
            "they exclude each other.",
            UserWarning,
            stacklevel=2,
        )


def check_class_weight(class_weight: Any, classes: Sequence[Array]) -> None:
    """Refuse weights of classes that are no weights, of no class, or of less than two classes.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        A class that a dict does not name weighs 1, as in scikit-learn; one that weighs 0 is left out
        of what is learned.
    classes : sequence of ndarray
        The labels of each task.

    Raises
    ------
    ValueError
        Always naming the class.
    """
    if not isinstance(class_weight, Mapping):
        return
    for label, weight in class_weight.items():
        if not isinstance(weight, Real) or not 0 <= float(weight) < np.inf:
            raise ValueError(
                f"class_weight: expected a finite number of at least 0 for each class. Got {weight!r} for {label!r}."
            )
    named = {label for labels in classes for label in labels.tolist()}
    unknown = [label for label in class_weight if label not in named]
    if unknown:
        raise ValueError(
            f"class_weight: expected classes among those of y, {sorted(named)}. Got {unknown} as well; leave them out, "
            "or add samples of them."
        )
    for labels in classes:
        weighty = [label for label in labels.tolist() if class_weight.get(label, 1) > 0]
        if len(weighty) < 2:
            raise ValueError(
                f"class_weight: expected at least 2 classes of positive weight among {labels.tolist()}. Got {weighty}; "
                "give another class a weight."
            )


def _class_weights(class_weight: Any, labels: Array, codes: NDArray[np.intp], weights: Floats) -> Floats:
    """Return the weight of each class; of classes that no sample has, "balanced" knows none, so they get 1."""
    if isinstance(class_weight, Mapping):
        return np.array([class_weight.get(label, 1) for label in labels.tolist()], dtype=np.float64)
    found, seen = np.ones(len(labels)), np.unique(codes)
    if len(seen):
        found[seen] = compute_class_weight(class_weight, classes=labels[seen], y=labels[codes], sample_weight=weights)
    return found


def _codes(labels: Array, learned: Array, number: int) -> NDArray[np.intp]:
    unknown = np.setdiff1d(labels, learned)
    if len(unknown):
        raise ValueError(
            f"y: expected labels that fit saw, {learned.tolist()}, in task {number}. Got {unknown.tolist()} as well; "
            "drop those samples, or fit on samples that have them."
        )
    return np.searchsorted(learned, labels)
