"""From decision values to labels: all of it that a fitted model needs to answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skltransfer._utils.types import Array, Floats


@dataclass(frozen=True, eq=False)
class Labels:
    """What the labels of each task are.

    Parameters
    ----------
    classes : tuple of ndarray
        The labels of each task, sorted.
    several : bool
        Whether labels come as a table with a column a task.
    binary : bool
        Whether all tasks are 0 or 1, so that each is one label that a sample has or has not.
    """

    classes: tuple[Array, ...]
    several: bool
    binary: bool

    @property
    def classes_(self) -> Any:
        """The labels as an estimator shows them: a list for several tasks, and numbers of labels of 0 and 1."""
        if self.binary:
            return np.arange(len(self.classes))  # as in MLPClassifier: cross_val_predict counts the entries
        return list(self.classes) if self.several else self.classes[0]

    def split(self, decisions: Floats) -> list[Floats]:
        """Cut decision values into those of each task."""
        if len(self.classes) == 1:
            return [decisions]
        ends = np.cumsum([1 if self.binary else len(labels) for labels in self.classes])
        return np.split(decisions, ends[:-1], axis=1)

    def predictions(self, decisions: Floats) -> Array:
        """Labels, as they came."""
        if self.binary:
            return (decisions > 0).astype(int)
        each = [labels[part.argmax(axis=1)] for labels, part in zip(self.classes, self.split(decisions), strict=True)]
        if not self.several:
            return each[0]
        alike = len({labels.dtype.kind for labels in each}) == 1
        return np.stack(each if alike else [labels.astype(object) for labels in each], axis=1)

    def decisions(self, decisions: Floats) -> Any:
        """Decision values in scikit-learn's shapes."""
        if self.binary:
            return decisions
        each = [part[:, 1] - part[:, 0] if part.shape[1] == 2 else part for part in self.split(decisions)]
        return each if self.several else each[0]
