"""Answers of an estimator to samples held out, task by task, beside what is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from skltransfer._targets.reading import missing, read_labels, read_values
from skltransfer._utils.types import Array, Floats
from skltransfer.reporting._subject import Subject

MOST_TASKS = 20
"""A section each would be no page that people read."""


@dataclass(frozen=True, eq=False)
class Task:
    """Answers to one task.

    Parameters
    ----------
    name : str
        What the section is called; empty if there is one task only.
    positions : ndarray of shape (n_known,)
        Samples whose answer is known.
    right, predicted : ndarray of shape (n_known,)
        Codes of classes, or values.
    classes : list or None
        What codes stand for; None for values.
    chances : ndarray of shape (n_known, n_classes) or None
        Probabilities; None if the estimator has none.
    """

    name: str
    positions: Array
    right: Array
    predicted: Array
    classes: list[Any] | None = None
    chances: Floats | None = None

    @property
    def names(self) -> list[str]:
        """Classes as they are written."""
        return [] if self.classes is None else [str(label) for label in self.classes]


def read_answers(subject: Subject, n_samples: int, y: Any) -> tuple[list[Array], list[Any]]:
    """Check what is right before anything is predicted.

    Returns
    -------
    columns : list of ndarray of shape (n_samples,)
        One for each task; codes of classes with -1 where a label is missing, or values with NaN.
    classes : list of list or None
        Of each task; None for values.

    Raises
    ------
    ValueError
        If there are too few samples, another number of answers or tasks, too many tasks, or labels that the
        estimator does not know.
    """
    labels = is_classifier(subject.whole)
    y = read_labels(y) if labels else read_values(y)
    if len(y) != n_samples:
        raise ValueError(f"y_test: expected {n_samples} entries, one for each sample of X_test. Got {len(y)}.")
    if n_samples < 2:
        raise ValueError(f"X_test: expected at least 2 samples. Got {n_samples}; hold out more.")
    columns = list(y.T) if y.ndim == 2 else [y]
    if len(columns) > MOST_TASKS:
        raise ValueError(
            f"y_test: expected at most {MOST_TASKS} tasks, as each is a section of the page. Got {len(columns)}; "
            "report on some of them with an estimator for these."
        )
    if not labels:
        _check_known(columns)
        return columns, [None] * len(columns)
    classes = _classes(subject.whole, y.ndim == 2, len(columns))
    coded = [_codes(column, own, number) for number, (column, own) in enumerate(zip(columns, classes, strict=True))]
    _check_known([np.where(column < 0, np.nan, column) for column in coded])
    return coded, [own.tolist() for own in classes]


def answer(subject: Subject, X: Any, columns: list[Array], classes: list[Any]) -> list[Task]:
    """Predict, and put each task beside what is right."""
    if classes[0] is None:
        predicted = np.asarray(subject.whole.predict(X), dtype=float).reshape(len(columns[0]), -1)
        return [
            Task(_named(number, columns), known, column[known], found[known])
            for number, (column, found) in enumerate(zip(columns, predicted.T, strict=True))
            for known in [np.flatnonzero(~np.isnan(column))]
        ]
    chances = _chances(subject.whole, X, len(columns))
    if chances[0] is None or not subject.is_last:  # other classifiers may not predict the most probable class
        found = np.asarray(subject.whole.predict(X)).reshape(len(columns[0]), -1).T
        codes = [_codes(one, np.asarray(own), 0) for one, own in zip(found, classes, strict=True)]
    else:
        codes = [own.argmax(axis=1) for own in chances]
    tasks = []
    for number, (column, own, code, chance) in enumerate(zip(columns, classes, codes, chances, strict=True)):
        known = np.flatnonzero(column >= 0)
        of_known = None if chance is None else chance[known]
        tasks.append(Task(_named(number, columns), known, column[known], code[known], own, of_known))
    return tasks


def _named(number: int, columns: list[Array]) -> str:
    return f"Task {number}" if len(columns) > 1 else ""


def _classes(estimator: Any, several: bool, n_tasks: int) -> list[Array]:
    """Return the labels of each task."""
    found = estimator.classes_
    model = getattr(estimator, "model_", None)
    if model is not None and getattr(model.encoding, "several", False):
        own = [np.asarray(labels) for labels in model.encoding.classes]
    else:
        own = [np.asarray(labels) for labels in found] if isinstance(found, list) else [np.asarray(found)]
    if len(own) != n_tasks or (len(own) > 1) != several:
        raise ValueError(
            f"y_test: expected labels of {len(own)} task(s), as in fit. Got {n_tasks}; pass a column for each task."
        )
    return own


def _codes(column: Array, classes: Array, number: int) -> Array:
    """Return the place of each label among the classes, and -1 where it is missing."""
    places = {label: place for place, label in enumerate(classes.tolist())}
    codes = np.full(len(column), -1)
    for position in np.flatnonzero(~missing(column)).tolist():
        label = column[position].item() if hasattr(column[position], "item") else column[position]
        if label not in places:
            some = ", ".join(map(repr, classes.tolist()[:8])) + (", …" if len(classes) > 8 else "")
            raise ValueError(
                f"y_test: expected labels that fit saw in task {number} ({some}). Sample {position} has {label!r}; "
                "leave such samples out, or fit with them."
            )
        codes[position] = places[label]
    return codes


def _check_known(columns: list[Array]) -> None:
    for number, column in enumerate(columns):
        n_known = int((~np.isnan(column)).sum())
        if n_known < 2:
            raise ValueError(f"y_test: expected at least 2 known answers in task {number}. Got {n_known}.")


def _chances(estimator: Any, X: Any, n_tasks: int) -> list[Any]:
    """Return probabilities of the classes of each task; None where there are none."""
    if not hasattr(estimator, "predict_proba"):
        return [None] * n_tasks
    found = estimator.predict_proba(X)
    if isinstance(found, list):
        return [np.asarray(own) for own in found]
    if n_tasks > 1:
        return [np.stack([1 - own, own], axis=1) for own in np.asarray(found).T]
    return [np.asarray(found)]
