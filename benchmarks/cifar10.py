"""50 labelled pictures a class of CIFAR-10: transfer, raw pixels, and a small network from scratch.

Run: ``python benchmarks/cifar10.py [SEEDS]`` (about 3 minutes a seed).
"""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
from _data import cifar10
from _measure import report, seconds
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skltransfer import TransferClassifier

PER_CLASS = 50


def main() -> None:
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    X_train, y_train, X_test, y_test = cifar10()
    flat_test = X_test.reshape(len(X_test), -1)
    scores: dict[str, list[float]] = {"transfer": [], "raw_pixels": [], "small_cnn_from_scratch": []}
    times: list[float] = []
    for seed in seeds:
        random = np.random.default_rng(seed)
        chosen = np.concatenate([random.permutation(np.flatnonzero(y_train == k))[:PER_CLASS] for k in range(10)])
        X, y = X_train[chosen], y_train[chosen]
        transfer = TransferClassifier()
        times.append(seconds(partial(transfer.fit, X, y)))
        scores["transfer"].append(transfer.score(X_test, y_test))
        raw = make_pipeline(StandardScaler(), LogisticRegression(C=0.001, max_iter=1000))
        scores["raw_pixels"].append(raw.fit(X.reshape(len(X), -1), y).score(flat_test, y_test))
        scratch = TransferClassifier("small_cnn", random_state=seed).fit(X, y)
        scores["small_cnn_from_scratch"].append(scratch.score(X_test, y_test))
    figures = {
        name: {
            "accuracy": float(np.mean(values)),
            "standard_error": float(np.std(values, ddof=1) / np.sqrt(len(values))),
        }
        for name, values in scores.items()
    }
    gain = figures["transfer"]["accuracy"] - figures["raw_pixels"]["accuracy"]
    report(
        "cifar10", rows=500, seeds=len(seeds), gain_over_raw_pixels=gain, fit_seconds=float(np.median(times)), **figures
    )


if __name__ == "__main__":
    main()
