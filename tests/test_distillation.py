"""A small network that learns from a large one."""

import pickle

import numpy as np
import pytest
from scipy.special import log_softmax, rel_entr, softmax
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV

from skltransfer import TransferClassifier, TransferRegressor
from skltransfer._targets.task import Task
from skltransfer.compression import DistillationClassifier, DistillationRegressor
from skltransfer.compression._imitation import Imitation, softened

STUDENT = TransferClassifier(epochs=150, random_state=0)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    known = y[:500].copy()
    known[60:] = -1
    return X[:500], known, X[500:1000], y[500:1000]


@pytest.fixture(scope="module")
def forest(digits):
    X, y, *_ = digits
    return RandomForestClassifier(random_state=0).fit(X[:60], y[:60])


def divergence(student, teacher, X):
    """Mean Kullback-Leibler divergence of the student's answers from the teacher's."""
    p, q = teacher.predict_proba(X), student.predict_proba(X)
    return np.mean(np.sum(rel_entr(p, np.maximum(q, 1e-12)), axis=1))


def test_unlabeled_samples_bring_a_student_near_to_its_teacher(digits, forest):
    X, y, X_test, _ = digits
    alone = clone(STUDENT).set_params(trainable="all").fit(X[:60], y[:60])
    few = DistillationClassifier(FrozenEstimator(forest), STUDENT).fit(X[:60], y[:60])
    many = DistillationClassifier(FrozenEstimator(forest), STUDENT).fit(X, y)
    near, nearer, nearest = (divergence(student, forest, X_test) for student in (alone, few, many))
    assert nearest < 0.7 * nearer < 0.7 * near
    agreements = [np.mean(student.predict(X_test) == forest.predict(X_test)) for student in (alone, many)]
    assert agreements[1] > agreements[0] + 0.02


def test_a_teacher_is_fitted_to_labels_unless_it_is_frozen(digits, forest):
    X, y, X_test, _ = digits
    clf = DistillationClassifier(RandomForestClassifier(random_state=0), STUDENT).fit(X, y)
    np.testing.assert_array_equal(clf.teacher_.predict_proba(X_test), forest.predict_proba(X_test))
    frozen = FrozenEstimator(forest)
    alone = DistillationClassifier(frozen, STUDENT).fit(X, np.full(len(X), None))
    assert alone.teacher_ is frozen
    assert alone.score(X_test, forest.predict(X_test)) > 0.65
    with pytest.raises(ValueError, match="expected some labels, to fit the teacher to"):
        DistillationClassifier(RandomForestClassifier(), STUDENT).fit(X, np.full(len(X), None))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_labels_that_are_missing_are_marked_as_elsewhere(share):
    X, y = load_digits(return_X_y=True)
    X, names, ways = X[:80], np.array(list("abcdefghij"))[y[:80]], []
    numbers = np.where(np.arange(80) < 60, y[:80], -1)
    texts = np.where(np.arange(80) < 60, names, None)
    for labels in (numbers, np.where(numbers < 0, np.nan, numbers), texts):
        clf = DistillationClassifier(LogisticRegression(C=0.01), "mlp", student_loss_weight=share, random_state=0)
        ways.append(clf.fit(X, labels).predict_proba(X))
    np.testing.assert_allclose(ways[0], ways[1], atol=1e-6)
    np.testing.assert_allclose(ways[0], ways[2], atol=1e-6)


def test_loss_is_that_of_the_paper():
    random, temperature, share = np.random.default_rng(0), 4.0, 0.25
    z, v, y = random.normal(size=(5, 3)), random.normal(size=(5, 3)), np.eye(3)[[0, 1, 2, 1, 0]]
    known = np.array([1.0, 0.0, 1.0, 1.0, 0.0])
    weights = np.column_stack([share * known, (1 - share) * temperature**2 * np.ones(5)])
    answers = np.concatenate([y, softened(softmax(v, axis=1), temperature), weights], axis=1)
    goal = Imitation((Task("classes", 3),))
    outputs = np.concatenate([z, z / temperature], axis=1)
    soft = -np.sum(softmax(v / temperature, axis=1) * log_softmax(z / temperature, axis=1), axis=1)
    hard = -np.sum(y * log_softmax(z, axis=1), axis=1)
    expected = share * known * hard + (1 - share) * temperature**2 * soft
    np.testing.assert_allclose(np.asarray(goal.sample_losses(answers, outputs)), expected, rtol=1e-5)
    hits = known @ (z.argmax(axis=1) == y.argmax(axis=1))
    right, everything = goal.measure(answers, outputs)["accuracy"]
    np.testing.assert_allclose([right, everything], [share * hits, share * 3])


