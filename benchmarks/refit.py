"""A search over how a network is fine-tuned: ours, SciKeras and hand-written Keras doing the same.

480 CIFAR-10 pictures seen at 96 px by EfficientNet-Lite0, of which the last 2 stages move; 3 learning rates x
2 decays of the rate from stage to stage x 3 folds and a refit, 19 fits, and one fit before them, 5 epochs each,
batches of 32. The peers hold the frozen part inside the model, as their users do; the decay is a
`MultiOptimizer`. Each side runs in a process of its own. ``second_fit_over_steps`` is a further fit of ours
beside its bare training steps, on batches that lie ready.

Run: ``python benchmarks/refit.py`` (needs ``scikeras``; about 20 minutes).
"""

from __future__ import annotations

import json
import sys
from itertools import product
from typing import Any

import numpy as np
from _measure import in_turn, ratio, report, seconds, side
from grid_search import SIZE, pictures, ready

RATES, DECAYS, FOLDS, EPOCHS, STAGES = (1e-4, 3e-4, 1e-3), (0.5, 1.0), 3, 5, 2


def ours() -> dict[str, Any]:
    from sklearn.model_selection import GridSearchCV

    from skltransfer import TransferClassifier

    X, y = pictures()
    estimator = TransferClassifier(
        trainable=STAGES, image_size=SIZE, epochs=EPOCHS, batch_size=32, schedule="constant", warmup=0.0, random_state=0
    )
    grid = {"learning_rate": list(RATES), "layer_decay": list(DECAYS)}
    search = GridSearchCV(estimator, grid, cv=FOLDS)
    first = seconds(lambda: estimator.fit(X, y))
    searching = seconds(lambda: search.fit(X, y))
    return {
        "seconds": first + searching,
        "first_fit_seconds": first,
        "accuracy": float(search.best_score_),
        **second_fit(estimator, X, y),
    }


def second_fit(estimator: Any, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Time a further fit and the steps that it takes, in turn."""
    from skltransfer._engine.trainer import CompiledNetwork

    taken: list[tuple[Any, Any]] = []
    original = CompiledNetwork.steps

    def noted(self: Any, *step: np.ndarray) -> np.ndarray:
        taken.append((self, step))
        return original(self, *step)

    CompiledNetwork.steps = noted
    estimator.fit(X, y)
    CompiledNetwork.steps = original
    steps = list(taken)
    fits, bare = in_turn(
        lambda: estimator.fit(X, y), lambda: [original(network, *step) for network, step in steps], runs=7
    )
    return {"second_fit_seconds": float(np.median(fits)), "second_fit_over_steps": ratio(fits, bare)}


def tuned_model(learning_rate: float = 1e-3, layer_decay: float = 1.0) -> Any:
    """Build the network as a Keras user would: the last two stages and a new head move, at rates of their own."""
    import keras

    from skltransfer import load_backbone
    from skltransfer.backbones._cutting import weight_depths

    backbone = load_backbone("efficientnet_lite0")
    body = backbone.to_keras()
    depth = dict(zip((weight.path for weight in body.weights), weight_depths(backbone), strict=True))
    for layer in body.layers:
        layer.trainable = any(depth[weight.path] < STAGES for weight in layer.weights)
    inputs = keras.Input((SIZE * SIZE * 3,))
    x = body(keras.layers.Reshape((SIZE, SIZE, 3))(inputs), training=False)
    x = keras.layers.Dense(10, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, x)
    rates = [keras.optimizers.Adam(learning_rate * layer_decay**power) for power in range(STAGES + 1)]
    optimizer = keras.optimizers.MultiOptimizer(lambda variable: rates[depth.get(variable.path, -1) + 1])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    return model


def scikeras() -> dict[str, Any]:
    from scikeras.wrappers import KerasClassifier
    from sklearn.model_selection import GridSearchCV

    X, y = pictures()
    inputs = ready(X).reshape(len(X), -1)
    estimator = KerasClassifier(
        tuned_model, learning_rate=1e-3, layer_decay=1.0, epochs=EPOCHS, batch_size=32, verbose=0
    )
    grid = {"learning_rate": list(RATES), "layer_decay": list(DECAYS)}
    search = GridSearchCV(estimator, grid, cv=FOLDS, error_score="raise")
    taken = seconds(lambda: estimator.fit(inputs, y)) + seconds(lambda: search.fit(inputs, y))
    return {"seconds": taken, "accuracy": float(search.best_score_)}


def keras_loop() -> dict[str, Any]:
    import keras
    from sklearn.model_selection import StratifiedKFold

    X, y = pictures()
    inputs = ready(X).reshape(len(X), -1)
    scores: dict[tuple[float, float], list[float]] = {}

    def fit(rows: np.ndarray, rate: float, decay: float) -> Any:
        keras.backend.clear_session()
        model = tuned_model(rate, decay)
        model.fit(inputs[rows], y[rows], batch_size=32, epochs=EPOCHS, verbose=0)
        return model

    def search() -> None:
        everything = np.arange(len(y))
        fit(everything, RATES[0], DECAYS[0])
        for rate, decay in product(RATES, DECAYS):
            for train, test in StratifiedKFold(FOLDS).split(inputs, y):
                right = fit(train, rate, decay).evaluate(inputs[test], y[test], batch_size=32, verbose=0)[1]
                scores.setdefault((rate, decay), []).append(right)
        fit(everything, *max(scores, key=lambda key: np.mean(scores[key])))

    taken = seconds(search)
    return {"seconds": taken, "accuracy": float(max(np.mean(values) for values in scores.values()))}


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps({"ours": ours, "scikeras": scikeras, "keras_loop": keras_loop}[sys.argv[1]]()))
        return
    sides = {name: side(__file__, name) for name in ("ours", "scikeras", "keras_loop")}
    faster = {
        f"times_faster_than_{name}": figures["seconds"] / sides["ours"]["seconds"]
        for name, figures in sides.items()
        if name != "ours" and "seconds" in figures
    }
    report("refit", **faster, **sides)


if __name__ == "__main__":
    main()
