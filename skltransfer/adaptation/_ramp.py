"""How the weight of an adaptation loss rises over training."""

from __future__ import annotations

import numpy as np

RAMPS = ("sigmoid", "linear", "constant")


def ramp_factor(ramp: str, progress: float) -> float:
    """Compute the share of its strength that the alignment of domains has at a point of the training.

    Parameters
    ----------
    ramp : {"sigmoid", "linear", "constant"}
        "sigmoid" rises from 0 as in DANN, "linear" along a line.
    progress : float
        Epochs done as a share of all epochs, from 0 to 1.

    References
    ----------
    Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 2016.

    Examples
    --------
    >>> round(ramp_factor("sigmoid", 0.1), 2), ramp_factor("linear", 0.1)
    (0.46, 0.1)
    """
    if ramp == "constant":
        return 1.0
    return progress if ramp == "linear" else float(2 / (1 + np.exp(-10 * progress)) - 1)
