"""A learning curve, and what more labels would bring."""

from __future__ import annotations

from typing import Any

import numpy as np

from skltransfer.plots._axes import axes

MEASURED, EXPECTED = "#000000", "#0072B2"
"""Black, and blue of Okabe and Ito."""


class LearningCurveForecastDisplay:
    """A learning curve, and the law that continues it, with confidence intervals.

    Make one with `from_forecast`.

    Parameters
    ----------
    sizes : array-like of shape (n_sizes,)
        Numbers of training samples.
    scores : array-like of shape (n_sizes, n_folds)
        Scores of the folds.
    numbers : array-like of shape (n_numbers,)
        Numbers of training samples that scores are expected for.
    expected, low, high : array-like of shape (n_numbers,)
        These scores, and the ends of their confidence intervals.
    n_samples : int
        How many labeled samples there are.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The drawing.
    ax_ : matplotlib.axes.Axes
        Its axes.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skltransfer import LearningCurveForecastDisplay
    >>> from skltransfer.transferability import learning_curve_forecast
    >>> result = learning_curve_forecast(LogisticRegression(C=0.1), *load_iris(return_X_y=True), random_state=0)
    >>> LearningCurveForecastDisplay.from_forecast(result).ax_.get_xlabel()
    'labeled training samples'
    """

    def __init__(
        self, *, sizes: Any, scores: Any, numbers: Any, expected: Any, low: Any, high: Any, n_samples: int
    ) -> None:
        self.sizes = sizes
        self.scores = scores
        self.numbers = numbers
        self.expected = expected
        self.low = low
        self.high = high
        self.n_samples = n_samples

    @classmethod
    def from_forecast(
        cls, result: Any, *, n_samples: int | None = None, ax: Any = None
    ) -> LearningCurveForecastDisplay:
        """Draw what `learning_curve_forecast` gave.

        Parameters
        ----------
        result : LearningCurveForecast
            A forecast.
        n_samples : int, default=None
            Training samples up to which it is drawn; None is four times those that there are.
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        LearningCurveForecastDisplay

        Raises
        ------
        ValueError
            If it is no forecast.
        """
        if not hasattr(result, "forecast"):
            raise ValueError(f"result: expected what learning_curve_forecast gives. Got a {type(result).__name__}.")
        numbers = np.geomspace(min(result.sizes), n_samples or 4 * result.n_samples, 100)
        expected, low, high = result.forecast(numbers)
        display = cls(
            sizes=result.sizes, scores=result.scores, numbers=numbers, expected=expected, low=low, high=high,
            n_samples=result.n_samples,
        )  # fmt: skip
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> LearningCurveForecastDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        LearningCurveForecastDisplay
            This display.
        """
        ax = axes(ax, 6.5, 4)
        ax.fill_between(self.numbers, self.low, self.high, color=EXPECTED, alpha=0.2, label="its confidence interval")
        ax.plot(self.numbers, self.expected, color=EXPECTED, label="expected score")
        ax.plot(self.sizes, np.mean(self.scores, axis=1), "o", color=MEASURED, label="mean score of the folds")
        ax.axvline(self.n_samples, color=MEASURED, linestyle=":", label="labels that there are")
        ax.set(xscale="log", xlabel="labeled training samples", ylabel="score")
        ax.legend()
        self.figure_, self.ax_ = ax.figure, ax
        return self
