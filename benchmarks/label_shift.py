"""Shares of classes in a target without labels, and predictions that allow for them.

``shares``: two normal classes 2 standard deviations apart in 5 columns, 400 samples of each domain, half of the source
and 20 % of the target of the first class, and digits of which three classes are five times as often in the target: how
often shares are given, and how often their 95 % intervals hold the true ones. ``report``: 30 % of the source positive,
60 columns, with and without a shift of features: how often `domain_report` gives shares. ``predictions``: accuracy and
log loss of `DomainAdaptationClassifier` with and without ``label_shift``, where three quarters of the target are of
classes that have half of the source.

Nothing was chosen on these seeds. Run: ``python benchmarks/label_shift.py`` (about 5 minutes).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from _measure import report
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss

from skltransfer import DomainAdaptationClassifier, domain_report
from skltransfer.domain_shift import estimate_class_shares
from skltransfer.domain_shift._measures import predict_classes

DRAWS, SEED = 40, 5000


def normals(random: np.random.Generator, n_samples: int, share: float, n_columns: int, gap: float = 2.0) -> Any:
    """Draw two classes, ``share`` of the first one, that differ in the first column."""
    y = (random.random(n_samples) >= share).astype(int)
    X = random.normal(size=(n_samples, n_columns))
    X[:, 0] += gap * y
    return X, y


def digits(random: np.random.Generator) -> Any:
    """Draw 800 digits, and of the others those of seven classes one in five."""
    X, y = load_digits(return_X_y=True)
    order = random.permutation(len(y))
    source, rest = order[:800], order[800:]
    target = rest[(y[rest] < 3) | (random.random(len(rest)) < 0.2)]
    return X[source], y[source], X[target], y[target]


def intervals(method: str, n_draws: int, draw: Any) -> dict[str, float]:
    """Count draws in which shares are given, and shares that are in their intervals."""
    given, covered, widths = 0, [], []
    for seed in range(n_draws):
        X, y, X_target, y_target = draw(np.random.default_rng(SEED + seed))
        found = predict_classes(X, y, X_target, np.random.RandomState(seed))
        shares = estimate_class_shares(
            found.probabilities, y, found.target_probabilities, method=method, random_state=seed
        )
        if shares.identified:
            true = np.bincount(y_target, minlength=len(shares.shares)) / len(y_target)
            given += 1
            covered += ((shares.lower <= true) & (true <= shares.upper)).tolist()
            widths += (shares.upper - shares.lower).tolist()
    return {
        "draws": n_draws, "given": given, "covered": float(np.mean(covered)), "width": float(np.mean(widths)),
    }  # fmt: skip


def two_normals(random: np.random.Generator) -> Any:
    return (*normals(random, 400, 0.5, 5), *normals(random, 400, 0.2, 5))


def reports(shift: float, n_draws: int = 8) -> dict[str, int]:
    """Count reports that give shares, of 300 samples of each domain and half of the columns moved by ``shift``."""
    given = covered = 0
    for seed in range(n_draws):
        random = np.random.default_rng(SEED + seed)
        X, y = normals(random, 300, 0.7, 60)
        X_target, y_target = normals(random, 300, 0.3, 60)
        X_target[:, ::2] += shift
        found = domain_report(X, y, X_target, random_state=seed)
        if not found.not_identified:
            lower, upper = found.target_intervals[1]
            given, covered = given + 1, covered + int(lower <= y_target.mean() <= upper)
    return {"draws": n_draws, "given": given, "covered": covered}


def shifted_normals(random: np.random.Generator) -> Any:
    return (*normals(random, 400, 0.5, 4), *normals(random, 400, 0.25, 4))


def shifted_digits(random: np.random.Generator) -> Any:
    X, y = load_digits(return_X_y=True)
    X = X + random.normal(scale=4.0, size=X.shape)
    order = random.permutation(len(y))
    source, rest = order[:500], order[500:]
    target = rest[(y[rest] < 5) | (random.random(len(rest)) < 1 / 3)][:500]
    return X[source], y[source], X[target], y[target]


def predictions(method: str, draw: Any, n_draws: int = 6) -> dict[str, list[float]]:
    """Mean accuracy and log loss on the target, without and with ``label_shift``."""
    found: dict[str, list[list[float]]] = {"without": [], "with": []}
    for seed in range(n_draws):
        X, y, X_target, y_target = draw(np.random.default_rng(SEED + seed))
        both, known = np.concatenate([X, X_target]), np.concatenate([y, np.full(len(X_target), -1)])
        for name, label_shift in (("without", None), ("with", "auto")):
            clf = DomainAdaptationClassifier(method=method, label_shift=label_shift, random_state=seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                probabilities = clf.fit(both, known).predict_proba(X_target)
            right = clf.classes_[probabilities.argmax(axis=1)] == y_target
            found[name].append([float(right.mean()), log_loss(y_target, probabilities, labels=clf.classes_)])
    return {name: np.mean(runs, axis=0).tolist() for name, runs in found.items()}


def main() -> None:
    for method in ("mlls", "bbse"):
        report("label_shift", shares="normals", method=method, **intervals(method, DRAWS, two_normals))
    report("label_shift", shares="digits", method="mlls", **intervals("mlls", 12, digits))
    for shift in (0.0, 0.5, 1.0, 2.0):
        report("label_shift", report_under_shift=shift, **reports(shift))
    for name, draw in (("normals", shifted_normals), ("digits", shifted_digits)):
        for method in ("source_only", "coral"):
            report("label_shift", predictions=name, method=method, **predictions(method, draw))


if __name__ == "__main__":
    main()
