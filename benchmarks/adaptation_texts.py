"""Domain adaptation of texts beside TF-IDF: with words beside the encoder, and on the encoder alone.

``develop``: the pairs by which it was decided how adaptation sees words (`_topics.py`). ``sentiment``: the twelve
ordered pairs of four kinds of sentences, 400 texts of each domain, 600 others of the target to test on; reported, and
not looked at before. MiniLM, frozen; every parameter as it is by default. TF-IDF has words and pairs of words,
logarithms of counts, and a logistic regression of the same texts of the source.

Run: ``python benchmarks/adaptation_texts.py [develop | sentiment] [PAIR …] [--seeds N] [--methods NAME …]
[--features auto last] [--found FILE]``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from _data import SENTIMENT, minilm_folder, sentiment
from _measure import report
from _shifts import RATED, Pair
from _topics import N_CLASS, TEXTS
from adaptation import Results
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skltransfer import DomainAdaptationClassifier, TransferClassifier, load_backbone

TESTED = N_CLASS + 300
"""Position, among the texts of a class, behind the last that is tested on."""
METHODS = ("tfidf", "transfer", "source_only", "deepjdot_mcc", "auto")
"""Two that never see the target, and some of ours."""


class Labeled:
    """A classifier that is fitted on the source, or on both domains."""

    def __init__(self, estimator: Any, *, adapts: bool) -> None:
        self.estimator, self.adapts = estimator, adapts

    def fit(self, X_source: np.ndarray, y_source: np.ndarray, X_target: np.ndarray) -> Labeled:
        X, y = X_source.tolist(), y_source
        if self.adapts:
            X, y = [*X, *X_target.tolist()], np.concatenate([y, np.full(len(X_target), -1)])
            self.estimator.fit(X, y, sample_domain=np.repeat([1, -1], [len(X_source), len(X_target)]))
        else:
            self.estimator.fit(X, y)
        if hasattr(self.estimator, "selection_") and "veto" in self.estimator.selection_:
            tried = self.estimator.selection_
            print("   ", tried["candidate"][tried["chosen"].index(True)], flush=True)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self.estimator.predict_proba(X.tolist())


def side(method: str, features: str, seed: int, folder: Path | None) -> Labeled:
    if method == "tfidf":
        tfidf = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
        return Labeled(make_pipeline(tfidf, LogisticRegression(C=10.0, max_iter=1000)), adapts=False)
    options: dict[str, Any] = {"features": features, "memory": folder, "random_state": seed}
    backbone = load_backbone("minilm_l6", weights=minilm_folder())
    if method == "transfer":
        return Labeled(TransferClassifier(backbone, **options), adapts=False)
    return Labeled(DomainAdaptationClassifier(backbone, method=method, **options), adapts=True)


def sentences(one: str, other: str, seed: int) -> Pair:
    """As `_shifts.texts`, with texts themselves."""
    random, sides = np.random.default_rng(seed), []
    for name in (one, other):
        texts, positive = sentiment()[name]
        order = np.random.default_rng(0).permutation(len(texts))
        halves = [random.permutation(order[positive[order] == sign][:RATED]) for sign in (False, True)]
        parts = [np.concatenate([half[own] for half in halves]) for own in (slice(N_CLASS), slice(N_CLASS, TESTED))]
        sides += [(np.array([texts[i] for i in part]), positive[part] * 1) for part in parts]
    source, _, target, test = sides
    return Pair(*source, target[0], *test)


PAIRS: dict[str, dict[str, Callable[[int], Pair]]] = {
    "develop": TEXTS,
    "sentiment": {f"{one}-{other}": partial(sentences, one, other) for one, other in permutations(SENTIMENT, 2)},
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=list(PAIRS))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--features", nargs="*", default=["auto"])
    parser.add_argument("--memory", type=Path)
    parser.add_argument("--found", type=Path)
    given = parser.parse_args()
    results, pairs = Results(given.found), PAIRS[given.what]
    for name in given.names or pairs:
        for seed in range(given.seeds):
            pair = pairs[name](seed)
            for features in given.features:
                for method in given.methods:
                    make = partial(side, method, features, seed, given.memory)
                    results.add(name, features, method, seed, make, pair)
    print(results.table())
    tfidf = [results.accuracies(name, given.features[0], "tfidf").mean() for name in results.pairs()]
    gains = {
        f"{method}, {features}": [
            float(results.accuracies(name, features, method).mean() - beside)
            for name, beside in zip(results.pairs(), tfidf, strict=True)
        ]
        for method in given.methods
        for features in given.features
    }
    report(f"adaptation_texts_{given.what}", means=results.means(), over_tfidf=gains, pairs=results.pairs())


if __name__ == "__main__":
    main()
