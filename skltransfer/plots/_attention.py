"""Where a network looks, over images and texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skltransfer._inputs.containers import gathered
from skltransfer._utils.types import Array
from skltransfer.plots._samples import image_pixels, pixel_range, some_samples

Words = list[tuple[str, float]]

COLUMNS = 64
"""Letters in a line of a text."""
LETTER = 0.602
"""Width of a letter of the typewriter font, as a share of its size."""
DRAWN = 224
"""Pixels along the side of image files."""


class AttentionMapDisplay:
    """Heat over images, or words in color: how much each place counts.

    Make one with `from_estimator`.

    Parameters
    ----------
    samples : ndarray of shape (n, height, width[, channels]), or list of list of (str, float)
        Images from 0 to 1, or the words of each text with what stands before them, each with
        its share.
    maps : sequence of ndarray
        Of each sample; see `TransferClassifier.attention_maps`.
    titles : sequence of str
        What is written above each sample.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The drawing.
    axes_ : ndarray of matplotlib.axes.Axes of shape (n,)
        One a sample.

    Examples
    --------
    >>> from skltransfer import TransferClassifier
    >>> from skltransfer.datasets import load_fashion_sample
    >>> from skltransfer.plots import AttentionMapDisplay
    >>> sample = load_fashion_sample()
    >>> clf = TransferClassifier().fit(sample.images, sample.target)
    >>> AttentionMapDisplay.from_estimator(clf, sample.images, n_samples=3).axes_.shape
    (3,)
    """

    def __init__(self, *, samples: Any, maps: Sequence[Array], titles: Sequence[str]) -> None:
        self.samples = samples
        self.maps = maps
        self.titles = titles

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, n_samples: int = 8, method: str = "auto", figure: Any = None
    ) -> AttentionMapDisplay:
        """Compute maps and draw them.

        Parameters
        ----------
        estimator : TransferClassifier or TransferRegressor
            Fitted on images or texts.
        X : array-like, or sequence of paths, PIL images or texts
            The samples, of which the first are drawn.
        y : array-like of shape (n,), default=None
            What they are; written beside what is predicted.
        n_samples : int, default=8
            How many to draw, at most.
        method : str, default="auto"
            See `TransferClassifier.attention_maps`.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        AttentionMapDisplay

        Raises
        ------
        ValueError
            If samples are neither images nor texts, or the network has no such maps.
        """
        check_is_fitted(estimator)
        kind = estimator.model_.format.kind
        if not (kind.is_image or kind.is_text):
            raise ValueError(f"X: expected images or texts. Got {estimator.model_.format.describe()}.")
        X = gathered(X)
        chosen = some_samples(X, np.arange(min(n_samples, len(X))))
        maps = estimator.attention_maps(chosen, method=method)
        if not kind.is_text and maps[0].ndim != 2:
            raise ValueError(f"X: expected images or texts. Got samples with maps of shape {maps[0].shape}.")
        titles = _titles(estimator.predict(chosen), None if y is None else np.asarray(y)[: len(chosen)])
        if kind.is_text:
            samples: Any = some_words(estimator, chosen, maps)
        else:
            low, high = pixel_range(estimator)
            pixels = image_pixels(chosen, estimator, (DRAWN, DRAWN)).astype(float)
            samples = ((pixels - low) / (high - low)).clip(0, 1)
        return cls(samples=samples, maps=maps, titles=titles).plot(figure=figure)

    def plot(self, *, figure: Any = None) -> AttentionMapDisplay:
        """Draw.

        Parameters
        ----------
        figure : matplotlib.figure.Figure or SubFigure, default=None
            What to draw into; None makes a new figure of pyplot.

        Returns
        -------
        AttentionMapDisplay
            This display.
        """
        texts, n_samples = isinstance(self.samples, list), len(self.samples)
        lines = [_lines(words) for words in self.samples] if texts else []
        if figure is None:
            import matplotlib.pyplot as plt

            size = (7.5, 0.3 * sum(map(len, lines)) + 0.35 * n_samples) if texts else (1.7 * n_samples + 0.2, 2.1)
            figure = plt.figure(figsize=size, layout=None if texts else "constrained")
        if texts:
            heights = [len(own) + 1 for own in lines]
            axes = figure.subplots(n_samples, 1, squeeze=False, gridspec_kw={"height_ratios": heights, "hspace": 0})[
                :, 0
            ]
            if hasattr(figure, "subplots_adjust"):
                figure.subplots_adjust(0.02, 0.01, 0.98, 0.99)
        else:
            axes = figure.subplots(1, n_samples, squeeze=False)[0]
        for number, (ax, title) in enumerate(zip(axes, self.titles, strict=True)):
            if texts:
                _draw_words(ax, lines[number], title)
            else:
                _draw_image(ax, self.samples[number], self.maps[number], title)
        self.figure_, self.axes_ = figure, axes
        return self


def _titles(predicted: Array, y: Array | None) -> list[str]:
    def short(value: Any) -> str:
        return f"{value:.3g}" if isinstance(value, float) else str(value)

    found = [short(value) for value in predicted.tolist()]
    return found if y is None else [f"{p} ({short(t)})" for p, t in zip(found, y.tolist(), strict=True)]


def some_words(estimator: Any, texts: Sequence[str], maps: Sequence[Array]) -> list[Words]:
    """Cut texts into the tokens of a fitted estimator, each with its share of the map and what stands before it."""
    tokenization = estimator.backbone_.tokenization
    return [_words(text, tokenization.tokens(text), heat) for text, heat in zip(texts, maps, strict=True)]


def _words(text: str, tokens: list[tuple[str, int, int]], heat: Array) -> Words:
    """Cut a text into its tokens with what stands before them; marks of begin and end are not drawn."""
    words: Words = []
    end = 0
    for (_, start, stop), share in zip(tokens, heat.tolist(), strict=True):
        if stop > start:
            words.append((text[end:stop].replace("\n", " "), share))
            end = stop
    return words


def _lines(words: Words) -> list[Words]:
    """Break before words that no longer fit."""
    lines: list[Words] = [[]]
    length = 0
    for word, share in words:
        if length and length + len(word) > COLUMNS:
            lines.append([])
            length = 0
        word = word if length else word.lstrip()
        lines[-1].append((word, share))
        length += len(word)
    return lines


def _draw_image(ax: Any, image: Array, heat: Array, title: str) -> None:
    height, width = image.shape[:2]
    ax.imshow(np.squeeze(image), cmap="gray", vmin=0, vmax=1)
    place = (-0.5, width - 0.5, height - 0.5, -0.5)
    ax.imshow(heat, cmap="inferno", alpha=0.55, extent=place, interpolation="bicubic", vmin=0)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=9)


def _draw_words(ax: Any, lines: list[Words], title: str) -> None:
    """Write a text in a typewriter font, so that where a letter stands needs no measuring."""
    from matplotlib.patches import Rectangle

    most = max((share for line in lines for _, share in line), default=0) or 1
    size = ax.get_window_extent().width / ax.figure.dpi * 72 / COLUMNS / LETTER
    ax.set(xlim=(0, COLUMNS), ylim=(len(lines), -1))
    ax.axis("off")
    ax.text(0, -0.4, title, fontsize=9, va="center", weight="bold")
    for sample, line in enumerate(lines):
        column = 0
        for word, share in line:
            indent = len(word) - len(word.lstrip())
            box = Rectangle((column + indent, sample + 0.05), len(word) - indent, 0.9)
            box.set(facecolor="tab:orange", alpha=share / most, linewidth=0)
            ax.add_patch(box)
            ax.text(column, sample + 0.5, word, family="monospace", fontsize=size, va="center")
            column += len(word)
