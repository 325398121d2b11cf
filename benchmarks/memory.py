"""A hundred fits in one process: resident memory after the 100th fit beside that after the 10th.

The small network on 256 CIFAR-10 pictures, 2 epochs and a prediction: ours, fresh Keras models with
and without ``clear_session``, and SciKeras. Each side runs in a process of its own.

Run: ``python benchmarks/memory.py`` (needs ``scikeras``; about 10 minutes).
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from _data import cifar10
from _measure import report, resident_mb, seconds, side

FITS, ROWS, EPOCHS = 100, 256, 2


def model() -> Any:
    import keras

    from skltransfer.backbones._builders import small_cnn

    body = small_cnn((32, 32, 3))
    built = keras.Model(body.inputs, keras.layers.Dense(10, activation="softmax", name="classes")(body.outputs[0]))
    built.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    return built


def once(name: str) -> Callable[[np.ndarray, np.ndarray], Any]:
    import keras

    def ours(X: np.ndarray, y: np.ndarray) -> None:
        from skltransfer import TransferClassifier

        TransferClassifier("small_cnn", epochs=EPOCHS, random_state=0).fit(X, y).predict(X)

    def fresh(X: np.ndarray, y: np.ndarray) -> None:
        new = model()
        new.fit(X / np.float32(255), y, epochs=EPOCHS, verbose=0)
        new.predict(X / np.float32(255), verbose=0)

    def cleared(X: np.ndarray, y: np.ndarray) -> None:
        keras.backend.clear_session()
        fresh(X, y)

    def scikeras(X: np.ndarray, y: np.ndarray) -> None:
        from scikeras.wrappers import KerasClassifier

        KerasClassifier(model, epochs=EPOCHS, verbose=0).fit(X / np.float32(255), y).predict(X / np.float32(255))

    return {"ours": ours, "fresh_models": fresh, "clear_session": cleared, "scikeras": scikeras}[name]


def run(name: str) -> dict[str, float]:
    X, y, _, _ = cifar10()
    fit, after, times = once(name), {}, []
    for number in range(1, FITS + 1):
        times.append(seconds(lambda: fit(X[:ROWS], y[:ROWS])))
        if number in (10, FITS):
            gc.collect()
            after[number] = resident_mb()
    return {
        "after_10_mb": after[10],
        "after_100_mb": after[FITS],
        "after_100_over_10": after[FITS] / after[10],
        "seconds_a_fit": float(np.median(times)),
    }


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(run(sys.argv[1])))
        return
    report("memory", **{name: side(__file__, name) for name in ("ours", "fresh_models", "clear_session", "scikeras")})


if __name__ == "__main__":
    main()
