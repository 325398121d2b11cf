"""Where a teacher is active, beside the rows from which a student learns."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer._trained import Split, first
from skltransfer.backbones import Backbone, last_places, load_backbone, patch_grid
from skltransfer.engine import NO_PLACES
from skltransfer.features import Extraction, compute, extract, plan_extraction
from skltransfer.inputs import ArrayRows, BesideRows, InputFormat, Rows

Array = NDArray[Any]


@dataclass(frozen=True)
class Lesson:
    """Where a teacher is active in each row, on the grid of a student.

    Parameters
    ----------
    teacher : Extraction
        It gives the activity of the places of the teacher.
    grid : tuple of int
        Places of the student, along each axis.
    memory : path-like or None
        Folder that remembers what the teacher gives.
    """

    teacher: Extraction
    grid: tuple[int, ...]
    memory: Any

    @property
    def n_places(self) -> int:
        """How many places the student has."""
        return math.prod(self.grid)

    def maps(self, rows: Rows) -> Array:
        """Feature maps of one channel, of length 1 each, that are active where the teacher is."""
        activity = laid_out(extract(self.teacher, rows, memory=self.memory).astype(np.float64), self.teacher.backbone)
        activity = interpolated(activity, self.grid).reshape(len(rows), -1)
        norms = np.linalg.norm(activity, axis=1, keepdims=True)
        return np.sqrt(activity / np.where(norms > 0, norms, 1)).astype(np.float32)

    def beside(self, rows: Rows, taken: Rows, preparation: Any) -> BesideRows:
        """Put the maps of rows before what the student takes of them."""
        return BesideRows(ArrayRows(self.maps(rows)), taken, preparation)


def plan_lesson(teacher: Any, format: InputFormat, student: Backbone, split: Split, rows: Rows, memory: Any) -> Lesson:
    """Settle what a teacher says of rows, and on which grid.

    Parameters
    ----------
    teacher : object
        As `load_backbone` takes it.
    format : InputFormat
        What one row is.
    student, split : Backbone, Split
        The network that learns, whole and split.
    rows : Rows
        The first of them tells how large grids are.
    memory : path-like or None
        Folder that remembers what the teacher gives.

    Raises
    ------
    ValueError
        If the teacher cannot take such rows, or one of the two has no grid or sequence.
    """
    if format.kind == "texts":
        raise ValueError(
            "AttentionTransfer(teacher=…): networks cut texts into different pieces. Got texts; pass teacher=None."
        )
    own = None if split.above is None else last_places(split.above.backbone.architecture)
    if split.above is None or own is None:
        raise ValueError(NO_PLACES)
    taught = _teaching(teacher, format)
    above = replace(split.above, stage=own, pooling="activity")
    seen = np.stack(list(compute(above, split.rows(first(rows), memory), [0])))
    grid = laid_out(seen, student).shape[1:]
    theirs = laid_out(extract(taught, first(rows), memory=memory), taught.backbone).shape[1:]
    if len(theirs) != len(grid):
        raise ValueError(
            f"AttentionTransfer(teacher=…): expected a map with as many axes as the student's, which is {grid}. Got "
            f"{taught.backbone.name!r}, whose map is {theirs}; pass another teacher."
        )
    return Lesson(taught, grid, memory)


def _teaching(teacher: Any, format: InputFormat) -> Extraction:
    try:
        backbone = load_backbone(teacher)
        plan = plan_extraction(backbone, format)
    except ValueError as error:
        raise ValueError(f"AttentionTransfer(teacher=…): this teacher cannot take these rows. {error}") from error
    stage = last_places(backbone.architecture)
    if stage is None:
        raise ValueError(
            f"AttentionTransfer(teacher=…): expected a network with a grid or sequence. Got {backbone.name!r}, which "
            "gives vectors alone; pass another teacher."
        )
    return replace(plan, stage=stage, pooling="activity")


def laid_out(activity: Array, backbone: Backbone) -> Array:
    """Lay out the places of patches as they lie in the picture."""
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
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    weights = np.maximum(1 - np.abs(np.arange(old)[:, None] - centres) / max(old / new, 1), 0)
    return weights / weights.sum(axis=0)
