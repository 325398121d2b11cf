"""Parameters that estimators share: their constraints, their values for one fit, and what these say."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, Self

from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skltransfer._engine.callbacks import check_callbacks
from skltransfer._engine.schedules import SCHEDULES
from skltransfer._engine.trainable import TrainableLayers
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import Samples
from skltransfer._inputs.texts import TextSamples
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._registry import load_backbone, takes_shape
from skltransfer.backbones._text import text_transformer

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
    runtime: str = "keras"
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


def starting_backbone(own: FitParameters, format: InputFormat, samples: Samples) -> Backbone:
    """Load the backbone that the parameters name, for samples of this format."""
    source = own.backbone
    if isinstance(source, str) and source == "auto":
        source = format.kind.default_backbone
    if isinstance(samples, TextSamples) and isinstance(source, str) and source == "small_transformer":
        return text_transformer(samples.texts, own.seed)
    shape = format.kind.builder_shape(format, own.image_size) if takes_shape(source) else None
    random_state = int(own.random_state) if isinstance(own.random_state, Integral) else own.seed
    return load_backbone(source, input_shape=shape, random_state=random_state)


def check_training(own: FitParameters, format: InputFormat, trainable: TrainableLayers) -> None:
    """Refuse training parameters that contradict each other, or the samples."""
    check_callbacks(own.callbacks or ())
    if trainable.kind == "lora" and own.l2_sp:
        raise ValueError("l2_sp penalizes weights that LoRA does not change. Pass l2_sp=0, or another trainable.")
    if own.augmentation is not None and not format.kind.is_image:
        raise ValueError(
            f"augmentation changes images. Got {format.describe()}; pass augmentation=None, or "
            "input_shape=(height, width) if samples are flattened images."
        )
    if own.checkpoint is not None and not isinstance(own.random_state, Integral):
        raise ValueError(
            "checkpoint: expected an int as random_state, so that the same fit finds its state again. Got "
            f"random_state={own.random_state!r}; pass a number, such as random_state=0."
        )
