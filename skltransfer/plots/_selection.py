"""What was tried for a head that is solved."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skltransfer.plots._axes import axes

CHOSEN, OTHER = "#0072B2", "#999999"
"""Blue of Okabe and Ito, and gray."""


class SelectionDisplay:
    """Blocks of features that were tried for a head, by their error on samples held out.

    Make one with `from_estimator`.

    Parameters
    ----------
    names : list of str
        What was tried.
    errors, standard_errors : list of float
        Squared error, in units of the variance of the targets, and its standard error beside the best one.
    chosen : int
        Position of what was chosen.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The drawing.
    ax_ : matplotlib.axes.Axes
        Its axes.

    Examples
    --------
    >>> from skltransfer import SelectionDisplay, TransferClassifier
    >>> from skltransfer.datasets import load_fashion_sample
    >>> sample = load_fashion_sample()
    >>> clf = TransferClassifier(image_size=64).fit(sample.images, sample.target)
    >>> SelectionDisplay.from_estimator(clf).ax_.get_xlabel()
    'squared error on samples held out'
    """

    def __init__(self, *, names: list[str], errors: list[float], standard_errors: list[float], chosen: int) -> None:
        self.names = names
        self.errors = errors
        self.standard_errors = standard_errors
        self.chosen = chosen

    @classmethod
    def from_estimator(cls, estimator: Any, *, task: int = 0, ax: Any = None) -> SelectionDisplay:
        """Draw what a fitted estimator tried.

        Parameters
        ----------
        estimator : TransferClassifier or TransferRegressor
            Fitted, with a head that was solved.
        task : int, default=0
            Which of several tasks.
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        SelectionDisplay

        Raises
        ------
        ValueError
            If the estimator had nothing to choose from.
        """
        check_is_fitted(estimator)
        tried = estimator.selection_
        steps = zip(tried.get("task", ()), tried.get("step", ()), tried.get("error", ()), strict=True)
        rows = [
            row for row, (of, step, error) in enumerate(steps)
            if of == task and step == "features" and np.isfinite(error)
        ]  # fmt: skip
        if not rows:
            raise ValueError(
                f"estimator: expected one that chose blocks of features for task {task}. Got none in its selection_; "
                "fit with features='auto' and a linear head on a frozen network, on at least 10 samples."
            )
        chosen = [row for row in rows if tried["chosen"][row]]
        names, errors, deviations = ([tried[key][r] for r in rows] for key in ("candidate", "error", "standard_error"))
        display = cls(names=names, errors=errors, standard_errors=deviations, chosen=rows.index(chosen[0]))
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> SelectionDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        SelectionDisplay
            This display.
        """
        ax = axes(ax, 6.5, 0.6 + 0.35 * len(self.names))
        order = np.argsort(self.errors)[::-1]
        colors = [CHOSEN if row == self.chosen else OTHER for row in order]
        ax.barh(
            [self.names[row] + (" (chosen)" if row == self.chosen else "") for row in order],
            [self.errors[row] for row in order],
            xerr=[self.standard_errors[row] for row in order],
            color=colors,
            error_kw={"ecolor": "black", "capsize": 2},
        )
        ax.set(xlabel="squared error on samples held out", xlim=(0, None))
        self.figure_, self.ax_ = ax.figure, ax
        return self
