"""A small network that learns where a large one looks.

``small_cnn`` from scratch on 20, 50 and 200 pictures a class of CIFAR-10; the same pulled towards where
EfficientNet-Lite0 is active; and, as a control, towards where an untrained ``small_resnet`` is. The strength is
chosen, for each teacher and number of pictures, on a draw that is not reported, by 5,000 other training pictures.
Tested on 5,000 test pictures. Prints a table of accuracies with standard errors over draws, and the gains, draw by
draw.

Run: ``python benchmarks/attention_transfer.py [DRAWS]`` (some ten minutes with 3 draws).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from _data import cifar10
from _measure import report
from _scores import Scores

from skltransfer import AttentionTransfer, TransferClassifier, load_backbone

SIZES, STRENGTHS, TESTED = (20, 50, 200), (1.0, 10.0, 100.0), 5000
GROUP, ALONE = "small_cnn", "from scratch"
TEACHERS: dict[str, Callable[[int], Any]] = {
    "pulled to EfficientNet-Lite0": lambda seed: "efficientnet_lite0",
    "pulled to untrained": lambda seed: load_backbone("small_resnet", input_shape=(32, 32, 3), random_state=seed),
}


def drawn(y: np.ndarray, size: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.concatenate([random.permutation(np.flatnonzero(y == label))[:size] for label in range(10)])


def student(seed: int, pull: Any) -> TransferClassifier:
    return TransferClassifier("small_cnn", attention_transfer=pull, random_state=seed)


def chosen_strength(X: np.ndarray, y: np.ndarray, size: int, teacher: Any) -> float:
    """Return the strength of the best accuracy on pictures that no draw of this seed takes."""
    rows = drawn(y, size, 0)
    others = np.setdiff1d(np.random.default_rng(0).permutation(len(y))[: TESTED + 2000], drawn(y, max(SIZES), 0))
    others = others[:TESTED]
    found: dict[float, float] = {}
    for strength in STRENGTHS:
        clf = student(0, AttentionTransfer(strength, teacher=teacher)).fit(X[rows], y[rows])
        found[strength] = clf.score(X[others], y[others])
    print(size, found, file=sys.stderr, flush=True)
    return max(found, key=lambda strength: found[strength])


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    X, y, X_test, y_test = cifar10()
    X_test, y_test = X_test[:TESTED], y_test[:TESTED]
    scores = Scores(SIZES)
    strengths = {
        way: {size: chosen_strength(X, y, size, teacher(0)) for size in SIZES} for way, teacher in TEACHERS.items()
    }
    for seed in range(1, draws + 1):
        for size in SIZES:
            rows = drawn(y, size, seed)
            pulls: dict[str, Any] = {ALONE: 0.0}
            for way, teacher in TEACHERS.items():
                pulls[way] = AttentionTransfer(strengths[way][size], teacher=teacher(seed))
            for way, pull in pulls.items():
                scores.add(GROUP, way, size, student(seed, pull).fit(X[rows], y[rows]).score(X_test, y_test))
    print(scores.table())
    gains = {way: {size: scores.gain(GROUP, way, ALONE, size) for size in SIZES} for way in TEACHERS}
    report("attention_transfer", draws=draws, strengths=strengths, gains=gains)


if __name__ == "__main__":
    main()
