"""Domain adaptation beside skada and adapt: accuracy on the target, choice without its labels, and time.

``pairs``: every method of ours that the networks allow, skada's five and four of adapt's, on 19 pairs of real domains
(digits and Fashion-MNIST at 28 px in three channels, sentences as frozen MiniLM features, spoken digits as frozen
EfficientNet-Lite0 features), by the same network, rows, batches, epochs and learning rates; each method at the weight
that its own package gives it. Then, of each side, the method with the best unsupervised score of the target's
training rows: by the mutual information of rows and predictions, by their entropy, and by soft neighbourhood density.
skada's DANN and CDAN get an adversary with a sigmoid, see `_skada.discriminated`. ``mnistm``: MNIST to MNIST-M, by the
network of the DANN paper. ``speed``: time of an epoch of both sides in turn. ``choice``: time of a fit of "auto".
``same``: two halves of one domain. ``new``: the pairs of `_new_pairs.py`, on which nothing was chosen. ``traps``:
"auto" where two classes overlap and one is far more frequent in the target, so that the surest predictions are wrong.

The rules by which ``method="auto"`` chooses were found on other pairs, those of ``develop`` (`_development.py`). The
pairs of ``pairs`` are the reported ones, and were not looked at before the rules were settled.

Run: ``python benchmarks/adaptation.py [pairs | new | traps | mnistm | speed | choice | same | develop] [NAME …]
[--seeds N] [--first SEED] [--methods NAME …] [--epochs N] [--sides NAME …] [--found FILE]`` (needs ``torch``,
``skorch``, ``skada`` and ``adapt``). ``pairs`` takes hours: with ``--found``, what is found is kept in a file, and not
run again if it is there already.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _development import DEVELOPMENT, _features, trap
from _measure import in_turn, ratio, report, seconds
from _new_pairs import NEW_PAIRS
from _shifts import N_TRAIN, PAIRS, Pair, _standardised, _texts, changed, on_photos, unchanged

from skltransfer import DomainAdaptationClassifier, MLPHead
from skltransfer.adaptation._automatic import CANDIDATES
from skltransfer.model_selection._target import (
    MutualInformationScorer,
    PredictionEntropyScorer,
    SoftNeighborhoodDensity,
)

BATCH, RATE = 64, 1e-3
EPOCHS = {"pictures": 10, "features": 20}
OURS = (
    "source_only", "standardize", "subspace_alignment", "linear_ot", "coral", "mmd", "jmmd", "dann", "cdan", "cdan_e",
    "adda", "mcd", "mdd", "mcc", "deepjdot", "deepjdot_mcc", "self_training", "shot", "auto",
)  # fmt: skip
"""All but "adabn" and "tent", as the networks have no normalisations."""
THEIRS = ("source_only", "coral", "mmd", "dann", "cdan", "mcc")

MNISTM: dict[str, Any] = {"epochs": 20, "batch_size": 64, "learning_rate": RATE, "source_epochs": 1}
MNISTM_WAYS: dict[str, dict[str, Any]] = {
    "source_only": {"epochs": 10},
    "dann": {"aligned": "backbone", "learning_rate": 2 * RATE},
    "deepjdot": {"weight": 30.0},
    "deepjdot_mcc": {},
}
N_CHOICE = 4000
"""Samples of both domains, for the time of a choice."""
SCORED = N_TRAIN
"""Samples of the target that scores look at: all, but for MNIST-M."""


def conv_net(input_shape: tuple[int, ...]) -> Any:
    from keras import Input, Sequential, layers

    return Sequential([
        Input(input_shape),
        layers.Conv2D(16, 5, activation="relu", name="conv0"), layers.MaxPooling2D(name="pool0"),
        layers.Conv2D(32, 5, activation="relu", name="conv1"), layers.MaxPooling2D(name="pool1"),
        layers.Flatten(name="flatten"),
    ])  # fmt: skip


def bottleneck(input_shape: tuple[int, ...]) -> Any:
    from keras import Input, Sequential, layers

    return Sequential([Input(input_shape), layers.Dense(256, activation="relu", name="dense")])


def dann_net(input_shape: tuple[int, ...]) -> Any:
    from keras import Input, Sequential, layers

    return Sequential([
        Input(input_shape),
        layers.Conv2D(32, 5, activation="relu", name="conv0"), layers.MaxPooling2D(name="pool0"),
        layers.Conv2D(48, 5, activation="relu", name="conv1"), layers.MaxPooling2D(name="pool1"),
        layers.Flatten(name="flatten"),
    ])  # fmt: skip


class Ours:
    """One method of ours, by the interface of `_skada.Peer`."""

    def __init__(self, method: Any, net: Any, hidden: tuple[int, ...], *, seed: int, **options: Any) -> None:
        self.estimator = DomainAdaptationClassifier(
            net, method=method, trainable="all", head=MLPHead(hidden), random_state=seed, **options
        )

    def fit(self, X_source: np.ndarray, y_source: np.ndarray, X_target: np.ndarray) -> Ours:
        X, y = np.concatenate([X_source, X_target]), np.concatenate([y_source, np.full(len(X_target), -1)])
        self.estimator.fit(X, y, sample_domain=np.repeat([1, -1], [len(X_source), len(X_target)]))
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self.estimator.predict_proba(X)


def ours(method: Any, pair: Pair, seed: int, **options: Any) -> Ours:
    net, hidden = (conv_net, (128,)) if pair.pictures else (bottleneck, (64,))
    return Ours(method, net, hidden, seed=seed, **{**training(pair), **options})


def skadas(method: str, pair: Pair, seed: int, **options: Any) -> Any:
    import torch
    from _skada import Peer, bottleneck, conv_net

    torch.manual_seed(seed)
    n_classes = pair.n_classes
    net = conv_net(n_classes) if pair.pictures else bottleneck(pair.X_source.shape[1], n_classes)
    return Peer(method, net, n_classes, seed=seed, **{**training(pair), **options})


def adapts(method: str, pair: Pair, seed: int) -> Any:
    from _adapt import Peer

    net, hidden = (conv_net, (128,)) if pair.pictures else (bottleneck, (64,))
    return Peer(method, net(pair.X_source.shape[1:]), hidden, pair.n_classes, seed=seed, **training(pair))


SIDES: dict[str, tuple[Callable[[str, Pair, int], Any], tuple[str, ...]]] = {
    "ours": (ours, OURS),
    "skada": (skadas, THEIRS),
    "adapt": (adapts, ("coral", "dann", "cdan_e", "mdd")),
}


def training(pair: Pair) -> dict[str, Any]:
    epochs = EPOCHS["pictures" if pair.pictures else "features"]
    return {"epochs": epochs, "batch_size": BATCH, "learning_rate": RATE}


class Found(NamedTuple):
    """Accuracy on the rows that are tested on, and what predictions for the target's other rows look like."""

    accuracy: float
    information: float
    certainty: float
    density: float


