"""What moves in `fit`, how fast, and when."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skltransfer._validation import import_keras, unknown_name

NAMES = ("auto", "head", "all", "norm", "lora")
SCHEDULES = ("constant", "cosine")
RAMPS = ("sigmoid", "linear", "constant")
AUGMENTATIONS: dict[str, Callable[[Any], list[Any]]] = {
    "flip": lambda layers: [layers.RandomFlip("horizontal", name="flip")],
    "flip_shift": lambda layers: [
        layers.RandomFlip("horizontal", name="flip"),
        layers.RandomTranslation(0.125, 0.125, name="shift"),
    ],
    "rand_augment": lambda layers: [layers.RandAugment(name="rand_augment")],
}
"""Mirror images; also shifted by an eighth at most, as is usual for CIFAR-10; RandAugment of Cubuk et al. (2020)."""


class LoRA(BaseEstimator):
    """Move the kernels of dense layers and convolutions by matrices of low rank.

    Parameters
    ----------
    rank : int, default=4
        Rank of the change of each kernel.
    alpha : float or None, default=None
        The change is multiplied by ``alpha / rank``; None is ``alpha = rank``.
    where : "all" or int, default="all"
        All stages, or the last so many.

    References
    ----------
    Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022.

    Examples
    --------
    >>> from skltransfer import LoRA
    >>> LoRA(rank=8)
    LoRA(rank=8)
    """

    def __init__(self, rank: int = 4, *, alpha: float | None = None, where: str | int = "all") -> None:
        self.rank = rank
        self.alpha = alpha
        self.where = where


class GradualUnfreezing(BaseEstimator):
    """Let one more stage move after every so many epochs, from the head downwards.

    Parameters
    ----------
    every : int, default=1
        Epochs between one stage and the next. In the first ones only the head moves.
    stages : "all" or int, default="all"
        How many stages move in the end, counted from the last.

    References
    ----------
    Howard & Ruder, "Universal Language Model Fine-tuning for Text Classification",
    ACL 2018.

    Examples
    --------
    >>> from skltransfer import GradualUnfreezing
    >>> GradualUnfreezing(every=2, stages=3)
    GradualUnfreezing(every=2, stages=3)
    """

    def __init__(self, every: int = 1, *, stages: str | int = "all") -> None:
        self.every = every
        self.stages = stages


class AttentionTransfer(BaseEstimator):
    """Pull where the last feature maps are active to where those of another network are.

    The activity of a place is the sum of its squared features. That of the teacher, which
    sees the same rows at its own size, is brought to the student's grid by bilinear
    interpolation. It is computed once a row and remembered.

    Parameters
    ----------
    strength : float, default=1.0
        Strength of the pull; 0 does not pull.
    teacher : str, path-like, keras.Model or Backbone, default=None
        A pretrained network, as `load_backbone` takes it; None is the starting network.

    References
    ----------
    Zagoruyko & Komodakis, "Paying More Attention to Attention: Improving the Performance of
    Convolutional Neural Networks via Attention Transfer", ICLR 2017.

    Examples
    --------
    >>> from skltransfer import AttentionTransfer
    >>> AttentionTransfer(100.0, teacher="efficientnet_lite0")
    AttentionTransfer(strength=100.0, teacher='efficientnet_lite0')
    """

    def __init__(self, strength: float = 1.0, *, teacher: Any = None) -> None:
        self.strength = strength
        self.teacher = teacher


@dataclass(frozen=True)
class Movement:
    """What ``trainable`` means for a network of so many stages.

    Parameters
    ----------
    stages : int
        How many stages move, counted from the last; 0 for the head alone.
    kind : {"weights", "norm", "lora"}
        What moves in them.
    rank, alpha : int, float
        Of the LoRA.
    every : int
        Epochs between one stage and the next; 0 if all move from the start.
    """

    stages: int
    kind: str = "weights"
    rank: int = 0
    alpha: float = 0.0
    every: int = 0

    def moving_stages(self, epoch: int) -> int:
        """How many of the last stages move in an epoch, counted from 0."""
        return min(self.stages, epoch // self.every) if self.every else self.stages


def movement(trainable: Any, *, pretrained: bool, n_stages: int) -> Movement:
    """Settle what ``trainable`` means.

    Parameters
    ----------
    trainable : {"auto", "head", "all", "norm", "lora"}, int, LoRA or GradualUnfreezing
        As the estimators take it.
    pretrained : bool
        Whether the weights of the backbone were learned from data.
    n_stages : int
        Stages that the backbone has.

    Raises
    ------
    ValueError
        If it is none of these, or there are not so many stages.

    Examples
    --------
    >>> movement("auto", pretrained=True, n_stages=17).stages
    0
    >>> movement(2, pretrained=True, n_stages=17).stages
    2
    """
    if isinstance(trainable, LoRA):
        rank = _whole("LoRA(rank=…)", trainable.rank)
        alpha = rank if trainable.alpha is None else trainable.alpha
        if not isinstance(alpha, Real) or alpha <= 0:
            raise ValueError(f"LoRA(alpha=…): expected a positive number or None. Got {alpha!r}.")
        return Movement(_stages("LoRA(where=…)", trainable.where, n_stages), "lora", rank, float(alpha))
    if isinstance(trainable, GradualUnfreezing):
        every = _whole("GradualUnfreezing(every=…)", trainable.every)
        return Movement(_stages("GradualUnfreezing(stages=…)", trainable.stages, n_stages), every=every)
    if isinstance(trainable, Integral) and not isinstance(trainable, bool):
        return Movement(_stages("trainable", trainable, n_stages))
    if not isinstance(trainable, str) or trainable not in NAMES:
        raise unknown_name("trainable", trainable, (*NAMES, "an int", "LoRA()", "GradualUnfreezing()"))
    if trainable == "lora":
        return movement(LoRA(), pretrained=pretrained, n_stages=n_stages)
    if trainable == "head" or (trainable == "auto" and pretrained):
        return Movement(0)
    return Movement(n_stages, "norm" if trainable == "norm" else "weights")


def attention_pull(attention_transfer: Any) -> tuple[float, Any]:
    """Settle how strong an attention transfer is, and who teaches.

    Parameters
    ----------
    attention_transfer : float or AttentionTransfer
        As the estimators take it.

    Returns
    -------
    tuple of float and object
        The strength, and the teacher: None for the starting network, or where nothing pulls.

    Raises
    ------
    ValueError
        If the strength is not a number of at least 0.

    Examples
    --------
    >>> attention_pull(2)
    (2.0, None)
    """
    if not isinstance(attention_transfer, AttentionTransfer):
        return float(attention_transfer), None
    strength = attention_transfer.strength
    if not isinstance(strength, Real) or isinstance(strength, bool) or not 0 <= strength < np.inf:
        raise ValueError(f"AttentionTransfer(strength=…): expected a number of at least 0. Got {strength!r}.")
    return float(strength), attention_transfer.teacher if strength else None


def _stages(parameter: str, value: Any, n_stages: int) -> int:
    if value == "all":
        return n_stages
    if not isinstance(value, int | np.integer) or not 1 <= value <= n_stages:
        raise ValueError(
            f"{parameter}: expected 'all' or a number of stages from 1 to {n_stages}, which is how many this backbone "
            f"has. Got {value!r}."
        )
    return int(value)


def _whole(parameter: str, value: Any) -> int:
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{parameter}: expected an int of at least 1. Got {value!r}.")
    return int(value)


def rate_factor(schedule: str, progress: float, warmup: float) -> float:
    """Share of the learning rate at a point of the training.

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


