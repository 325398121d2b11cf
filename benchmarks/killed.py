"""Fits with a checkpoint folder, killed at random moments and called again, beside undisturbed ones.

20 fits of different seeds and ways of training, each in processes of its own that get SIGKILL up to three
times; each is then left to end and its weights and predictions are held against an undisturbed fit.

Run: ``python benchmarks/killed.py`` (about 12 minutes).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from _measure import report

FITS, KILLS = 20, 3
WAYS: tuple[dict[str, Any], ...] = (
    {"trainable": "all"},
    {"trainable": "all", "early_stopping": True, "n_iter_no_change": 200, "mixup": 0.2},
    {"trainable": 2, "augmentation": "flip", "layer_decay": 0.7},
    {"trainable": "lora", "label_smoothing": 0.1},
    {"trainable": "all", "augmentation": "flip_shift", "weight_decay": 0.01},
)


def fit(number: int, folder: str | None) -> None:
    from skltransfer import TransferClassifier
    from skltransfer.datasets import load_fashion_sample

    sample = load_fashion_sample()
    clf = TransferClassifier(
        "small_cnn", epochs=150, checkpoint=folder, random_state=number, **WAYS[number % len(WAYS)]
    )
    print("begin", flush=True)
    clf.fit(sample.images, sample.target)
    outcome = {"weights": clf.backbone_.fingerprint, "probabilities": clf.predict_proba(sample.images).tobytes().hex()}
    print(json.dumps(outcome), flush=True)


def start(number: int, folder: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, str(number), folder]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)


def outcome(number: int, folder: str) -> dict[str, str]:
    return json.loads(start(number, folder).communicate()[0].splitlines()[-1])


def main() -> None:
    if len(sys.argv) > 1:
        fit(int(sys.argv[1]), sys.argv[2] or None)
        return
    moments, identical, kills = random.Random(0), 0, 0
    for number in range(FITS):
        undisturbed = outcome(number, "")
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(KILLS):
                process = start(number, folder)
                process.stdout.readline()
                time.sleep(moments.uniform(0.5, 5.0))
                process.send_signal(signal.SIGKILL)
                kills += process.wait() == -signal.SIGKILL
            identical += outcome(number, folder) == undisturbed
    report("killed", fits=FITS, kills=kills, bit_identical=identical)


if __name__ == "__main__":
    main()
