"""Pairs of domains: labelled rows of a source, rows of a target without labels, and labelled rows of it to test on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import permutations

import numpy as np
from _data import SENTIMENT, _arrays, cifar10, fashion_mnist, imagenet_pictures, minilm_folder, mnist, sentiment
from PIL import Image
from scipy.ndimage import rotate
from sklearn.datasets import load_digits, load_sample_images

SIDE, N_TRAIN, N_TEST = 28, 2048, 2000
"""Side of a picture, and rows of each domain; all of them are brought to this side and have three channels."""
N_DIGITS, N_TEXTS, RATED = 1280, 1024, 1060
"""Samples of the digits of scikit-learn that are not tested on, of texts likewise, and texts of each sentiment."""
Samples = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Pair:
    """Samples of a source and of a target, with labels 0, 1, ... of the source and of the rows to test on."""

    X_source: np.ndarray
    y_source: np.ndarray
    X_target: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray

    @property
    def pictures(self) -> bool:
        return self.X_source.ndim == 4

    @property
    def n_classes(self) -> int:
        return int(self.y_source.max()) + 1


def coloured(X: np.ndarray) -> np.ndarray:
    """Give grey pictures three channels."""
    return np.repeat(X[..., None], 3, axis=3)


@cache
def _photos(small: bool) -> list[np.ndarray]:
    """CIFAR-10, or twenty-two photos of full size, like those that MNIST-M was made with."""
    if small:
        return list(cifar10()[0])
    return [np.asarray(photo) for photo in (*imagenet_pictures()[0], *load_sample_images().images)]


def on_photos(X: np.ndarray, random: np.random.Generator, *, small: bool = False) -> np.ndarray:
    """|picture - patch|, channel by channel, for patches cut at random from photos (the recipe of MNIST-M)."""
    photos = _photos(small)

    def patch() -> np.ndarray:
        photo = photos[random.integers(len(photos))]
        row, column = (random.integers(length - SIDE + 1) for length in photo.shape[:2])
        return photo[row : row + SIDE, column : column + SIDE]

    patches = np.stack([patch() for _ in X])
    return np.abs(coloured(X).astype(int) - patches).astype(np.uint8)


@cache
def _digits() -> Samples:
    """8 x 8 digits as MNIST has them: 20 x 20 in the middle of 28 x 28."""
    X, y = load_digits(return_X_y=True)
    small = np.round(X.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    large = [np.asarray(Image.fromarray(digit).resize((20, 20), Image.Resampling.BICUBIC)) for digit in small]
    return np.pad(large, ((0, 0), (4, 4), (4, 4))), y


@cache
def _read(name: str) -> tuple[Samples, Samples]:
    """Samples to train on, and to test on."""
    X, y, X_test, y_test = {"mnist": mnist, "fashion": fashion_mnist}[name]()
    return (X, y), (X_test, y_test)


def _drawn(X: np.ndarray, y: np.ndarray, random: np.random.Generator, *sizes: int) -> list[Samples]:
    """Draw parts without common rows."""
    order = random.permutation(len(X))
    return [(X[own], y[own]) for own in np.split(order, np.cumsum(sizes))[: len(sizes)]]


def mnist_digits(seed: int) -> Pair:
    random, (X, y) = np.random.default_rng(seed), _digits()
    (source,) = _drawn(*_read("mnist")[0], random, N_DIGITS)
    target, test = _drawn(X, y, random, N_DIGITS, len(X) - N_DIGITS)
    return Pair(coloured(source[0]), source[1], coloured(target[0]), coloured(test[0]), test[1])


def digits_mnist(seed: int) -> Pair:
    random = np.random.default_rng(seed)
    (source,), (target,) = _drawn(*_digits(), random, N_DIGITS), _drawn(*_read("mnist")[0], random, N_DIGITS)
    (test,) = _drawn(*_read("mnist")[1], random, N_TEST)
    return Pair(coloured(source[0]), source[1], coloured(target[0]), coloured(test[0]), test[1])


Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def changed(name: str, change: Change, seed: int, sizes: Sequence[int] = (N_TRAIN, N_TEST)) -> Pair:
    """Some pictures as they are, and others changed."""
    random = np.random.default_rng(seed)
    source, target = _drawn(*_read(name)[0], random, sizes[0], sizes[0])
    (test,) = _drawn(*_read(name)[1], random, sizes[1])
    return Pair(coloured(source[0]), source[1], change(target[0], random), change(test[0], random), test[1])


def inverted(X: np.ndarray, _: object) -> np.ndarray:
    return coloured(255 - X)


def rotated(X: np.ndarray, _: object) -> np.ndarray:
    """Turn pictures by 30 degrees."""
    return coloured(rotate(X, 30, axes=(1, 2), reshape=False, order=1))


def unchanged(X: np.ndarray, _: object) -> np.ndarray:
    return coloured(X)


@cache
def _texts() -> dict[str, np.ndarray]:
    """Embeddings of texts by frozen MiniLM, the positive ones first."""

    def make(_: object) -> dict[str, np.ndarray]:
        from skltransfer import BackboneTransformer, load_backbone

        frozen, found = BackboneTransformer(load_backbone("minilm_l6", weights=minilm_folder())), {}
        for name, (texts, positive) in sentiment().items():
            order = np.random.default_rng(0).permutation(len(texts))
            rows = np.concatenate([order[positive[order] == sign][:RATED] for sign in (True, False)])
            found[name] = frozen.fit_transform([texts[i] for i in rows])
        return found

    return _arrays("sentiment_minilm", make)


def _standardised(source: Samples, target: np.ndarray, test: Samples) -> Pair:
    """Bring columns to one unit, by the moments of the source."""
    mean, scale = source[0].mean(axis=0), source[0].std(axis=0) + 1e-6
    X_source, X_target, X_test = (((X - mean) / scale).astype(np.float32) for X in (source[0], target, test[0]))
    return Pair(X_source, source[1], X_target, X_test, test[1])


def texts(one: str, other: str, seed: int) -> Pair:
    random, y = np.random.default_rng(seed), np.repeat([1, 0], RATED)

    def balanced(name: str) -> list[Samples]:
        halves = [_drawn(_texts()[name][y == label], y[y == label], random, N_TEXTS // 2, RATED) for label in (0, 1)]
        return [tuple(map(np.concatenate, zip(*parts, strict=True))) for parts in zip(*halves, strict=True)]

    (source, _), (target, test) = balanced(one), balanced(other)
    return _standardised(source, target[0], test)


def voices(seed: int) -> Pair:
    """Spoken digits by eight voices, and by eight others; two of six manners of these are tested on."""
    from _speech import MANNERS, digits

    def make(_: object) -> dict[str, np.ndarray]:
        from skltransfer import BackboneTransformer

        known, unseen = digits()
        found = BackboneTransformer().fit_transform(np.concatenate([known.paths, unseen.paths]))
        return {"known": found[: len(known.paths)], "unseen": found[len(known.paths) :]}

    features, (known, unseen) = _arrays("spoken_digits_lite0", make), digits()
    codes = [np.unique(clips.words, return_inverse=True)[1] for clips in (known, unseen)]
    tested = np.random.default_rng(seed).permutation(len(MANNERS))[:2]
    held = np.isin(np.arange(len(unseen.paths)) % len(MANNERS), tested)
    source = features["known"], codes[0]
    return _standardised(source, features["unseen"][~held], (features["unseen"][held], codes[1][held]))


PAIRS: dict[str, Callable[[int], Pair]] = {
    "mnist-digits": mnist_digits,
    "digits-mnist": digits_mnist,
    "mnist-cifar": partial(changed, "mnist", partial(on_photos, small=True)),
    "fashion-inverted": partial(changed, "fashion", inverted),
    "fashion-rotated": partial(changed, "fashion", rotated),
    "fashion-photos": partial(changed, "fashion", on_photos),
    "voices": voices,
    **{f"{one}-{other}": partial(texts, one, other) for one, other in permutations(SENTIMENT, 2)},
}
"""MNIST-M itself is made with photos of full size; patches of CIFAR-10 show more, and hide digits better."""
