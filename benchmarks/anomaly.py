"""One class of Fashion-MNIST is normal, the other nine are strange: who tells them apart?

For each class, fitted on its 6,000 training pictures as rows of 784 pixels and tested on all 10,000 test
pictures: `AutoencoderTransformer.score_samples` (dense, columns at unit deviation) with a fifth of the pixels masked in
training and without, IsolationForest, the reconstruction error of 32 principal components, and OneClassSVM. Mean
ROC-AUC over the ten tasks. Masking and its level were chosen on held-out training pictures of seven of the classes.

Run: ``python benchmarks/anomaly.py`` (about 10 minutes).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from _data import fashion_mnist
from _measure import report
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.svm import OneClassSVM

from skltransfer import AutoencoderTransformer


def autoencoder(**options: Any) -> Callable[[np.ndarray], Any]:
    model = AutoencoderTransformer(
        latent_dim=32, loss="mae", epochs=20, batch_size=64, learning_rate=1e-3, random_state=0, **options
    )  # fmt: skip
    return lambda X: model.fit(X).score_samples


def components(X: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    pca = PCA(32, random_state=0).fit(X)
    return lambda Z: -np.mean(np.square(Z - pca.inverse_transform(pca.transform(Z))), axis=1)


SIDES: dict[str, Callable[[np.ndarray], Any]] = {
    "masked_autoencoder": autoencoder(corruption="mask", corruption_level=0.2),
    "plain_autoencoder": autoencoder(),
    "isolation_forest": lambda X: IsolationForest(random_state=0).fit(X).score_samples,
    "pca_reconstruction": components,
    "one_class_svm": lambda X: OneClassSVM(nu=0.1).fit(X).score_samples,
}


def main() -> None:
    X, y, X_test, y_test = (array / 255 if array.ndim > 1 else array for array in fashion_mnist())
    X, X_test = X.reshape(len(X), -1), X_test.reshape(len(X_test), -1)
    areas: dict[str, list[float]] = {}
    for label in range(10):
        for name, fit in SIDES.items():
            areas.setdefault(name, []).append(roc_auc_score(y_test == label, fit(X[y == label])(X_test)))
        print(label, {name: round(values[-1], 4) for name, values in areas.items()}, file=sys.stderr, flush=True)
    means = {name: float(np.mean(values)) for name, values in areas.items()}
    ahead = {name: means["masked_autoencoder"] - mean for name, mean in means.items() if "autoencoder" not in name}
    report("anomaly", mean_roc_auc=means, masked_autoencoder_ahead_of=ahead, by_class=areas)


if __name__ == "__main__":
    main()
