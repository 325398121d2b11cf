"""The speed of an autoencoder: one epoch, and a search, beside hand-written Keras and wrapped Keras.

Epoch: further epochs of the convolutional autoencoder on 10,000 MNIST pictures, batches of 128, ours by
`partial_fit` and hand-written Keras' `fit` on floats that lie ready, in turn in one process. Search: 2 latent
sizes x 3 learning rates x 3 folds and a refit, scored by how well rows are reconstructed, with SciKeras and
`keras.wrappers.SKLearnTransformer` around the same networks: ``dense`` on the 569 rows of scikit-learn's breast
cancer data, ``conv`` on 600 MNIST pictures, ``light`` the same with half as many filters; 5 epochs, batches of 32. Each
side runs in a process of its own.

Run: ``python benchmarks/autoencoder_speed.py`` (needs ``scikeras``; about 8 minutes).
"""

from __future__ import annotations

import json
import sys
from itertools import product
from typing import Any

import numpy as np
from _data import mnist
from _measure import in_turn, ratio, report, seconds, side
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV

EPOCH_ROWS, EPOCH_BATCH, ROWS, BATCH = 10_000, 128, 600, 32
FILTERS = {"conv": (32, 64, 128), "light": (16, 32, 64)}
KINDS, EPOCHS = ("dense", *FILTERS), 5
LATENT, RATES = (8, 16), (3e-4, 1e-3, 3e-3)


def dense(latent_dim: int) -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((30,))
    x = layers.Dense(64, activation="relu")(layers.Dense(128, activation="relu")(inputs))
    x = layers.Dense(64, activation="relu")(layers.Dense(latent_dim)(x))
    return keras.Model(inputs, layers.Dense(30)(layers.Dense(128, activation="relu")(x)))


def conv(latent_dim: int, filters: tuple[int, int, int]) -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((784,))
    x = layers.Reshape((28, 28, 1))(inputs)
    for number in filters:
        x = layers.Conv2D(number, 3, 2, padding="same", activation="relu")(x)
    x = layers.Dense(latent_dim)(layers.Flatten()(x))
    x = layers.Reshape((4, 4, filters[2]))(layers.Dense(4 * 4 * filters[2], activation="relu")(x))
    x = layers.Conv2DTranspose(filters[1], 3, 2, padding="same", activation="relu")(x)
    x = layers.Cropping2D([(0, 1), (0, 1)])(x)
    x = layers.Conv2DTranspose(filters[0], 3, 2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(1, 3, 2, padding="same")(x)
    return keras.Model(inputs, layers.Reshape((784,))(x))


def network(kind: str, latent_dim: int = 16, learning_rate: float = 1e-3) -> Any:
    import keras

    model = dense(latent_dim) if kind == "dense" else conv(latent_dim, FILTERS[kind])
    model.compile(keras.optimizers.Adam(learning_rate), "mse", jit_compile=False)
    return model


def rows(kind: str, number: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Samples as ours takes them, and as floats that lie ready."""
    if kind == "dense":
        X = load_breast_cancer().data[:number]
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        return X, X.astype(np.float32)
    X = mnist()[0][:number]
    return X, X.reshape(len(X), -1).astype(np.float32) / 255


def epoch(kind: str) -> dict[str, float]:
    from skltransfer import AutoencoderTransformer

    raw, ready = rows(kind, EPOCH_ROWS)
    ours = AutoencoderTransformer(latent_dim=16, batch_size=EPOCH_BATCH, random_state=0)
    model = network(kind)
    times = in_turn(
        lambda: ours.partial_fit(raw),
        lambda: model.fit(ready, ready, batch_size=EPOCH_BATCH, epochs=1, verbose=0),
        runs=7,
    )
    return {"ours_seconds": float(np.median(times[0])), "ours_over_keras": ratio(*times)}


def ours(kind: str) -> dict[str, float]:
    from skltransfer import AutoencoderTransformer

    estimator = AutoencoderTransformer(
        hidden=FILTERS.get(kind, "auto"), epochs=EPOCHS, batch_size=BATCH,
        schedule="constant", warmup=0.0, random_state=0,
    )  # fmt: skip
    return search(estimator, {"latent_dim": LATENT, "learning_rate": RATES}, rows(kind)[0], None)


def scikeras(kind: str) -> dict[str, float]:
    from scikeras.wrappers import KerasRegressor

    estimator = KerasRegressor(
        network, kind=kind, latent_dim=16, learning_rate=1e-3, epochs=EPOCHS, batch_size=BATCH, verbose=0
    )
    return search(estimator, {"latent_dim": LATENT, "learning_rate": RATES}, rows(kind)[1], _by_predictions)


def keras_wrapper(kind: str) -> dict[str, float]:
    """The wrapper refuses targets with columns, so its model gives the error of each row, which should be 0.

    `clone` drops its ``fit_kwargs``, so the model knows them.
    """
    import keras

    class Model(keras.Model):
        def fit(self, *args: Any, **kwargs: Any) -> Any:
            return super().fit(*args, **kwargs, epochs=EPOCHS, batch_size=BATCH, verbose=0)

        def predict(self, *args: Any, **kwargs: Any) -> Any:
            return super().predict(*args, **kwargs, verbose=0)

    def build(X: np.ndarray, y: np.ndarray, latent_dim: int, learning_rate: float) -> Any:
        inner = network(kind, latent_dim, learning_rate)
        errors = keras.ops.mean(keras.ops.square(inner.output - inner.input), axis=1, keepdims=True)
        model = Model(inner.input, errors)
        model.compile(keras.optimizers.Adam(learning_rate), "mae", jit_compile=False)
        return model

    estimator = keras.wrappers.SKLearnTransformer(build)
    settings = [{"latent_dim": latent, "learning_rate": rate} for latent, rate in product(LATENT, RATES)]
    return search(estimator, {"model_kwargs": settings}, rows(kind)[1], _by_errors, flat=True)


def search(
    estimator: Any, grid: dict[str, Any], X: np.ndarray, scoring: Any, *, flat: bool = False
) -> dict[str, float]:
    import keras

    keras.ops.zeros(1)  # the backend has started on all sides
    found = GridSearchCV(estimator, grid, cv=3, scoring=scoring, error_score="raise")
    target = None if scoring is None else np.zeros(len(X)) if flat else X
    return {"seconds": seconds(lambda: found.fit(X, target)), "mse": -float(found.best_score_)}


def _by_predictions(estimator: Any, X: np.ndarray, y: np.ndarray) -> float:
    return -float(np.mean(np.square(estimator.predict(X) - X)))


def _by_errors(estimator: Any, X: np.ndarray, y: np.ndarray) -> float:
    return -float(np.mean(estimator.transform(X)))


def main() -> None:
    parts = {"epoch": epoch, "ours": ours, "scikeras": scikeras, "keras_wrapper": keras_wrapper}
    if len(sys.argv) > 1:
        print(json.dumps(parts[sys.argv[1]](sys.argv[2])))
        return
    figures: dict[str, Any] = {"epoch": side(__file__, "epoch", "conv")}
    for kind in KINDS:
        sides = {name: side(__file__, name, kind) for name in parts if name != "epoch"}
        peers = {name: found["seconds"] for name, found in sides.items() if name != "ours" and "seconds" in found}
        faster = {f"times_faster_than_{name}": taken / sides["ours"]["seconds"] for name, taken in peers.items()}
        figures[f"search_{kind}"] = faster | sides
    report("autoencoder_speed", **figures)


if __name__ == "__main__":
    main()