SCORES = {
    "information": MutualInformationScorer(),
    "certainty": PredictionEntropyScorer(),
    "density": SoftNeighborhoodDensity(),
}


def judged(side: Any, pair: Pair) -> Found:
    """Fit, and look at the target."""
    side.fit(pair.X_source, pair.y_source, pair.X_target)
    accuracy = float((side.predict_proba(pair.X_test).argmax(axis=1) == pair.y_test).mean())
    return Found(accuracy, **{name: score(side, pair.X_target[:SCORED]) for name, score in SCORES.items()})


class Results:
    """What was found, by pair, side and method, one for each seed; kept in a file, if one is named."""

    def __init__(self, path: Path | None = None) -> None:
        self.found: dict[tuple[str, str, str], list[Found]] = {}
        self.path, self.known = path, {}
        if path is not None and path.exists():
            lines = (json.loads(line) for line in path.read_text().splitlines())
            self.known = {tuple(key): Found(*values) for key, values in lines}

    def add(self, pair: str, side: str, method: str, seed: int, make: Callable[[], Any], rows: Pair) -> None:
        key = (pair, side, method, seed)
        if key not in self.known:
            found: list[Found] = []
            took = seconds(lambda: found.append(judged(make(), rows)))
            print(f"{pair:18}{side:7}{method:15}{found[0].accuracy:.4f}  {took:5.1f} s", file=sys.stderr, flush=True)
            self.known[key] = found[0]
            if self.path is not None:
                with self.path.open("a") as file:
                    file.write(json.dumps([key, found[0]]) + "\n")
        self.found.setdefault((pair, side, method), []).append(self.known[key])

    def accuracies(self, pair: str, side: str, method: str) -> np.ndarray:
        return np.array([found.accuracy for found in self.found.get((pair, side, method), [])])

    def pairs(self) -> list[str]:
        return list(dict.fromkeys(pair for pair, _, _ in self.found))

    def methods(self) -> list[str]:
        return list(dict.fromkeys(method for _, _, method in self.found))

    def sides(self) -> list[str]:
        return list(dict.fromkeys(side for _, side, _ in self.found))

    def chosen(self, pair: str, side: str, score: str) -> np.ndarray:
        """Accuracy, for each seed, of the method with the best score."""
        tried = [
            found
            for (name, own, method), found in self.found.items()
            if (name, own) == (pair, side) and method != "auto"
        ]
        return np.array(
            [max(seed, key=lambda found: getattr(found, score)).accuracy for seed in zip(*tried, strict=True)]
        )

    def table(self) -> str:
        lines = []
        for pair in self.pairs():
            lines.append(f"{pair:20}" + "".join(f"{side:18}" for side in self.sides()))
            for method in self.methods():
                cells = (cell(self.accuracies(pair, side, method)) for side in self.sides())
                lines.append(f"  {method:18}" + "".join(f"{found:18}" for found in cells))
            for score in SCORES:
                cells = (cell(self.chosen(pair, side, score)) for side in self.sides())
                lines.append(f"  by {score:15}" + "".join(f"{found:18}" for found in cells))
        return "\n".join(lines)

    def means(self) -> dict[str, Any]:
        """Mean accuracy over all pairs: of each method, and of the chosen ones."""
        found: dict[str, Any] = {}
        for side in self.sides():
            over = {
                method: float(np.mean([self.accuracies(pair, side, method).mean() for pair in self.pairs()]))
                for method in self.methods()
                if all(len(self.accuracies(pair, side, method)) for pair in self.pairs())
            }
            by = {
                f"by_{score}": float(np.mean([self.chosen(pair, side, score).mean() for pair in self.pairs()]))
                for score in SCORES
            }
            found[side] = over | by
        return found


