"""Features of samples in a plane, by class and by domain."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from skltransfer._utils.types import Array
from skltransfer._validation import unknown_name
from skltransfer.plots._axes import axes

MARKERS = "oxs^v+D*"
METHODS = ("pca", "tsne")


class EmbeddingDisplay:
    """Features of samples in a plane: colors are classes, marks are domains.

    Make one with `from_estimator`, or with `from_features`.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        Where samples lie.
    classes : ndarray of shape (n_samples,) or None
        Class of each.
    domains : ndarray of shape (n_samples,) or None
        Domain of each.
    names : tuple of str
        What the two axes show.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The drawing.
    ax_ : matplotlib.axes.Axes
        Its axes.

    See Also
    --------
    LatentDisplay : Latent values of an autoencoder.

    Examples
    --------
    >>> from skltransfer import BackboneTransformer, EmbeddingDisplay
    >>> from skltransfer.datasets import load_fashion_sample
    >>> sample = load_fashion_sample()
    >>> features = BackboneTransformer(image_size=32).fit(sample.images)
    >>> EmbeddingDisplay.from_estimator(features, sample.images, sample.target).points.shape
    (100, 2)
    """

    def __init__(self, *, points: Array, classes: Array | None, domains: Array | None, names: tuple[str, str]) -> None:
        self.points = points
        self.classes = classes
        self.domains = domains
        self.names = names

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, sample_domain: Any = None, method: Any = "pca", ax: Any = None
    ) -> EmbeddingDisplay:
        """Compute features, and draw them.

        Parameters
        ----------
        estimator : transformer
            Fitted; has `transform`, as `BackboneTransformer` and the estimators of domain adaptation do.
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            The samples.
        y : array-like of shape (n_samples,), default=None
            Class of each sample.
        sample_domain : array-like of shape (n_samples,), default=None
            Domain of each sample.
        method : {"pca", "tsne"} or transformer, default="pca"
            How features come into a plane: by principal components, by t-SNE with a fixed seed, or by a clone of a
            transformer of scikit-learn.
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        EmbeddingDisplay

        Raises
        ------
        TypeError
            If the estimator has no `transform`.
        ValueError
            See `from_features`.
        """
        if not hasattr(estimator, "transform"):
            raise TypeError(
                f"estimator: expected one with transform, such as BackboneTransformer. Got a "
                f"{type(estimator).__name__}; pass BackboneTransformer(estimator.backbone_).fit(X)."
            )
        return cls.from_features(estimator.transform(X), y, sample_domain=sample_domain, method=method, ax=ax)

    @classmethod
    def from_features(
        cls, features: Any, y: Any = None, *, sample_domain: Any = None, method: Any = "pca", ax: Any = None
    ) -> EmbeddingDisplay:
        """Draw features.

        Parameters
        ----------
        features : array-like of shape (n_samples, n_features)
            Features; two of them are drawn as they are.
        y, sample_domain : array-like of shape (n_samples,), default=None
            Class and domain of each sample.
        method : {"pca", "tsne"} or transformer, default="pca"
            See `from_estimator`.
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        EmbeddingDisplay

        Raises
        ------
        ValueError
            If there are fewer than 2 features or 3 samples, a method of another name, or classes or domains of
            another length.
        """
        features = np.asarray(features)
        if features.ndim != 2 or features.shape[1] < 2 or len(features) < 3:
            raise ValueError(
                f"features: expected at least 3 samples of at least 2 features. Got an array of shape {features.shape}."
            )
        classes, domains = (
            _of_samples(values, len(features), name) for values, name in ((y, "y"), (sample_domain, "sample_domain"))
        )
        points, names = _in_plane(features, method)
        return cls(points=points, classes=classes, domains=domains, names=names).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> EmbeddingDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        EmbeddingDisplay
            This display.
        """
        from matplotlib import colormaps

        ax = axes(ax, 6.5, 4.5)
        classes, which = _groups(self.classes, len(self.points))
        domains, where = _groups(self.domains, len(self.points))
        colors = colormaps["tab10" if len(classes) <= 10 else "turbo"].resampled(max(10, len(classes)))
        for number, name in enumerate(classes):
            for place, domain in enumerate(domains):
                own = self.points[(which == number) & (where == place)]
                if len(own):
                    label = ", ".join(part for part in (name, domain) if part) or None
                    mark = MARKERS[place % len(MARKERS)]
                    ax.scatter(*own.T, s=18, alpha=0.8, color=colors(number), marker=mark, label=label)
        if self.classes is not None or self.domains is not None:
            ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        ax.set(xlabel=self.names[0], ylabel=self.names[1])
        self.figure_, self.ax_ = ax.figure, ax
        return self


def _of_samples(values: Any, n_samples: int, name: str) -> Array | None:
    if values is None:
        return None
    values = np.asarray(values)
    if values.shape != (n_samples,):
        raise ValueError(f"{name}: expected {n_samples} values, one for each sample. Got shape {values.shape}.")
    return values


def _groups(values: Array | None, n_samples: int) -> tuple[list[str], Array]:
    """Return the names of groups, and the group of each sample."""
    if values is None:
        return [""], np.zeros(n_samples, int)
    found, places = np.unique(values.astype(str) if values.dtype == object else values, return_inverse=True)
    return [str(name) for name in found.tolist()], places


def _in_plane(features: Array, method: Any) -> tuple[Array, tuple[str, str]]:
    """Bring features into a plane, and say what its axes are."""
    if isinstance(method, str) and method not in METHODS:
        raise unknown_name("method", method, METHODS)
    if features.shape[1] == 2:
        return features, ("feature 0", "feature 1")
    if method == "pca":
        pca = PCA(2, random_state=0).fit(features)
        shares = pca.explained_variance_ratio_
        return pca.transform(features), (f"first component ({shares[0]:.0%})", f"second component ({shares[1]:.0%})")
    if method == "tsne":
        tsne = TSNE(2, perplexity=min(30.0, (len(features) - 1) / 3), random_state=0)
        return tsne.fit_transform(features), ("t-SNE 1", "t-SNE 2")
    points = np.asarray(clone(method).fit_transform(features))[:, :2]
    return points, (f"{type(method).__name__} 1", f"{type(method).__name__} 2")
