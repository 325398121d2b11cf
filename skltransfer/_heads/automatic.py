"""A linear head whose blocks of features, penalty and temperature are chosen by cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skltransfer._engine.pooling import Output
from skltransfer._heads.calibration import DEFAULT_STRENGTH, Calibration, calibrate
from skltransfer._heads.choice import Candidate, Choice, block_scale, candidates, choose
from skltransfer._heads.head import Head
from skltransfer._heads.logistic import Coordinates
from skltransfer._heads.solve import codes_of, solve
from skltransfer._heads.span import decompose
from skltransfer._targets.targets import Targets
from skltransfer._utils.types import Array, Floats

MIN_SAMPLES = 10
"""With fewer samples nothing is chosen."""


class Blocks(NamedTuple):
    """Outputs whose features stand beside each other, and how many features each has."""

    outputs: Sequence[Output]
    widths: Sequence[int]


def solve_automatically(
    features: Floats, targets: Targets, blocks: Blocks, *, C: float | None, groups: Array
) -> tuple[Head, dict[str, list[Any]]]:
    """Solve a linear head on blocks of features that are chosen for the task.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        The blocks beside each other.
    targets : Targets
        What samples should come out as.
    blocks : Blocks
        What the features are.
    C : float or None
        Inverse strength of the penalty; None chooses it, and the temperature of probabilities.
    groups : ndarray of shape (n_samples,)
        Samples of one group are held out together.

    Returns
    -------
    head : Head
        On all features as they come; those of blocks that are left out have coefficients of 0.
    selection : dict of str to list
        What was tried, by column.
    """
    options = candidates(blocks.outputs)
    choice = None
    if len(features) >= MIN_SAMPLES and (len(options) > 1 or C is None):
        choice = choose(features, targets, blocks.widths, options, groups)
    chosen = options[0 if choice is None else choice.chosen]
    weights = targets.weights.max(axis=1)
    scale = block_scale(features, weights, blocks.widths, chosen.shares) if len(options) > 1 else None
    values = targets.tasks[0].kind == "values"
    if C is None and values:
        C = DEFAULT_STRENGTH if choice is None else _ridge_strength(choice, len(features), blocks.widths[0])
    tried: list[list[Calibration]] = []
    heads = []
    for task in targets.each():
        present = task.weights[:, 0] > 0
        own, rows = task.take(present), features[present]
        strength, temperature = C, 1.0
        if strength is None:
            tried.append(_calibrations(rows, own, scale, groups[present]))
            best = min(tried[-1], key=lambda found: found.log_loss)
            strength, temperature = best.C, best.temperature
        heads.append(solve(rows, own, C=strength, scale=scale).divided_by(temperature))
    return Head.beside(heads), _table(options, choice, chosen, tried)


def _ridge_strength(choice: Choice, n_samples: int, width: int) -> float:
    """Return the inverse strength that means the same as the penalty of the chosen ridge regression."""
    return float(1.0 / (choice.penalties[choice.chosen] * n_samples * width))


def _calibrations(features: Floats, targets: Targets, scale: Floats | None, groups: Array) -> list[Calibration]:
    weights = targets.weights[:, 0]
    codes, n_classes = codes_of(targets)
    coordinates = Coordinates(decompose(features, weights, scale)[0], codes, n_classes, weights)
    return calibrate(coordinates, None, groups)


def _table(
    options: Sequence[Candidate], choice: Choice | None, chosen: Candidate, tried: Sequence[Sequence[Calibration]]
) -> dict[str, list[Any]]:
    """List what was tried: blocks by their error, and strengths of the penalty by their log loss."""
    blank = np.full(len(options), np.nan)
    rows: list[dict[str, Any]] = [
        {"step": "features", "candidate": option.name, "error": error, "standard_error": deviation, "C": np.nan,
         "temperature": np.nan, "chosen": option is chosen}
        for option, error, deviation in zip(
            options, blank if choice is None else choice.errors, blank if choice is None else choice.standard_errors,
            strict=True,
        )
    ]  # fmt: skip
    for number, calibrations in enumerate(tried):
        best = min(calibrations, key=lambda found: found.log_loss)
        rows += [
            {"step": "C", "candidate": f"task {number}" if len(tried) > 1 else "C", "error": found.log_loss,
             "standard_error": np.nan, "C": found.C, "temperature": found.temperature, "chosen": found is best}
            for found in calibrations
        ]  # fmt: skip
    return {name: [row[name] for row in rows] for name in rows[0]}
