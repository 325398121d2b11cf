"""Training on several domains at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from skltransfer._engine.job import TrainingJob
from skltransfer._engine.loop import EVALUATION_BATCH, Loop
from skltransfer._engine.trainer import CompiledNetwork
from skltransfer._inputs.samples import Samples
from skltransfer.adaptation._pseudo_labels import centroid_labels, confident_labels
from skltransfer.adaptation._ramp import ramp_factor

FIRST_SHARE, LAST_SHARE = 0.2, 0.8
"""Shares of the samples of a class, the most confident ones, that are learned from in the first and the last epoch."""


class AdaptingLoop(Loop):
    """One training on samples of several domains, of which each batch has its share."""

    def __init__(self, trainer: CompiledNetwork, job: TrainingJob, goal: Any) -> None:
        super().__init__(trainer, job)
        assert job.data.groups is not None
        self.goal, self.domains = goal, job.data.groups
        self.n_measured = sum(goal.samples[: goal.n_sources])

    @property
    def progress(self) -> float:
        """Share of the epochs that is done in the middle of this one."""
        return (self.at.epoch + 0.5) / self.training.epochs

    def begin_epoch(self, samples: Samples) -> None:
        """Set how strongly domains are aligned, and suppose targets."""
        values = self.training.values
        strength = values["strength"] * ramp_factor(values["ramp"], self.progress)
        self.trainer.set_values({"strength": strength})
        if self.goal.method.supposes is not None:
            self.suppose(samples)

    def parts(self, samples: Samples) -> list[NDArray[np.intp]]:
        """Cut the shuffled samples of each domain into as many parts, a part of each a batch; small ones come again."""
        counts = np.bincount(self.domains, minlength=len(self.goal.samples))
        n_steps = max(-(-count // share) for count, share in zip(counts.tolist(), self.goal.samples, strict=True))
        columns = [self._drawn(number, n_steps * share) for number, share in enumerate(self.goal.samples)]
        blocks = [column.reshape(n_steps, -1) for column in columns]
        return list(np.concatenate(blocks, axis=1))

    def suppose(self, samples: Samples) -> None:
        """Suppose classes of the samples without labels, by what the network says of them now."""
        own = np.flatnonzero(self.domains >= self.goal.n_sources)
        parts = [own[i : i + EVALUATION_BATCH] for i in range(0, len(own), EVALUATION_BATCH)]
        found = np.concatenate([self.trainer.outputs(self.read(samples, part)) for part in parts])
        width = self.targets.values.shape[1]
        probabilities, features = softmax(found[:, :width].astype(np.float64), axis=1), found[:, width:]
        if self.goal.method.supposes == "centroids":
            codes, weights = centroid_labels(features, probabilities), np.ones(len(own))
        else:
            share = FIRST_SHARE + (LAST_SHARE - FIRST_SHARE) * self.progress
            codes, weights = confident_labels(probabilities, share=share)
        self.answers[own] = np.column_stack([np.eye(width)[codes], weights])

    def _drawn(self, domain: int, n_samples: int) -> NDArray[np.intp]:
        own = np.flatnonzero(self.domains == domain)
        return np.concatenate([self.at.random.permutation(own) for _ in range(-(-n_samples // len(own)))])[:n_samples]
