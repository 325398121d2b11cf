"""A linear head whose blocks of features, penalty and temperature are chosen by cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skltransfer._engine.pooling import INPUT, Output
from skltransfer._heads.calibration import DEFAULT_STRENGTH, Calibration, calibrate
from skltransfer._heads.choice import Candidate, Choice, block_scale, candidates, choose
from skltransfer._heads.head import Head
from skltransfer._heads.logistic import Coordinates
from skltransfer._heads.solve import codes_of, of_present, solve
from skltransfer._heads.span import decompose
from skltransfer._targets.targets import Targets
from skltransfer._utils.types import Array, Floats

MIN_SAMPLES = 10
"""With fewer different samples nothing is chosen."""
TABLE_SQUARE = 300.0


class Blocks(NamedTuple):
    """Outputs whose features stand beside each other, and how many features each has."""

    outputs: Sequence[Output]
    widths: Sequence[int]

    @property
    def square(self) -> float:
        """Mean square of a standardized sample: the width of the last stage, or of all tables the same."""
        return self.widths[0] if self.outputs[-1].stage == INPUT or len(self.outputs) == 1 else TABLE_SQUARE


class Settled(NamedTuple):
    """What the features of a task are divided by, if that is not one number; its penalty, and its temperature."""

    scale: Floats | None
    C: float
    temperature: float


def solve_automatically(
    features: Floats, targets: Targets, blocks: Blocks, *, C: float | None, groups: Array, names: Array
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
    names : ndarray of shape (n_samples,)
        Equal samples have one name.

    Returns
    -------
    head : Head
        On all features as they come; those of blocks that are left out have coefficients of 0.
    selection : dict of str to list
        What was tried, by column.
    """
    settled, selection = settle(features, targets, blocks, C=C, groups=groups, names=names)
    heads = []
    for task, (scale, strength, temperature) in zip(targets.each(), settled, strict=True):
        present = task.weights[:, 0] > 0
        head = solve(of_present(features, present), task.take(present), C=strength, scale=scale)
        heads.append(head.divided_by(temperature))
    return Head.beside(heads), selection


def settle(
    features: Floats, targets: Targets, blocks: Blocks, *, C: float | None, groups: Array, names: Array
) -> tuple[list[Settled], dict[str, list[Any]]]:
    """Choose for each task how much each block counts, the strength of the penalty, and the temperature.

    See `solve_automatically`.
    """
    options = candidates(blocks.outputs, blocks.widths)
    choices: list[Choice | None] = [None] * len(targets.tasks)
    if len(np.unique(groups)) >= MIN_SAMPLES and (len(options) > 1 or C is None):
        choices = [*choose(features, targets, blocks.widths, options, groups)]
    settled, rows = [], []
    for number, (task, choice) in enumerate(zip(targets.each(), choices, strict=True)):
        chosen = options[0 if choice is None else choice.chosen]
        present = task.weights[:, 0] > 0
        own, seen = task.take(present), of_present(features, present)
        scale = None
        if len(options) > 1:
            scale = block_scale(seen, own.weights[:, 0], blocks.widths, chosen.shares, blocks.square)
        tried = _strengths(seen, own, scale, C, choice, (groups[present], names[present]), blocks.square)
        best = min(tried, key=lambda found: found.log_loss)
        settled.append(Settled(scale, best.C, best.temperature))
        rows += _rows(number, options, choice, chosen, tried if C is None else [], best)
    return settled, {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _strengths(
    features: Floats, targets: Targets, scale: Floats | None, C: float | None, choice: Choice | None,
    related: tuple[Array, Array], square: float,
) -> list[Calibration]:  # fmt: skip
    """Try strengths of the penalty of one task; a given one is the only one, without a temperature."""
    if C is not None:
        return [Calibration(C, 1.0, np.nan)]
    if targets.tasks[0].kind == "values":
        return [Calibration(_ridge_strength(choice, targets.weights.sum() * square), 1.0, np.nan)]
    weights, (codes, n_classes) = targets.weights[:, 0], codes_of(targets)
    coordinates = Coordinates(decompose(features, weights, scale)[0], codes, n_classes, weights)
    return calibrate(coordinates, *related)


def _ridge_strength(choice: Choice | None, square: float) -> float:
    """Return the inverse strength that means the same as the chosen penalty; ``square`` is that of all samples."""
    if choice is None:
        return DEFAULT_STRENGTH
    return float(1.0 / (choice.penalties[choice.chosen] * square))


def _rows(
    number: int, options: Sequence[Candidate], choice: Choice | None, chosen: Candidate,
    tried: Sequence[Calibration], best: Calibration,
) -> list[dict[str, Any]]:  # fmt: skip
    """List what was tried for a task: blocks by their error, and strengths of the penalty by their log loss."""
    blank = np.full(len(options), np.nan)
    errors, deviations = (blank, blank) if choice is None else (choice.errors, choice.standard_errors)
    penalties = [
        {"task": number, "step": "features", "candidate": option.name, "error": float(error),
         "standard_error": float(deviation), "temperature": np.nan, "chosen": option is chosen}
        for option, error, deviation in zip(options, errors, deviations, strict=True)
    ]  # fmt: skip
    return penalties + [
        {"task": number, "step": "C", "candidate": f"C={found.C:g}", "error": found.log_loss,
         "standard_error": np.nan, "temperature": found.temperature, "chosen": found is best}
        for found in tried
    ]  # fmt: skip
