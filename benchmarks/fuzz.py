"""Try 5,000 cases of what `fit` and `predict` may be given: is each answer right, and each error ours?

python benchmarks/fuzz.py [number of cases] [seed]
"""

from __future__ import annotations

import sys
import time
from collections import Counter

from _fuzz import Case, cases, check
from hypothesis import HealthCheck, Phase, given, seed, settings


def main(n_cases: int = 5_000, number: int = 0) -> None:
    """Print how cases ended, and each that ended wrong; exit with 1 if there is one."""
    found, wrong, slowest, started = Counter[str](), 0, (0.0, ""), time.perf_counter()

    @seed(number)
    @settings(
        max_examples=n_cases, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=cases())
    def run(case: Case) -> None:
        nonlocal wrong, slowest
        begun = time.perf_counter()
        try:
            outcome = check(case)
        except AssertionError as error:
            outcome, wrong = "wrong", wrong + 1
            print(case, error, flush=True)
        found[outcome] += 1
        slowest = max(slowest, (time.perf_counter() - begun, str(case)))

    run()
    print(", ".join(f"{outcome}: {n}" for outcome, n in sorted(found.items())))
    print(f"{time.perf_counter() - started:.0f} s; the slowest took {slowest[0]:.1f} s: {slowest[1]}")
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
