"""Blocks of features from several stages, computed in one pass."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from skltransfer._engine.pooling import INPUT, Output
from skltransfer._features.extraction import Extraction
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._builders import STANDARDIZE, is_standardizing
from skltransfer.backbones._graph import channels
from skltransfer.backbones._kernels import KERNEL, KERNELS

GRID_DEPTHS = (0.94, 0.69, 0.5)
"""Where grids are taken, as shares of the stages, from late to early; see `docs/design.md`."""
STEP_DEPTHS = (0.6, 0.2)
"""Where sequences are averaged."""
MAX_CELLS, MAX_GRID, INPUT_CELLS, BAG_PLACES = 4, 4096, 16, 2048


def with_blocks(extraction: Extraction) -> Extraction:
    """Add blocks of features.

    Of images, grids of late stages and of the input; of texts, averages of earlier stages and a bag of tokens; of
    tables, the columns.
    """
    backbone = extraction.backbone
    if extraction.pooling != "avg" or extraction.stage != backbone.stages[-1]:
        return extraction
    if extraction.preparation is None:
        return replace(extraction, beside=_columns(backbone))
    if backbone.tokenization is not None:
        steps = [Output(stage, "avg") for stage in _stages(backbone, STEP_DEPTHS, rank=3)]
        return replace(extraction, beside=(*steps, Output(INPUT, f"bag{BAG_PLACES}")))
    grids = [Output(stage, f"grid{_cells(backbone, stage)}") for stage in _stages(backbone, GRID_DEPTHS, rank=4)]
    return replace(extraction, beside=(*grids, Output(INPUT, f"grid{INPUT_CELLS}")))


def _columns(backbone: Backbone) -> tuple[Output, ...]:
    """Find the columns of a network that standardizes them, and one kernel of a network of kernels."""
    if len(backbone.input_shape) != 1 or not is_standardizing(backbone):
        return ()
    kernel = (Output(KERNEL, "avg"),) if backbone.stages[-1] == KERNELS and f"{KERNEL}/kernel" in backbone.paths else ()
    return (*kernel, Output(STANDARDIZE, "avg"))


def block_widths(extraction: Extraction, n_features: int) -> list[int]:
    """Return how many of the features belong to each output."""
    beside = [_width(extraction.backbone, output) for output in extraction.beside]
    return [n_features - sum(beside), *beside]


def block_names(outputs: Sequence[Output]) -> list[str]:
    """Return a name for each block: its stage, and how it is pooled."""
    return [f"{output.stage.strip('<>')}_{output.pooling}" for output in outputs]


def _stages(backbone: Backbone, depths: Sequence[float], *, rank: int) -> list[str]:
    """Find stages before the last whose outputs have so many axes, at these shares of their number."""
    known = _known(backbone.architecture)
    ranked = [stage for stage in backbone.stages[:-1] if known.get(stage, (0, None))[0] == rank]
    places = (min(round(len(ranked) * depth), len(ranked) - 1) for depth in depths)
    return list(dict.fromkeys(ranked[place] for place in places)) if ranked else []


def _cells(backbone: Backbone, stage: str) -> int:
    return max(1, min(MAX_CELLS, int((MAX_GRID / _channels(backbone, stage)) ** 0.5)))


def _channels(backbone: Backbone, stage: str) -> int:
    if stage == INPUT:
        return int(backbone.input_shape[-1] or 1)
    return int(_known(backbone.architecture)[stage][1] or 1)


@lru_cache(maxsize=8)
def _known(architecture: str) -> dict[str, tuple[int, int | None]]:
    return channels(json.loads(architecture))


def _width(backbone: Backbone, output: Output) -> int:
    if output.pooling.startswith("bag"):
        return output.size
    cells = output.size**2 if output.pooling.startswith("grid") else 1
    return cells * _channels(backbone, output.stage)