def cell(values: np.ndarray) -> str:
    """Mean and its standard error."""
    if not len(values):
        return "-"
    error = f" ± {values.std(ddof=1) / len(values) ** 0.5:.3f}" if len(values) > 1 else ""
    return f"{values.mean():.3f}{error}"


def pairs(given: argparse.Namespace, known: dict[str, Callable[[int], Pair]] = PAIRS) -> None:
    results = Results(given.found)
    for name in given.names or known:
        for seed in given.seeds:
            pair = known[name](seed)
            for method, side in product(given.methods or OURS, given.sides):
                make, methods = SIDES[side]
                if method in methods:
                    results.add(name, side, method, seed, partial(make, method, pair, seed), pair)
    print(results.table())
    accuracies = {
        pair: {side: {method: results.accuracies(pair, side, method).tolist() for method in results.methods()}
        for side in results.sides()}
        for pair in results.pairs()
    }  # fmt: skip
    what = f"adaptation_{given.what}"
    report(what, seeds=list(given.seeds), means=results.means(), accuracies=accuracies)


def traps(given: argparse.Namespace) -> None:
    """How often "auto" predicts another split of the target than there is, or loses to the source alone."""
    off, lost = [], []
    for seed in given.seeds:
        random = np.random.default_rng(1000 + seed)
        share, gap, moved = random.choice([0.1, 0.2, 0.8, 0.9]), random.uniform(1, 1.6), random.choice([0.0, 1.0])
        pair = trap(share, gap, seed, moved=moved)
        found = {}
        for method in ("source_only", "auto"):
            side = Ours(method, "auto", (128,), seed=seed, batch_size=BATCH)
            side.fit(pair.X_source, pair.y_source, pair.X_target)
            found[method] = side.predict_proba(pair.X_test).argmax(axis=1)
        plain, own = (float((found[method] == pair.y_test).mean()) for method in ("source_only", "auto"))
        off.append(
            abs(found["auto"].mean() - pair.y_test.mean()) - abs(found["source_only"].mean() - pair.y_test.mean())
        )
        lost.append(100 * (plain - own))
        print(f"{seed} share {share} gap {gap:.2f}: {plain:.3f} {own:.3f}", file=sys.stderr, flush=True)
    report("adaptation_traps", draws=len(off), farther_from_true_share=max(off), points_lost=max(lost),
           collapsed=int(np.sum(np.array(off) > 0.1)), mean_points_lost=float(np.mean(lost)))  # fmt: skip


def mnistm(given: argparse.Namespace) -> None:
    """MNIST to MNIST-M, half of the rows for each, tested on 10,000: ours, by the network of the DANN paper."""
    results = Results(given.found)
    for seed in given.seeds:
        pair = changed("mnist", on_photos, seed, (given.rows, 10_000))
        for method in given.methods or MNISTM_WAYS:
            options = {"method": method, **MNISTM, **MNISTM_WAYS.get(method, {})}
            options |= {"epochs": given.epochs} if given.epochs else {}
            make = partial(Ours, net=dann_net, hidden=(100, 100), seed=seed, **options)
            results.add("mnistm", "ours", method, seed, make, pair)
    print(results.table())
    accuracies = {method: results.accuracies("mnistm", "ours", method).tolist() for method in results.methods()}
    report("adaptation_mnistm", seeds=list(given.seeds), accuracies=accuracies)


