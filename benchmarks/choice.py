"""The choice among blocks of features, and the solved head, at sizes where they could take long.

``blocks``: 5,000 samples of 10 classes, 12,000 features in five blocks of low rank, with everything chosen: seconds,
and the largest growth of memory over the size of the features. ``classes``: one sample of each of 1,000 and 5,000
classes, 1,280 features. Each in a process of its own.

Run: ``python benchmarks/choice.py`` (about 5 minutes).
"""

from __future__ import annotations

import json
import sys

import numpy as np
from _measure import peak_mb, report, resident_mb, seconds, side

WIDTHS = (1280, 3072, 3072, 3072, 1504)


def targets(codes: np.ndarray):
    from skltransfer._targets.targets import Targets
    from skltransfer._targets.task import Task

    n_classes = int(codes.max()) + 1
    return Targets((Task("classes", n_classes),), np.eye(n_classes)[codes], np.ones((len(codes), 1)))


def features(codes: np.ndarray, n_features: int) -> np.ndarray:
    """Draw features of low rank, whose classes overlap."""
    random = np.random.default_rng(0)
    latent = random.normal(size=(codes.max() + 1, 64))[codes] + random.normal(size=(len(codes), 64))
    found = np.empty((len(codes), n_features), "f4")
    for column in range(n_features):  # one by one, as the largest memory is measured
        found[:, column] = latent @ random.normal(size=64) + random.normal(size=len(codes))
    return found


def solved(codes: np.ndarray, widths: tuple[int, ...]) -> dict[str, float]:
    from skltransfer._engine.pooling import INPUT, Output
    from skltransfer._heads.automatic import Blocks, solve_automatically

    X = features(codes, sum(widths))
    between = [Output(f"stage{number}", "grid4") for number in range(len(widths) - 2)]
    outputs = [Output("last", "avg"), *between, Output(INPUT, "grid16")][: len(widths)]
    known, before = targets(codes), resident_mb()

    def fit() -> None:
        solve_automatically(X, known, Blocks(outputs, widths), C=None, groups=np.arange(len(X)))

    return {"seconds": seconds(fit), "memory_growth_over_features": (peak_mb() - before) / (X.nbytes / 1e6)}


def main() -> None:
    if len(sys.argv) > 1:
        n_classes = int(sys.argv[1])
        many = n_classes >= 1000
        codes = np.arange(n_classes) if many else np.arange(5000) % n_classes
        print(json.dumps(solved(codes, (1280,) if many else WIDTHS)))
        return
    report("choice", blocks=side(__file__, "10"), classes={name: side(__file__, name) for name in ("1000", "5000")})


if __name__ == "__main__":
    main()
