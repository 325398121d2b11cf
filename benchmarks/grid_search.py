"""A grid search over a frozen network: ours, SciKeras and Keras' own wrapper doing the same.

480 CIFAR-10 pictures seen at 96 px by EfficientNet-Lite0; 4 values x 3 folds and a refit. Ours
searches the strength of the solved head; the wrappers hold the frozen network inside the model and
train its head for 5 epochs at 4 learning rates. The unit is a forward pass: plain Keras
``predict_on_batch`` of the same network over the 480 pictures, in the same process as ours.
Each side runs in a process of its own; ours with the default features and with those of the last stage alone, each by
Keras' backend and by ONNX Runtime, which converts the network in the first search of a process.

Run: ``python benchmarks/grid_search.py`` (needs ``scikeras`` and the extra ``export``; about 5 minutes).
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from _data import cifar10
from _measure import in_turn, ratio, report, resident_mb, seconds, side

SIZE, ROWS, FOLDS = 96, 480, 3
C = [0.001, 0.01, 0.1, 1.0]
RATES = [1e-4, 3e-4, 1e-3, 3e-3]


def pictures() -> tuple[np.ndarray, np.ndarray]:
    X, y, _, _ = cifar10()
    chosen = np.concatenate([np.flatnonzero(y == label)[: ROWS // 10] for label in range(10)])
    chosen = np.random.default_rng(0).permutation(chosen)
    return X[chosen], y[chosen]


def ready(X: np.ndarray) -> np.ndarray:
    """Pictures resized and normalised, as the bare network takes them."""
    import keras

    return (np.array(keras.ops.image.resize(X.astype("float32"), (SIZE, SIZE))) - 127) / 128


def bare_network():
    import keras

    from skltransfer import load_backbone

    network = load_backbone("efficientnet_lite0").to_keras()
    return keras.Model(network.inputs, keras.layers.GlobalAveragePooling2D()(network.outputs[0]))


OURS = {
    "ours": {},
    "ours_last_stage": {"features": "last"},
    "ours_onnxruntime": {"runtime": "onnxruntime"},
    "ours_last_stage_onnxruntime": {"features": "last", "runtime": "onnxruntime"},
}
"""Parameters, beside the defaults."""


def ours(**parameters: Any) -> dict:
    from sklearn.model_selection import GridSearchCV

    from skltransfer import TransferClassifier
    from skltransfer._features import cache as feature_cache
    from skltransfer._heads import choice, span

    X, y = pictures()
    network, inputs, searches = bare_network(), ready(X), []

    def one_pass() -> None:
        for start in range(0, ROWS, 32):
            network.predict_on_batch(inputs[start : start + 32])

    def forget() -> None:
        feature_cache.process_store.clear()
        span.decompositions.clear()
        choice.choices.clear()

    def search() -> None:
        forget()
        clf = TransferClassifier(image_size=SIZE, **parameters)
        searches.append(GridSearchCV(clf, {"C": C}, cv=FOLDS).fit(X, y))

    def fit(**options: Any) -> None:
        forget()
        TransferClassifier(image_size=SIZE, **options).fit(X, y)

    one_pass()
    before = resident_mb()
    first = seconds(search)
    passes, times = in_turn(one_pass, search, runs=7)
    last, default = in_turn(lambda: fit(features="last", C=0.1), lambda: fit(**parameters), runs=7)
    return {
        "seconds": float(np.median(times)),
        "seconds_of_the_first": first,
        "pass_seconds": float(np.median(passes)),
        "passes": ratio(times, passes),
        "one_fit_over_that_of_the_last_stage": ratio(default, last),
        "memory_growth_mb": resident_mb() - before,
        "accuracy": float(searches[-1].best_score_),
    }


def frozen_model(learning_rate: float = 1e-3):
    import keras

    body = bare_network()
    body.trainable = False
    inputs = keras.Input((SIZE * SIZE * 3,))
    x = body(keras.layers.Reshape((SIZE, SIZE, 3))(inputs), training=False)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", jit_compile=False)
    return model


def scikeras_estimator():
    from scikeras.wrappers import KerasClassifier

    return KerasClassifier(frozen_model, learning_rate=1e-3, epochs=5, batch_size=32, verbose=0), "learning_rate"


def keras_estimator():
    import keras

    def build(X, y, learning_rate: float = 1e-3):
        model = frozen_model(learning_rate)
        model.compile(model.optimizer, "categorical_crossentropy", jit_compile=False)
        return model

    fit = {"epochs": 5, "batch_size": 32, "verbose": 0}
    return keras.wrappers.SKLearnClassifier(build, model_kwargs={"learning_rate": 1e-3}, fit_kwargs=fit), "model_kwargs"


def wrapper(name: str) -> dict:
    from sklearn.model_selection import GridSearchCV

    X, y = pictures()
    inputs = ready(X).reshape(ROWS, -1)
    bare_network().predict_on_batch(inputs[:32].reshape(-1, SIZE, SIZE, 3))
    estimator, parameter = {"scikeras": scikeras_estimator, "keras": keras_estimator}[name]()
    values = RATES if parameter == "learning_rate" else [{"learning_rate": rate} for rate in RATES]
    search = GridSearchCV(estimator, {parameter: values}, cv=FOLDS, error_score="raise")
    before = resident_mb()
    taken = seconds(lambda: search.fit(inputs, y))
    return {"seconds": taken, "memory_growth_mb": resident_mb() - before, "accuracy": float(search.best_score_)}


def main() -> None:
    if len(sys.argv) > 1:
        name = sys.argv[1]
        print(json.dumps(ours(**OURS[name]) if name in OURS else wrapper(name)))
        return
    sides = {name: side(__file__, name) for name in (*OURS, "scikeras", "keras")}
    peers = {name: found["seconds"] for name, found in sides.items() if name not in OURS and "seconds" in found}
    faster = {f"times_faster_than_{name}": taken / sides["ours"]["seconds"] for name, taken in peers.items()}
    report("grid_search", **faster, **sides)


if __name__ == "__main__":
    main()
