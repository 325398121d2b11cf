"""What the benchmark scripts share: timing, memory, threads, and one line of JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def seconds(action: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def in_turn(*actions: Callable[[], Any], runs: int = 5) -> list[list[float]]:
    """Time several actions in turn, A B A B …, after one warm-up of each."""
    for action in actions:
        action()
    times = [[seconds(action) for action in actions] for _ in range(runs)]
    return [list(column) for column in zip(*times, strict=True)]


def in_any_order(*actions: Callable[[], Any], runs: int) -> list[list[float]]:
    """Time several actions, each after a warm-up, in an order drawn for each run, as one feels what came before."""
    for action in actions:
        action()
    random, times = np.random.default_rng(0), np.empty((len(actions), runs))
    for run in range(runs):
        for number in random.permutation(len(actions)):
            times[number, run] = seconds(actions[number])
    return times.tolist()


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Median of the ratios, pair by pair."""
    return float(np.median(np.array(ours) / np.array(theirs)))


def resident_mb() -> float:
    """Resident memory of this process now, in MB."""
    import psutil

    return psutil.Process().memory_info().rss / 1e6


def peak_mb() -> float:
    """Largest resident memory of this program so far, in MB (`getrusage` would count its parent's, too)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1e3


def side(script: str, *arguments: str) -> dict[str, Any]:
    """Run one side of a comparison in a process of its own and read its line of JSON."""
    command = [sys.executable, script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:300]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def report(name: str, **figures: Any) -> None:
    """Print one line of JSON, floats with four significant digits."""

    def short(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: short(item) for key, item in value.items()}
        if isinstance(value, list):
            return [short(item) for item in value]
        return float(f"{value:.4g}") if isinstance(value, float | np.floating) else value

    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    print(json.dumps({"benchmark": name, "machine": machine, **short(figures)}))
