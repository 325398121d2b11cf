"""``skltransfer rank-backbones``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skltransfer._cli._outputs import check_output, say, write_rows
from skltransfer._cli._samples import add_columns, read_labeled

EXAMPLE = "skltransfer rank-backbones photos --backbone efficientnet_lite0 --backbone MobileNetV2"
KNOWN = {
    "image_files": ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"),
    "audio": ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"),
    "texts": ("minilm_l6",),
    "table": (),
}
"""Networks that are tried, the fastest first, if they are installed; by kind of samples."""

SLOWER = 2.0
"""How much more time the next network may take."""


def add(commands: Any, **options: Any) -> None:
    """Add the command to a parser."""
    rank = commands.add_parser("rank-backbones", help="tell which pretrained network suits samples best", **options)
    rank.add_argument("samples", type=Path, help="a folder of folders, one for each class, or a CSV file")
    rank.add_argument(
        "--backbone", metavar="NAME", action="append", help="a network; give it once for each. Those here by default"
    )
    rank.add_argument("--csv", type=Path, help="write the table there")
    rank.add_argument("--seed", type=int, default=0, help="draws the weights of untrained networks")
    add_columns(rank)
    rank.set_defaults(run=run)


def run(options: Any) -> None:
    """Rank networks by cross-validation."""
    check_output(options.csv, options.samples)
    sample = read_labeled(options.samples, options)
    _check_folds(sample)
    rows = []
    for name in options.backbone or _installed(sample.sample_kind):
        say(f"Trying {name} …")
        rows.append(_ranked(name, sample.data, sample.target, options.seed))
    rows.sort(key=lambda row: -row["mean_test_score"])
    columns = ("name", "mean_test_score", "lower", "upper", "seconds", "n_parameters")
    shown = [[f"{row[key]:.4g}" if isinstance(row[key], float) else row[key] for key in columns] for row in rows]
    write_rows(options.csv, [columns, *shown])


def best_backbone(X: Any, y: Any, kind: str, options: Any) -> Any:
    """Return the network with the best cross-validated score, of those that there is time for."""
    start, best, slowest = time.perf_counter(), None, 0.0
    for name in _installed(kind):
        taken = time.perf_counter() - start
        if best is not None and options.time is not None and taken + SLOWER * slowest > options.time:
            say(f"There is no time left to try {name}.")
            break
        row = _ranked(name, X, y, options.seed)
        slowest = max(slowest, row["seconds"])
        say(f"{name}: {row['mean_test_score']:.3f} (95 % interval {row['lower']:.3f} to {row['upper']:.3f}).")
        if best is None or row["mean_test_score"] > best["mean_test_score"]:
            best = row
    assert best is not None, "the first network is tried at any rate"
    return best["name"]


def _ranked(name: str, X: Any, y: Any, seed: int) -> dict[str, Any]:
    from skltransfer import rank_backbones

    ranked = rank_backbones([name], X, y, features="auto", random_state=seed)
    return {column: values[0] for column, values in ranked.items()}


def _installed(kind: str) -> Iterator[str]:
    """Yield the names of known networks whose weights are here."""
    from skltransfer import load_backbone

    names = KNOWN[kind]
    if not names:
        raise ValueError("Samples are rows of numbers, which no pretrained network knows. Leave out --search.")
    for name in names:
        try:
            load_backbone(name)
        except (ImportError, OSError):
            if name == names[0]:
                raise
            continue
        yield name


def _check_folds(sample: Any) -> None:
    """Raise ValueError if a class has fewer samples than there are folds."""
    import numpy as np

    if sample.target_names is None:
        return
    names, counts = np.unique(sample.target, return_counts=True)
    if len(names) < 2 or counts.min() < 5:
        raise ValueError(
            f"Expected at least two classes with five samples each. Got {len(names)}, and {counts.min()} of "
            f"{str(names[counts.argmin()])!r}; add samples, or remove the class."
        )
