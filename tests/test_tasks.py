"""Several labels for a sample: multi-label, several tasks on one backbone, labels that are missing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import StackingClassifier
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from skltransfer import TransferClassifier, TransferRegressor
from skltransfer._targets.domains import masked
from skltransfer._targets.labels import LabelEncoding
from skltransfer._targets.reading import missing, read_labels


@pytest.fixture(scope="module")
def source(sample):
    fitted = TransferClassifier("small_cnn", epochs=10, random_state=0).fit(sample.images, sample.target)
    return fitted.backbone_


@pytest.fixture(scope="module")
def both(images, labels):
    """What it is, and whether it is bright."""
    bright = images.mean(axis=(1, 2)) > np.median(images.mean(axis=(1, 2)))
    return np.column_stack([labels.astype(object), np.where(bright, "bright", "dark")])


@pytest.fixture(scope="module")
def has(images, labels):
    """Indicators: one a label that a row has or has not."""
    bright = images.mean(axis=(1, 2)) > np.median(images.mean(axis=(1, 2)))
    return np.column_stack([labels == labels[0], bright, ~bright]).astype(int)


@pytest.mark.parametrize("trainable", ["head", 2])
def test_two_tasks_share_a_backbone(source, images, both, trainable):
    clf = TransferClassifier(source, trainable=trainable, C=10, epochs=60, learning_rate=1e-3, random_state=0)
    clf.fit(images, both)
    assert [known.tolist() for known in clf.classes_] == [sorted(set(both[:, 0])), ["bright", "dark"]]
    proba = clf.predict_proba(images)
    assert [p.shape for p in proba] == [(40, 4), (40, 2)]
    for part, logs in zip(proba, clf.predict_log_proba(images), strict=True):
        np.testing.assert_allclose(part.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(np.exp(logs), part, atol=1e-6)
    assert [d.shape for d in clf.decision_function(images)] == [(40, 4), (40,)]
    predicted = clf.predict(images)
    assert predicted.shape == (40, 2)
    assert (predicted == both).mean() > 0.9
    assert clf.score(images, both) == pytest.approx((predicted == both).all(axis=1).mean())


def test_two_tasks_are_solved_as_each_alone(source, images, both):
    together = TransferClassifier(source).fit(images, both).predict_proba(images)
    for task, proba in enumerate(together):
        alone = TransferClassifier(source).fit(images, both[:, task].astype(str)).predict_proba(images)
        np.testing.assert_allclose(proba, alone, atol=1e-8)


@pytest.mark.parametrize("trainable", ["head", 2])
def test_labels_that_a_sample_has_or_has_not(source, images, has, trainable):
    clf = TransferClassifier(source, trainable=trainable, C=10, epochs=60, learning_rate=1e-3, random_state=0)
    clf.fit(images, has)
    assert clf.predict_proba(images).shape == clf.decision_function(images).shape == (40, 3)
    assert set(np.unique(clf.predict(images))) <= {0, 1}
    np.testing.assert_array_equal(clf.predict(images), clf.decision_function(images) > 0)
    assert (clf.predict(images) == has).mean() > 0.9
    assert clf.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("method", ["predict_proba", "predict_log_proba", "decision_function"])
def test_labels_are_predicted_across_folds(source, images, has, method):
    clf, folds = TransferClassifier(source), KFold(2)
    found = cross_val_predict(clf, images, has, cv=folds, method=method)
    for train, test in folds.split(images):
        own = clone(clf).fit(images[train], has[train])
        np.testing.assert_array_equal(found[test], getattr(own, method)(images[test]))


def test_labels_are_stacked(source, flat, has):
    stacked = StackingClassifier(
        [("net", TransferClassifier(source, input_shape=(28, 28)))],
        DecisionTreeClassifier(max_depth=1, random_state=0),
        cv=2,
    ).fit(flat, has)
    assert stacked.stack_method_ == ["predict_proba"]
    np.testing.assert_array_equal(stacked.transform(flat), stacked.estimators_[0].predict_proba(flat))
    assert stacked.predict(flat).shape == has.shape


def test_classes_that_are_one_hot_encoded_are_told(labels):
    one_hot = (labels[:, None] == np.unique(labels)).astype(int)
    with pytest.warns(UserWarning, match=r"Each of 40 samples has exactly one of 4 labels.* y\.argmax\(axis=1\)"):
        assert LabelEncoding.learn(read_labels(one_hot)).binary
    one_hot[0] = 0
    assert LabelEncoding.learn(read_labels(one_hot)).binary
    assert LabelEncoding.learn(read_labels(one_hot[:, :2])).binary


@pytest.mark.parametrize(
    "y",
    [[["a"], ["a", "b"]], [("a", "b"), ("c",)], [{"a"}, {"b"}], pd.Series([[1, 2], [3, 4]]), [np.ones(2), np.ones(3)]],
)
def test_collections_of_labels_are_told(y):
    with pytest.raises(
        ValueError, match=r"y: .* such as .* for sample 0; make a table of them by .*MultiLabelBinarizer"
    ):
        read_labels(y)


def test_missing_labels_do_not_count_in_their_task(source, images, both):
    holes = both.copy()
    holes[::3, 1] = None
    clf = TransferClassifier(source).fit(images, holes)
    known = np.arange(40) % 3 > 0
    alone = TransferClassifier(source).fit(images[known], both[known, 1].astype(str))
    np.testing.assert_allclose(clf.predict_proba(images)[1], alone.predict_proba(images), atol=1e-8)
    whole = TransferClassifier(source).fit(images, both[:, 0].astype(str))
    np.testing.assert_allclose(clf.predict_proba(images)[0], whole.predict_proba(images), atol=1e-8)
    tuned = TransferClassifier(source, trainable=1, epochs=40, learning_rate=1e-3, random_state=0).fit(images, holes)
    assert (tuned.predict(images)[:, 1] == both[:, 1]).mean() > 0.8


def test_missing_indicators_may_be_nan(source, images, has):
    holes = has.astype(float)
    holes[::4, 0] = np.nan
    clf = TransferClassifier(source, trainable=1, epochs=3, random_state=0).fit(images, holes)
    assert clf.predict(images).shape == (40, 3)


def test_task_without_two_classes_is_refused(source, images, both):
    with pytest.raises(ValueError, match=r"task 1 of y: expected at least 2 classes .* Got 1 class: \['same'\]"):
        TransferClassifier(source).fit(images, np.column_stack([both[:, 0], ["same"] * 40]))


def test_weights_of_classes_are_those_of_each_task(source, images, both):
    balanced = TransferClassifier(source, class_weight="balanced").fit(images, both)
    alone = TransferClassifier(source, class_weight="balanced").fit(images, both[:, 1].astype(str))
    np.testing.assert_allclose(balanced.predict_proba(images)[1], alone.predict_proba(images), atol=1e-8)


def test_tasks_of_different_types_keep_their_labels(source, images, labels):
    y = np.column_stack([labels.astype(object), np.arange(40) % 3])
    predicted = TransferClassifier(source, C=10).fit(images, y).predict(images)
    assert {type(value) for value in predicted[:, 0]} == {str}
    assert set(predicted[:, 1].tolist()) <= {0, 1, 2}


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["a", "b", None])), min_size=8, max_size=20))
def test_encoding_round_trips(rows):
    y = np.array([(0, "a"), (1, "b"), (2, "a"), *rows], dtype=object)
    encoding = LabelEncoding.learn(read_labels(y))
    targets = encoding.targets(y, np.ones(len(y)), None)
    decoded = encoding.predictions(targets.values)
    known = np.array([[True, label is not None] for _, label in y])
    np.testing.assert_array_equal(decoded[known].astype(str), y[known].astype(str))
    np.testing.assert_array_equal(targets.weights > 0, known)


@pytest.mark.parametrize("nothing", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT")])
def test_whatever_is_missing_is_missing(nothing):
    labels = np.array(["cat", nothing, "dog"], dtype=object)
    assert missing(labels).tolist() == [False, True, False]
    assert missing(np.stack([labels, labels])).tolist() == [[False, True, False]] * 2
    assert masked(labels).tolist() == [False, True, False]
    with pytest.raises(ValueError, match="Input y contains NaN or None in 1 of 3 samples"):
        read_labels(labels)
    both = np.column_stack([labels, ["x", "y", "y"]])
    encoded = LabelEncoding.learn(read_labels(both)).targets(both, np.ones(3), None)
    np.testing.assert_array_equal(encoded.weights, [[1, 1], [0, 1], [1, 1]])


def test_numbers_and_dates_that_are_missing():
    assert missing([1.0, np.nan]).tolist() == [False, True]
    assert missing(np.array([1, np.nan], np.float16)).tolist() == [False, True]
    assert missing(np.array(["2020-01-01", "NaT"], "M8[D]")).tolist() == [False, True]
    assert missing(pd.Series([1, pd.NA], dtype="Int64")).tolist() == [False, True]
    assert not missing(np.array(["nan", "None"])).any()
    assert not missing(np.arange(3)).any()


@pytest.mark.parametrize("nothing", [None, pd.NA, np.nan])
def test_missing_values_of_several_targets(nothing):
    X, y = np.arange(24.0).reshape(12, 2), np.arange(24.0).reshape(12, 2).astype(object)
    y[3, 0] = nothing
    regressor = TransferRegressor("mlp", trainable="head", random_state=0)
    wanted = y.copy()
    wanted[3, 0] = np.nan
    np.testing.assert_array_equal(
        regressor.fit(X, y).predict(X), clone(regressor).fit(X, wanted.astype(float)).predict(X)
    )
    with pytest.raises(ValueError, match="Input y contains NaN"):
        regressor.fit(X, y[:, 0])


def test_texts_among_other_labels_are_refused():
    labels = np.array([["a", 1], [2, 0], ["b", 1]], dtype=object)
    with pytest.raises(TypeError, match=r"y: expected labels of one type\. Got int and str; make all of them texts"):
        read_labels(labels)


def test_balanced_classes_of_several_tasks():
    y = np.array([["a", "x"], ["b", "y"], ["b", None], ["b", "y"]], dtype=object)
    found = LabelEncoding.learn(read_labels(y)).targets(y, np.ones(4), "balanced").weights
    np.testing.assert_allclose(found, [[2, 1.5], [2 / 3, 0.75], [2 / 3, 0], [2 / 3, 0.75]])


def test_a_class_weight_counts_in_the_tasks_that_have_the_class():
    y = np.array([["a", "x"], ["b", "y"]], dtype=object)
    encoding = LabelEncoding.learn(read_labels(y))
    np.testing.assert_array_equal(encoding.targets(y, np.ones(2), {"a": 3}).weights, [[3, 1], [1, 1]])
    with pytest.raises(ValueError, match=r"class_weight: .*\['a', 'b', 'x', 'y'\]. Got \['z'\] as well"):
        encoding.targets(y, np.ones(2), {"a": 3, "z": 2})


@pytest.mark.parametrize("class_weight", [None, "balanced", {1: 2.0}])
def test_a_label_that_no_sample_has(class_weight):
    X = np.random.default_rng(0).normal(size=(20, 3))
    y = np.column_stack([X[:, 0] > 0, np.zeros(20)]).astype(int)
    clf = TransferClassifier("mlp", trainable="head", class_weight=class_weight, random_state=0).fit(X, y)
    assert clf.predict(X)[:, 1].tolist() == [0] * 20
    assert np.isfinite(clf.predict_proba(X)).all()


def test_a_held_out_part_without_labels_of_a_task():
    y = np.array([["a", "x"], ["b", "y"], ["a", None], ["b", None]], dtype=object)
    targets = LabelEncoding.learn(read_labels(y)).targets(y, np.ones(4), None)
    np.testing.assert_array_equal(targets.take(np.array([2, 3])).normalized().weights, [[1, 0], [1, 0]])
