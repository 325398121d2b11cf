"""Images beside their reconstructions."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skltransfer._inputs.containers import gathered
from skltransfer._utils.types import Array
from skltransfer.plots._samples import image_pixels, pixel_range, some_samples


class ReconstructionDisplay:
    """Images beside their reconstructions, the worst first.

    Make one with `from_estimator`.

    Parameters
    ----------
    images, reconstructions : ndarrays of shape (n, height, width[, channels])
        In the order in which they are drawn.
    scores : ndarray of shape (n,)
        What `score_samples` says of each image; outliers have low values.
    low, high : float
        Pixel values of black and white.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The drawing.
    axes_ : ndarray of matplotlib.axes.Axes of shape (2, n)
        Images above, reconstructions below.

    Examples
    --------
    >>> from skltransfer import AutoencoderTransformer
    >>> from skltransfer.datasets import load_fashion_sample
    >>> from skltransfer.plots import ReconstructionDisplay
    >>> images = load_fashion_sample().images
    >>> autoencoder = AutoencoderTransformer(latent_dim=8, epochs=2, random_state=0).fit(images)
    >>> ReconstructionDisplay.from_estimator(autoencoder, images, n_images=5).axes_.shape
    (2, 5)
    """

    def __init__(self, *, images: Array, reconstructions: Array, scores: Array, low: float, high: float) -> None:
        self.images = images
        self.reconstructions = reconstructions
        self.scores = scores
        self.low = low
        self.high = high

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, *, n_images: int = 8, figure: Any = None) -> ReconstructionDisplay:
        """Reconstruct images and draw those that are reconstructed worst.

        Parameters
        ----------
        estimator : AutoencoderTransformer
            Fitted on images.
        X : array-like, or sequence of paths or PIL images
            The images.
        n_images : int, default=8
            How many to draw, at most.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        ReconstructionDisplay

        Raises
        ------
        ValueError
            If samples are not images.
        """
        check_is_fitted(estimator)
        if not estimator.model_.format.kind.is_image:
            raise ValueError(
                f"X: expected images. Got {estimator.model_.format.describe()}; LatentDisplay draws other samples."
            )
        X = gathered(X)
        scores = estimator.score_samples(X)
        worst = np.argsort(scores, kind="stable")[:n_images]
        chosen = some_samples(X, worst)
        back = np.asarray(estimator.reconstruct(chosen))
        images = image_pixels(chosen, estimator, back.shape[1:3])
        if back.ndim == 2 and estimator.input_shape is not None:
            back = back.reshape(-1, *estimator.input_shape)
        low, high = pixel_range(estimator)
        display = cls(images=images, reconstructions=back, scores=scores[worst], low=low, high=high)
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
        n_images = len(self.images)
        if figure is None:
            import matplotlib.pyplot as plt

            figure = plt.figure(figsize=(1.3 * n_images + 0.4, 3.2), layout="constrained")
        axes = figure.subplots(2, n_images, squeeze=False)
        for column, score in enumerate(self.scores):
            for sample, pixels in enumerate((self.images[column], self.reconstructions[column])):
                shown = np.squeeze((np.asarray(pixels, dtype=float) - self.low) / (self.high - self.low))
                axes[sample, column].imshow(shown.clip(0, 1), cmap="gray", vmin=0, vmax=1)
                axes[sample, column].set(xticks=[], yticks=[])
            axes[0, column].set_title(f"{score:.3g}", fontsize=9)
        axes[0, 0].set_ylabel("image")
        axes[1, 0].set_ylabel("reconstruction")
        self.figure_, self.axes_ = figure, axes
        return self
