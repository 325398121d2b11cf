"""Heads on more samples than there is memory for their features."""

import numpy as np
import pytest
from sklearn.datasets import make_classification

from skltransfer import TransferClassifier, TransferRegressor
from skltransfer._engine.pooling import Output
from skltransfer._features import extraction as extracting
from skltransfer._heads import span as spans
from skltransfer._heads import streamed
from skltransfer._heads.automatic import Blocks, solve_automatically
from skltransfer._heads.solve import solve
from skltransfer._heads.streamed import Axes, StoredSpan, solve_streamed
from skltransfer._targets.targets import Targets
from skltransfer._targets.task import Task
from skltransfer._utils.lru import ENTRY_BYTES
from skltransfer.datasets import load_fashion_sample
from skltransfer.supervised import _fitting as fitting

N_SAMPLES, N_FEATURES = 700, 40
BLOCKS = Blocks([Output("last", "avg")], [N_FEATURES])


class Held:
    """Rows of an array."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def take(self, positions):
        return self.values[positions]

    def parts(self):
        yield from np.array_split(self.values, range(150, len(self), 150))


@pytest.fixture(scope="module")
def table():
    X, codes = make_classification(N_SAMPLES, N_FEATURES, n_informative=10, n_classes=4, random_state=0)
    return X.astype(np.float32), codes


def targets_of(name, X, codes):
    random = np.random.default_rng(0)
    weights = random.uniform(0.5, 2, N_SAMPLES)
    columns = {
        "two classes": [(Task("classes", 2), np.eye(2)[codes % 2])],
        "four classes": [(Task("classes", 4), np.eye(4)[codes])],
        "label": [(Task("labels", 1), codes[:, None] == 1)],
        "values": [(Task("values", 2), X[:, :2] ** 2 + X[:, 2:4])],
    }
    columns["tasks"] = columns["four classes"] + columns["values"] + columns["label"]
    tasks, values = zip(*columns[name], strict=True)
    each = np.repeat(weights[:, None], len(tasks), axis=1)
    if name == "tasks":
        each[::7, 1] = each[3::11, 0] = 0
    return Targets(tasks, np.concatenate(values, axis=1).astype(float), each)


def both(X, targets, C, blocks=BLOCKS):
    names = np.arange(len(X)).astype("S8")
    rest = {"C": C, "groups": names, "names": names}
    return solve_automatically(X, targets, blocks, **rest), solve_streamed(Held(X), targets, blocks, **rest)


@pytest.mark.parametrize("name", ["two classes", "four classes", "label", "values", "tasks"])
@pytest.mark.parametrize("rank", [spans.MAX_RANK, 30])
def test_streamed_heads_are_those_in_memory(table, monkeypatch, name, rank):
    monkeypatch.setattr(spans, "MAX_RANK", rank)
    for module in (spans, streamed):
        monkeypatch.setattr(module, "CACHED_VALUES", 2**12)
    X, codes = table
    (wanted, rows), (found, streamed_rows) = both(X, targets_of(name, X, codes), 0.3)
    np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-5 * np.abs(wanted.coef).max())
    np.testing.assert_allclose(found(X), wanted(X), atol=1e-5 * np.abs(wanted(X)).max())
    assert repr(streamed_rows) == repr(rows)


def test_all_samples_count_and_not_those_alone_that_are_seen_first(table, monkeypatch):
    monkeypatch.setattr(streamed, "SEEN", 200)
    X, codes = table
    targets = targets_of("four classes", X, codes)
    found, _ = both(X, targets, 0.3)[1]
    seen = streamed.evenly(targets, np.arange(len(X)).astype("S8"), 200)
    _, square = spans.moments(X[seen], targets.weights[seen, 0])
    wanted = solve(X, targets, C=0.3, scale=np.full(N_FEATURES, np.sqrt(square.mean())))
    np.testing.assert_allclose(found(X), wanted(X), atol=1e-4)


def test_strength_and_temperature_are_chosen_and_probabilities_hold_on_new_samples(table, monkeypatch):
    monkeypatch.setattr(streamed, "SEEN", 400)
    X, codes = table
    (wanted, rows), (found, streamed_rows) = both(X, targets_of("four classes", X, codes), None)
    chosen = [[row for row, kept in zip(table["candidate"], table["chosen"], strict=True) if kept]
              for table in (rows, streamed_rows)]  # fmt: skip
    assert chosen[0] == chosen[1]
    ratio = np.linalg.norm(found(X), axis=1) / np.linalg.norm(wanted(X), axis=1)
    assert 0.8 < np.median(ratio) < 1.25


def test_a_class_that_no_seen_sample_has_is_learned(monkeypatch):
    monkeypatch.setattr(streamed, "SEEN", 60)
    random = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [300, 300, 3])
    X = (random.normal(size=(603, 10)) + 4 * np.eye(10)[codes]).astype(np.float32)
    targets = Targets((Task("classes", 3),), np.eye(3)[codes], np.ones((603, 1)))
    found, _ = both(X, targets, None, Blocks([Output("last", "avg")], [10]))[1]
    assert np.mean(found(X).argmax(axis=1) == codes) > 0.97
    assert (found(X).argmax(axis=1) == 2).any()


def test_tasks_with_few_labels_have_their_share(table, monkeypatch):
    monkeypatch.setattr(streamed, "SEEN", 60)
    X, codes = table
    weights = np.ones((N_SAMPLES, 2))
    weights[12:, 1] = 0
    targets = Targets((Task("classes", 4), Task("labels", 1)), np.column_stack([np.eye(4)[codes], codes == 1]), weights)
    found, selection = both(X, targets, None)[1]
    assert np.isfinite(found.coef).all()
    assert np.abs(found.coef[:, 4]).max() > 0
    assert np.mean((found(X[:12])[:, 4] > 0) == (codes[:12] == 1)) > 0.9
    assert {0, 1} == set(selection["task"])


def test_features_of_several_tasks_are_gone_through_once(table):
    X, codes = table
    targets, held = targets_of("tasks", X, codes), Held(X)
    passes = []
    held.parts = lambda parts=held.parts: passes.append(1) or parts()
    names = np.arange(len(X)).astype("S8")
    solve_streamed(held, targets, BLOCKS, C=None, groups=names, names=names)
    assert len(passes) == 1


def test_a_full_disk_is_told_with_what_is_needed(table):
    X, codes = table
    targets = targets_of("four classes", X, codes)
    axes = Axes.of(X, targets, None)
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match=r"700 samples need .* GB .*TMPDIR"):
        StoredSpan(full, axes, targets.weights[:, 0]).append(X)


@pytest.fixture
def small_memory(monkeypatch):
    for module in (fitting, streamed):
        monkeypatch.setattr(module, "HELD_BYTES", 2**14)
        monkeypatch.setattr(module, "SEEN", 72)


def sentences():
    """Sentences about meals, of two sorts, some of which are there twice."""
    dishes, words = ("soup", "bread", "rice", "stew", "tea", "cake"), (("fine", "warm"), ("stale", "cold"))
    each = [(f"The {dish} was {word}, day {day}.", kind) for kind in (0, 1) for word in words[kind] for dish in dishes
            for day in range(5)]  # fmt: skip
    texts, kinds = zip(*each, each[0], strict=True)
    return list(texts), np.array(kinds)


def fitted(kind, estimator, request):
    """Fit to samples of one kind, and return some to score on, new ones of a table."""
    options = {"random_state": 0}
    if kind == "pictures":
        sample = load_fashion_sample()
        X, y = sample.images, sample.target
    elif kind == "texts":
        (X, y), options["backbone"] = sentences(), request.getfixturevalue("minilm")
    else:
        X, y = make_classification(600, 20, random_state=0)
    y = y if estimator is TransferClassifier else np.unique(y, return_inverse=True)[1].astype(float)
    half = 300 if kind == "table" else len(y)
    return estimator(**options).fit(X[:half], y[:half]), X[-half:], y[-half:]


@pytest.mark.parametrize("kind", ["pictures", "texts", "table"])
@pytest.mark.parametrize("estimator", [TransferClassifier, TransferRegressor])
def test_estimators_stream_each_kind_of_samples(request, small_memory, kind, estimator):
    found, X, y = fitted(kind, estimator, request)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "HELD_BYTES", 2**40)
        wanted, _, _ = fitted(kind, estimator, request)
    assert set(found.selection_) == set(wanted.selection_)
    assert found.score(X, y) > wanted.score(X, y) - 0.05
    again, _, _ = fitted(kind, estimator, request)
    np.testing.assert_array_equal(again.predict(X), found.predict(X))


def test_views_groups_and_weights_stream(small_memory, images, labels):
    options = {"augmentation": "flip", "n_views": 2, "random_state": 0}
    weights, groups = np.linspace(0.5, 2, len(images)), np.arange(len(images)) // 2
    found, wanted = (TransferClassifier(**options) for _ in range(2))
    found.fit(images, labels, sample_weight=weights, groups=groups)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "HELD_BYTES", 2**40)
        wanted.fit(images, labels, sample_weight=weights, groups=groups)
    assert found.score(images, labels) > wanted.score(images, labels) - 0.05


def test_a_set_that_does_not_fit_into_the_store_is_not_kept(empty_store, images, labels, tmp_path, monkeypatch):
    clf = TransferClassifier(random_state=0).fit(images, labels)
    wanted = clf.predict_proba(images)
    assert len(empty_store) == len(images)
    empty_store.clear()
    monkeypatch.setattr(empty_store._samples, "max_bytes", 39 * (4 * len(clf.model_.head.coef) + ENTRY_BYTES))
    np.testing.assert_array_equal(clf.predict_proba(images), wanted)
    assert len(empty_store) == 0
    clf.predict_proba(images[:39])
    assert len(empty_store) == 39
    before = extracting.n_computed
    for _ in range(2):
        clf.set_params(memory=tmp_path).predict_proba(images)
    assert extracting.n_computed - before == len(images)


def test_few_features_are_computed_twice(small_memory, empty_store, images, labels):
    before = extracting.n_computed
    TransferClassifier(random_state=0).fit(images, labels)
    assert extracting.n_computed - before == len(images)