def test_a_search_tries_temperatures_and_parameters_of_both(digits):
    X, y, X_test, _ = digits
    clf = DistillationClassifier(
        LogisticRegression(max_iter=1000), TransferClassifier("mlp", epochs=20), random_state=0
    )
    grid = {"temperature": [1.0, 4.0], "student__head": ["linear", "mlp"], "teacher__C": [1e-3]}
    search = GridSearchCV(clf, grid, cv=2).fit(X[:60], y[:60])
    assert search.best_estimator_.teacher_.C == 1e-3
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(X_test), search.predict(X_test))


def test_values_that_are_missing_are_imitated():
    X, y = load_diabetes(return_X_y=True)
    both = np.column_stack([y, -2 * y])
    for target in (y, both):
        known = target.astype(float).copy()
        known[40:300] = np.nan
        teacher = Ridge(alpha=0.01)
        reg = DistillationRegressor(teacher, TransferRegressor(epochs=200, random_state=0)).fit(X[:300], known[:300])
        assert reg.predict(X[300:]).shape == target[300:].shape
        expected = reg.teacher_.predict(X[300:])
        alone = TransferRegressor(trainable="all", epochs=200, random_state=0).fit(X[:40], known[:40])
        errors = [np.square(one.predict(X[300:]) - expected).mean() for one in (reg, alone)]
        assert errors[0] < 0.5 * errors[1]


@pytest.mark.backends
def test_images(images, labels):
    teacher = TransferClassifier("small_resnet", epochs=2, random_state=0)
    student = TransferClassifier("small_cnn", epochs=2, augmentation="flip", early_stopping=True, random_state=0)
    known = labels.astype(object)
    known[20:] = None
    clf = DistillationClassifier(teacher, student, random_state=0).fit(images, known)
    assert clf.predict_proba(images).shape == (len(images), 4)
    assert set(clf.student_.history_) == {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    assert np.isfinite(clf.student_.history_["val_loss"]).all()


def test_pretrained_students_train_their_heads(images, labels):
    student = TransferClassifier("efficientnet_lite0", image_size=32, input_shape=(28, 28), epochs=3)
    clf = DistillationClassifier(LogisticRegression(), student, random_state=0)
    clf.fit(images.reshape(len(images), -1), labels)
    assert clf.student_.n_iter_ == 3
    assert clf.model_.network.above is None


def test_what_cannot_be_distilled_is_refused(digits):
    X, y, *_ = digits
    two, logistic = np.column_stack([y, y]), LogisticRegression()
    several = FrozenEstimator(RandomForestClassifier().fit(X, two))
    refused = [
        (TypeError, "student: expected a TransferClassifier", logistic, Ridge(), y),
        (ValueError, "student: budget is of no use", logistic, TransferClassifier(budget=2), y),
        (ValueError, "student: metrics is of no use", logistic, TransferClassifier(metrics=["mse"]), y),
        (ValueError, "y should be a 1d array", logistic, STUDENT, two),
        (ValueError, "expected 500 entries", logistic, STUDENT, y[:-1]),
        (ValueError, "expected a classifier of one task", several, STUDENT, y),
    ]
    for error, sentence, teacher, student, labels in refused:
        with pytest.raises(error, match=sentence):
            DistillationClassifier(teacher, student).fit(X, labels)
    with pytest.raises(TypeError, match="Got a TransferClassifier"):
        DistillationRegressor(Ridge(), STUDENT).fit(X, y)
    with pytest.raises(ValueError, match="The 'teacher' parameter of DistillationClassifier"):
        DistillationClassifier(Ridge(), STUDENT).fit(X, y)
