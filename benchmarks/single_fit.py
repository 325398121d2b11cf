"""One fit of a whole network, and predict on one row and on many: ours beside hand-written Keras.

Fit: the same pictures, batches of 32, AdamW, the network's normalisations in inference mode; ours starts
from a random head, as the hand-written model does. ``warm`` compares further fits of compiled networks,
in turn in one process; ``cold`` a first fit in a process of its own, tracing included. Predict: ours,
from bytes and with all its checks, beside the bare network called on batches made ready before.

Run: ``python benchmarks/single_fit.py`` (about 8 minutes).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from _data import cifar10
from _measure import in_turn, ratio, report, seconds, side

ROWS, EPOCHS, BATCH = {"small_cnn": 2048, "efficientnet_lite0": 256}, {"small_cnn": 3, "efficientnet_lite0": 2}, 32
SIZE = {"small_cnn": 32, "efficientnet_lite0": 96}


def network(name: str) -> Any:
    from skltransfer import load_backbone

    own = {"input_shape": (32, 32, 3), "random_state": 0} if name == "small_cnn" else {}
    return load_backbone(name, **own)


def classifier(name: str) -> Any:
    from skltransfer import TransferClassifier

    return TransferClassifier(
        network(name), trainable="all", epochs=EPOCHS[name], batch_size=BATCH, image_size=SIZE[name],
        solve_head=False, random_state=0,
    )  # fmt: skip


def hand_written(name: str) -> Callable[[np.ndarray, np.ndarray], Any]:
    """Return a fit that a Keras user would write, compiled once and set back before each fit."""
    import keras

    backbone = network(name)
    body = backbone.to_keras()
    x = inputs = keras.Input((32, 32, 3))
    x = (x - np.float32(backbone.mean[0])) / np.float32(backbone.std[0])
    if SIZE[name] != 32:
        x = keras.layers.Resizing(SIZE[name], SIZE[name])(x)
    x = body(x, training=False)
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(10)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-4), loss, jit_compile=False)
    start = model.get_weights()

    def fit(X: np.ndarray, y: np.ndarray) -> Any:
        model.set_weights(start)
        return model.fit(X, y, batch_size=BATCH, epochs=EPOCHS[name], verbose=0)

    return fit


def pictures(rows: int) -> tuple[np.ndarray, np.ndarray]:
    X, y, _, _ = cifar10()
    return X[:rows], y[:rows]


def cold(name: str, who: str) -> dict[str, float]:
    X, y = pictures(ROWS[name])
    fit = classifier(name).fit if who == "ours" else hand_written(name)
    return {"seconds": seconds(lambda: fit(X, y))}


def warm(name: str) -> dict[str, float]:
    X, y = pictures(ROWS[name])
    ours, theirs = classifier(name), hand_written(name)
    times = in_turn(lambda: ours.fit(X, y), lambda: theirs(X, y), runs=7)
    return {
        "ours_seconds": float(np.median(times[0])),
        "keras_seconds": float(np.median(times[1])),
        "ours_over_keras": ratio(times[0], times[1]),
    }


def predict(name: str) -> dict[str, float]:
    """Predict by a fine-tuned network, which remembers nothing, so each call computes."""
    import keras

    X, y = pictures(10_000)
    fitted = classifier(name).fit(X[:64], y[:64])
    bare = fitted.backbone_.to_keras()
    bare = bare if len(bare.outputs[0].shape) == 2 else keras.Model(
        bare.inputs, keras.layers.GlobalAveragePooling2D()(bare.outputs[0])
    )  # fmt: skip
    mean, std = np.float32(fitted.backbone_.mean[0]), np.float32(fitted.backbone_.std[0])
    rows = 10_000 if name == "small_cnn" else 2_000
    ready = [
        (np.array(keras.ops.image.resize(X[i : i + BATCH].astype("float32"), (SIZE[name],) * 2)) - mean) / std
        for i in range(0, rows, BATCH)
    ]

    def one(action: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: [action() for _ in range(50)]

    single = in_turn(one(lambda: fitted.predict(X[:1])), one(lambda: bare.predict_on_batch(ready[0][:1])), runs=7)
    many = in_turn(lambda: fitted.predict(X[:rows]), lambda: [bare.predict_on_batch(batch) for batch in ready], runs=7)
    return {
        "one_row_ms": float(np.median(single[0])) * 20,
        "one_row_over_bare": ratio(*single),
        "many_rows": rows,
        "many_rows_over_bare": ratio(*many),
    }


def main() -> None:
    if len(sys.argv) > 1:
        what, name, *who = sys.argv[1:]
        print(json.dumps({"cold": cold, "warm": warm, "predict": predict}[what](name, *who)))
        return
    figures: dict[str, Any] = {}
    for name in ROWS:
        ours, theirs = ([side(__file__, "cold", name, who)["seconds"] for _ in range(3)] for who in ("ours", "keras"))
        figures[name] = {
            "fit_warm": side(__file__, "warm", name),
            "fit_cold": {"ours_seconds": float(np.median(ours)), "ours_over_keras": ratio(ours, theirs)},
            "predict": side(__file__, "predict", name),
        }
    report("single_fit", **figures)


if __name__ == "__main__":
    main()
