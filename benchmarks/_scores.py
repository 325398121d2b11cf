"""Accuracies over seeds: a table, gains with their errors, and a picture."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np


class Scores:
    """Accuracies by group, way and number of labelled rows a class, one for each seed."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = sizes
        self.values: dict[tuple[str, str, int], list[float]] = {}

    def add(self, group: str, way: str, size: int, accuracy: float) -> None:
        self.values.setdefault((group, way, size), []).append(accuracy)
        print(group, way, size, f"{accuracy:.4f}", file=sys.stderr, flush=True)

    def mean(self, group: str, way: str, size: int) -> float:
        return float(np.mean(self.values[group, way, size]))

    def error(self, group: str, way: str, size: int) -> float:
        return _error(np.array(self.values[group, way, size]))

    def gain(self, group: str, one: str, other: str, size: int) -> list[float]:
        """Mean gain in points, and its standard error, over seeds that share their rows."""
        gains = 100 * np.subtract(self.values[group, one, size], self.values[group, other, size])
        return [float(gains.mean()), _error(gains)]

    def groups(self) -> list[str]:
        return list(dict.fromkeys(group for group, _, _ in self.values))

    def ways(self, group: str) -> list[str]:
        return list(dict.fromkeys(way for name, way, _ in self.values if name == group))

    def table(self) -> str:
        width = 2 + max(len(way) for _, way, _ in self.values)
        lines = [f"{'':20}{'':{width}}" + "".join(f"{f'{size} a class':18}" for size in self.sizes)]
        for group in self.groups():
            for way in self.ways(group):
                cells = [self._cell(group, way, size) for size in self.sizes]
                lines.append(f"{group:20}{way:{width}}" + "".join(f"{cell:18}" for cell in cells))
        return "\n".join(lines)

    def _cell(self, group: str, way: str, size: int) -> str:
        if (group, way, size) not in self.values:
            return "-"
        return f"{self.mean(group, way, size):.3f} ± {self.error(group, way, size):.3f}"

    def draw(self, out: Path, x_label: str, y_label: str) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        groups = self.groups()
        figure = Figure(figsize=(6 * len(groups), 4.5), layout="constrained")
        FigureCanvasAgg(figure)
        for axes, group in zip(np.atleast_1d(figure.subplots(1, len(groups), sharey=True)), groups, strict=True):
            for way in self.ways(group):
                means = [self.mean(group, way, size) for size in self.sizes]
                errors = [self.error(group, way, size) for size in self.sizes]
                axes.errorbar(self.sizes, means, errors, marker="o", capsize=3, label=way)
            axes.set_xscale("log")
            axes.set_xticks(self.sizes, [str(size) for size in self.sizes])
            axes.minorticks_off()
            axes.set(title=group, xlabel=x_label, ylabel=y_label)
            axes.grid(alpha=0.3)
            axes.legend(fontsize=8)
        figure.savefig(out, dpi=110)


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
