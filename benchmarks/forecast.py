"""What 100 labels say of 500: forecasts from learning curves beside what is then measured.

Digits, seen at 64 px by EfficientNet-Lite0. Each draw of 100 labels has its forecast; ``measured`` is the mean accuracy
on the samples left over of heads solved on other draws of 500.

Run: ``python benchmarks/forecast.py`` (half a minute).
"""

from __future__ import annotations

import numpy as np
from _measure import report, seconds
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedShuffleSplit

from skltransfer import TransferClassifier
from skltransfer.transferability import learning_curve_forecast

LABELS, MORE, DRAWS = 100, 400, 4


def main() -> None:
    X, y = load_digits(return_X_y=True)
    clf = TransferClassifier(input_shape=(8, 8), pixel_range=(0, 16), image_size=64, features="last", C=0.1)
    clf.fit(X, y)  # features of all samples are cached
    many = StratifiedShuffleSplit(DRAWS, train_size=LABELS + MORE, random_state=1)
    measured = [clf.fit(X[train], y[train]).score(X[test], y[test]) for train, test in many.split(X, y)]
    few = StratifiedShuffleSplit(DRAWS, train_size=LABELS, random_state=0)
    found, spent, now = [], [], []
    for train, test in few.split(X, y):
        spent.append(seconds(lambda train=train: found.append(_forecast(clf, X[train], y[train]))))
        now.append(clf.fit(X[train], y[train]).score(X[test], y[test]))
    truth = float(np.mean(measured))
    report(
        f"forecast of {LABELS + MORE} labels from {LABELS}, digits", measured=truth, measured_now=float(np.mean(now)),
        forecasts=[score for score, _, _ in found], mean_error=float(np.mean([abs(f[0] - truth) for f in found])),
        half_width=float(np.mean([(high - low) / 2 for _, low, high in found])),
        covered=sum(low <= truth <= high for _, low, high in found), of=DRAWS, seconds=float(np.mean(spent)),
    )  # fmt: skip


def _forecast(clf: TransferClassifier, X: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    return learning_curve_forecast(clf, X, y, random_state=0).forecast(LABELS + MORE)


if __name__ == "__main__":
    main()
