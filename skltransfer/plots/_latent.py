"""Latent values in a plane."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from skltransfer._utils.types import Array
from skltransfer.plots._axes import axes


class LatentDisplay:
    """Latent values of samples in a plane, colored by class or by domain.

    Make one with `from_estimator`.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        Where samples lie.
    groups : ndarray of shape (n_samples,) or None
        Class or domain of each sample.
    names : tuple of str
        What the two axes show.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The drawing.
    ax_ : matplotlib.axes.Axes
        Its axes.

    Examples
    --------
    >>> from skltransfer import AutoencoderTransformer
    >>> from skltransfer.datasets import load_fashion_sample
    >>> from skltransfer.plots import LatentDisplay
    >>> sample = load_fashion_sample()
    >>> autoencoder = AutoencoderTransformer(latent_dim=2, epochs=2, random_state=0).fit(sample.images)
    >>> LatentDisplay.from_estimator(autoencoder, sample.images, sample.target).points.shape
    (100, 2)
    """

    def __init__(self, *, points: Array, groups: Array | None, names: tuple[str, str]) -> None:
        self.points = points
        self.groups = groups
        self.names = names

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, y: Any = None, *, ax: Any = None) -> LatentDisplay:
        """Transform samples and draw them.

        Parameters
        ----------
        estimator : transformer
            Fitted; has `transform`.
        X : array-like, frame, or sequence of paths or PIL images
            The samples.
        y : array-like of shape (n_samples,), default=None
            Class or domain of each sample.
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        LatentDisplay

        Raises
        ------
        ValueError
            If there is one latent value only, or ``y`` has another length than ``X``.
        """
        latent = np.asarray(estimator.transform(X))
        groups = None if y is None else np.asarray(y)
        if latent.shape[1] < 2:
            raise ValueError(f"expected at least 2 latent values to draw in a plane. Got {latent.shape[1]}.")
        if groups is not None and len(groups) != len(latent):
            raise ValueError(f"y: expected {len(latent)} values, one for each sample of X. Got {len(groups)}.")
        names = ("latent value 0", "latent value 1")
        if latent.shape[1] > 2:
            pca = PCA(2).fit(latent)
            latent = pca.transform(latent)
            shares = pca.explained_variance_ratio_
            names = (f"first component ({shares[0]:.0%})", f"second component ({shares[1]:.0%})")
        return cls(points=latent, groups=groups, names=names).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> LatentDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        LatentDisplay
            This display.
        """
        from matplotlib import colormaps

        ax = axes(ax, 6.5, 4.5)
        groups = np.zeros(len(self.points)) if self.groups is None else self.groups
        found = np.unique(groups)
        colors = colormaps["tab10" if len(found) <= 10 else "turbo"].resampled(max(10, len(found)))
        for number, group in enumerate(found):
            own = self.points[groups == group]
            ax.scatter(*own.T, s=14, alpha=0.8, color=colors(number), label=str(group))
        if self.groups is not None:
            ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        ax.set(xlabel=self.names[0], ylabel=self.names[1])
        self.figure_, self.ax_ = ax.figure, ax
        return self
