"""How the head's default strength and scaling were chosen, on data that no other benchmark reports.

Frozen EfficientNet-Lite0 on MNIST and on scikit-learn's digits, from 2 to 100 pictures a class, and
every ``C``; features divided by one common deviation, as `TransferClassifier` does, and by one each.

Run: ``python benchmarks/default_strength.py`` (about 5 minutes).
"""

from __future__ import annotations

import numpy as np
from _data import mnist
from _measure import report
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skltransfer import BackboneTransformer
from skltransfer._heads.solver import fit_logistic

STRENGTHS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0]
PER_CLASS = [2, 5, 10, 30, 100]
SEEDS = 5
TEST_ROWS = 1500


def problems():
    """Yield name, training features and labels, test features and labels."""
    X, y, X_test, y_test = mnist()
    extract = BackboneTransformer().fit(X[:1]).transform
    pool = np.concatenate([np.flatnonzero(y == k)[:200] for k in range(10)])
    yield "mnist", extract(X[pool]), y[pool], extract(X_test[:TEST_ROWS]), y_test[:TEST_ROWS]
    digits = load_digits()
    features = BackboneTransformer().fit_transform(digits.images)
    rest, test, y_rest, y_held = train_test_split(
        features, digits.target, test_size=500, random_state=0, stratify=digits.target
    )
    yield "digits", rest, y_rest, test, y_held


def accuracies(name: str, train, y, test, y_test, each: bool) -> np.ndarray:
    """Mean accuracy for every number of pictures and every strength, shape (sizes, strengths)."""
    table = np.zeros((len(PER_CLASS), len(STRENGTHS)))
    for size, per_class in enumerate(PER_CLASS):
        for seed in range(SEEDS):
            random = np.random.default_rng(seed)
            chosen = np.concatenate([random.permutation(np.flatnonzero(y == k))[:per_class] for k in range(10)])
            scale = train[chosen].std(axis=0) + 1e-6 if each else 1.0
            for at, C in enumerate(STRENGTHS):
                head = fit_logistic(train[chosen] / scale, y[chosen], n_classes=10, C=C, weights=np.ones(len(chosen)))
                table[size, at] += np.mean(head(test / scale).argmax(axis=1) == y_test) / SEEDS
    return table


def main() -> None:
    tables = {"common_deviation": {}, "deviation_each": {}}
    for problem in problems():
        for scaling in tables:
            tables[scaling][problem[0]] = accuracies(*problem, each=scaling == "deviation_each")
    mean = np.mean(list(tables["common_deviation"].values()), axis=(0, 1))
    best = {
        scaling: {
            name: dict(zip(map(str, PER_CLASS), table.max(axis=1).tolist(), strict=True))
            for name, table in tables[scaling].items()
        }
        for scaling in tables
    }
    report(
        "default_strength",
        mean_accuracy_by_C=dict(zip(map(str, STRENGTHS), mean.tolist(), strict=True)),
        best_accuracy_by_pictures_a_class=best,
    )


if __name__ == "__main__":
    main()
