"""Which backbone is best after fine-tuning, said before anything is fine-tuned.

Ten networks: EfficientNet-Lite0, 1 and 2 and MobileNetV2 at 64 px, Lite0 at 48 px as well, SqueezeNet 1.1; three
`small_cnn` that were trained here on five classes of CIFAR-10, MNIST or Fashion-MNIST, and one with random weights.
Six tasks of five classes, 12 labels a class and up to 500 samples to test on. The truth is the accuracy of
`TransferClassifier(trainable="all", epochs=10)`, else with default settings: 150 epochs, the default for so few
samples, would take a day for all of these. A ranking is judged by the weighted Kendall tau of its scores and these
accuracies (`scipy.stats.weightedtau`). Beside `rank_backbones`, by both kinds of features and by other folds and
measures, and each published score stands the fixed ranking by the published ImageNet accuracy: of two sizes the larger
is before, networks without ImageNet come last but for random weights. LEEP and NCE need source classes: random weights,
which have none, are last there, too.

The split, written down before anything was looked at, like the sizes above: a network that was trained on classes of a
task is left out of that task. Of the training parts of CIFAR-10 and Fashion-MNIST samples at even positions are for
development, the tasks ``dev-...``, which may set how `rank_backbones` ranks; samples at odd positions, and all test
parts, are for the report, which chose nothing. Development has to do without the three largest networks, to save time.

Times are of fits after one of each kind, on other samples, has compiled the network.

Run: ``python benchmarks/transferability.py [DRAWS] [TASK ...]`` (an hour a draw on a busy core); one line of
JSON a task, and the mean of all. What has been measured is kept in the cache folder, so that a run can go on.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import joblib
import numpy as np
from _data import CACHE, SQUEEZENET_MEAN, cifar10, fashion_mnist, mnist, mobilenetv2_file, squeezenet
from _measure import report, seconds
from _shifts import coloured, on_photos
from PIL import Image
from scipy.special import softmax
from scipy.stats import weightedtau
from sklearn.datasets import load_digits
from sklearn.model_selection import RepeatedStratifiedKFold

from skltransfer import BackboneTransformer, TransferClassifier, load_backbone, rank_backbones
from skltransfer.transferability import h_score, k_nn, leep, log_me, n_leep, nce, trans_rate

PER_CLASS, N_TEST, EPOCHS = 12, 500, 10
MORE = 15
"""The default has so many times as many epochs."""
TRUTH, FIXED = "fine-tuned", "ImageNet accuracy"
LARGE = ("Lite1, 64 px", "Lite2, 64 px", "MobileNetV2, 64 px")
RANKED = ("last", "auto")
"""Features that networks are ranked by."""
SOURCES: dict[str, tuple[Callable[[], tuple[np.ndarray, ...]], tuple[int, ...]]] = {
    "small_cnn of CIFAR-10": (cifar10, (0, 1, 6, 8, 9)),
    "small_cnn of MNIST": (mnist, (0, 1, 2, 3, 4)),
    "small_cnn of Fashion-MNIST": (fashion_mnist, (0, 1, 2, 3, 4)),
}
IMAGENET = {
    "Lite2, 64 px": 77.6, "Lite1, 64 px": 76.7, "Lite0, 64 px": 75.1, "Lite0, 48 px": 75.0, "MobileNetV2, 64 px": 68.8,
    "SqueezeNet, 64 px": 57.5, **dict.fromkeys(SOURCES, 1.0), "random small_cnn": 0.0,
}  # fmt: skip
"""Published top-1 accuracies.

Lite: the EfficientNet-Lite page of tensorflow/tpu (Lite0 is at 75.1 whatever it sees here). MobileNetV2 at 160 px: the
table of checkpoints of tensorflow/models. SqueezeNet: Iandola et al., 2016.
"""


@dataclass(frozen=True)
class Task:
    """Samples to draw from and to test on, and networks that are left out."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Network:
    """A backbone, the size at which it sees pictures, and its probabilities of source classes."""

    backbone: Any
    size: Any
    source: Callable[[np.ndarray], np.ndarray] | None = None

    def fit(self, X: np.ndarray, y: np.ndarray, **options: Any) -> TransferClassifier:
        return TransferClassifier(self.backbone, image_size=self.size, random_state=0, **options).fit(X, y)

    def features(self, X: np.ndarray) -> np.ndarray:
        return BackboneTransformer(self.backbone, image_size=self.size).fit_transform(X)


def pictures(load: Callable[[], tuple[np.ndarray, ...]], classes: tuple[int, ...], *without: str) -> Task:
    """Take samples of some classes at odd positions of the training part, and the first of the test part."""
    X, y, X_test, y_test = load()
    some = np.arange(1, len(y), 2)
    some, test = some[np.isin(y[some], classes)][:5000], np.flatnonzero(np.isin(y_test, classes))[:N_TEST]
    colors = coloured if X.ndim == 3 else np.asarray
    return Task(colors(X[some]), y[some], colors(X_test[test]), y_test[test], without)


