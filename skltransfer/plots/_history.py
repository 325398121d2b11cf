"""Training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.utils.validation import check_is_fitted

from skltransfer.plots._axes import axes

TRAINING, VALIDATION = "#0072B2", "#D55E00"
"""Blue and vermilion of Okabe and Ito."""


class HistoryDisplay:
    """Losses, or another measure, over the epochs of a training.

    What was measured on samples held out is drawn beside it. Make one with `from_estimator`.

    Parameters
    ----------
    history : mapping of str to list of float
        Measures by name, one value for each epoch; see ``history_`` of the estimators.
    measure : str, default="loss"
        What is drawn; ``val_`` before it is the same on samples held out.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The drawing.
    ax_ : matplotlib.axes.Axes
        Its axes.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skltransfer import HistoryDisplay, MLPHead, TransferClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = TransferClassifier(head=MLPHead((8,)), epochs=5, random_state=0).fit(X, y)
    >>> HistoryDisplay.from_estimator(clf).ax_.get_xlabel()
    'epoch'
    """

    def __init__(self, *, history: Mapping[str, Sequence[float]], measure: str = "loss") -> None:
        self.history = history
        self.measure = measure

    @classmethod
    def from_estimator(cls, estimator: Any, *, measure: str = "loss", ax: Any = None) -> HistoryDisplay:
        """Draw what the last fit of an estimator measured.

        Parameters
        ----------
        estimator : estimator
            Fitted; it has ``history_``.
        measure : str, default="loss"
            A name in ``history_``, such as "accuracy".
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        HistoryDisplay

        Raises
        ------
        ValueError
            If nothing was trained in epochs, or there is no such measure.
        """
        check_is_fitted(estimator)
        history = getattr(estimator, "history_", {})
        if not history:
            raise ValueError(
                f"estimator: expected one that was trained in epochs. Got a {type(estimator).__name__} whose head was "
                "solved; fit with trainable=2 or another head to train layers."
            )
        if measure not in history:
            raise ValueError(f"measure: expected one of {', '.join(map(repr, history))}. Got {measure!r}.")
        return cls(history=history, measure=measure).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> HistoryDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        HistoryDisplay
            This display.
        """
        ax = axes(ax, 6.5, 4)
        held_out = self.history.get(f"val_{self.measure}")
        epochs = range(1, len(self.history[self.measure]) + 1)
        ax.plot(epochs, self.history[self.measure], color=TRAINING, label="training")
        if held_out:
            ax.plot(range(1, len(held_out) + 1), held_out, "--", color=VALIDATION, label="held out")
            ax.legend()
        ax.set(xlabel="epoch", ylabel=self.measure.replace("_", " "))
        ax.xaxis.get_major_locator().set_params(integer=True)
        self.figure_, self.ax_ = ax.figure, ax
        return self