def speed(given: argparse.Namespace) -> None:
    """Seconds of an epoch that adapts, as the difference of long and short fits of both sides in turn, and of a fit."""
    import torch

    torch.set_num_threads(os.cpu_count() or 1)  # as many as TensorFlow takes
    figures: dict[str, Any] = {}
    for name in given.names or ("mnist-cifar", "amazon-movies"):
        pair = PAIRS[name](0)
        lengths = (2, 2 + (given.epochs or EPOCHS["pictures" if pair.pictures else "features"]))
        for method in given.methods or THEIRS[1:]:
            sides = [
                make(method, pair, 0, epochs=n) for n in lengths for make in (partial(ours, source_epochs=0), skadas)
            ]
            times = in_turn(*(partial(side.fit, pair.X_source, pair.y_source, pair.X_target) for side in sides))
            epoch = [(np.array(times[i + 2]) - times[i]) / (lengths[1] - lengths[0]) for i in (0, 1)]
            fit = [np.array(times[i + 2]) for i in (0, 1)]
            figures[f"{name}, {method}"] = {
                f"{what}_{key}": value
                for what, found in (("epoch", epoch), ("fit", fit))
                for key, value in zip(("ours", "skada"), map(float, np.median(found, axis=1)), strict=True)
            } | {"epoch_ratio": float(np.median(epoch[0]) / np.median(epoch[1])), "fit_ratio": ratio(*times[2:])}
            print(name, method, figures[f"{name}, {method}"], file=sys.stderr, flush=True)
    for what, found in figures.items():
        print(f"{what:30}" + "".join(f"{key} {value:.3f}   " for key, value in found.items()))
    report("adaptation_speed", seconds=figures)


def choice(given: argparse.Namespace) -> None:
    """Seconds of a fit of "auto", with the default network, on cached features of 4,000 samples: texts and pictures."""
    texts, pictures = _texts(), _features()
    half, y = N_CHOICE // 4, np.repeat([1, 0], N_CHOICE // 4)
    source, target = (np.concatenate([texts[name][:half], texts[name][-half:]]) for name in ("amazon", "movies"))
    cases = {
        "texts": _standardised((source, y), target, (target, y)),
        "pictures": _standardised(
            (pictures["fashion_clean"], pictures["fashion_y"]),
            pictures["fashion_noisy"],
            (pictures["fashion_noisy"], pictures["fashion_y_other"]),
        ),
    }
    found = {}
    for name, pair in cases.items():
        side = Ours("auto", "auto", (128,), seed=0, batch_size=BATCH)
        shape = len(pair.X_source) + len(pair.X_target), pair.X_source.shape[1]
        taken = seconds(lambda: side.fit(pair.X_source, pair.y_source, pair.X_target))  # noqa: B023
        found[name] = {"samples": shape[0], "columns": shape[1], "seconds": taken}
    report("adaptation_choice", **found)


def same(given: argparse.Namespace) -> None:
    """Points that each method loses to the network that saw the source alone, where the target is the source."""
    results = Results(given.found)
    for name in given.names or ("mnist", "fashion"):
        for seed in given.seeds:
            pair = changed(name, unchanged, seed)
            for method in given.methods or OURS:
                results.add(f"{name} alone", "ours", method, seed, partial(ours, method, pair, seed), pair)
    print(results.table())
    report("adaptation_same", seeds=list(given.seeds), points_lost=dict(_lost(results)))


def develop(given: argparse.Namespace) -> None:
    """All candidates of "auto" and itself on the pairs by which its rules were found, by the default network."""
    results = Results(given.found)
    for name in given.names or DEVELOPMENT:
        for seed in given.seeds:
            pair = DEVELOPMENT[name](seed)
            for method in given.methods or (*CANDIDATES, "auto"):
                make = partial(Ours, method, "auto", (128,), seed=seed, batch_size=BATCH)
                results.add(name, "ours", method, seed, make, pair)
    print(results.table())
    report("adaptation_develop", seeds=list(given.seeds), means=results.means())


def _lost(results: Results) -> Iterable[tuple[str, dict[str, float]]]:
    for name in results.pairs():
        plain = results.accuracies(name, "ours", "source_only").mean()
        others = {method: results.accuracies(name, "ours", method).mean() for method in results.methods()}
        yield name, {method: 100 * float(plain - mean) for method, mean in others.items()}


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "pairs": pairs, "new": partial(pairs, known=NEW_PAIRS), "traps": traps, "mnistm": mnistm, "speed": speed,
    "choice": choice, "same": same, "develop": develop,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="?", default="pairs", choices=tuple(PARTS))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--methods", nargs="*")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--sides", nargs="*", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--found", type=Path)
    given = parser.parse_args()
    given.seeds = range(given.first, given.first + given.seeds)
    PARTS[given.what](given)


if __name__ == "__main__":
    main()
