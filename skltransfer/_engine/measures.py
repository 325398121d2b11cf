"""What is measured over the samples of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skltransfer._engine.metrics import Metrics
from skltransfer._utils.types import Array


class EpochMeasures:
    """Means over the samples of an epoch so far: of losses, and of what a goal measures besides.

    Parameters
    ----------
    losses : sequence of str
        Names of the losses.
    goal : Goal
        What is learned.
    metrics : Metrics, optional
        What else is measured.
    built : sequence of keras.metrics.Metric
        One for each of `metrics`.
    """

    def __init__(self, losses: Sequence[str], goal: Any, metrics: Metrics | None, built: Sequence[Any]) -> None:
        self._losses, self._goal, self._metrics, self._built = losses, goal, metrics, built
        self._total, self._n_samples = np.zeros(len(losses)), 0
        self._sums = {name: np.zeros(2) for name in goal.metrics}
        self._seen: list[tuple[Array, Array]] = []

    def add_losses(self, n_samples: Sequence[int], losses: Array) -> None:
        """Add the mean losses of some batches, shape (n_batches, n_losses)."""
        self._total += np.asarray(n_samples) @ losses
        self._n_samples += sum(n_samples)

    def add_outputs(self, answers: Array, outputs: Array) -> None:
        """Add outputs of the network, beside answers of the same samples."""
        for name, sums in self._goal.measure(answers, outputs).items():
            self._sums[name] += sums
        if self._metrics is not None:
            self._seen.append((answers, outputs))

    def means(self) -> dict[str, float]:
        """Return each mean by its name."""
        losses = dict(zip(self._losses, (self._total / max(self._n_samples, 1)).tolist(), strict=True))
        return losses | {name: float(of / all) if all else float("nan") for name, (of, all) in self._sums.items()}

    def metrics(self) -> dict[str, float]:
        """Return each metric of the whole epoch by its name."""
        if self._metrics is None or not self._seen:
            return {}
        answers, outputs = (np.concatenate(parts) for parts in zip(*self._seen, strict=True))
        return self._metrics.measure(self._built, answers, outputs)
