"""EfficientNet-Lite0 on CIFAR-10, smaller: weights of 8 bits, and a small student with and without its answers.

A classifier is fitted to 50 labels a class; then it is quantized, with its training images for calibration, and both
are written to files. Of each: size, accuracy on test images, and images a second on ONNX Runtime, one and 64 at a time,
both sides in turn. A ``small_cnn`` learns the same labels alone, and, from the classifier, also images without labels.

Run: ``python benchmarks/compression.py [N_TEST] [N_UNLABELED] [EPOCHS]`` (all 10,000 test images and 5,000 without
labels take an hour; ``500 1000 5`` takes some minutes).
"""

from __future__ import annotations

import pickle
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _data import cifar10
from _measure import in_turn, ratio, report

N_TEST, N_UNLABELED, EPOCHS = 10_000, 5_000, 30
LABELS_A_CLASS = 50
BATCH = 64


def instructions() -> list[str]:
    """Name what the processor has for products of bytes."""
    path = Path("/proc/cpuinfo")
    flags = set(path.read_text().split()) if path.exists() else set()
    return [name for name in ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8") if name in flags]


def score(model: Any, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Accuracy, and its standard error."""
    share = float(np.mean(np.concatenate([model.predict(X[i : i + 500]) for i in range(0, len(X), 500)]) == y))
    return {"accuracy": share, "error": float(np.sqrt(share * (1 - share) / len(y)))}


def files(fitted: Any, small: Any, X: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Compare both as files on ONNX Runtime."""
    from skltransfer import export, serve

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        served = []
        for kind, estimator in (("float32", fitted), ("int8", small)):
            path = Path(name) / f"{kind}.onnx"
            export.save(estimator, path)
            served.append(serve.load(path, n_threads=1))
            found[kind] = {
                "file_mb": path.stat().st_size / 1e6,
                "pickle_mb": len(pickle.dumps(estimator)) / 1e6,
                **score(served[-1], X, y),
            }
        for n_samples in (1, BATCH):
            calls = [lambda model=model: model.predict(X[:n_samples]) for model in served]  # noqa: B023
            times = in_turn(*calls, runs=15)
            for kind, own in zip(("float32", "int8"), times, strict=True):
                found[kind][f"images_s_{n_samples}"] = n_samples / float(np.median(own))
            found[f"speedup_{n_samples}"] = ratio(*times)
    found["smaller"] = found["float32"]["file_mb"] / found["int8"]["file_mb"]
    found["pickle_smaller"] = found["float32"]["pickle_mb"] / found["int8"]["pickle_mb"]
    return found


def students(fitted: Any, labeled: Any, unlabeled: np.ndarray, test: Any, epochs: int) -> dict[str, Any]:
    """Train a small network on labels alone, on labels and answers, and on answers to more images."""
    from sklearn.frozen import FrozenEstimator

    from skltransfer import TransferClassifier
    from skltransfer.compression import DistillationClassifier

    X, y = labeled
    student = TransferClassifier("small_cnn", epochs=epochs, augmentation="flip_shift", random_state=0)
    distillation = DistillationClassifier(FrozenEstimator(fitted), student)
    both, known = np.concatenate([X, unlabeled]), np.concatenate([y, np.full(len(unlabeled), -1)])
    steps = len(both) // len(X)
    alone = student.set_params(epochs=epochs * steps).fit(X, y)
    found = {"labels": score(alone, *test)}
    found["labels and answers"] = score(distillation.set_params(student__epochs=epochs * steps).fit(X, y), *test)
    distilled = distillation.set_params(student__epochs=epochs).fit(both, known)
    found["and more images"] = score(distilled, *test)
    share = distilled.student_.backbone_.n_parameters / fitted.backbone_.n_parameters
    return {"share_of_weights": share, **found}


def main(n_test: int, n_unlabeled: int, epochs: int) -> None:
    from skltransfer import TransferClassifier
    from skltransfer.compression import quantize

    X_train, y_train, X_test, y_test = cifar10()
    random = np.random.default_rng(0)
    order = random.permutation(len(X_train))
    chosen = np.concatenate([order[y_train[order] == label][:LABELS_A_CLASS] for label in range(10)])
    rest = np.setdiff1d(order, chosen)[:n_unlabeled]
    test = X_test[:n_test], y_test[:n_test]
    labeled = X_train[chosen], y_train[chosen]
    fitted = TransferClassifier(random_state=0).fit(*labeled)
    small = quantize(fitted, calibration=labeled[0][::5])
    about = {"n_test": n_test, "instructions": instructions()}
    report("compression", **about, estimator=score(fitted, *test), int8_weights=score(small, *test))
    report("compression", **about, **files(fitted, small, *test))
    report("compression", **about, n_unlabeled=len(rest), **students(fitted, labeled, X_train[rest], test, epochs))


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *(N_TEST, N_UNLABELED, EPOCHS)[len(given) :])
