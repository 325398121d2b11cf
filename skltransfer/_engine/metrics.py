"""Keras metrics that are measured in each epoch besides the loss."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, softmax

from skltransfer._keras.backend import import_keras
from skltransfer._targets.task import Task
from skltransfer._utils.types import Array

OF_CLASS_NUMBERS = ("Accuracy", "IoU", "BinaryIoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU")
"""Keras' metrics of predicted class numbers, where a network gives probabilities."""


@dataclass(frozen=True)
class MetricSpec:
    """A Keras metric as a value.

    Parameters
    ----------
    make : type or callable
        Its class, or a function of targets and predictions that gives a value for each sample.
    name : str
        Under which it is logged.
    config : str
        What the class is made with, as JSON.
    """

    make: Callable[..., Any]
    name: str
    config: str = "{}"

    def build(self) -> Any:
        """Make the metric."""
        if isinstance(self.make, type):
            return self.make.from_config(json.loads(self.config))  # type: ignore[attr-defined]
        return import_keras().metrics.MeanMetricWrapper(self.make, name=self.name)

    @property
    def sparse(self) -> bool:
        """Tell whether it takes numbers of classes, and not a column for each class."""
        return self.make.__name__.lower().startswith("sparse")


@dataclass(frozen=True, eq=False)
class Metrics:
    """The metrics of a training, and in which units values are shown to them.

    Parameters
    ----------
    specs : tuple of MetricSpec
        What is measured.
    tasks : tuple of Task
        What is learned.
    mean, scale : ndarray of shape (n_outputs,)
        Of values, before they were standardised.
    """

    specs: tuple[MetricSpec, ...]
    tasks: tuple[Task, ...]
    mean: Array
    scale: Array

    def measure(self, metrics: Sequence[Any], answers: Array, outputs: Array) -> dict[str, float]:
        """Compute metrics, one `MetricSpec.build` each, of samples with answers and decision values."""
        width = sum(task.n_outputs for task in self.tasks)
        targets, outputs, found = answers[:, :width], outputs[:, :width], {}
        kind = self.tasks[0].kind
        if kind == "values":
            targets, outputs = targets * self.scale + self.mean, outputs * self.scale + self.mean
        else:
            codes = targets.argmax(axis=1)
            targets = np.eye(width)[codes] if kind == "classes" else targets > 0.5
            outputs = softmax(outputs, axis=1) if kind == "classes" else expit(outputs)
        for spec, metric in zip(self.specs, metrics, strict=True):
            metric.reset_state()
            shown = (codes if spec.sparse else targets, outputs, answers[:, width])
            metric.update_state(*(part.astype("float32") for part in shown))
            found[spec.name] = float(import_keras().ops.convert_to_numpy(metric.result()))
        return found

    def check(self, weights: Array) -> None:
        """Refuse sample weights that differ from task to task, of which a metric takes one.

        Raises
        ------
        ValueError
            If they differ.
        """
        if (weights != weights[:, :1]).any():
            raise ValueError(
                "metrics: expected the same weight of a sample in each task, and no missing label. Got others; pass "
                "metrics=None, complete labels and class_weight=None."
            )


def read_metrics(
    metrics: Sequence[Any] | None, tasks: tuple[Task, ...], mean: Any = 0.0, scale: Any = 1.0
) -> Metrics | None:
    """Read what is to be measured, and try it out.

    Parameters
    ----------
    metrics : sequence of str, keras.metrics.Metric or callable, or None
        Names as `keras.Model.compile` knows them, objects, or functions of targets and
        predictions that give a value for each sample.
    tasks : tuple of Task
        What is learned.
    mean, scale : array-like of shape (n_outputs,), optional
        Of values, before they were standardised.

    Returns
    -------
    Metrics or None
        None if there is nothing to measure.

    Raises
    ------
    TypeError, ValueError
        If one cannot be measured: of several tasks of classes, of numbers of classes where a
        network gives probabilities, or if it is no metric of samples.
    """
    kinds = {task.kind for task in tasks}
    named = [metric for metric in metrics or () if kinds == {"values"} or metric not in ("accuracy", "acc")]
    if not named:
        return None
    if len(kinds) > 1 or (kinds == {"classes"} and len(tasks) > 1):
        raise ValueError("metrics: expected one task, or several of 0 and 1. Got several tasks of classes; pass None.")
    specs = tuple(_spec(metric, number, tasks) for number, metric in enumerate(named))
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names) or {"loss", "accuracy", "learning_rate"} & set(names):
        raise ValueError(f"metrics: expected names that differ, and are not 'loss' or 'accuracy'. Got {names}.")
    read = Metrics(specs, tasks, np.asarray(mean), np.asarray(scale))
    _try(read)
    return read


def _spec(metric: Any, number: int, tasks: tuple[Task, ...]) -> MetricSpec:
    known, name = import_keras().metrics, metric if isinstance(metric, str) else None
    if name in ("crossentropy", "ce") and tasks[0].kind != "values":
        metric = known.CategoricalCrossentropy() if tasks[0].kind == "classes" else known.BinaryCrossentropy()
    elif name is not None:
        try:
            metric = known.get(name)
        except ValueError as error:
            raise ValueError(
                f"metrics[{number}]: expected a name that keras.metrics.get knows. Got {name!r}."
            ) from error
    if isinstance(metric, known.Metric):
        if type(metric).__name__ in OF_CLASS_NUMBERS:
            raise ValueError(
                f"metrics[{number}]: {type(metric).__name__} compares numbers of classes, and the network gives "
                "probabilities or values. 'accuracy' is measured in any case; pass another metric."
            )
        return MetricSpec(type(metric), name or metric.name, json.dumps(metric.get_config()))
    if callable(metric) and not isinstance(metric, type):
        return MetricSpec(metric, name or metric.__name__)
    raise TypeError(f"metrics[{number}]: expected a name, a keras.metrics.Metric or a function. Got {metric!r}.")


def _try(metrics: Metrics) -> None:
    """Measure two samples, to raise before work starts what a metric raises."""
    width = sum(task.n_outputs for task in metrics.tasks)
    targets = np.eye(2, width) if metrics.tasks[0].kind != "values" else np.ones((2, width))
    answers = np.column_stack([targets, np.ones((2, len(metrics.tasks)))])
    for number, spec in enumerate(metrics.specs):
        try:
            Metrics((spec,), metrics.tasks, metrics.mean, metrics.scale).measure([spec.build()], answers, targets)
        except Exception as error:
            raise ValueError(
                f"metrics[{number}]: {spec.name} cannot be measured of targets and predictions of shape (n_samples, "
                f"{width}), one number for all samples together ({error}). Pass another metric."
            ) from error
