"""Pairs of domains on which the rules of ``method="auto"`` were found; none of them is reported."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from _data import _arrays, cifar10, fashion_mnist
from _shifts import Pair, _drawn, _standardised
from scipy.ndimage import gaussian_filter, rotate, shift
from sklearn.datasets import load_digits

N_DIGITS, N_PICTURES, N_TRAP = 800, 1200, 600


def _pair(source: tuple[np.ndarray, np.ndarray], target: tuple[np.ndarray, np.ndarray]) -> Pair:
    """Test on the samples that are adapted to."""
    return Pair(source[0], source[1], target[0], *target)


def digits(change: Callable[[np.ndarray, np.random.Generator], np.ndarray], seed: int) -> Pair:
    """Digits of scikit-learn as tables, and others changed."""
    random = np.random.default_rng(seed)
    X, y = load_digits(return_X_y=True)
    source, target = _drawn(X.reshape(-1, 8, 8), y, random, N_DIGITS, N_DIGITS - 3)
    return _pair((source[0].reshape(-1, 64), source[1]), (change(target[0], random).reshape(-1, 64), target[1]))


def _features() -> dict[str, np.ndarray]:
    """Features of EfficientNet-Lite0 at 64 px: pictures as they are, and others changed."""

    def make(_: object) -> dict[str, np.ndarray]:
        from skltransfer import BackboneTransformer

        frozen, random, found = BackboneTransformer(image_size=64), np.random.default_rng(0), {}
        for name, read in (("cifar", cifar10), ("fashion", fashion_mnist)):
            X, y, _, _ = read()
            (clean, y_clean), (other, y_other) = _drawn(X, y, random, 1500, 1500)
            grey = np.repeat(other.mean(axis=3, keepdims=True), 3, axis=3) if name == "cifar" else other
            changed = {
                "grey": (grey - 128.0) * 0.5 + 150 + random.normal(0, 12, grey.shape),
                "blurred": gaussian_filter(other.astype(float), (0, 1.2, 1.2, 0)[: other.ndim]),
                "noisy": other + random.normal(0, 60, other.shape),
                "dim": other * 0.3 + 100,
            }
            found |= {f"{name}_clean": frozen.fit_transform(clean), f"{name}_y": y_clean, f"{name}_y_other": y_other}
            for change in ("grey", "blurred") if name == "cifar" else ("noisy", "dim"):
                pictures = np.clip(changed[change], 0, 255).astype(np.uint8)
                found[f"{name}_{change}"] = frozen.fit_transform(pictures)
        return found

    return _arrays("development_lite0", make)


def pictures(name: str, change: str, seed: int, classes: tuple[int, int] | None = None, share: float = 0.5) -> Pair:
    """Features of pictures; of two classes, the second has another share in the target."""
    random, found = np.random.default_rng(seed), _features()
    (source,) = _drawn(found[f"{name}_clean"], found[f"{name}_y"], random, N_PICTURES)
    (target,) = _drawn(found[f"{name}_{change}"], found[f"{name}_y_other"], random, N_PICTURES)
    if classes is not None:
        source, target = (
            (X[np.isin(y, classes)], (y[np.isin(y, classes)] == classes[1]) * 1) for X, y in (source, target)
        )
        sides = [random.permutation(np.flatnonzero(target[1] == label)) for label in (0, 1)]
        n_samples = int(min(len(sides[0]) / (1 - share), len(sides[1]) / share))
        kept = np.concatenate([sides[0][: int(n_samples * (1 - share))], sides[1][: int(n_samples * share)]])
        target = target[0][kept], target[1][kept]
    return _standardised(source, target[0], target)


def trap(share: float, gap: float, seed: int, n_columns: int = 10, moved: float = 0.0) -> Pair:
    """Two classes that overlap, and in the target another share of them: the surest predictions are wrong ones."""
    random = np.random.default_rng(seed)

    def drawn(share: float) -> tuple[np.ndarray, np.ndarray]:
        y = (random.random(N_TRAP) < share).astype(int)
        X = random.normal(size=(N_TRAP, n_columns))
        X[:, 0] += gap * y
        return X, y

    source, target = drawn(0.5), drawn(share)
    target[0][:, 1] += moved
    return _pair(source, target)


def _turned(degrees: float, X: np.ndarray, _: object) -> np.ndarray:
    return rotate(X, degrees, axes=(1, 2), reshape=False, order=1)


DEVELOPMENT: dict[str, Callable[[int], Pair]] = {
    "digits alone": partial(digits, lambda X, random: X),
    "digits turned by 20": partial(digits, partial(_turned, 20)),
    "digits turned by 40": partial(digits, partial(_turned, 40)),
    "digits with noise": partial(digits, lambda X, random: X + random.normal(0, 4, X.shape)),
    "digits inverted": partial(digits, lambda X, random: 16 - X),
    "digits moved": partial(digits, lambda X, random: shift(X, (0, 1, 0))),
    "digits blurred": partial(digits, lambda X, random: 0.5 * gaussian_filter(X, (0, 0.8, 0.8)) + 4),
    "cifar grey": partial(pictures, "cifar", "grey"),
    "cifar blurred": partial(pictures, "cifar", "blurred"),
    "fashion noisy": partial(pictures, "fashion", "noisy"),
    "fashion dim": partial(pictures, "fashion", "dim"),
    "cats and dogs": partial(pictures, "cifar", "grey", classes=(3, 5), share=0.75),
    "planes and ships": partial(pictures, "cifar", "grey", classes=(0, 8), share=0.25),
    "shirts": partial(pictures, "fashion", "noisy", classes=(0, 6), share=0.8),
    "coats": partial(pictures, "fashion", "dim", classes=(2, 4), share=0.2),
    "trap 0.9": partial(trap, 0.9, 1.5),
    "trap 0.8": partial(trap, 0.8, 1.0),
    "trap 0.9 moved": partial(trap, 0.9, 1.5, moved=1.5),
    "trap 0.15": partial(trap, 0.15, 1.2, n_columns=20),
}
