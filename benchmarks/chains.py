"""Networks that a user pretrained, as backbones with default settings, beside logistic regression on the raw columns.

``digits``: a small CNN, pretrained on all digits 0 to 4 of scikit-learn, learns 5 to 9 from ten samples a class.
``autoencoder``: an autoencoder of all samples without their labels, then a classifier of ten labeled ones a class on
its encoder; columns are the pixels of digits, and two tables.

Samples at odd positions are reported; those at even positions were used in development.

Run: ``python benchmarks/chains.py [DRAWS]`` (about 5 minutes).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from _measure import report
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PER_CLASS = 10


def compared(X: np.ndarray, y: np.ndarray, sides: dict[str, Callable[[], Any]], n_draws: int) -> dict[str, str]:
    """Fit each side to the same draws; mean accuracy on all other samples, and its standard error."""
    scores: dict[str, list[float]] = {name: [] for name in sides}
    for draw in range(n_draws):
        random = np.random.default_rng(draw)
        some = np.concatenate([random.permutation(np.flatnonzero(y == c))[:PER_CLASS] for c in np.unique(y)])
        rest = np.setdiff1d(np.arange(len(y)), some)
        for name, make in sides.items():
            scores[name].append(make().fit(X[some], y[some]).score(X[rest], y[rest]))
    return {
        name: f"{np.mean(found):.3f} ± {np.std(found) / np.sqrt(max(n_draws - 1, 1)):.3f}"
        for name, found in scores.items()
    }


def on_columns() -> Any:
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return GridSearchCV(logistic, {"logisticregression__C": [1e-3, 1e-2, 0.1, 1, 10]}, cv=3)


class Flat:
    """Logistic regression on the pixels of images."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Any:
        self.last = on_columns().fit(X.reshape(len(X), -1), y)
        return self

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        return self.last.score(X.reshape(len(X), -1), y)


def digits(n_draws: int) -> None:
    from skltransfer import TransferClassifier

    data = load_digits()
    X, y = data.images[1::2], data.target[1::2]
    low = data.target < 5
    source = (
        TransferClassifier("small_cnn", image_size=8, random_state=0).fit(data.images[low], data.target[low]).backbone_
    )
    options: dict[str, Any] = {"backbone": source, "image_size": 8, "random_state": 0}
    sides = {
        "default": lambda: TransferClassifier(**options),
        "everything trainable": lambda: TransferClassifier(**options, trainable="all"),
        "logistic regression": Flat,
    }
    report("chains", chain="digits", **compared(X[y >= 5], y[y >= 5], sides, n_draws))


def autoencoder(n_draws: int) -> None:
    from skltransfer import AutoencoderTransformer, TransferClassifier

    for load in (load_digits, load_wine, load_breast_cancer):
        data = load()
        X, y = data.data[1::2], data.target[1::2]
        source = AutoencoderTransformer(random_state=0).fit(X).backbone_
        sides = {
            "default": lambda source=source: TransferClassifier(source, random_state=0),
            "logistic regression": on_columns,
        }
        report("chains", chain="autoencoder", data=load.__name__, **compared(X, y, sides, n_draws))


def main() -> None:
    n_draws = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    digits(n_draws)
    autoencoder(n_draws)


if __name__ == "__main__":
    main()
