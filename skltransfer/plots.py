"""Displays of fitted estimators, in the way of scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from skltransfer.inputs import learn_range, picture_rows, recognise

Array = NDArray[Any]


class ReconstructionDisplay:
    """Pictures beside their reconstructions, the worst first.

    Make one with `from_estimator`.

    Parameters
    ----------
    pictures, reconstructions : ndarrays of shape (n, height, width[, channels])
        In the order in which they are drawn.
    scores : ndarray of shape (n,)
        What `score_samples` says of each picture; low values are strange.
    low, high : float
        Pixel values of black and white.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The drawing.
    axes_ : ndarray of matplotlib.axes.Axes of shape (2, n)
        Pictures above, reconstructions below.

    Examples
    --------
    >>> from skltransfer import AutoencoderTransformer
    >>> from skltransfer.datasets import load_fashion_sample
    >>> from skltransfer.plots import ReconstructionDisplay
    >>> images = load_fashion_sample().images
    >>> autoencoder = AutoencoderTransformer(latent_dim=8, epochs=2, random_state=0).fit(images)
    >>> ReconstructionDisplay.from_estimator(autoencoder, images, n_pictures=5).axes_.shape
    (2, 5)
    """

    def __init__(self, *, pictures: Array, reconstructions: Array, scores: Array, low: float, high: float) -> None:
        self.pictures = pictures
        self.reconstructions = reconstructions
        self.scores = scores
        self.low = low
        self.high = high

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, n_pictures: int = 8, figure: Any = None
    ) -> ReconstructionDisplay:
        """Reconstruct pictures and draw those that are reconstructed worst.

        Parameters
        ----------
        estimator : AutoencoderTransformer
            Fitted on pictures.
        X : array-like, or sequence of paths or PIL images
            The pictures.
        n_pictures : int, default=8
            How many to draw, at most.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        ReconstructionDisplay

        Raises
        ------
        ValueError
            If rows are not pictures.
        """
        kind = recognise(X, estimator.input_shape)
        if kind == "table":
            raise ValueError(
                f"X: expected pictures. Got rows of shape {np.shape(X)[1:]}; LatentDisplay draws other rows."
            )
        scores = estimator.score_samples(X)
        worst = np.argsort(scores, kind="stable")[:n_pictures]
        chosen = X.iloc[worst] if hasattr(X, "iloc") else [X[i] for i in worst.tolist()]
        chosen = np.stack(chosen) if isinstance(X, np.ndarray) and X.dtype != object else chosen
        back = np.asarray(estimator.reconstruct(chosen))
        pictures = _pictures(chosen, back, estimator.input_shape)
        if back.ndim == 2 and estimator.input_shape is not None:
            back = back.reshape(-1, *estimator.input_shape)
        low, high = (0.0, 255.0) if kind == "pictures" else learn_range(np.asarray(X))
        display = cls(pictures=pictures, reconstructions=back, scores=scores[worst], low=low, high=high)
        return display.plot(figure=figure)

    def plot(self, *, figure: Any = None) -> ReconstructionDisplay:
        """Draw.

        Parameters
        ----------
        figure : matplotlib.figure.Figure or SubFigure, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        ReconstructionDisplay
            This display.
        """
        n_pictures = len(self.pictures)
        if figure is None:
            import matplotlib.pyplot as plt

            figure = plt.figure(figsize=(1.3 * n_pictures + 0.4, 3.2), layout="constrained")
        axes = figure.subplots(2, n_pictures, squeeze=False)
        for column, score in enumerate(self.scores):
            for row, pixels in enumerate((self.pictures[column], self.reconstructions[column])):
                shown = np.squeeze((np.asarray(pixels, dtype=float) - self.low) / (self.high - self.low))
                axes[row, column].imshow(shown.clip(0, 1), cmap="gray", vmin=0, vmax=1)
                axes[row, column].set(xticks=[], yticks=[])
            axes[0, column].set_title(f"{score:.3g}", fontsize=9)
        axes[0, 0].set_ylabel("picture")
        axes[1, 0].set_ylabel("reconstruction")
        self.figure_, self.axes_ = figure, axes
        return self


class LatentDisplay:
    """Latent values of rows in a plane, coloured by class or by domain.

    Make one with `from_estimator`.

    Parameters
    ----------
    points : ndarray of shape (n_rows, 2)
        Where rows lie.
    groups : ndarray of shape (n_rows,) or None
        Class or domain of each row.
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
        """Transform rows and draw them.

        Parameters
        ----------
        estimator : transformer
            Fitted; has `transform`.
        X : array-like, frame, or sequence of paths or PIL images
            The rows.
        y : array-like of shape (n_rows,), default=None
            Class or domain of each row.
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
            raise ValueError(f"y: expected {len(latent)} values, one for each row of X. Got {len(groups)}.")
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

        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
        groups = np.zeros(len(self.points)) if self.groups is None else self.groups
        found = np.unique(groups)
        colours = colormaps["tab10" if len(found) <= 10 else "turbo"].resampled(max(10, len(found)))
        for number, group in enumerate(found):
            own = self.points[groups == group]
            ax.scatter(*own.T, s=14, alpha=0.8, color=colours(number), label=str(group))
        if self.groups is not None:
            ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        ax.set(xlabel=self.names[0], ylabel=self.names[1])
        self.figure_, self.ax_ = ax.figure, ax
        return self


def _pictures(chosen: Any, back: Array, input_shape: Any) -> Array:
    """Return the chosen rows as arrays of pixels."""
    first = chosen[0] if isinstance(chosen, list | np.ndarray) else chosen.iloc[0]
    if isinstance(first, np.ndarray) and first.ndim > 1:
        return np.asarray(chosen)
    if input_shape is not None:
        return np.asarray(chosen).reshape(-1, *input_shape)
    rows = picture_rows(chosen)
    return rows.resized(range(len(rows)), (back.shape[1], back.shape[2]))
