"""Networks made smaller: weights of 8 bits, channels taken out, and a small student with and without answers.

``int8``: EfficientNet-Lite0 is fitted to so many labels a class of CIFAR-10; then it is quantized, with training
images for calibration, and both are written to files. Of each: size, accuracy on test images, and images a second on
ONNX Runtime, one and 64 at a time, both sides in turn. ``texts``: the same of MiniLM on the sentiment sets, 50 labels a
class. ``students``: a ``small_cnn`` learns the same labels alone, and, from the classifier, also images without labels.
``prune``: a network fine-tuned on these labels loses channels, and is trained on to answer as before, on the same
images, and on others without labels as well; the same of both as files.

Run: ``python benchmarks/compression.py int8|texts|students|prune [LABELS] [N_TEST] [N_UNLABELED] [EPOCHS]`` (all
10,000 test images take ten minutes, 5,000 images without labels an hour).
"""

from __future__ import annotations

import pickle
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _data import SENTIMENT, cifar10, minilm_folder, sentiment
from _measure import in_turn, ratio, report

LABELS, N_TEST, N_UNLABELED, EPOCHS = 50, 10_000, 5_000, 30
BATCH = 64
SPARSITY = 0.4


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
        for kind, estimator in (("before", fitted), ("after", small)):
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
            for kind, own in zip(("before", "after"), times, strict=True):
                found[kind][f"images_s_{n_samples}"] = n_samples / float(np.median(own))
            found[f"speedup_{n_samples}"] = ratio(*times)
    found["smaller"] = found["before"]["file_mb"] / found["after"]["file_mb"]
    found["pickle_smaller"] = found["before"]["pickle_mb"] / found["after"]["pickle_mb"]
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


def drawn(labels: int, n_test: int, n_unlabeled: int) -> tuple[Any, np.ndarray, Any]:
    """Draw labeled images, others without labels, and images to test on."""
    X_train, y_train, X_test, y_test = cifar10()
    order = np.random.default_rng(0).permutation(len(X_train))
    chosen = np.concatenate([order[y_train[order] == label][:labels] for label in range(10)])
    rest = np.setdiff1d(order, chosen)[:n_unlabeled]
    return (X_train[chosen], y_train[chosen]), X_train[rest], (X_test[:n_test], y_test[:n_test])


def int8(labels: int, n_test: int, *_: int) -> dict[str, Any]:
    from skltransfer import TransferClassifier
    from skltransfer.compression import quantize

    (X, y), _, test = drawn(labels, n_test, 0)
    fitted = TransferClassifier(random_state=0).fit(X, y)
    return files(fitted, quantize(fitted, calibration=X[:: max(1, len(X) // 100)]), *test)


def texts(labels: int, n_test: int, *_: int) -> dict[str, Any]:
    """Compare both on each sentiment set."""
    from skltransfer import TransferClassifier, load_backbone
    from skltransfer.compression import quantize

    found = {}
    for name in SENTIMENT:
        X, y = sentiment()[name]
        order = np.random.default_rng(0).permutation(len(X))
        known = np.concatenate([order[y[order] == label][:labels] for label in np.unique(y)])
        other = np.setdiff1d(order, known)[:n_test]
        own, test = [X[i] for i in known], [X[i] for i in other]
        fitted = TransferClassifier(load_backbone("minilm_l6", weights=minilm_folder())).fit(own, y[known])
        found[name] = files(fitted, quantize(fitted, calibration=own), test, y[other])
    return found


def distilled(labels: int, n_test: int, n_unlabeled: int, epochs: int) -> dict[str, Any]:
    from skltransfer import TransferClassifier

    labeled, unlabeled, test = drawn(labels, n_test, n_unlabeled)
    fitted = TransferClassifier(random_state=0).fit(*labeled)
    return {"teacher": score(fitted, *test), **students(fitted, labeled, unlabeled, test, epochs)}


def pruned(labels: int, n_test: int, n_unlabeled: int, epochs: int) -> dict[str, Any]:
    """Compare a network that was fine-tuned with what is left of it, by labeled images alone and by more without."""
    from skltransfer import TransferClassifier
    from skltransfer.compression import prune

    labeled, unlabeled, test = drawn(labels, n_test, n_unlabeled)
    both = np.concatenate([labeled[0], unlabeled]), np.concatenate([labeled[1], np.full(len(unlabeled), -1)])
    options = {"trainable": "all", "image_size": 96, "learning_rate": 3e-4, "augmentation": "flip_shift"}
    fitted = TransferClassifier(epochs=epochs, random_state=0, **options).fit(*labeled)
    return {
        "labeled": files(fitted, prune(fitted, *labeled, sparsity=SPARSITY, epochs=10), *test),
        "labeled and unlabeled": files(fitted, prune(fitted, *both, sparsity=SPARSITY, epochs=5), *test),
    }


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "int8": int8, "texts": texts, "students": distilled, "prune": pruned,
}  # fmt: skip


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[2:]]
    numbers = (*given, *(LABELS, N_TEST, N_UNLABELED, EPOCHS)[len(given) :])
    about = {"part": sys.argv[1], "numbers": numbers, "instructions": instructions()}
    report("compression", **about, **PARTS[sys.argv[1]](*numbers))
