"""Mini-batches: filled up to one length, or mixed."""

from __future__ import annotations

import numpy as np

from skltransfer._targets.targets import Targets
from skltransfer._utils.types import Array


def fill_batch(X: Array, answers: Array, size: int, n_outputs: int) -> tuple[Array, Array]:
    """Fill a mini-batch up with samples of no weight: a step for another length would be compiled anew.

    The weights, which come after ``n_outputs`` targets in ``answers``, are scaled so that the
    mean loss stays the same.
    """
    found = len(X)
    again = np.resize(np.arange(found), size)
    answers = answers[again]
    answers[:, n_outputs:] *= size / found
    answers[found:, n_outputs:] = 0.0
    return X[again], answers


def mix_answers(targets: Targets, some: Array, others: Array, share: float) -> Array:
    """Mix answers, each with the weight of its sample."""
    width = targets.values.shape[1]
    weights = share * some[:, width:] + (1 - share) * others[:, width:]
    mixed = np.empty_like(some)
    mixed[:, width:] = weights
    for task, own in enumerate(targets.columns()):
        heavy = share * some[:, width + task, None], (1 - share) * others[:, width + task, None]
        total = np.maximum(weights[:, task, None], np.finfo(float).tiny)
        mixed[:, own] = (heavy[0] * some[:, own] + heavy[1] * others[:, own]) / total
    return mixed
