"""Numbers, as users have them, to targets and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skltransfer._targets.targets import Targets
from skltransfer._targets.task import Task
from skltransfer._utils.statistics import weighted_moments
from skltransfer._utils.types import Array, Floats


@dataclass(frozen=True, eq=False)
class ValueEncoding:
    """How values are standardized.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_targets,)
        Mean and standard deviation of each target, in its own units.
    """

    mean: Floats
    scale: Floats

    @staticmethod
    def learn(values: Array, weights: Floats) -> ValueEncoding:
        """Learn mean and standard deviation of the values of each target that are not missing.

        Raises
        ------
        ValueError
            If a target has no value at all.
        """
        moments = []
        for number, column in enumerate(values.T):
            known = np.isfinite(column)
            if not known.any():
                raise ValueError(f"y: expected some values of target {number}. Got none; drop that column.")
            moments.append(weighted_moments(column[known, None], weights[known], "y"))
        mean, scale = (np.concatenate(part) for part in zip(*moments, strict=True))
        return ValueEncoding(mean, scale)

    @property
    def units(self) -> tuple[Any, Any]:
        """Mean and scale by which values come back to their own units."""
        return self.mean, self.scale

    @property
    def tasks(self) -> tuple[Task, ...]:
        """One task for each target."""
        return (Task("values", 1),) * len(self.mean)

    def targets(self, values: Array, weights: Floats) -> Targets:
        """Standardize values; samples may be missing from a task."""
        if values.shape[1] != len(self.mean):
            raise ValueError(
                f"y: expected {len(self.mean)} columns, as in the first call. Got {values.shape[1]}; pass the same "
                "targets."
            )
        known = np.isfinite(values)
        scaled = np.where(known, (values - self.mean) / self.scale, 0.0)
        return Targets(self.tasks, scaled, weights[:, None] * known)

    def predictions(self, decisions: Floats) -> Array:
        """Values in their own units: a table if there are several targets."""
        values = decisions * self.scale + self.mean
        return values if len(self.mean) > 1 else values[:, 0]

    def directions(self, y: Any) -> Floats:
        """Raise ValueError, as regressors have no classes to choose what is explained."""
        raise ValueError(f"targets: a regressor has no classes to choose. Got {y!r}; pass None.")
