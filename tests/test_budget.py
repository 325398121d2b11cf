"""The choice between the frozen network and a fine-tuned one."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_friedman1

from skltransfer import TransferClassifier, TransferRegressor, load_backbone


@pytest.fixture(scope="module")
def product():
    """Labels that say whether two of eight numbers have the same sign, which few random features know."""
    X = np.random.default_rng(0).normal(size=(400, 8))
    return X, X[:, 0] * X[:, 1] > 0


@pytest.fixture(scope="module")
def backbone():
    """A random network, said to be pretrained, with the layer that it was pretrained with."""
    network = load_backbone("mlp", input_shape=(8,), random_state=0)
    return replace(network, pretrained=True, classifier=(np.ones((network.weights[-1].shape[-1], 2)), np.zeros(2)))


def rows(estimator, step):
    found = estimator.selection_
    chosen = [row for row, name in enumerate(found["step"]) if name == step]
    return [{name: values[row] for name, values in found.items()} for row in chosen]


def test_fine_tuning_is_taken_where_it_is_better(product, backbone):
    X, y = product
    clf = TransferClassifier(backbone, budget=60, random_state=0)
    clf.fit(X[:200], y[:200])
    trials = rows(clf, "trainable")
    names = [row["candidate"] for row in trials]
    assert names == ["frozen", *(way + end for way in ("all", "lora", "all, slowly") for end in ("", ", averaged"))]
    (chosen,) = (row for row in trials if row["chosen"])
    assert chosen["candidate"] != "frozen"
    assert chosen["error"] == min(row["error"] for row in trials)
    assert trials[0]["standard_error"] == 0 < chosen["standard_error"]
    frozen = TransferClassifier(backbone, random_state=0).fit(X[:200], y[:200])
    assert clf.score(X[200:], y[200:]) > frozen.score(X[200:], y[200:]) + 0.02
    assert len(clf.history_["loss"]) == int(60 / (3 * 0.75))
    assert any(not np.array_equal(a, b) for a, b in zip(clf.backbone_.weights, backbone.weights, strict=True))
    assert clf.backbone_.classifier is None  # it belongs to the weights that were
    again = clone(clf).fit(X[:200], y[:200])
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


@pytest.mark.backends
def test_the_frozen_network_is_kept_where_fine_tuning_is_not_better(backbone):
    X = np.random.default_rng(1).normal(size=(240, 8))
    y = X[:120, 0] > 0
    frozen = TransferClassifier(backbone, random_state=0).fit(X[:120], y)
    clf = TransferClassifier(backbone, budget=4, learning_rate=3.0, random_state=0)
    clf.fit(X[:120], y, X_val=X[120:], y_val=frozen.predict(X[120:]))
    assert [row["chosen"] for row in rows(clf, "trainable")] == [True, False, False]
    np.testing.assert_array_equal(clf.predict_proba(X), frozen.predict_proba(X))
    assert len(rows(clf, "features")) == len(rows(frozen, "features")) > 0


def test_callbacks_follow_the_training(product, backbone):
    from keras.callbacks import LambdaCallback

    X, y = product
    epochs = []
    callback = LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    clf = TransferClassifier(backbone, budget=15, callbacks=[callback], random_state=0).fit(X[:200], y[:200])
    assert epochs == list(range(len(clf.history_["loss"])))


def test_given_samples_decide(product, backbone):
    X, y = product
    clf = TransferClassifier(backbone, budget=120, random_state=0)
    clf.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    assert not rows(clf, "trainable")[0]["chosen"]
    assert len(clf.history_["val_loss"]) == 120 / 3


def test_other_heads_and_images(images, labels):
    clf = TransferClassifier("small_cnn", trainable="all", epochs=1, random_state=0).fit(images, labels)
    clf = TransferClassifier(clf.backbone_, budget=2, head="mlp", random_state=0)
    clf.fit(images, labels, X_val=images, y_val=labels)
    assert clf.predict_proba(images).shape == (len(images), len(clf.classes_))
    assert [row["candidate"] for row in rows(clf, "trainable")] == ["frozen", "all"]


def test_a_table_tries_a_trained_network_and_names_trees():
    X, y = make_friedman1(160, noise=1.0, random_state=0)
    regressor = TransferRegressor(budget=2, random_state=0).fit(X, y)
    assert [row["candidate"] for row in rows(regressor, "trainable")] == ["frozen", "mlp"]
    assert regressor.score(X, y) > 0.7


def test_a_few_that_are_all_right_make_no_network_certain():
    X, y = np.random.default_rng(0).normal(size=(120, 8)), np.arange(120) % 2
    X[:, 0] += 20 * y
    clf = TransferClassifier(budget=2, random_state=0).fit(X, y)
    assert all(row["error"] > 0.02 for row in rows(clf, "trainable"))
    assert rows(clf, "trainable")[0]["chosen"]
    assert clf.predict_proba(X).max() < 0.9999


@pytest.mark.parametrize("groups", [None, np.arange(160) // 2])
def test_a_network_of_a_table_is_taken_by_all_samples_and_a_standard_error(product, groups):
    X, y = product[0][:160], product[1][:160]
    clf = TransferClassifier(budget=2, random_state=0).fit(X, y, groups=groups)
    kernels, network = rows(clf, "trainable")
    assert network["chosen"]
    assert kernels["error"] - network["error"] > network["standard_error"] > 0
    alone = TransferClassifier(random_state=0).fit(X, y)
    assert clf.score(product[0][160:], product[1][160:]) > alone.score(product[0][160:], product[1][160:]) + 0.02
    noise = np.random.default_rng(0).integers(0, 2, 160)
    kernels, network = rows(TransferClassifier(budget=2, random_state=0).fit(X, noise, groups=groups), "trainable")
    assert kernels["chosen"]


def test_a_forest_on_a_table_is_measured_on_samples_its_trees_do_not_see():
    random = np.random.default_rng(0)
    X = random.integers(0, 2, (300, 12)).astype(float)
    steps = np.where(X[:, 0] > 0, X[:, 1], np.where(X[:, 2] > 0, 1 - X[:, 3], X[:, 4]))
    (forest,) = rows(TransferClassifier(random_state=0).fit(X + random.normal(size=X.shape) / 99, steps), "other tools")
    assert forest["candidate"] == "random forest"
    assert 0 < forest["error"] < 0.45
    noise = random.integers(0, 2, 300)
    (forest,) = rows(TransferClassifier(random_state=0).fit(X, noise), "other tools")
    assert 0.6 < forest["error"] < 0.9
    (forest,) = rows(TransferRegressor(random_state=0).fit(X, steps + random.normal(size=300) / 9), "other tools")
    assert 0 < forest["error"] < 0.6


def test_a_trial_that_diverges_is_left_out(product, backbone):
    X, y = product
    clf = TransferClassifier(backbone, budget=4, learning_rate=1e30, random_state=0).fit(X[:100], y[:100])
    frozen, diverged = rows(clf, "trainable")
    assert frozen["chosen"]
    assert diverged["error"] == np.inf
    assert np.isfinite(clf.predict_proba(X)).all()


def test_few_groups_of_a_table(product):
    X, y = product[0][:120], product[1][:120]
    clf = TransferClassifier(budget=2, random_state=0).fit(X, y, groups=np.arange(120) % 3)
    assert len(rows(clf, "trainable")) == 2
    with pytest.raises(ValueError, match="no whole groups to hold out such that each class is on both sides"):
        clf.fit(X, y, groups=y)
    with pytest.raises(ValueError, match="expected at least 2 groups"):
        clf.fit(X, y, groups=np.zeros(120))


def test_too_few_samples_stay_frozen(product, backbone):
    X, y = product
    clf = TransferClassifier(backbone, budget=10, random_state=0)
    with pytest.warns(UserWarning, match="budget: expected at least 80 samples, 4 of each class.* stays frozen"):
        clf.fit(X[:79], y[:79])
    assert rows(clf, "trainable") == []


@pytest.mark.parametrize(
    ("options", "got"),
    [
        ({"trainable": "all"}, "trainable='all' and a pretrained backbone"),
        ({"warm_start": True}, "warm_start=True and a pretrained backbone"),
        ({"backbone": "mlp"}, "trainable='auto' and an untrained backbone"),
    ],
)
def test_a_budget_without_a_choice_is_refused(product, backbone, options, got):
    clf = TransferClassifier(**{"backbone": backbone, "budget": 10, **options})
    with pytest.raises(ValueError, match=f"budget is for a pretrained backbone with trainable='auto'.*Got {got}"):
        clf.fit(*product)


def test_one_more_epoch_has_no_budget(product, backbone):
    X, y = product
    with pytest.raises(ValueError, match="Got a call of partial_fit"):
        TransferClassifier(backbone, budget=10).partial_fit(X, y, classes=[False, True])
