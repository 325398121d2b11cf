"""Where a teacher is active, beside the samples from which a student learns."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skltransfer._engine.design import NO_PLACES
from skltransfer._estimators.sharing import clone_sharing_networks
from skltransfer._features.extraction import Extraction, compute, extract, plan_extraction
from skltransfer._features.split import SplitNetwork, first
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import ArraySamples, JoinedSamples, Samples
from skltransfer._utils.types import Array
from skltransfer.backbones._attention import patch_grid
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._cutting import last_places
from skltransfer.backbones._registry import load_backbone


@dataclass(frozen=True)
class TeacherMaps:
    """Where a teacher is active in each sample, on the grid of a student.

    Parameters
    ----------
    teacher : Extraction
        It gives the activity of the places of the teacher.
    grid : tuple of int
        Places of the student, along each axis.
    memory : path-like or None
        Folder in which activities of the teacher are cached.
    """

    teacher: Extraction
    grid: tuple[int, ...]
    memory: Any

    @property
    def n_places(self) -> int:
        """How many places the student has."""
        return math.prod(self.grid)

    def maps(self, samples: Samples) -> Array:
        """Compute feature maps of one channel, of length 1 each, that are active where the teacher is."""
        activity = laid_out(
            extract(self.teacher, samples, memory=self.memory).astype(np.float64), self.teacher.backbone
        )
        activity = interpolated(activity, self.grid).reshape(len(samples), -1)
        norms = np.linalg.norm(activity, axis=1, keepdims=True)
        return np.sqrt(activity / np.where(norms > 0, norms, 1)).astype(np.float32)

    def beside(self, samples: Samples, taken: Samples, preparation: Any) -> JoinedSamples:
        """Put the maps of samples before what the student takes of them."""
        return JoinedSamples(ArraySamples(self.maps(samples)), taken, preparation)


def plan_teacher(
    teacher: Any, format: InputFormat, student: Backbone, split: SplitNetwork, samples: Samples, memory: Any
) -> TeacherMaps:
    """Settle what a teacher says of samples, and on which grid.

    Parameters
    ----------
    teacher : object
        As `load_backbone` takes it.
    format : InputFormat
        What one sample is.
    student, split : Backbone, SplitNetwork
        The network that learns, whole and split.
    samples : Samples
        The first of them shows how large grids are.
    memory : path-like or None
        Folder in which activities of the teacher are cached.

    Raises
    ------
    ValueError
        If the teacher cannot take such samples, or one of the two has no grid or sequence.
    """
    if format.kind.is_text:
        raise ValueError(
            "AttentionTransfer(teacher=…): networks cut texts into different pieces. Got texts; pass teacher=None."
        )
    own = None if split.above is None else last_places(split.above.backbone.architecture)
    if split.above is None or own is None:
        raise ValueError(NO_PLACES)
    activity = _teaching(teacher, format)
    above = replace(split.above, stage=own, pooling="activity")
    seen = np.stack(list(compute(above, split.samples(first(samples), memory), [0])))
    grid = laid_out(seen, student).shape[1:]
    theirs = laid_out(extract(activity, first(samples), memory=memory), activity.backbone).shape[1:]
    if len(theirs) != len(grid):
        raise ValueError(
            f"AttentionTransfer(teacher=…): expected a map with as many axes as the student's, which is {grid}. Got "
            f"{activity.backbone.name!r}, whose map is {theirs}; pass another teacher."
        )
    return TeacherMaps(activity, grid, memory)


def _teaching(teacher: Any, format: InputFormat) -> Extraction:
    try:
        backbone = load_backbone(teacher)
        plan = plan_extraction(backbone, format)
    except ValueError as error:
        raise ValueError(f"AttentionTransfer(teacher=…): this teacher cannot take these samples. {error}") from error
    stage = last_places(backbone.architecture)
    if stage is None:
        raise ValueError(
            f"AttentionTransfer(teacher=…): expected a network with a grid or sequence. Got {backbone.name!r}, which "
            "gives vectors alone; pass another teacher."
        )
    return replace(plan, stage=stage, pooling="activity")


def laid_out(activity: Array, backbone: Backbone) -> Array:
    """Lay out the places of patches as they lie in the image."""
    grid = activity.shape[1:]
    return activity.reshape(-1, *(patch_grid(backbone, grid[0]) if len(grid) == 1 else grid))


def interpolated(maps: Array, grid: tuple[int, ...]) -> Array:
    """Bring maps of shape (n, ...) to another grid, by linear interpolation along each axis.

    Where places become fewer, each takes in all that it covers.

    Examples
    --------
    >>> interpolated(np.array([[0.0, 1.0]]), (4,))
    array([[0.  , 0.25, 0.75, 1.  ]])
    """
    for axis, length in enumerate(grid, start=1):
        maps = np.moveaxis(np.moveaxis(maps, axis, -1) @ _weights(maps.shape[axis], length), -1, axis)
    return maps


def _weights(old: int, new: int) -> Array:
    """How much each of the old places (lines) counts for each of the new ones (columns)."""
    centers = (np.arange(new) + 0.5) * old / new - 0.5
    weights = np.maximum(1 - np.abs(np.arange(old)[:, None] - centers) / max(old / new, 1), 0)
    return weights / weights.sum(axis=0)


class AttentionTransfer(BaseEstimator):
    """Penalize the distance of where the last feature maps are active from where those of another network are.

    The activity of a place is the sum of its squared features. That of the teacher, which
    sees the same samples at its own size, is brought to the student's grid by bilinear
    interpolation. It is computed once a sample and cached.

    Parameters
    ----------
    strength : float, default=1.0
        Strength of the attention-transfer loss; 0 leaves it out.
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

    def __sklearn_clone__(self) -> Any:
        return clone_sharing_networks(self)


def attention_strength(attention_transfer: Any) -> tuple[float, Any]:
    """Settle the strength of an attention transfer, and its teacher.

    Parameters
    ----------
    attention_transfer : float or AttentionTransfer
        As the estimators take it.

    Returns
    -------
    tuple of float and object
        The strength, and the teacher: None for the starting network, or if the strength is 0.

    Raises
    ------
    ValueError
        If the strength is not a number of at least 0.

    Examples
    --------
    >>> attention_strength(2)
    (2.0, None)
    """
    if not isinstance(attention_transfer, AttentionTransfer):
        return float(attention_transfer), None
    strength = attention_transfer.strength
    if not isinstance(strength, Real) or isinstance(strength, bool) or not 0 <= strength < np.inf:
        raise ValueError(f"AttentionTransfer(strength=…): expected a number of at least 0. Got {strength!r}.")
    return float(strength), attention_transfer.teacher if strength else None
