"""The command line on folders of photographs: from a cold start, and with many files.

``cold`` runs each command in a process of its own: ``fit`` with a report on 200 photographs of two classes (cats and
dogs of CIFAR-10, enlarged to 320 px), ``--help``, and the import of the package beside those of scikit-learn.

``many`` makes JPEG files of CIFAR-10 (100,000, each picture as it is and mirrored), and runs ``fit`` and ``predict`` on
a tenth and on all of them, in processes of their own: the peak of memory, the exponent of time with rows, and files in
a second beside those that are decoded alone, and that the network computes alone, with the same threads, just before
and just after the larger run.

Run: ``python benchmarks/folder.py cold`` (2 minutes) or ``many [FILES]`` (about an hour).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _data import cifar10
from _measure import peak_mb, report, seconds, side
from PIL import Image

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CATS, DOGS = 3, 5
SIDE, QUALITY = 320, 90
FILES = 100_000
SAMPLE = 2_048


def run(*command: str, cwd: Path) -> float:
    """Seconds of a command, which must succeed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return time.perf_counter() - start


def skltransfer(*arguments: str, cwd: Path) -> float:
    return run(sys.executable, "-m", "skltransfer", *arguments, cwd=cwd)


def photographs(folder: Path, each: int = 100) -> None:
    """Write cats and dogs."""
    X, y, _, _ = cifar10()
    for code in (CATS, DOGS):
        (folder / NAMES[code]).mkdir(parents=True)
        for i in np.flatnonzero(y == code)[:each]:
            large = Image.fromarray(X[i]).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            large.save(folder / NAMES[code] / f"{i}.jpg", quality=QUALITY)


def cold() -> dict:
    importing = [
        [run(sys.executable, "-c", f"import {modules}", cwd=Path.cwd()) for modules in pair]
        for pair in [("skltransfer", "sklearn.pipeline, sklearn.linear_model")] * 7
    ]
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        photographs(here / "photos")
        fit = ("fit", "photos", "--out", "photos.skltransfer", "--report", "photos.html")
        helping = [skltransfer("--help", cwd=here) for _ in range(7)]
        return {
            "fit_with_report_seconds": skltransfer(*fit, cwd=here),
            "model_mb": (here / "photos.skltransfer").stat().st_size / 1e6,
            "report_mb": (here / "photos.html").stat().st_size / 1e6,
            "help_seconds": float(np.median(helping)),
            "import_over_sklearn": float(np.median([ours / theirs for ours, theirs in importing])),
        }


def write_many(folder: Path, n_files: int) -> None:
    """Write so many pictures, and a tenth of them as links beside them."""
    X, y, _, _ = cifar10()
    for i in range(n_files):
        image, code = X[i % len(X)], y[i % len(y)]
        name = f"{NAMES[code]}/{i}.jpg"
        for part in ("all", "tenth"):
            (folder / part / NAMES[code]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image if i < len(X) else image[:, ::-1]).save(folder / "all" / name, quality=QUALITY)
        if i % 10 == 0:
            os.link(folder / "all" / name, folder / "tenth" / name)


def command(*arguments: str) -> dict:
    """Run a command in this process, and measure it."""
    from skltransfer.__main__ import main

    taken = seconds(lambda: main(list(arguments)) and sys.exit("failed"))
    return {"seconds": taken, "peak_mb": peak_mb()}


def alone(folder: str) -> dict:
    """Files in a second that are decoded, and pictures that the network computes, one without the other."""
    from skltransfer import TransferClassifier
    from skltransfer._engine.forward import forward
    from skltransfer._features.extraction import _batch_length
    from skltransfer._inputs.image_files import read_image_files
    from skltransfer.datasets import load_folder

    found = load_folder(folder)
    some = np.linspace(0, len(found.data) - 1, min(SAMPLE, len(found.data))).astype(int)
    few = some[:: -(-len(some) // 64)]
    fitted = TransferClassifier(sample_kind="image_files").fit([found.data[i] for i in few], found.target[few])
    extraction = fitted.model_.extraction
    samples, size = read_image_files([found.data[i] for i in some]), extraction.preparation.size
    length = _batch_length(extraction.preparation, ((*size, 3), "uint8"), None)
    batches = [np.arange(start, min(start + length, len(some))) for start in range(0, len(some), length)]
    decoding = seconds(lambda: [samples.read(batch, extraction.preparation) for batch in batches])
    full = [batch for batch in batches if len(batch) == length]
    pixels = samples.read(full[0], extraction.preparation)
    plan = (extraction.backbone, extraction.outputs, extraction.preparation, ((*size, 3), "uint8"))
    with forward(*plan, frozen=True) as network:
        list(network.map([pixels]))
        computing = seconds(lambda: list(network.map([pixels] * len(full))))
    return {"decoding": len(some) / decoding, "network": len(full) * length / computing}


def many(n_files: int) -> dict:
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        write_many(here, n_files)
        model, table = str(here / "model.skltransfer"), str(here / "out.csv")
        figures: dict = {"files": n_files}
        for name, arguments in {
            "fit": lambda part: ("fit", part, "--out", model),
            "predict": lambda part: ("predict", model, part, "--csv", table),
        }.items():
            few = side(__file__, "command", *arguments(str(here / "tenth")))
            before = side(__file__, "alone", str(here / "all"))
            every = side(__file__, "command", *arguments(str(here / "all")))
            after = side(__file__, "alone", str(here / "all"))
            if any("failed" in found for found in (few, before, every, after)):
                figures[name] = [few, before, every, after]
                continue
            rate = (n_files - n_files // 10) / (every["seconds"] - few["seconds"])
            slowest = [min(alone.values()) for alone in (before, after)]
            figures[name] = {
                "seconds": [few["seconds"], every["seconds"]],
                "peak_mb": [few["peak_mb"], every["peak_mb"]],
                "memory_growth": every["peak_mb"] / few["peak_mb"] - 1,
                "time_exponent": float(np.log10(every["seconds"] / few["seconds"])),
                "per_second": rate,
                "alone_per_second": {"before": before, "after": after},
                "over_slowest_alone": rate / float(np.mean(slowest)),
            }
        return figures


def main() -> None:
    what, *rest = sys.argv[1:] or ["cold"]
    if what == "cold":
        report("folder, cold", **cold())
    elif what == "many":
        report("folder, many", **many(int(rest[0]) if rest else FILES))
    elif what == "alone":
        print(json.dumps(alone(*rest)))
    elif what == "command":
        print(json.dumps(command(*rest)))
    else:
        sys.exit(f"expected cold or many, got {what!r}")


if __name__ == "__main__":
    main()
