"""What is drawn of answers: confusions, calibration, values."""

from __future__ import annotations

from typing import Any

import numpy as np

from skltransfer._utils.types import Array
from skltransfer.reporting._answers import Task
from skltransfer.reporting._drawing import ACCENT, EDGE, GRAY, WARM, drawing, figure
from skltransfer.reporting._html import Markup, box, table
from skltransfer.reporting._scores import Reliability

FEW = 12
"""Classes whose matrix of confusions fits beside another drawing."""
MANY = 20
"""Classes from which on names and numbers are small."""
MOST = 60
"""Classes of which a matrix is drawn; of more, the most frequent confusions are listed."""
LISTED = 30
LONGEST = 24
"""Letters of a class beside a matrix."""
LINES = "#c3cfe0"
DARK, BRIGHT = "#000001", "#ffffff"
"""Colors of numbers on shades; black alone would follow the page."""
DRAWN_POINTS = 2000


def confusions(task: Task) -> Array:
    """Count samples by what they are and what they are taken for."""
    n = len(task.names)
    return np.bincount(task.right * n + task.predicted, minlength=n * n).reshape(n, n)


def confusion_figure(task: Task) -> Markup:
    """Draw how many samples of each class are taken for which."""
    counts = confusions(task)
    n = len(counts)
    side = max(4.4, 0.42 * n) if n <= FEW else (0.36 if n <= MANY else 0.22) * n
    longest = max(len(shortened(name)) for name in task.names)
    image = drawing(
        lambda ax: _draw_confusions(ax, counts, [shortened(name) for name in task.names]),
        _confusions_said(task, counts),
        width=side + 0.07 * longest,
        height=side + 0.07 * longest,
    )
    caption = "The darker a cell, the larger its share of the samples of the class."
    return figure(box(image, "Confusion matrix"), caption, "full") if n > FEW else figure(image, caption)


def confusion_table(task: Task) -> Markup:
    """List the most frequent confusions."""
    counts = confusions(task)
    wrong = counts * ~np.eye(len(counts), dtype=bool)
    order = np.argsort(-wrong, axis=None, kind="stable")[:LISTED]
    rows = [
        [task.names[row], task.names[column], int(wrong[row, column]), f"{wrong[row, column] / counts[row].sum():.0%}"]
        for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[row, column]
    ]
    return table(["Actual class", "Predicted class", "Samples", "Of the class"], rows, "Most frequent confusions")


def shortened(name: str) -> str:
    """Cut a name that is too long for an axis."""
    name = " ".join(name.split())
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def shades(counts: Array) -> Array:
    """Return the color of each cell, as shares of red, green and blue."""
    from matplotlib import colormaps

    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return colormaps["Blues"](shares)[..., :3]


def ink(shade: Array) -> str:
    """Return which of two colors of text is read better on a shade."""
    return BRIGHT if (luminance(shade) + 0.05) ** 2 < 1.05 * 0.05 else DARK


def luminance(rgb: Array) -> float:
    """Compute the relative luminance of WCAG 2."""
    linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _draw_confusions(ax: Any, counts: Array, names: list[str]) -> None:
    colors = shades(counts)
    ax.imshow(colors, interpolation="none")
    places = range(len(names))
    ax.set_xticks(places, names, rotation=90 if max(map(len, names)) > 2 else 0)
    ax.set_yticks(places, names)
    small = len(names) > MANY
    ax.tick_params(length=0, labelsize=7 if small else 10)
    if len(names) > FEW:
        between = np.arange(len(names) + 1) - 0.5
        ax.vlines(between, -0.5, len(names) - 0.5, color=LINES, linewidth=0.4)
        ax.hlines(between, -0.5, len(names) - 0.5, color=LINES, linewidth=0.4)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="predicted class", ylabel="actual class")
    for row, column in zip(*np.nonzero(counts), strict=True):
        color = ink(colors[row, column])
        size = (7 if small else 10) if counts[row, column] < 1000 else 4 if small else 7
        ax.text(column, row, str(counts[row, column]), ha="center", va="center", color=color, size=size)


def _confusions_said(task: Task, counts: Array) -> str:
    wrong = counts * ~np.eye(len(counts), dtype=bool)
    said = f"Confusion matrix of {len(counts)} classes: {np.trace(counts)} of {counts.sum()} samples are right."
    if not wrong.any():
        return said
    row, column = np.unravel_index(wrong.argmax(), wrong.shape)
    return f"{said} Most often, {task.names[row]} is taken for {task.names[column]}: {wrong.max()} times."


def calibration_figure(found: Reliability) -> Markup:
    """Draw shares of right answers over confidence."""
    said = (
        f"Calibration curve: the expected calibration error is {found.error:.3f}. "
        + "; ".join(
            f"at confidence {confidence:.2f}, {accuracy:.2f} of {count} are right"
            for confidence, accuracy, count in zip(found.confidence, found.accuracy, found.counts, strict=True)
        )
        + "."
    )
    caption = (
        f"Expected calibration error {found.error:.3f}: by how much confidence, the probability of the class that is "
        "predicted, is off on average. Bars are Wilson's 95 % intervals; larger dots stand for more samples."
    )
    return figure(drawing(lambda ax: _draw_calibration(ax, found), said, height=4.2), caption)


def _draw_calibration(ax: Any, found: Reliability) -> None:
    ax.plot([0, 1], [0, 1], color=GRAY, linestyle="--", linewidth=1, label="perfectly calibrated")
    bars = [np.maximum(found.accuracy - found.low, 0), np.maximum(found.high - found.accuracy, 0)]
    ax.errorbar(found.confidence, found.accuracy, bars, color=ACCENT, linewidth=1, capsize=2, label="on these samples")
    sizes = 15 + 85 * found.counts / found.counts.max()
    ax.scatter(found.confidence, found.accuracy, s=sizes, color=ACCENT, linewidth=0, zorder=3)
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel="share of right answers")
    ax.legend(loc="upper left")


def values_figure(task: Task) -> Markup:
    """Draw what is predicted over what is right, and how errors are distributed."""
    errors = task.predicted - task.right
    said = (
        f"Predicted values over actual ones of {len(errors)} samples; errors are {np.mean(errors):.3g} on average, "
        f"and between {np.percentile(errors, 5):.3g} and {np.percentile(errors, 95):.3g} for 90 % of them."
    )
    both = drawing(lambda ax: _draw_values(ax, task), said, height=4.2)
    spread = f"Histogram of errors, predicted less actual: median {np.median(errors):.3g}."
    histogram = drawing(lambda ax: _draw_errors(ax, errors), spread, height=4.2)
    return Markup(figure(both, "Each dot is a sample; on the line, predictions are exact.") + figure(histogram))


def _draw_values(ax: Any, task: Task) -> None:
    n = len(task.right)
    some = np.random.default_rng(0).permutation(n)[:DRAWN_POINTS]
    ends = [min(task.right.min(), task.predicted.min()), max(task.right.max(), task.predicted.max())]
    ax.plot(ends, ends, color=GRAY, linestyle="--", linewidth=1)
    ax.scatter(task.right[some], task.predicted[some], s=12, color=ACCENT, alpha=0.6, linewidth=0)
    ax.set(xlabel="actual", ylabel="predicted")


def _draw_errors(ax: Any, errors: Array) -> None:
    ax.hist(errors, bins=min(40, max(8, int(np.sqrt(len(errors))))), color=ACCENT, edgecolor=EDGE, linewidth=0.5)
    ax.axvline(0, color=WARM, linestyle="--", linewidth=1)
    ax.set(xlabel="predicted less actual", ylabel="samples")
