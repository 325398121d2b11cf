"""Parameters that estimators share: their constraints, and their values for one fit."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, Self

from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skltransfer._engine.schedules import SCHEDULES

TRAINING_CONSTRAINTS: dict[str, Any] = {
    "trainable": "no_validation",
    "epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "learning_rate": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
    "schedule": [StrOptions(set(SCHEDULES))],
    "warmup": [Interval(Real, 0, 1, closed="left")],
    "layer_decay": [Interval(Real, 0, 1, closed="right")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "batch_norm": [StrOptions({"auto", "inference", "train"})],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "callbacks": [list, tuple, None],
    "verbose": ["verbose"],
}
"""Of all estimators that may train a network."""

REGULARIZED_CONSTRAINTS: dict[str, Any] = {
    "l2_sp": [Interval(Real, 0, None, closed="left")],
    "delta": [Interval(Real, 0, None, closed="left")],
    "augmentation": "no_validation",
    "warm_start": ["boolean"],
    "checkpoint": [str, os.PathLike, None],
}
"""Of those with penalties, augmentation and checkpoints."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FitParameters:
    """The parameters of an estimator in one fit; those that it does not have are off.

    Parameters
    ----------
    seed : int
        Drawn once from ``random_state``.
    once : bool
        Whether to continue training for one more epoch.
    """

    seed: int
    once: bool = False
    backbone: Any = "auto"
    image_size: Any = "auto"
    memory: Any = None
    trainable: Any = "auto"
    epochs: int | str = "auto"
    batch_size: int | str = "auto"
    learning_rate: float | str = "auto"
    schedule: str = "cosine"
    warmup: float = 0.1
    layer_decay: float = 1.0
    weight_decay: float = 0.0
    l2_sp: float = 0.0
    delta: float = 0.0
    augmentation: Any = None
    batch_norm: str = "auto"
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    tol: float = 1e-4
    warm_start: bool = False
    checkpoint: Any = None
    callbacks: Any = None
    random_state: Any = None

    @classmethod
    def of(cls, estimator: Any, **more: Any) -> Self:
        """Take the parameters that an estimator has."""
        names = {field.name for field in fields(cls)}
        known = {name: value for name, value in estimator.get_params(deep=False).items() if name in names}
        seed = int(check_random_state(known.get("random_state")).randint(2**31 - 1))
        return cls(seed=seed, **(known | more))
