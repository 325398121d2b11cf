"""The classic story at full size: pretrain on five classes of CIFAR-10, fine-tune on the other five.

``small_cnn``: trained on all 25,000 pictures of classes 0 to 4, then on 20, 50 and 200 pictures a class of
classes 5 to 9, and from scratch on those alone. ``efficientnet_lite0``, from ImageNet: its frozen head, and
fine-tuned in four ways, seen at 96 px. Tested on the 5,000 test pictures of classes 5 to 9. Prints a table of
accuracies with standard errors over seeds, and draws ``transfer_cifar10.png``.

Run: ``python benchmarks/transfer_cifar10.py [SEEDS] [small_cnn|efficientnet_lite0]`` (about an hour with 3 seeds).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from _data import cifar10
from _measure import report
from _scores import Scores

from skltransfer import GradualUnfreezing, LoRA, TransferClassifier

SIZES, PICTURE = (20, 50, 200), 96
HELD = {"augmentation": "flip_shift", "label_smoothing": 0.1, "weight_decay": 0.05}
GENTLE = {"learning_rate": 3e-4, "layer_decay": 0.9, **HELD}
WAYS: dict[str, dict[str, Any]] = {
    "frozen head": {"trainable": "head"},
    "last 2 stages": {"trainable": 2, **GENTLE},
    "all": {"trainable": "all", **GENTLE},
    "LoRA": {"trainable": LoRA(8), "learning_rate": 1e-3, **HELD},
    "gradual": {"trainable": GradualUnfreezing(1), **GENTLE},
}


def target_rows(y: np.ndarray, size: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.concatenate([random.permutation(np.flatnonzero(y == label))[:size] for label in range(5, 10)])


def small_cnn(scores: Scores, seed: int) -> None:
    X, y, X_test, y_test = cifar10()
    X_test, y_test = X_test[y_test >= 5], y_test[y_test >= 5]
    source = TransferClassifier("small_cnn", epochs=8, batch_size=64, random_state=seed)
    source.fit(X[y < 5], y[y < 5])
    for size in SIZES:
        rows = target_rows(y, size, seed)
        for way, start, options in (
            ("fine-tuned", source.backbone_, {"trainable": "all", "learning_rate": 3e-4}),
            ("frozen head", source.backbone_, {"trainable": "head"}),
            ("from scratch", "small_cnn", {}),
        ):
            clf = TransferClassifier(start, random_state=seed, **options).fit(X[rows], y[rows])
            scores.add("small_cnn", way, size, clf.score(X_test, y_test))


def efficientnet_lite0(scores: Scores, seed: int) -> None:
    X, y, X_test, y_test = cifar10()
    X_test, y_test = X_test[y_test >= 5], y_test[y_test >= 5]
    for size in SIZES:
        rows = target_rows(y, size, seed)
        epochs = max(10, 200 // -(-len(rows) // 32))
        for way, options in WAYS.items():
            clf = TransferClassifier(image_size=PICTURE, epochs=epochs, random_state=seed, **options)
            scores.add("efficientnet_lite0", way, size, clf.fit(X[rows], y[rows]).score(X_test, y_test))


def verdicts(scores: Scores) -> dict[str, Any]:
    """By how much fine-tuning is ahead, at each size: in standard errors of the difference, and in points."""
    found: dict[str, Any] = {}
    if "fine-tuned" in scores.ways("small_cnn"):
        gains = {size: scores.gain("small_cnn", "fine-tuned", "from scratch", size) for size in SIZES}
        found["fine_tuned_over_scratch"] = gains
    if scores.ways("efficientnet_lite0"):
        found["over_frozen_head"] = {
            way: {size: scores.gain("efficientnet_lite0", way, "frozen head", size) for size in SIZES}
            for way in WAYS
            if way != "frozen head"
        }
    return found


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    networks = {"small_cnn": small_cnn, "efficientnet_lite0": efficientnet_lite0}
    chosen = sys.argv[2:] or list(networks)
    scores = Scores(SIZES)
    for seed in range(seeds):
        for name in chosen:
            networks[name](scores, seed)
    print(scores.table())
    scores.draw(Path("transfer_cifar10.png"), "labelled pictures a class", "test accuracy (5 classes)")
    report("transfer_cifar10", seeds=seeds, **json.loads(json.dumps(verdicts(scores))))


if __name__ == "__main__":
    main()
