"""The default of `TransferClassifier` beside what a user of scikit-learn would try first, on data it was not set on.

Thirteen tasks, 5, 10, 20 and 50 labels a class, ten draws each (the same for all sides), tested on up to 1,000 samples.
Beside it: what was the default before (the average of the last stage at C=0.1), and baselines of the kind of data:
logistic regression and an SVM on pixels, TF-IDF with logistic regression, cepstral coefficients with an SVM, and
gradient boosting on tables, each with its strength chosen by inner folds. Calibration errors have 15 bins.

The split, written down before anything was set: of every set, samples at even positions (of the training part, if
there is one) are for development, and samples at odd positions, and all test parts, are for this report; spoken
digits and tables were not used in development at all. What the default does (blocks, shares, strengths, folds) was set
on draws of the even positions of digits, MNIST, Fashion-MNIST, CIFAR-10, three of the sentiment sets and 20 Newsgroups.

Run: ``python benchmarks/defaults.py [DRAWS] [TASK ...] [--sizes N ...]`` (hours for everything); one line of JSON a
task and size.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from _data import SENTIMENT, cifar10, fashion_mnist, minilm_folder, mnist, newsgroups, reuters8, sentiment
from _measure import report, seconds
from _speech import Clips
from _speech import digits as spoken_digits
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from speech import cepstra

SIZES, N_TEST, PER_CLASS, LONGEST = (5, 10, 20, 50), 1000, 200, 2 * 16000
NEW, OLD = "default", "default before"


@dataclass(frozen=True)
class Task:
    """Samples to draw from and to test on, and the baselines of their kind."""

    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    baselines: dict[str, Callable[[], Any]]


def flattened(images: Any) -> np.ndarray:
    return np.asarray(images, np.float64).reshape(len(images), -1)


def searched(estimator: Any, grid: dict[str, list[float]]) -> Any:
    return GridSearchCV(estimator, grid, cv=StratifiedKFold(3))


def on_pixels() -> dict[str, Callable[[], Any]]:
    def with_last(last: Any, grid: dict[str, list[float]]) -> Callable[[], Any]:
        return lambda: searched(make_pipeline(FunctionTransformer(flattened), last), grid)

    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    return {
        "logistic regression": with_last(logistic, {"pipeline__logisticregression__C": [1e-3, 1e-2, 0.1, 1]}),
        "SVM": with_last(SVC(), {"svc__C": [1, 10, 100]}),
    }


def on_texts() -> dict[str, Callable[[], Any]]:
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
    pipeline = make_pipeline(words, LogisticRegression(max_iter=1000))
    return {"TF-IDF + logistic regression": lambda: searched(pipeline, {"logisticregression__C": [1, 10, 100]})}


def on_sounds(paths: np.ndarray) -> dict[str, Callable[[], Any]]:
    """Cepstral coefficients, computed once for all clips."""
    clips = Clips(paths, paths, paths)
    found = dict(zip(paths, cepstra(clips, LONGEST)["MFCC, five parts of the word"], strict=True))
    known = FunctionTransformer(lambda some: np.stack([found[path] for path in some]))
    pipeline = make_pipeline(known, StandardScaler(), SVC())
    return {"MFCC + SVM": lambda: searched(pipeline, {"svc__C": [1, 10, 100]})}


def on_tables() -> dict[str, Callable[[], Any]]:
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    kernel = make_pipeline(StandardScaler(), SVC())
    return {
        "logistic regression": lambda: searched(logistic, {"logisticregression__C": [0.01, 0.1, 1, 10]}),
        "SVM": lambda: searched(kernel, {"svc__C": [1, 10, 100]}),
        "gradient boosting": lambda: HistGradientBoostingClassifier(min_samples_leaf=5),
    }


def odd(X: Any, y: np.ndarray, per_class: int = PER_CLASS) -> tuple[Any, np.ndarray]:
    """Take the samples at odd positions, at most so many of each class."""
    positions = np.arange(1, len(y), 2)
    kept = np.sort(np.concatenate([positions[y[positions] == label][:per_class] for label in np.unique(y)]))
    return X[kept], y[kept]


def images(parts: tuple[np.ndarray, ...], per_class: int = PER_CLASS) -> Task:
    X, y, X_test, y_test = parts
    some = np.random.default_rng(0).permutation(len(y_test))[:N_TEST]
    return Task(*odd(X, y, per_class), X_test[some], y_test[some], on_pixels())


def halves(X: Any, y: np.ndarray, baselines: dict[str, Callable[[], Any]]) -> Task:
    """Cut the samples at odd positions into those to draw from and those to test on."""
    X, y = X[1::2], y[1::2]
    order = np.random.default_rng(0).permutation(len(y))
    cut = max(len(y) // 3, len(y) - 2000)
    test, rest = order[:cut][:N_TEST], order[cut:]
    return Task(X[rest], y[rest], X[test], y[test], baselines)


def texts(parts: tuple[Any, ...]) -> Task:
    X, y, X_test, y_test = parts
    some = np.random.default_rng(0).permutation(len(y_test))[:N_TEST]
    return Task(*odd(np.array(X, object), y), np.array(X_test, object)[some], y_test[some], on_texts())


def sounds() -> Task:
    train, test = spoken_digits()
    return Task(train.paths, train.words, test.paths, test.words, on_sounds(np.concatenate([train.paths, test.paths])))


def sentiment_task(name: str) -> Callable[[], Task]:
    def make() -> Task:
        X, y = sentiment()[name]
        return halves(np.array(X, object), y, on_texts())

    return make


def table(load: Callable[[], Any]) -> Callable[[], Task]:
    def make() -> Task:
        data = load()
        return halves(data.data, data.target, on_tables())

    return make


def drawn_digits() -> Task:
    data = load_digits()
    return halves(data.images, data.target, on_pixels())


TASKS: dict[str, Callable[[], Task]] = {
    "digits": drawn_digits,
    "mnist": lambda: images(mnist()),
    "fashion-mnist": lambda: images(fashion_mnist()),
    "cifar-10": lambda: images(cifar10()),
    **{f"sentiment-{name}": sentiment_task(name) for name in SENTIMENT},
    "20-newsgroups": lambda: texts(newsgroups()),
    "reuters-8": lambda: texts(reuters8()),
    "spoken-digits": sounds,
    "wine": table(load_wine),
    "breast-cancer": table(load_breast_cancer),
}


def calibration_error(probabilities: np.ndarray, correct: np.ndarray) -> float:
    sure = probabilities.max(axis=1)
    bins = np.minimum((sure * 15).astype(int), 14)
    return float(sum(abs(np.sum(sure[bins == b] - correct[bins == b])) for b in np.unique(bins)) / len(sure))


def sides(task: Task) -> dict[str, Callable[[], Any]]:
    from skltransfer import TransferClassifier, load_backbone

    options: dict[str, Any] = {"random_state": 0}
    if isinstance(task.X.flat[0], str) and "TF-IDF + logistic regression" in task.baselines:
        options["backbone"] = load_backbone("minilm_l6", weights=minilm_folder())
    return {
        NEW: lambda: TransferClassifier(**options),
        OLD: lambda: TransferClassifier(**options, features="last", C=0.1),
        **task.baselines,
    }


def draws(task: Task, size: int, n_draws: int) -> Iterator[np.ndarray]:
    labels = np.unique(task.y)
    for draw in range(n_draws):
        random = np.random.default_rng(1000 + draw)
        yield np.concatenate([random.permutation(np.flatnonzero(task.y == label))[:size] for label in labels])


def measured(make: Callable[[], Any], task: Task, some: np.ndarray) -> dict[str, float]:
    fitted: list[Any] = []
    took = seconds(lambda: fitted.append(make().fit(task.X[some], task.y[some])))
    correct = fitted[0].predict(task.X_test) == task.y_test
    found = {"accuracy": float(correct.mean()), "seconds": took}
    if hasattr(fitted[0], "model_"):
        found["calibration_error"] = calibration_error(fitted[0].predict_proba(task.X_test), correct)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("draws", nargs="?", type=int, default=10)
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--sizes", nargs="*", type=int, default=SIZES)
    given = parser.parse_args()
    for name in given.tasks:
        task = TASKS[name]()
        smallest = np.unique(task.y, return_counts=True)[1].min()
        for size in (size for size in given.sizes if size <= smallest):
            table = {
                side: [measured(make, task, some) for some in draws(task, size, given.draws)]
                for side, make in sides(task).items()
            }
            means = {
                side: {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
                for side, runs in table.items()
            }
            best = max(found["accuracy"] for side, found in means.items() if side != NEW)
            report("defaults", task=name, labels_a_class=size, **means, above_best=means[NEW]["accuracy"] - best)


if __name__ == "__main__":
    main()