def even(load: Callable[[], tuple[np.ndarray, ...]], classes: tuple[int, ...], *without: str) -> Task:
    """Take samples of some classes at even positions of the training part, to draw from and to test on."""
    X, y, _, _ = load()
    some = np.arange(0, len(y), 2)
    some = some[np.isin(y[some], classes)][: 5000 + N_TEST]
    X, y = (coloured if X.ndim == 3 else np.asarray)(X[some]), y[some]
    return Task(X[:5000], y[:5000], X[5000:], y[5000:], without)


def small_digits() -> Task:
    X, y = load_digits(return_X_y=True)
    X, y = coloured((X[y >= 5].reshape(-1, 8, 8) * 255 / 16).astype(np.uint8)), y[y >= 5]
    return Task(X[1::2], y[1::2], X[::2], y[::2])


def digits_on_photos() -> Task:
    plain, random = pictures(mnist, tuple(range(5, 10))), np.random.default_rng(0)
    X, X_test = (on_photos(part[..., 0], random, small=True) for part in (plain.X[:1000], plain.X_test))
    return Task(X, plain.y[:1000], X_test, plain.y_test)


TASKS: dict[str, Callable[[], Task]] = {
    "cifar-10-animals": lambda: pictures(cifar10, (2, 3, 4, 5, 7)),
    "cifar-10-others": lambda: pictures(cifar10, (0, 1, 6, 8, 9), "small_cnn of CIFAR-10"),
    "fashion-mnist-5-9": lambda: pictures(fashion_mnist, (5, 6, 7, 8, 9)),
    "mnist-5-9": lambda: pictures(mnist, (5, 6, 7, 8, 9)),
    "digits-5-9": small_digits,
    "mnist-5-9-on-photos": digits_on_photos,
}
DEVELOPMENT: dict[str, Callable[[], Task]] = {
    "dev-fashion-mnist-0-4": lambda: even(fashion_mnist, (0, 1, 2, 3, 4), *LARGE, "small_cnn of Fashion-MNIST"),
    "dev-cifar-10": lambda: even(cifar10, (0, 2, 4, 7, 9), *LARGE, "small_cnn of CIFAR-10"),
}


