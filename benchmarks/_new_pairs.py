"""Six pairs of domains on which nothing was chosen: frozen before they were run, and run once.

Other distortions of pictures, other voices and other words, sentiment from two sources, two classes only, and label
shift of 3 to 1 on top of a covariate shift.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from _data import _arrays, cifar10
from _shifts import N_TEXTS, RATED, SIDE, Pair, Samples, _drawn, _read, _standardised, _texts, coloured
from PIL import Image
from scipy.ndimage import affine_transform, grey_dilation

N_PICTURES, N_TESTED, SHIFTED = 1280, 1000, 3
"""Samples of each domain, and tested ones; how many times as often favored classes are in the target."""


def thick_and_slanted(seed: int) -> Pair:
    """Digits of MNIST, and others with thicker strokes that lean to the left."""
    random = np.random.default_rng(seed)
    lean = np.array([[1.0, 0.0], [0.35, 1.0]])
    middle = np.array([SIDE, SIDE]) / 2

    def change(X: np.ndarray) -> np.ndarray:
        thick = grey_dilation(X, size=(1, 3, 3))
        return coloured(np.stack([affine_transform(x, lean, middle - lean @ middle, order=1) for x in thick]))

    source, target = _drawn(*_read("mnist")[0], random, N_PICTURES, N_PICTURES)
    (test,) = _drawn(*_read("mnist")[1], random, N_TESTED)
    return Pair(coloured(source[0]), source[1], change(target[0]), change(test[0]), test[1])


def small_and_lit(seed: int) -> Pair:
    """Clothes, and others at two thirds of the size, lit from one side."""
    random = np.random.default_rng(seed)
    light = np.linspace(0, 140, SIDE)[None, None, :]

    def change(X: np.ndarray) -> np.ndarray:
        small = np.stack([np.asarray(Image.fromarray(x).resize((18, 18), Image.Resampling.BILINEAR)) for x in X])
        framed = np.pad(small, ((0, 0), (5, 5), (5, 5)))
        return coloured(np.clip(framed * 0.7 + light, 0, 255).astype(np.uint8))

    source, target = _drawn(*_read("fashion")[0], random, N_PICTURES, N_PICTURES)
    (test,) = _drawn(*_read("fashion")[1], random, N_TESTED)
    return Pair(coloured(source[0]), source[1], change(target[0]), change(test[0]), test[1])


def two_shops_to_news(seed: int) -> Pair:
    """Sentiment of goods and of tweets together, and of the news, of which three in four are negative."""
    random, y = np.random.default_rng(seed), np.repeat([1, 0], RATED)
    parts = [_drawn(_texts()[name], y, random, N_TEXTS // 2)[0] for name in ("amazon", "tweets")]
    source = np.concatenate([X for X, _ in parts]), np.concatenate([labels for _, labels in parts])
    news = _texts()["news"]
    negative, positive = (random.permutation(np.flatnonzero(y == label)) for label in (0, 1))
    order = random.permutation(np.concatenate([negative[:900], positive[:300]]))
    target, test = order[:600], order[600:]
    return _standardised(source, news[target], (news[test], y[test]))


def commands(seed: int) -> Pair:
    """Ten other words, by other voices."""
    from _speech import FURTHER_VOICES, OTHER_WORDS, TRAINING_VOICES, _clips

    words, manners = OTHER_WORDS[:10], ((130, 35), (170, 60), (210, 35))
    sides = [
        _clips(name, words, voices, manners)
        for name, voices in (("commands", TRAINING_VOICES), ("commands_further", FURTHER_VOICES))
    ]

    def make(_: object) -> dict[str, np.ndarray]:
        from skltransfer import BackboneTransformer

        found = BackboneTransformer().fit_transform(np.concatenate([side.paths for side in sides]))
        return {"source": found[: len(sides[0].paths)], "target": found[len(sides[0].paths) :]}

    features = _arrays("commands_lite0", make)
    codes = [np.unique(side.words, return_inverse=True)[1] for side in sides]
    held = np.isin(np.arange(len(codes[1])), np.random.default_rng(seed).permutation(len(codes[1]))[:120])
    target = features["target"]
    return _standardised((features["source"], codes[0]), target[~held], (target[held], codes[1][held]))


def _lite0() -> dict[str, np.ndarray]:
    """Features of EfficientNet-Lite0 at 64 px: cars and trucks, others in sepia; shoes and bags, others mirrored."""

    def make(_: object) -> dict[str, np.ndarray]:
        from skltransfer import BackboneTransformer

        frozen, random, found = BackboneTransformer(image_size=64), np.random.default_rng(7), {}
        sepia = np.array([[0.39, 0.35, 0.27], [0.77, 0.69, 0.53], [0.19, 0.17, 0.13]])
        tables = {
            "cars": (cifar10()[:2], (1, 9), lambda X: np.clip((X @ sepia) * 0.8 + 40, 0, 255).astype(np.uint8)),
            "clothes": (_read("fashion")[0], (5, 6, 7, 8, 9), lambda X: X[:, ::2, ::-2].repeat(2, 1).repeat(2, 2)),
        }
        for name, ((X, y), classes, change) in tables.items():
            kept = random.permutation(np.flatnonzero(np.isin(y, classes)))[:3200]
            codes = np.searchsorted(classes, y[kept])
            half = len(kept) // 2
            found |= {f"{name}_source": frozen.fit_transform(X[kept[:half]]), f"{name}_y": codes[:half]}
            found |= {f"{name}_target": frozen.fit_transform(change(X[kept[half:]])), f"{name}_y_target": codes[half:]}
        return found

    return _arrays("new_pairs_lite0", make)


def _shifted(name: str, favored: tuple[int, ...], seed: int) -> Pair:
    """Favored classes are three times as often in the target as the others."""
    random, found = np.random.default_rng(seed), _lite0()
    X, y = found[f"{name}_target"], found[f"{name}_y_target"]
    smallest = np.bincount(y).min()
    kept: list[int] = []
    for label in range(int(y.max()) + 1):
        count = smallest if label in favored else smallest // SHIFTED
        kept += random.permutation(np.flatnonzero(y == label))[:count].tolist()
    order = random.permutation(kept)
    target, test = order[: 2 * len(order) // 3], order[2 * len(order) // 3 :]
    source: Samples = found[f"{name}_source"], found[f"{name}_y"]
    return _standardised(source, X[target], (X[test], y[test]))


NEW_PAIRS: dict[str, Callable[[int], Pair]] = {
    "digits, thick and slanted": thick_and_slanted,
    "clothes, small and lit": small_and_lit,
    "goods and tweets to news, 3:1": two_shops_to_news,
    "commands by other voices": commands,
    "cars and trucks in sepia, 1:3": lambda seed: _shifted("cars", (1,), seed),
    "shoes and bags mirrored, 3:1": lambda seed: _shifted("clothes", (0, 1, 2), seed),
}
