"""Load 10,000 model files that were changed at random: how many are refused, and what the worst one costs.

python benchmarks/mutated_files.py [number of files]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from _mutations import KINDS, mutated

from skltransfer import load_backbone

SECONDS, BYTES = 30.0, 1e9
"""A file may take so long, and all together may raise the peak of memory by so much."""


def main(n_files: int = 10_000) -> None:
    """Print a table by kind of change; exit with 1 where something else than an error of ours comes out."""
    backbone = load_backbone("small_resnet", input_shape=(8, 8, 1), random_state=0)
    found, worst, odd = Counter[tuple[str, str]](), 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "n.safetensors"
        backbone.save(path)
        content, before = path.read_bytes(), _peak()
        for number in range(n_files):
            kind = KINDS[number % len(KINDS)]
            path.write_bytes(mutated(content, kind, number))
            started = time.perf_counter()
            try:
                outcome = "same" if load_backbone(path) == backbone else "another network"
            except OSError:
                outcome = "refused"
            except Exception as error:
                outcome, odd = f"{type(error).__name__}: {error}"[:80], odd + 1
            worst = max(worst, time.perf_counter() - started)
            found[kind, outcome] += 1
            if outcome == "another network" and kind in ("bits", "bytes", "cut"):
                odd += 1
        grown = _peak() - before
    for (kind, outcome), n in sorted(found.items()):
        print(f"{kind:10} {outcome:20} {n:6}")
    print(f"longest {worst:.1f} s, the peak of memory by {grown / 1e6:.0f} MB, {odd} wrong outcomes")
    if odd or worst > SECONDS or grown > BYTES:
        sys.exit(1)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
