"""Decision values to probabilities."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax

from skltransfer._utils.types import Floats


def probabilities(decisions: Floats) -> Floats:
    """Turn decision values of shape (n_samples, n_outputs) into samples that sum to 1."""
    if decisions.shape[1] == 1:
        return np.column_stack([expit(-decisions), expit(decisions)])
    return softmax(decisions, axis=1)


def log_probabilities(decisions: Floats) -> Floats:
    """Turn decision values of shape (n_samples, n_outputs) into log-probabilities."""
    if decisions.shape[1] == 1:
        return np.column_stack([log_expit(-decisions), log_expit(decisions)])
    return log_softmax(decisions, axis=1)
