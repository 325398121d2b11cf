"""Read 10,000 files that were changed at random: how many are refused, and what the worst one costs.

Models (8,000), features in a folder (1,000) and checkpoints (1,000); then as many files of fitted estimators.

python benchmarks/mutated_files.py [number of files] [models features checkpoints estimators]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _mutations import DAMAGES, KINDS, SAVED_KINDS, mutated, mutated_saved

from skltransfer import TransferClassifier, load, load_backbone, save
from skltransfer._engine.checkpoint import Checkpoint
from skltransfer._features.cache import FolderStore, ProcessStore
from skltransfer._utils.hashing import content_hash

SECONDS, BYTES = 5.0, 1e9
"""A file may take so long, and all together may raise the peak of memory by so much."""

ROWS = {content_hash(str(i)): np.full(20, i, np.float32) for i in range(5)}
STATE = {"weights": [np.arange(12.0).reshape(3, 4), np.ones(3, np.float32)], "head": [np.zeros(4)]}, {"epoch": 3}


def models(folder: Path) -> tuple[Path, Callable[[], str], tuple[str, ...]]:
    """Write a model; say how it is read, and how it may be changed."""
    backbone = load_backbone("small_resnet", input_shape=(8, 8, 1), random_state=0)
    path = folder / "n.safetensors"
    backbone.save(path)

    def read() -> str:
        try:
            return "same" if load_backbone(path) == backbone else "other"
        except OSError:
            return "refused"

    return path, read, KINDS


def features(folder: Path) -> tuple[Path, Callable[[], str], tuple[str, ...]]:
    """Write features of samples, likewise."""
    space = content_hash("space")
    FolderStore(folder, ProcessStore(2**20)).keep(space, ROWS)
    (path,) = folder.rglob("*.features")

    def read() -> str:
        found = FolderStore(folder, ProcessStore(2**20)).find(space, list(ROWS))
        if any(not np.array_equal(row, ROWS[digest]) for digest, row in found.items()):
            return "other"
        return "same" if len(found) == len(ROWS) else "refused"

    return path, read, DAMAGES


def checkpoints(folder: Path) -> tuple[Path, Callable[[], str], tuple[str, ...]]:
    """Write the state of a training, likewise."""
    saved = Checkpoint(folder, "key")
    saved.save(*STATE)
    whole = repr(saved.load())

    def read() -> str:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The checkpoint .* cannot be read", UserWarning)
            found = saved.load()
        return "refused" if found is None else "same" if repr(found) == whole else "other"

    return saved.path, read, DAMAGES


def estimators(folder: Path) -> tuple[Path, Callable[[], str], tuple[str, ...]]:
    """Write a fitted estimator, likewise; it answers as well."""
    random = np.random.default_rng(0)
    X, y = random.normal(size=(30, 3)), np.arange(30) % 3
    clf = TransferClassifier("mlp", epochs=1, random_state=0).fit(X, np.array(["a", "b", "c"])[y])
    path, whole = folder / "a.skltransfer", clf.predict_proba(X)
    save(clf, path)

    def read() -> str:
        try:
            again = load(path)
        except ValueError:
            return "refused"
        return "same" if np.array_equal(again.predict_proba(X), whole) else "other"

    return path, read, SAVED_KINDS


FILES: tuple[tuple[Callable[..., Any], float, Callable[..., bytes]], ...] = (
    (models, 0.8, mutated),
    (features, 0.1, mutated),
    (checkpoints, 0.1, mutated),
    (estimators, 1.0, mutated_saved),
)


def main(n_files: int = 10_000, names: Sequence[str] = ()) -> None:
    """Print a table by kind of change; exit with 1 where something else than an error of ours comes out."""
    found, wrong, slowest, grown = Counter[tuple[str, str, str]](), 0, 0.0, 0
    for write, share, change in FILES:
        if names and write.__name__ not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path, read, kinds = write(Path(folder))
            content = path.read_bytes()
            read()
            before = _peak()
            for number in range(round(share * n_files)):
                kind = kinds[number % len(kinds)]
                path.write_bytes(change(content, kind, number))
                outcome, seconds = _timed(read)
                slowest = max(slowest, seconds)
                found[write.__name__, kind, outcome] += 1
                lie = kind not in DAMAGES
                if outcome not in ("same", "refused", *(["other"] if lie else [])) or seconds > SECONDS:
                    wrong += 1
                    print(write.__name__, kind, number, outcome, f"{seconds:.1f} s", flush=True)
            grown = max(grown, _peak() - before)
    for (what, kind, outcome), n in sorted(found.items()):
        print(f"{what:12} {kind:8} {outcome:20} {n:6}")
    print(f"longest {slowest:.1f} s, the peak of memory by {grown / 1e6:.0f} MB, {wrong} wrong outcomes")
    if wrong or grown > BYTES:
        sys.exit(1)


def _timed(read: Callable[[], str]) -> tuple[str, float]:
    started = time.perf_counter()
    try:
        outcome = read()
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"[:80]
    return outcome, time.perf_counter() - started


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["10_000"])[0]), sys.argv[2:])
