"""Two domains in a plane."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from skltransfer._utils.types import Array
from skltransfer.domain_shift._measures import check_features
from skltransfer.plots._axes import axes

LOOKS = {
    "source": {"color": "#0072B2", "marker": "o", "s": 14},
    "target": {"color": "#D55E00", "marker": "x", "s": 18, "linewidths": 0.9},
}
"""Blue and vermilion of Okabe and Ito, which color-blind readers distinguish, and two shapes for print in gray."""


class DomainShiftDisplay:
    """Samples of a source and of a target in the plane of their two principal components.

    Make one with `from_features`.

    Parameters
    ----------
    source : ndarray of shape (n_source, 2)
        Where source samples lie.
    target : ndarray of shape (n_target, 2)
        Where target samples lie.
    shares : tuple of float
        Share of the variance of both domains together along each axis.
    y_source : ndarray of shape (n_source,) or None
        Classes of source samples, whose names are written at their means.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The drawing.
    ax_ : matplotlib.axes.Axes
        Its axes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skltransfer.plots import DomainShiftDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> display = DomainShiftDisplay.from_features(X[:200], 16 - X[200:300], y_source=y[:200])
    >>> display.ax_.get_xlabel()
    'first component (57% of the variance)'
    """

    def __init__(self, *, source: Array, target: Array, shares: tuple[float, float], y_source: Array | None) -> None:
        self.source = source
        self.target = target
        self.shares = shares
        self.y_source = y_source

    @classmethod
    def from_features(cls, X_source: Any, X_target: Any, *, y_source: Any = None, ax: Any = None) -> DomainShiftDisplay:
        """Draw two domains.

        Parameters
        ----------
        X_source : array-like of shape (n_source, n_features)
            Features of source samples; at least 2 columns.
        X_target : array-like of shape (n_target, n_features)
            Features of target samples.
        y_source : array-like of shape (n_source,), default=None
            Classes of source samples, whose names are written at their means.
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        DomainShiftDisplay

        Raises
        ------
        ValueError
            If features are not 2-D arrays of finite numbers with the same columns, or
            ``y_source`` has another length than ``X_source``.
        """
        source, target = check_features(X_source, "X_source"), check_features(X_target, "X_target")
        labels = None if y_source is None else np.asarray(y_source)
        if source.shape[1] != target.shape[1] or source.shape[1] < 2:
            raise ValueError(
                "X_source, X_target: expected the same columns, at least 2, to draw in a plane. Got "
                f"{source.shape[1]} and {target.shape[1]}."
            )
        if labels is not None and labels.shape != (len(source),):
            raise ValueError(f"y_source: expected {len(source)} values, one for each sample. Got {labels.shape}.")
        pca = PCA(2).fit(np.concatenate([source, target]))
        first, second = pca.explained_variance_ratio_.tolist()
        points = pca.transform(source), pca.transform(target)
        return cls(source=points[0], target=points[1], shares=(first, second), y_source=labels).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> DomainShiftDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        DomainShiftDisplay
            This display.
        """
        ax = axes(ax, 6.5, 4.5)
        for name, points in (("source", self.source), ("target", self.target)):
            ax.scatter(*points.T, alpha=0.6, label=f"{name} ({len(points)} samples)", **LOOKS[name])
        if self.y_source is not None:
            self._write_classes(ax, self.y_source)
        ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        names = [
            f"{rank} component ({share:.0%} of the variance)"
            for rank, share in zip(("first", "second"), self.shares, strict=True)
        ]
        ax.set(xlabel=names[0], ylabel=names[1])
        self.figure_, self.ax_ = ax.figure, ax
        return self

    def _write_classes(self, ax: Any, labels: Array) -> None:
        from matplotlib.patheffects import withStroke

        for label in np.unique(labels):
            place = self.source[labels == label].mean(axis=0)
            text = ax.text(*place, str(label), ha="center", va="center", fontsize=8, weight="bold", color="black")
            text.set_path_effects([withStroke(linewidth=2, foreground="white")])
