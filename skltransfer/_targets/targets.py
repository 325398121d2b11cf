"""Targets of one task, or of several beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer._targets.task import Task
from skltransfer._utils.types import Floats


@dataclass(frozen=True, eq=False)
class Targets:
    """What samples should come out as.

    Parameters
    ----------
    tasks : tuple of Task
        In the order of the columns.
    values : ndarray of shape (n_samples, sum of n_outputs)
        Probabilities of classes or labels, or values.
    weights : ndarray of shape (n_samples, n_tasks)
        Weight of a sample in each task; 0 where its target is missing.
    """

    tasks: tuple[Task, ...]
    values: Floats
    weights: Floats

    def __len__(self) -> int:
        return len(self.values)

    def take(self, positions: NDArray[Any]) -> Targets:
        """Return the targets of some samples."""
        return Targets(self.tasks, self.values[positions], self.weights[positions])

    def normalized(self) -> Targets:
        """Scale the weights of each task to a mean of 1; those of a task of which all targets are missing stay 0."""
        means = self.weights.mean(axis=0)
        return Targets(self.tasks, self.values, self.weights / np.where(means > 0, means, 1.0))

    def repeated(self, times: int) -> Targets:
        """Return the targets of samples that stand there so many times, and count as often as before."""
        return Targets(self.tasks, np.tile(self.values, (times, 1)), np.tile(self.weights / times, (times, 1)))

    def smoothed(self, share: float) -> Targets:
        """Give a share of each target to all classes alike."""
        values = np.array(self.values, dtype=np.float64)
        for task, own in zip(self.tasks, self.columns(), strict=True):
            if task.kind != "values":
                alike = 1.0 / task.n_outputs if task.kind == "classes" else 0.5
                values[:, own] = (1 - share) * values[:, own] + share * alike
        return Targets(self.tasks, values, self.weights)

    def strata(self) -> NDArray[np.intp] | None:
        """Return the class of each sample, if there is one task and it is one of classes."""
        single = len(self.tasks) == 1 and self.tasks[0].kind == "classes"
        return self.values.argmax(axis=1) if single else None

    def each(self) -> list[Targets]:
        """Return the targets of each task alone."""
        return [
            Targets((task,), self.values[:, own], self.weights[:, number, None])
            for number, (task, own) in enumerate(zip(self.tasks, self.columns(), strict=True))
        ]

    def columns(self) -> list[slice]:
        """Which columns of the values belong to each task."""
        ends = np.cumsum([task.n_outputs for task in self.tasks]).tolist()
        return [slice(end - task.n_outputs, end) for task, end in zip(self.tasks, ends, strict=True)]
