"""Exported estimators of eight kinds: their answers, their speed beside plain ONNX Runtime, and how they start.

Of each kind: the largest difference of answers from the estimator's on 500 samples, and whether labels are the same;
the time of one sample and of batches of 64, beside ONNX Runtime in the same session; then, each in a process of its
own, the time from the first import to the first answer and the peak of memory, of the predictor and of the estimator
that joblib loads. ``damaged``: changed copies of a file, each of which has to be refused. ``without``: a new
environment with the extra ``serve`` alone, and neither Keras nor scikit-learn, answers as the estimator does.

Run: ``python benchmarks/export.py [KIND ... | damaged [N] | without]`` (all kinds take about ten minutes).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from _data import cifar10, minilm_folder, sentiment
from _measure import in_any_order, peak_mb, ratio, report, side
from _mutations import DAMAGES, mutated
from sklearn.datasets import load_digits

N_FIT, N_TEST, BATCH, RUNS, N_DAMAGED = 100, 500, 64, 25, 10_000
ONE_EPOCH = {"epochs": 1, "random_state": 0}
SERVE_ALONE = ("onnxruntime", "numpy", "pillow", "tokenizers", "soundfile")
Samples = Sequence[Any]
Fitted = tuple[Any, Samples]


def pictures(**options: Any) -> Callable[[], Fitted]:
    def fit() -> Fitted:
        from skltransfer import TransferClassifier

        X, y, X_test, _ = cifar10()
        return TransferClassifier(image_size=64, **options).fit(X[:N_FIT], y[:N_FIT]), X_test[:N_TEST]

    return fit


def texts() -> Fitted:
    from skltransfer import TransferClassifier, load_backbone

    X, y = sentiment()["tweets"]
    order = np.random.default_rng(0).permutation(len(X))
    clf = TransferClassifier(load_backbone("minilm_l6", weights=minilm_folder()))
    known, other = order[:N_FIT], order[N_FIT : N_FIT + N_TEST]
    return clf.fit([X[i] for i in known], y[known]), [X[i] for i in other]


def sounds() -> Fitted:
    from _speech import digits

    from skltransfer import TransferClassifier

    train, test = digits()
    few = np.random.default_rng(0).permutation(len(train.paths))[:N_FIT]
    return TransferClassifier().fit(train.paths[few], train.words[few]), list(test.paths[:N_TEST])


def table() -> Fitted:
    from skltransfer import TransferClassifier

    X, y = load_digits(return_X_y=True)
    return TransferClassifier().fit(X[:N_FIT], y[:N_FIT]), X[N_FIT : N_FIT + N_TEST]


def autoencoder() -> Fitted:
    from skltransfer import AutoencoderTransformer

    X = cifar10()[0]
    return AutoencoderTransformer(latent_dim=32, **ONE_EPOCH).fit(X[:N_FIT]), X[N_FIT : N_FIT + N_TEST]


KINDS: dict[str, Callable[[], Fitted]] = {
    "frozen": pictures(),
    "fine-tuned": pictures(trainable=1, **ONE_EPOCH),
    "lora": pictures(trainable="lora", **ONE_EPOCH),
    "attention": pictures(head="attention", **ONE_EPOCH),
    "texts": texts,
    "sounds": sounds,
    "table": table,
    "autoencoder": autoencoder,
}


def start(what: str, folder: Path) -> dict[str, Any]:
    """Answer once, as a new process does."""
    sample, began = joblib.load(folder / "sample.joblib"), time.perf_counter()
    if what == "served":
        from skltransfer import serve

        model: Any = serve.load(folder / "model.onnx")
    else:
        model = joblib.load(folder / "model.joblib")
    answer(model)(sample)
    return {"seconds": round(time.perf_counter() - began, 2), "peak_mb": round(peak_mb())}


def answer(model: Any) -> Callable[[Samples], np.ndarray]:
    return model.predict_proba if hasattr(model, "predict_proba") else model.transform


def differences(fitted: Any, served: Any, X: Samples) -> dict[str, Any]:
    """Compare all answers."""
    names = [name for name in ("predict_proba", "transform", "reconstruct") if hasattr(fitted, name)]
    both = {name: (getattr(served, name)(X), getattr(fitted, name)(X)) for name in names}
    found: dict[str, Any] = {
        name: float(np.abs(np.subtract(one, other, dtype=float)).max()) for name, (one, other) in both.items()
    }
    if hasattr(fitted, "predict"):
        found["labels_that_differ"] = int(np.sum(served.predict(X) != fitted.predict(X)))
    return found


def speed(served: Any, X: Samples) -> dict[str, Any]:
    """Time the predictor beside its session, on a sample and on copies of it, as texts have lengths of their own.

    A second session on the same file would slow the next call of the first one, up to 1.8 times for batches.
    """
    plain = served._served.session
    output = "probabilities" if hasattr(served, "predict_proba") else "features"
    dtype = {"tensor(float)": "float32", "tensor(int32)": "int32"}.get(plain.get_inputs()[0].type, "float64")
    found: dict[str, Any] = {}
    for n_samples in (1, BATCH):
        some = [X[0]] * n_samples if isinstance(X, list) else X[:n_samples]
        raw = np.stack(served._served.prepared(some)).astype(dtype)
        actions = (lambda: answer(served)(some), lambda: plain.run([output], {"samples": raw}))  # noqa: B023
        prepared = (lambda: served._served.run_prepared(list(raw), [output]),)  # noqa: B023
        times = in_any_order(*actions, *prepared, runs=RUNS * (4 if n_samples == 1 else 1))
        found[f"ms_{n_samples}"] = [round(1000 * float(np.median(column)), 2) for column in times]
        found[f"ratio_{n_samples}"] = round(ratio(times[0], times[1]), 3)
        found[f"ratio_{n_samples}_of_prepared"] = round(ratio(times[2], times[1]), 3)
    return found


def one_kind(kind: str) -> None:
    from skltransfer import export, serve

    fitted, X = KINDS[kind]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        joblib.dump(fitted, folder / "model.joblib")
        joblib.dump(X[:1], folder / "sample.joblib")
        began = time.perf_counter()
        export.save(fitted, folder / "model.onnx")
        taken, megabytes = time.perf_counter() - began, (folder / "model.onnx").stat().st_size / 1e6
        served = serve.load(folder / "model.onnx")
        found = {"differences": differences(fitted, served, X), **speed(served, X)}
        starts = {what: side(__file__, "start", what, str(folder)) for what in ("served", "estimator")}
    shares = {key: starts["served"][key] / starts["estimator"][key] for key in ("seconds", "peak_mb")}
    about = {"export_s": round(taken, 1), "file_mb": round(megabytes, 1)}
    report("export", kind=kind, **about, **found, start=starts, start_shares=shares)


def damaged(n_damaged: int) -> None:
    """Count damaged copies, and those that are refused as such; the largest time and memory that one takes."""
    from skltransfer import export, serve

    fitted, _ = KINDS["frozen"]()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model.onnx"
        export.save(fitted, path)
        content, copy, slowest, before = path.read_bytes(), path.with_name("d.onnx"), 0.0, peak_mb()
        refused = unchanged = 0
        for seed in range(n_damaged):
            changed = mutated(content, DAMAGES[seed % len(DAMAGES)], seed)
            if changed == content:
                unchanged += 1
                continue
            copy.write_bytes(changed)
            began = time.perf_counter()
            try:
                serve.load(copy)
            except ValueError as error:
                refused += "is damaged" in str(error)
            slowest = max(slowest, time.perf_counter() - began)
    counts = {"damaged": n_damaged - unchanged, "refused": refused, "unchanged": unchanged}
    report("export", **counts, slowest_s=slowest, peak_grown_mb=peak_mb() - before)


ALONE = """
import importlib.util, json, sys
import numpy as np
from skltransfer import serve
model = serve.load(sys.argv[1])
found = model.predict_proba(np.load(sys.argv[2]))
np.save(sys.argv[3], found)
print(json.dumps([name for name in ("keras", "sklearn", "tensorflow") if importlib.util.find_spec(name)]))
"""


def without() -> None:
    """Answer in an environment of its own."""
    from skltransfer import export

    fitted, X = KINDS["frozen"]()
    root = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export.save(fitted, folder / "model.onnx")
        np.save(folder / "X.npy", X[:50])
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        python = str(folder / "venv" / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--no-deps", str(root)], check=True)
        subprocess.run([*pip, *SERVE_ALONE], check=True)
        paths = [str(folder / end) for end in ("model.onnx", "X.npy", "found.npy")]
        done = subprocess.run([python, "-c", ALONE, *paths], check=True, cwd=folder, capture_output=True, text=True)
        difference = float(np.abs(np.load(folder / "found.npy") - fitted.predict_proba(X[:50])).max())
    report("export", environment="serve alone", installed=json.loads(done.stdout), difference=difference)


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["start"]:
        print(json.dumps(start(arguments[1], Path(arguments[2]))))
    elif arguments[:1] == ["damaged"]:
        damaged(int(arguments[1]) if len(arguments) > 1 else N_DAMAGED)
    elif arguments == ["without"]:
        without()
    else:
        for kind in arguments or KINDS:
            one_kind(kind)


if __name__ == "__main__":
    main(sys.argv[1:])
