"""The walk of one `fit` through the package: which modules are entered, in which order, and how often again.

Run ``python tools/walk.py`` for all walks, each in a process of its own, ``python tools/walk.py NAME`` for one of
them, and with ``--json`` for one line of JSON instead of sentences.

A module is entered when one of its functions is called; going back into a function that waited is no call, nor is it
one to go on with a generator, and comprehensions are parts of their functions. What runs when a module is imported is
left out, and so are other threads. The walk is the sequence of modules entered, without repetitions next to each other.

Estimator modules define the estimator's class or a base of it that is a scikit-learn estimator itself, so that pure
mixins are left out. A return is an entry of an estimator module that was entered before, with other modules between.
"From outside" are those of them that come straight from a module that is no estimator module, so that steps up and
down between a class and its bases do not count.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import dis
import inspect
import json
import logging
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

import skltransfer
from skltransfer.datasets import load_fashion_sample

PACKAGE = Path(skltransfer.__file__).parent
ENGINES = ("engine", "_engine")
COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
COLUMNS = ("before the engine", "files", "returns", "from outside", "steps")
Fit = Callable[[], Any]


def _images() -> tuple[Any, Any]:
    sample = load_fashion_sample()
    return sample.images[:40], sample.target[:40]


def _classifier(**options: Any) -> tuple[Any, Fit]:
    images, labels = _images()
    estimator = skltransfer.TransferClassifier(image_size=32, random_state=0, **options)
    return estimator, lambda: estimator.fit(images, labels)


def _regressor() -> tuple[Any, Fit]:
    estimator, images = skltransfer.TransferRegressor(image_size=32), _images()[0]
    return estimator, lambda: estimator.fit(images, images.mean(axis=(1, 2)))


def _transformer() -> tuple[Any, Fit]:
    estimator, images = skltransfer.BackboneTransformer(image_size=32), _images()[0]
    return estimator, lambda: estimator.fit(images)


def _autoencoder() -> tuple[Any, Fit]:
    images, options = _images()[0], {"latent_dim": 4, "hidden": (8, 8), "epochs": 2, "random_state": 0}
    estimator = skltransfer.AutoencoderTransformer(**options)
    return estimator, lambda: estimator.fit(images)


def _adaptation() -> tuple[Any, Fit]:
    images, labels = _images()
    estimator = skltransfer.DomainAdaptationClassifier(image_size=32, epochs=4, random_state=0)
    domain = np.repeat([1, -1], 20)
    return estimator, lambda: estimator.fit(images, labels, sample_domain=domain)


WALKS: dict[str, Callable[[], tuple[Any, Fit]]] = {
    "TransferClassifier": _classifier,
    "TransferClassifier-all": lambda: _classifier(trainable="all", epochs=2),
    "TransferRegressor": _regressor,
    "BackboneTransformer": _transformer,
    "AutoencoderTransformer": _autoencoder,
    "DomainAdaptationClassifier": _adaptation,
}
"""An estimator and its fit, by name; frozen but for the second and the autoencoder."""


def module_of(path: str) -> str | None:
    """Name the file of the package that a path is, or None."""
    file = Path(path)
    return file.relative_to(PACKAGE).as_posix() if file.is_relative_to(PACKAGE) else None


class Recorder:
    """A trace function that notes the modules of the package in the order of calls."""

    def __init__(self) -> None:
        self.walk: list[str] = []
        self.known: dict[str, str | None] = {}

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        """Note a call."""
        code = frame.f_code
        if event != "call" or not _is_function(code) or _goes_on(frame):
            return
        path = code.co_filename
        if path not in self.known:
            self.known[path] = module_of(path)
        module = self.known[path]
        if module is not None and self.walk[-1:] != [module]:
            self.walk.append(module)


def _is_function(code: Any) -> bool:
    """Tell functions from the bodies of modules, classes and comprehensions."""
    return bool(code.co_flags & inspect.CO_NEWLOCALS) and code.co_name not in COMPREHENSIONS


def _goes_on(frame: Any) -> bool:
    """Tell whether a generator goes on from where it waited."""
    code, at = frame.f_code, frame.f_lasti
    if not code.co_flags & inspect.CO_GENERATOR or at < 0:
        return False
    name, how = dis.opname[code.co_code[at]], code.co_code[at + 1]
    return name in ("YIELD_VALUE", "SEND") or (name == "RESUME" and how % 4 > 0)


def record(fit: Fit) -> list[str]:
    """Return the walk of one fit."""
    recorder = Recorder()
    sys.settrace(recorder)  # which, unlike a profile function, may decline all but calls
    try:
        fit()
    finally:
        sys.settrace(None)
    return recorder.walk


def estimator_modules(estimator: Any) -> list[str]:
    """Return the modules of a class and of those of its bases that are estimators."""
    classes = [kind for kind in type(estimator).__mro__ if issubclass(kind, BaseEstimator)]
    paths = [module_of(inspect.getfile(kind)) for kind in classes]
    return list(dict.fromkeys(path for path in paths if path is not None))


def before_engine(walk: list[str]) -> int | None:
    """Count the modules met before the first one of the engine; None if it is never entered."""
    for number, module in enumerate(walk):
        if module.split("/")[0] in ENGINES:
            return len(set(walk[:number]))
    return None


def returns(walk: list[str], own: list[str]) -> tuple[int, int]:
    """Count the returns to estimator modules, and those of them from outside."""
    entries = [module for module in walk if module in own]
    again = len(entries) - len(set(entries))
    seen, outside = set(walk[:1]), 0
    for last, module in pairwise(walk):
        outside += module in own and module in seen and last not in own
        seen.add(module)
    return again, outside


def measure(name: str) -> dict[str, Any]:
    """Walk through one fit and count."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    estimator, fit = WALKS[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        walk = record(fit)
    own = estimator_modules(estimator)
    again, outside = returns(walk, own)
    counts = before_engine(walk), len(set(walk)), again, outside, len(walk)
    return {
        "name": name,
        **dict(zip(COLUMNS, counts, strict=True)),
        "estimator modules": own,
        "entered": sorted(set(walk)),
        "walk": walk,
    }


