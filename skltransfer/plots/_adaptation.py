"""Methods of domain adaptation that were tried without labels of the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skltransfer._utils.types import Array
from skltransfer.plots._axes import axes

SCORES = {
    "circular": "circular\nvalidation",
    "own_circular": "the same on\nown features",
    "density": "neighborhood\ndensity",
    "information": "mutual\ninformation",
    "source_accuracy": "accuracy on\nthe source",
}
"""Columns of a selection, and what is written above them; the mean of the first two decides."""


class AdaptationSelectionDisplay:
    """Candidates of ``method="auto"`` by all their scores, the best one first.

    The darker a cell, the better the score beside those of the others in its column. Candidates that were left out
    are gray and come last, with the reason beside them. Make one with `from_estimator`.

    Parameters
    ----------
    names : list of str
        Candidates.
    scores : dict of str to list of float
        Scores by name, one for each candidate; greater is better.
    means : list of float
        What decides about each candidate: the mean of both circular validations.
    vetoes : list of str
        Why a candidate was left out; empty if it was not.
    chosen : int
        Position of the one that was chosen.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The drawing.
    ax_ : matplotlib.axes.Axes
        Its axes.

    Examples
    --------
    >>> import numpy as np
    >>> from skltransfer import DomainAdaptationClassifier
    >>> from skltransfer.plots import AdaptationSelectionDisplay
    >>> random = np.random.default_rng(0)
    >>> X, y, domain = random.normal(size=(80, 2)), np.arange(80) % 2, np.repeat([1, -1], 40)
    >>> X[:, 0] += 4 * y
    >>> X[40:, 1] += 3  # the target lies elsewhere
    >>> clf = DomainAdaptationClassifier(epochs=10, random_state=0).fit(X, y, sample_domain=domain)
    >>> AdaptationSelectionDisplay.from_estimator(clf).ax_.get_title()
    'without labels of the target'
    """

    def __init__(
        self,
        *,
        names: Sequence[str],
        scores: Mapping[str, Sequence[float]],
        means: Sequence[float],
        vetoes: Sequence[str],
        chosen: int,
    ) -> None:
        self.names = names
        self.scores = scores
        self.means = means
        self.vetoes = vetoes
        self.chosen = chosen

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> AdaptationSelectionDisplay:
        """Draw what a fitted estimator tried.

        Parameters
        ----------
        estimator : DomainAdaptationClassifier
            Fitted, with ``method="auto"``.
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        AdaptationSelectionDisplay

        Raises
        ------
        ValueError
            If the estimator had nothing to choose from.
        """
        check_is_fitted(estimator)
        tried = estimator.selection_
        if "veto" not in tried or not set(SCORES) <= set(tried):
            raise ValueError(
                "estimator: expected one that chose among methods of domain adaptation. Got none in its selection_; "
                "fit a DomainAdaptationClassifier with method='auto', on at least 10 samples of the target and of each "
                "class of the source."
            )
        scores = {name: list(tried[name]) for name in SCORES}
        display = cls(
            names=list(tried["candidate"]), scores=scores, means=list(tried["score"]), vetoes=list(tried["veto"]),
            chosen=tried["chosen"].index(True),
        )  # fmt: skip
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> AdaptationSelectionDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        AdaptationSelectionDisplay
            This display.
        """
        ax = axes(ax, 8.5, 1.2 + 0.35 * len(self.names))

        def priority(row: int) -> tuple[bool, bool, float]:
            return row != self.chosen, bool(self.vetoes[row]), -self.means[row]

        order = sorted(range(len(self.names)), key=priority)
        values = np.array(list(self.scores.values()), dtype=np.float64).T[order]
        out = np.array([bool(self.vetoes[row]) for row in order])
        shades = _shades(values, out)
        ax.imshow(np.ma.masked_invalid(shades), cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            ax.text(column, row, f"{value:.3f}", ha="center", va="center", color="#777777" if out[row] else "black")
        labels = [self.names[row] + (" (chosen)" if row == self.chosen else "") for row in order]
        ax.set_yticks(range(len(order)), labels)
        ax.set_xticks(range(len(self.scores)), [SCORES.get(name, name) for name in self.scores], fontsize=8)
        ax.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
        for place, row in enumerate(order):
            note = self.vetoes[row] or f"score {self.means[row]:.3f}"
            ax.text(values.shape[1] - 0.4, place, note, va="center", fontsize=8, color="#555555")
        ax.set_title("without labels of the target", fontsize=9)
        self.figure_, self.ax_ = ax.figure, ax
        return self


def _shades(values: Array, out: Array) -> Array:
    """Bring the scores in each column to 0 for the worst and 1 for the best; NaN for candidates that were left out."""
    shades = np.where(out[:, None], np.nan, values)
    low = np.nanmin(shades, axis=0)
    spread = np.nanmax(shades, axis=0) - low
    return (shades - low) / np.where(spread > 0, spread, 1.0)
