"""adapt's deep methods on the networks of the benchmark, in Keras."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
from keras import layers

from skltransfer._engine.schedules import rate_factor

METHODS = {"coral": "DeepCORAL", "dann": "DANN", "cdan_e": "CDAN", "mdd": "MDD"}
"""By the names of the same methods here."""


class Peer:
    """One method of adapt, trained as ours is: Adam with the same learning rates, batches and epochs."""

    def __init__(
        self, method: str, net: keras.Model, hidden: tuple[int, ...], n_classes: int, *, seed: int, **training: Any
    ) -> None:
        self.method, self.net, self.hidden, self.n_classes, self.seed = method, net, hidden, n_classes, seed
        self.training = training

    def fit(self, X_source: np.ndarray, y_source: np.ndarray, X_target: np.ndarray) -> Peer:
        from adapt import feature_based

        keras.utils.set_random_seed(self.seed)
        epochs, batch_size = self.training["epochs"], self.training["batch_size"]
        n_steps = epochs * -(-max(len(X_source), len(X_target)) // batch_size)
        encoder = keras.Sequential([self.net, *(layers.Dense(units, activation="relu") for units in self.hidden)])
        task = keras.Sequential([layers.Input((self.hidden[-1],)), layers.Dense(self.n_classes, activation="softmax")])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.fitted = getattr(feature_based, METHODS[self.method])(
                encoder, task, Xt=rows(X_target), loss="categorical_crossentropy", random_state=self.seed, verbose=0,
                optimizer=keras.optimizers.Adam(), optimizer_enc=keras.optimizers.Adam(),
                optimizer_disc=keras.optimizers.Adam(),
            )  # fmt: skip
            labels = np.eye(self.n_classes, dtype=np.float32)[y_source]
            rates = Rates(self.training["learning_rate"], n_steps)
            self.fitted.fit(rows(X_source), labels, epochs=epochs, batch_size=batch_size, verbose=0, callbacks=[rates])
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.fitted.predict(rows(X), verbose=0))


class Rates(keras.callbacks.Callback):
    """Learning rates step by step, of all three optimizers, which adapt makes anew from numbers alone."""

    def __init__(self, largest: float, n_steps: int) -> None:
        super().__init__()
        self.largest, self.n_steps, self.step = largest, n_steps, 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        rate = self.largest * rate_factor("cosine", min((self.step + 0.5) / self.n_steps, 1.0), 0.1)
        for optimizer in (self.model.optimizer, self.model.optimizer_enc, self.model.optimizer_disc):
            optimizer.learning_rate.assign(rate)
        self.step += 1


def rows(X: np.ndarray) -> np.ndarray:
    """Pictures from -1 to 1; features as they are."""
    return (X.astype(np.float32) - 127.5) / 127.5 if X.ndim == 4 else X
