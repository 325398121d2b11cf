"""How the learning rate changes over training, and from stage to stage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SCHEDULES = ("constant", "cosine")


def rate_factor(schedule: str, progress: float, warmup: float) -> float:
    """Share of the peak learning rate at a point of the training.

    Parameters
    ----------
    schedule : {"constant", "cosine"}
        "cosine" falls along half a cosine to 0. Both rise linearly during the warm-up.
    progress : float
        Steps done as a share of all steps, from 0 to below 1.
    warmup : float
        Share of the steps that the warm-up takes.

    References
    ----------
    Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.

    Examples
    --------
    >>> rate_factor("cosine", 0.5, warmup=0.0)
    0.5
    """
    if progress < warmup:
        return progress / warmup
    if schedule == "constant":
        return 1.0
    return 0.5 * (1.0 + float(np.cos(np.pi * (progress - warmup) / (1.0 - warmup))))


def stage_shares(depths: Sequence[int], n_trainable: int, layer_decay: float) -> np.ndarray:
    """Share of the learning rate that each weight gets.

    Parameters
    ----------
    depths : sequence of int
        For each weight, how many stages lie between its own and the head.
    n_trainable : int
        How many of the last stages are trainable.
    layer_decay : float
        Factor from one stage to the one before it; the head has 1.

    Returns
    -------
    ndarray of shape (n_weights,)

    References
    ----------
    Clark et al., "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than
    Generators", ICLR 2020 (layer-wise decay of the learning rate).

    Examples
    --------
    >>> stage_shares([2, 1, 0], n_trainable=2, layer_decay=0.5).tolist()
    [0.0, 0.25, 0.5]
    """
    depth = np.asarray(depths, dtype=float)
    return np.where(depth < n_trainable, float(layer_decay) ** (depth + 1), 0.0)
