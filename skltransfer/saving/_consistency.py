"""Whether the parts of a fitted estimator go with each other."""

from __future__ import annotations

import json
from typing import Any

from skltransfer._engine.pooling import INPUT
from skltransfer._estimators.fitted import FittedModel
from skltransfer._features.extraction import Extraction
from skltransfer._heads.head import Head
from skltransfer._keras.runtime import RUNTIMES


def check_fitted(estimator: Any) -> None:
    """Raise ValueError if what a fit left does not go together.

    Parameters
    ----------
    estimator : estimator
        As it was read from a file; one that is not fitted is as it should be.
    """
    model = vars(estimator).get("model_")
    if not isinstance(model, FittedModel):
        return
    n_columns = vars(estimator).get("n_features_in_", 1)
    if not isinstance(n_columns, int) or (model.format.kind.is_table and (n_columns,) != model.format.shape):
        raise ValueError(f"expected as many features as a sample has, {model.format.shape}. Got {n_columns!r}")
    if (model.head is None) != (model.encoding is None):
        raise ValueError("expected a head together with an encoding of what it answers. Got one of them")
    if model.head is not None:
        _check_head(model.head, sum(task.n_outputs for task in model.encoding.tasks))
    for extraction in (model.network.below, model.network.above):
        if extraction is not None:
            _check_extraction(extraction)
    if model.network.below is None and model.network.above is None:
        raise ValueError("expected a network below or above the features that are cached. Got none")


def _check_head(head: Head, n_outputs: int) -> None:
    """Raise ValueError if a layer does not take what the one before gives, or there are not so many outputs."""
    layers = (*head.hidden, (head.coef, head.intercept))
    shapes = [(kernel.shape, bias.shape) for kernel, bias in layers]
    widths = [kernel[-1:] for kernel, _ in shapes[:-1]]
    fit = all(len(kernel) == 2 and bias == kernel[1:] for kernel, bias in shapes)
    if not fit or widths != [kernel[:1] for kernel, _ in shapes[1:]] or shapes[-1][1] != (n_outputs,):
        raise ValueError(f"expected layers of a head with {n_outputs} outputs. Got kernels and biases {shapes}")


def _check_extraction(extraction: Extraction) -> None:
    """Raise ValueError if a layer is not in the network whose output is taken, or what computes is unknown."""
    if extraction.runtime not in RUNTIMES:
        raise ValueError(f"expected a runtime among {', '.join(RUNTIMES)}. Got {extraction.runtime!r}")
    layers = json.loads(extraction.backbone.architecture)["config"]["layers"]
    known = [layer["config"]["name"] for layer in layers]
    if missing := {output.stage for output in extraction.outputs} - {INPUT, *known}:
        raise ValueError(f"expected layers of the network {extraction.backbone.name!r}. Got {sorted(missing)}")
