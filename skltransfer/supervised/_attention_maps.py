"""Where a fitted network looks: weights of the places of each sample, that sum to 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from skltransfer._estimators.fitted import FittedModel
from skltransfer._features.blocks import block_widths
from skltransfer._features.extraction import Extraction, compute, plan_extraction
from skltransfer._heads.head import Head, average_places
from skltransfer._inputs.samples import Samples
from skltransfer._utils.types import Array
from skltransfer._validation import unknown_name
from skltransfer.backbones._attention import patch_grid, rollout
from skltransfer.backbones._backbone import Backbone

Maps = Array | list[Array]

METHODS = ("auto", "head", "rollout", "grad_cam")


def attention_maps(
    model: FittedModel,
    samples: Samples,
    method: str,
    directions: Callable[[Array, slice], Array],
    *,
    image_size: Any,
    memory: Any,
) -> Maps:
    """Show where a fitted model looks; see `TransferClassifier.attention_maps`.

    ``directions`` gives, for the decision values of some samples, how they add up to what is
    explained.
    """
    assert model.head is not None
    method = _settled(method, model.head, model.backbone)
    if method == "rollout":
        return _rollout_maps(plan_extraction(model.backbone, model.format, image_size=image_size), samples)
    if method == "head":
        blocks = model.network.blocks(samples, memory)
        return _joined(((maps, model.head.attention(maps).mean(axis=2)) for maps in blocks), model.backbone)
    return _joined(_grad_cam(model, model.head, samples, directions, memory), model.backbone)


def _settled(method: str, head: Head, backbone: Backbone) -> str:
    """Return which maps "auto" means, and refuse those that the network does not have."""
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    if method == "auto":
        return "head" if head.takes_maps else "grad_cam" if rollout(backbone) is None else "rollout"
    if method == "head" and not head.takes_maps:
        raise ValueError(
            "method='head' shows the weights of an attention head. Got another head; fit with head='attention', or "
            "pass method='auto'."
        )
    if method == "rollout" and rollout(backbone) is None:
        raise ValueError(
            f"method='rollout' follows the attention between the places of a sequence. Got the backbone "
            f"{backbone.name!r}, in which none is found; pass method='auto'."
        )
    return method


def _rollout_maps(whole: Extraction, samples: Samples) -> Maps:
    """Follow the average over places down to the places that the network begins with."""
    network = rollout(whole.backbone)
    assert network is not None
    plan = replace(whole, backbone=network, stage=network.stages[-1], pooling="none")
    found = list(compute(plan, samples, range(len(samples))))
    return found if network.padded else _laid_out(np.stack(found), whole.backbone)


def _grad_cam(
    model: FittedModel, head: Head, samples: Samples, directions: Callable[[Array, slice], Array], memory: Any
) -> Iterator[tuple[Array, Array]]:
    """Weigh the channels of each place by how much they raise what is explained."""
    start, network, extraction = 0, model.network.unpooled(), model.extraction
    whole = None
    if extraction.beside:  # the first features are those of the grid that is shown
        whole = model.decisions(samples, memory)
        head = replace(head, coef=head.coef[: block_widths(extraction, len(head.coef))[0]])
    for maps in network.blocks(samples, memory):
        if maps.ndim < 3:
            raise ValueError(
                f"attention_maps shows the places of a grid or sequence. Got the backbone {model.backbone.name!r}, "
                f"which gives one vector of {maps.shape[1]} values a sample; fit another backbone."
            )
        pooled = head.pool(maps) if head.takes_maps else average_places([maps], padded=network.padded)
        some = slice(start, start + len(maps))
        slopes = head.slopes(pooled, directions(head.decide(pooled) if whole is None else whole[some], some))
        start += len(maps)
        yield maps, np.einsum("n...c,nc->n...", maps, slopes).reshape(len(maps), -1).clip(min=0)


def _joined(blocks: Iterator[tuple[Array, Array]], backbone: Backbone) -> Maps:
    """Bring the heat of each sample to a sum of 1, and lay it out as the places lie; cold samples become even."""
    found: list[Array] = []
    places: tuple[int, ...] = ()
    for maps, heat in blocks:
        places, heat = maps.shape[1:-1], heat.astype(np.float64)
        present = np.any(maps != 0, axis=-1).reshape(heat.shape) if backbone.padded else np.ones(heat.shape, bool)
        total = heat.sum(axis=1, keepdims=True)
        even = present / np.maximum(present.sum(axis=1, keepdims=True), 1)
        shares = np.where(total > 0, heat / np.where(total > 0, total, 1), even)
        found += [sample[:length] for sample, length in zip(shares, present.sum(axis=1), strict=True)]
    if backbone.padded:
        return found
    stacked = np.stack(found)
    return _laid_out(stacked, backbone) if len(places) == 1 else stacked.reshape(-1, *places)


def _laid_out(shares: Array, backbone: Backbone) -> Array:
    grid = patch_grid(backbone, shares.shape[1])
    assert math.prod(grid) == shares.shape[1]
    return shares.reshape(-1, *grid)
