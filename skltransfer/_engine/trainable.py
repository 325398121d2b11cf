"""Which layers are fine-tuned in `fit`, and when."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skltransfer._validation import unknown_name

NAMES = ("auto", "head", "all", "norm", "lora")


class LoRA(BaseEstimator):
    """Fine-tune by LoRA adapters: low-rank matrices beside the kernels of dense layers and convolutions.

    Parameters
    ----------
    rank : int, default=4
        Rank of each adapter.
    alpha : float or None, default=None
        Adapters are multiplied by ``alpha / rank``; None is ``alpha = rank``.
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
    """Unfreeze one more stage after every so many epochs, from the head downwards.

    Parameters
    ----------
    every : int, default=1
        Epochs between one stage and the next. In the first ones only the head is trained. Each
        call of `partial_fit` is one more epoch.
    stages : "all" or int, default="all"
        How many stages are trainable in the end, counted from the last.

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


@dataclass(frozen=True)
class TrainableLayers:
    """Which layers of a network are fine-tuned.

    Parameters
    ----------
    stages : int
        How many stages are trainable, counted from the last; 0 for the head alone.
    kind : {"weights", "norm", "lora"}
        What is trainable in them: all weights, scales and shifts of normalizations, or LoRA
        adapters.
    rank, alpha : int, float
        Of the LoRA adapters.
    every : int
        Epochs between one stage and the next; 0 if all are trainable from the start.
    """

    stages: int
    kind: str = "weights"
    rank: int = 0
    alpha: float = 0.0
    every: int = 0

    def n_trainable_stages(self, epoch: int) -> int:
        """Return how many of the last stages are trainable in an epoch, counted from 0."""
        return min(self.stages, epoch // self.every) if self.every else self.stages


def resolve_trainable(trainable: Any, *, pretrained: bool, n_stages: int) -> TrainableLayers:
    """Settle which layers ``trainable`` means, of a network of so many stages.

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
    >>> resolve_trainable("auto", pretrained=True, n_stages=17).stages
    0
    >>> resolve_trainable(2, pretrained=True, n_stages=17).stages
    2
    """
    if isinstance(trainable, LoRA):
        rank = _whole("LoRA(rank=…)", trainable.rank)
        alpha = rank if trainable.alpha is None else trainable.alpha
        if not isinstance(alpha, Real) or not 0 < alpha < np.inf:
            raise ValueError(f"LoRA(alpha=…): expected a positive, finite number or None. Got {alpha!r}.")
        return TrainableLayers(_stages("LoRA(where=…)", trainable.where, n_stages), "lora", rank, float(alpha))
    if isinstance(trainable, GradualUnfreezing):
        every = _whole("GradualUnfreezing(every=…)", trainable.every)
        return TrainableLayers(_stages("GradualUnfreezing(stages=…)", trainable.stages, n_stages), every=every)
    if isinstance(trainable, Integral) and not isinstance(trainable, bool):
        return TrainableLayers(_stages("trainable", trainable, n_stages))
    if not isinstance(trainable, str) or trainable not in NAMES:
        raise unknown_name("trainable", trainable, (*NAMES, "an int", "LoRA()", "GradualUnfreezing()"))
    if trainable == "lora":
        return resolve_trainable(LoRA(), pretrained=pretrained, n_stages=n_stages)
    if trainable == "head" or (trainable == "auto" and pretrained):
        return TrainableLayers(0)
    return TrainableLayers(n_stages, "norm" if trainable == "norm" else "weights")


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
