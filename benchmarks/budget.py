"""`TransferClassifier` with a budget of ten epochs of fine-tuning, beside the frozen network that it starts from.

The tasks, and which samples chose nothing, are those of `defaults.py`; what is fine-tuned, and how, was set on a draw
of the even positions of CIFAR-10 at 96 pixels, 50 labels a class. Images are seen at 96 pixels by default, to end
within hours.

Run: ``python benchmarks/budget.py DRAWS TASK LABELS_A_CLASS ... [--image-size SIDE]`` (10 minutes a draw of 50 a class
of CIFAR-10).
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from _data import cifar10, minilm_folder
from _measure import report, seconds
from defaults import TASKS, Task, calibration_error, draws, images

BUDGET, LARGEST = 10, 400
SIDES = {"frozen": None, "budget": BUDGET}


def task_named(name: str) -> Task:
    """All labeled samples that may be drawn; of CIFAR-10, more of them than for the default."""
    return images(cifar10(), per_class=LARGEST) if name == "cifar-10" else TASKS[name]()


def fitted(task: Task, some: np.ndarray, budget: float | None, image_size: int) -> dict[str, float]:
    from skltransfer import TransferClassifier, load_backbone

    options: dict[str, Any] = {"random_state": 0, "budget": budget}
    if isinstance(task.X.flat[0], str) and not str(task.X.flat[0]).endswith(".wav"):
        options["backbone"] = load_backbone("minilm_l6", weights=minilm_folder())
    elif np.ndim(task.X) > 2:
        options["image_size"] = image_size
    found: list[Any] = []
    took = seconds(lambda: found.append(TransferClassifier(**options).fit(task.X[some], task.y[some])))
    correct = found[0].predict(task.X_test) == task.y_test
    tried = found[0].selection_
    fine_tuned = any(
        step == "trainable" and chosen and name != "frozen"
        for step, chosen, name in zip(tried["step"], tried["chosen"], tried["candidate"], strict=True)
    )
    return {
        "accuracy": float(correct.mean()), "seconds": took, "fine_tuned": float(fine_tuned),
        "calibration_error": calibration_error(found[0].predict_proba(task.X_test), correct),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("draws", type=int)
    parser.add_argument("task")
    parser.add_argument("sizes", nargs="+", type=int)
    parser.add_argument("--image-size", type=int, default=96)
    given = parser.parse_args()
    task = task_named(given.task)
    for size in given.sizes:
        runs = [
            {side: fitted(task, some, budget, given.image_size) for side, budget in SIDES.items()}
            for some in draws(task, size, given.draws)
        ]
        gains = [100 * (run["budget"]["accuracy"] - run["frozen"]["accuracy"]) for run in runs]
        means = {
            side: {key: float(np.mean([run[side][key] for run in runs])) for key in runs[0][side]} for side in runs[0]
        }
        report("budget", task=given.task, labels_a_class=size, image_size=given.image_size, draws=given.draws, **means,
               gains=gains)  # fmt: skip


if __name__ == "__main__":
    main()