def ramp_factor(ramp: str, progress: float) -> float:
    """Share of its strength at which a pull between domains stands at a point of the training.

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


def stage_shares(depths: Sequence[int], moving: int, layer_decay: float) -> np.ndarray:
    """Share of the learning rate that each weight gets.

    Parameters
    ----------
    depths : sequence of int
        For each weight, how many stages lie between its own and the head.
    moving : int
        How many of the last stages move.
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
    >>> stage_shares([2, 1, 0], moving=2, layer_decay=0.5).tolist()
    [0.0, 0.25, 0.5]
    """
    depth = np.asarray(depths, dtype=float)
    return np.where(depth < moving, float(layer_decay) ** (depth + 1), 0.0)


def augmentation_json(augmentation: Any, *, parameter: str = "augmentation", others: Sequence[str] = ()) -> str:
    """Serialise what changes pictures in training.

    Parameters
    ----------
    augmentation : str or keras.layers.Layer
        One of `AUGMENTATIONS`, or a layer that takes and gives pictures from 0 to 255.
    parameter : str, default="augmentation"
        What the estimator calls it.
    others : sequence of str
        Other names that the estimator knows.

    Returns
    -------
    str
        The layer as JSON.

    Raises
    ------
    ValueError
        If the name is not known.
    TypeError
        If it is neither a name nor a layer.
    """
    keras = import_keras()
    if isinstance(augmentation, keras.layers.Layer):
        return json.dumps(keras.saving.serialize_keras_object(augmentation), sort_keys=True)
    if not isinstance(augmentation, str):
        raise TypeError(
            f"{parameter}: expected a name, a Keras layer or None. Got {type(augmentation).__name__}; known names: "
            f"{', '.join(map(repr, (*others, *AUGMENTATIONS)))}."
        )
    if augmentation not in AUGMENTATIONS:
        raise unknown_name(parameter, augmentation, (*others, *AUGMENTATIONS))
    return _named_augmentation(augmentation)


@lru_cache
def _named_augmentation(name: str) -> str:
    keras = import_keras()
    layers = AUGMENTATIONS[name](keras.layers)
    return json.dumps(keras.saving.serialize_keras_object(keras.Sequential(layers, name=name)), sort_keys=True)