def folded(walk: list[str], longest: int = 8) -> list[str]:
    """Write parts of a walk that come several times in a row once, with how often."""
    told, at = [], 0
    while at < len(walk):
        runs = ((size, _times(walk, at, size)) for size in range(2, longest + 1))
        size, times = max(((size, times) for size, times in runs if times > 1), key=np.prod, default=(1, 1))
        part = " > ".join(walk[at : at + size])
        told.append(f"({part}) x {times}" if times > 1 else part)
        at += size * times
    return told


def _times(walk: list[str], at: int, size: int) -> int:
    """Count how often the next so many steps come in a row."""
    times = 1
    while walk[at + times * size : at + (times + 1) * size] == walk[at : at + size]:
        times += 1
    return times


def tell(found: dict[str, Any]) -> None:
    """Print one walk and what was counted."""
    never = found["before the engine"] is None
    print(f"{found['name']}: estimator modules {', '.join(found['estimator modules'])}")
    print(textwrap.fill(" > ".join(folded(found["walk"])), 118, initial_indent="  ", subsequent_indent="  "))
    print("  the engine is never entered" if never else f"  {found['before the engine']} modules before the engine")
    print(f"  {found['files']} files in all")
    print(
        f"  {found['returns']} returns to estimator modules, {found['from outside']} of them from outside\n", flush=True
    )


def table(walks: list[dict[str, Any]]) -> None:
    """Print all counts."""
    print(f"{'':28}" + "".join(f"{column:>19}" for column in COLUMNS))
    for found in walks:
        counts = ["never" if found[column] is None else found[column] for column in COLUMNS]
        print(f"{found['name']:28}" + "".join(f"{count!s:>19}" for count in counts))


def measured_apart(name: str) -> dict[str, Any]:
    """Measure one walk in a fresh process, so that nothing is remembered from another."""
    run = subprocess.run([sys.executable, __file__, name, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(run.stdout.splitlines()[-1])
    return found[0]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=WALKS, help="one walk; all, if left out")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    given = parser.parse_args()
    walks = []
    for name in [given.name] if given.name else WALKS:
        walks.append(measure(name) if given.name else measured_apart(name))
        if not given.json:
            tell(walks[-1])
    if given.json:
        print(json.dumps(walks))
        return
    table(walks)


if __name__ == "__main__":
    main()
