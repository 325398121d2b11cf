"""An exported classifier: the predictor beside plain ONNX Runtime, and its start beside that of the estimator.

One prediction at a time and batches of 64, both sides in turn on the same graph; then, each in a process of its own,
the time from the first import to the first answer and the peak of memory, of the predictor and of the estimator that
joblib loads; then damaged copies of the file, each of which has to be refused.

Run: ``python benchmarks/export.py [n_damaged]`` (about two minutes).
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _measure import in_turn, peak_mb, ratio, report, side
from _mutations import DAMAGES, mutated

N_DAMAGED = 2000
BATCH = 64


def start(what: str, folder: Path) -> dict[str, Any]:
    """Answer once, as a new process does."""
    images, began = np.load(folder / "images.npy"), time.perf_counter()
    if what == "served":
        from skltransfer import serve

        model = serve.load(folder / "clf.onnx")
    else:
        import joblib

        model = joblib.load(folder / "clf.joblib")
    model.predict(images[:1])
    return {"seconds": round(time.perf_counter() - began, 2), "peak_mb": round(peak_mb())}


def damaged(path: Path, n_damaged: int) -> dict[str, int]:
    """Count damaged copies, and those that are refused as such."""
    from skltransfer import serve

    content, copy, refused = path.read_bytes(), path.with_name("damaged.onnx"), 0
    for seed in range(n_damaged):
        copy.write_bytes(mutated(content, DAMAGES[seed % len(DAMAGES)], seed))
        try:
            serve.load(copy)
        except ValueError as error:
            refused += "is damaged" in str(error)
    return {"damaged": n_damaged, "refused": refused}


def main(n_damaged: int) -> None:
    import joblib
    import onnxruntime

    from skltransfer import TransferClassifier, export, serve
    from skltransfer.datasets import load_fashion_sample

    sample = load_fashion_sample()
    fitted = TransferClassifier().fit(sample.images[::2], sample.target[::2])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = sample.images[1::2][:BATCH]
        joblib.dump(fitted, folder / "clf.joblib")
        np.save(folder / "images.npy", images)
        began = time.perf_counter()
        export.save(fitted, folder / "clf.onnx")
        found: dict[str, Any] = {"export_s": round(time.perf_counter() - began, 1)}
        found["file_mb"] = round((folder / "clf.onnx").stat().st_size / 1e6, 1)
        served, plain = serve.load(folder / "clf.onnx"), onnxruntime.InferenceSession(folder / "clf.onnx")
        found["difference"] = float(np.abs(served.predict_proba(images) - fitted.predict_proba(images)).max())
        for n_samples in (1, BATCH):
            X = images[:n_samples]
            raw = X[..., None].astype("float32")
            ours, theirs = in_turn(
                lambda X=X: served.predict_proba(X),  # type: ignore[misc]
                lambda raw=raw: plain.run(["probabilities"], {"samples": raw}),  # type: ignore[misc]
                runs=15,
            )
            found[f"ms_{n_samples}"] = [round(1000 * float(np.median(times)), 2) for times in (ours, theirs)]
            found[f"ratio_{n_samples}"] = round(ratio(ours, theirs), 3)
        for what in ("served", "estimator"):
            found[f"start_{what}"] = side(__file__, what, str(folder))
        report("export", **found, **damaged(folder / "clf.onnx", n_damaged))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(start(sys.argv[1], Path(sys.argv[2]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else N_DAMAGED)
