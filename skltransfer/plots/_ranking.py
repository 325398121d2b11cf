"""Backbones by their cross-validated scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skltransfer.plots._axes import axes

BEST, OTHER = "#0072B2", "#999999"
"""Blue of Okabe and Ito, and gray."""


class BackboneRankingDisplay:
    """Backbones by their cross-validated scores, with confidence intervals.

    Make one with `from_ranking`.

    Parameters
    ----------
    names : list of str
        Backbones, best first.
    scores : list of float
        Mean score of each.
    lower, upper : list of float
        Ends of the confidence interval of each score.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The drawing.
    ax_ : matplotlib.axes.Axes
        Its axes.

    Examples
    --------
    >>> from skltransfer import BackboneRankingDisplay, rank_backbones
    >>> from skltransfer.datasets import load_fashion_sample
    >>> sample = load_fashion_sample()
    >>> result = rank_backbones(["efficientnet_lite0"], sample.images, sample.target, cv=2, image_size=32)
    >>> BackboneRankingDisplay.from_ranking(result).ax_.get_xlabel()
    'mean cross-validated score and its 95% confidence interval'
    """

    def __init__(
        self, *, names: Sequence[str], scores: Sequence[float], lower: Sequence[float], upper: Sequence[float]
    ) -> None:
        self.names = names
        self.scores = scores
        self.lower = lower
        self.upper = upper

    @classmethod
    def from_ranking(cls, result: Mapping[str, Sequence[Any]], *, ax: Any = None) -> BackboneRankingDisplay:
        """Draw what `rank_backbones` gave.

        Parameters
        ----------
        result : dict of str to list
            A ranking.
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        BackboneRankingDisplay

        Raises
        ------
        ValueError
            If it is no ranking.
        """
        columns = ("name", "mean_test_score", "lower", "upper")
        missing = [column for column in columns if column not in result]
        if missing:
            raise ValueError(f"result: expected what rank_backbones gives. Got none of its {missing}.")
        names, scores, lower, upper = (list(result[column]) for column in columns)
        return cls(names=names, scores=scores, lower=lower, upper=upper).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> BackboneRankingDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        BackboneRankingDisplay
            This display.
        """
        ax = axes(ax, 6.5, 0.8 + 0.35 * len(self.names))
        places, scores = np.arange(len(self.names)), np.asarray(self.scores)
        colors = [BEST if score == scores.max() else OTHER for score in scores]
        ax.hlines(places, self.lower, self.upper, colors=colors)
        ax.scatter(scores, places, c=colors, s=24, zorder=3)
        ax.set_yticks(places, self.names)
        ax.set(xlabel="mean cross-validated score and its 95% confidence interval", ylim=(len(places) - 0.5, -0.5))
        self.figure_, self.ax_ = ax.figure, ax
        return self