def drawn(task: Task, draw: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(draw)
    rows = [random.permutation(np.flatnonzero(task.y == label))[:PER_CLASS] for label in np.unique(task.y)]
    some = np.sort(np.concatenate(rows))
    return task.X[some], task.y[some]


@cache
def source_classifier(name: str) -> TransferClassifier:
    """A `small_cnn` that was trained on 600 samples of each of five classes, kept in the cache folder."""
    place = CACHE / "transferability" / f"{name}.joblib"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        load, classes = SOURCES[name]
        task = pictures(load, classes)
        rows = np.concatenate([np.flatnonzero(task.y == label)[:600] for label in classes])
        clf = TransferClassifier("small_cnn", epochs=6, batch_size=64, random_state=0)
        joblib.dump(clf.fit(task.X[rows], task.y[rows]), place)
    return joblib.load(place)


def source_probabilities(name: str, X: np.ndarray) -> np.ndarray:
    """Predict source classes for pictures that are brought to the size of the source."""
    clf = source_classifier(name)
    height, width = clf.backbone_.input_shape[:2]
    resized = [np.asarray(Image.fromarray(x).resize((width, height), Image.Resampling.BILINEAR)) for x in X]
    return clf.predict_proba(np.stack(resized))


@cache
def networks() -> dict[str, Network]:
    """All networks by name."""
    import keras

    def on_imagenet(backbone: Any, size: int, *dense: np.ndarray) -> Network:
        features = BackboneTransformer(backbone, image_size=size)

        def probabilities(X: np.ndarray) -> np.ndarray:
            found = features.fit_transform(X)
            return softmax(found @ dense[0] + dense[1] if dense else found, axis=1)

        return Network(backbone, size, probabilities)

    lites = [load_backbone(f"efficientnet_lite{number}") for number in range(3)]
    found = {f"Lite{number}, 64 px": on_imagenet(lite, 64, *lite.classifier) for number, lite in enumerate(lites)}
    found["Lite0, 48 px"] = on_imagenet(lites[0], 48, *lites[0].classifier)
    whole = keras.saving.load_model(mobilenetv2_file(), compile=False)
    with tempfile.TemporaryDirectory() as folder:
        whole.get_layer("mobilenetv2_1.00_160").save_weights(f"{folder}/it.weights.h5")
        mobile = load_backbone("MobileNetV2", weights=f"{folder}/it.weights.h5")
    found["MobileNetV2, 64 px"] = on_imagenet(mobile, 64, *whole.layers[-1].get_weights())
    found["SqueezeNet, 64 px"] = on_imagenet(load_backbone(squeezenet(), mean=SQUEEZENET_MEAN, std=1.0), 64)
    for name in SOURCES:
        source = source_classifier(name)
        found[name] = Network(source.backbone_, "auto", partial(source_probabilities, name))
    shape = (28, 28, 3)
    found["random small_cnn"] = Network(load_backbone("small_cnn", input_shape=shape, random_state=0), "auto")
    return found


def published(network: Network, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Scores of the average of the last stage, and of source classes; None where there are none."""
    features = network.features(X)
    scores = {score.__name__: score(features, y) for score in (log_me, h_score, trans_rate, k_nn)}
    scores["n_leep"] = n_leep(features, y, random_state=0)
    if network.source is not None:
        probabilities = network.source(X)
        scores |= {"leep": leep(probabilities, y), "nce": nce(probabilities.argmax(axis=1), y)}
    return scores


def ranked(network: Network, X: np.ndarray, y: np.ndarray, **options: Any) -> dict[str, list[Any]]:
    """Rank a network alone, as networks see pictures of different sizes here."""
    return rank_backbones({"it": network.backbone}, X, y, image_size=network.size, random_state=0, **options)


def measured(network: Network, task: Task, draw: int) -> dict[str, Any]:
    """All scores of a network, its fine-tuned accuracy, and what both sides took."""
    X, y = drawn(task, draw)
    _warm(network, task, draw)
    scores, took = {}, {}
    for features in RANKED:
        row = ranked(network, X, y, features=features)
        scores[features], scores[f"{features}, lower bound"] = row["mean_test_score"][0], row["lower"][0]
        took[features] = row["seconds"][0]
        loss = ranked(network, X, y, features=features, scoring="neg_log_loss")
        scores[f"{features}, log loss"] = loss["mean_test_score"][0]
    folds = RepeatedStratifiedKFold(n_repeats=3, random_state=0)
    scores["last, repeated folds"] = ranked(network, X, y, features="last", cv=folds)["mean_test_score"][0]
    scores |= published(network, X, y)
    fitted: list[TransferClassifier] = []
    took[TRUTH] = seconds(lambda: fitted.append(network.fit(X, y, trainable="all", epochs=EPOCHS)))
    scores[TRUTH] = fitted[0].score(task.X_test, task.y_test)
    return {"scores": scores, "seconds": took}


_warmed: list[tuple[int, Any]] = []


def _warm(network: Network, task: Task, draw: int) -> None:
    """Compile what a ranking and a fit need, on other samples."""
    key = id(network.backbone), network.size
    if key not in _warmed:
        X, y = drawn(task, draw + 1000)
        for features in RANKED:
            ranked(network, X, y, features=features)
        network.fit(X, y, trainable="all", epochs=1)
        _warmed.append(key)


def known(task_name: str, draw: int) -> dict[str, dict[str, Any]]:
    """Measure all networks on a task, but for what is kept already."""
    place = CACHE / "transferability" / f"{task_name}-{draw}.json"
    found = json.loads(place.read_text()) if place.exists() else {}
    task = (TASKS | DEVELOPMENT)[task_name]()
    for name, network in networks().items():
        if name not in found and name not in task.without:
            found[name] = measured(network, task, draw)
            place.write_text(json.dumps(found))
            print(task_name, draw, name, json.dumps(found[name]), file=sys.stderr, flush=True)
    return found


def rankings(draws: list[dict[str, dict[str, Any]]]) -> dict[str, float]:
    """Weighted tau of each score, the mean of draws, with accuracies that are means of draws."""
    names = list(draws[0])
    truth = np.mean([[draw[name]["scores"][TRUTH] for name in names] for draw in draws], axis=0)
    taus = {FIXED: float(weightedtau([IMAGENET[name] for name in names], truth).statistic)}
    for score in draws[0][names[0]]["scores"]:
        if score != TRUTH:
            tables = [np.array([draw[name]["scores"].get(score, -np.inf) for name in names]) for draw in draws]
            taus[score] = float(np.mean([weightedtau(_finite(table), truth).statistic for table in tables]))
    return taus


def _finite(table: np.ndarray) -> np.ndarray:
    return np.where(np.isinf(table), table[np.isfinite(table)].min() - 1, table)


def main() -> None:
    n_draws = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    taus, all_seconds = [], []
    for task in sys.argv[2:] or TASKS:
        draws = [known(task, draw) for draw in range(n_draws)]
        taus.append(rankings(draws))
        took = {
            side: float(np.mean([sum(found["seconds"][side] for found in draw.values()) for draw in draws]))
            for side in (*RANKED, TRUTH)
        }
        all_seconds.append(took)
        accuracies = {name: float(np.mean([draw[name]["scores"][TRUTH] for draw in draws])) for name in draws[0]}
        report("transferability", task=task, draws=n_draws, weighted_tau=taus[-1], seconds=took, fine_tuned=accuracies)
    took = {side: float(np.mean([some[side] for some in all_seconds])) for side in (*RANKED, TRUTH)}
    means = {score: float(np.mean([some[score] for some in taus])) for score in taus[0]}
    report(
        "transferability", tasks=len(taus), draws=n_draws, mean_weighted_tau=means, seconds=took,
        times_faster={side: took[TRUTH] / took[side] for side in RANKED},
        times_faster_than_default_epochs={side: took[TRUTH] * MORE / took[side] for side in RANKED},
    )  # fmt: skip


if __name__ == "__main__":
    main()
