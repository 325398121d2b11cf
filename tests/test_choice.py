"""Blocks of features of one forward pass, and the choice among them, of the penalty and of the temperature."""

import numpy as np
import pytest
from keras import ops
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skltransfer import AutoencoderTransformer, TransferClassifier, TransferRegressor, load_backbone
from skltransfer._engine.pooling import INPUT, Output, pool_features
from skltransfer._features import extraction as features
from skltransfer._features.blocks import block_widths, with_blocks
from skltransfer._features.extraction import plan_extraction
from skltransfer._heads import calibration
from skltransfer._heads import choice as choosing
from skltransfer._heads import span as spans
from skltransfer._heads.calibration import calibrate
from skltransfer._heads.choice import CONSTANT, PENALTIES, Candidate, _Ridge, block_scale, candidates, choose
from skltransfer._heads.logistic import Coordinates
from skltransfer._heads.solver import fit_logistic
from skltransfer._heads.span import decompose
from skltransfer._keras import backend
from skltransfer._keras.backend import double_precision
from skltransfer._targets.targets import Targets
from skltransfer._targets.task import Task

RANDOM = np.random.default_rng(0)


def classes(codes, weights=None):
    weights = np.ones(len(codes)) if weights is None else weights
    return Targets((Task("classes", codes.max() + 1),), np.eye(codes.max() + 1)[codes], weights[:, None])


@pytest.mark.backends
@pytest.mark.parametrize(("size", "cells"), [((8, 8), 4), ((5, 7), 3), ((2, 3), 4)])
def test_grid_is_the_mean_of_cells_that_cover_it(size, cells):
    x = RANDOM.normal(size=(2, *size, 3)).astype("float32")
    slow = np.empty((2, cells, cells, 3))
    for i in range(cells):
        for j in range(cells):
            rows, columns = (slice(k * n // cells, -(-(k + 1) * n // cells)) for k, n in zip((i, j), size, strict=True))
            slow[:, i, j] = x[:, rows, columns].mean(axis=(1, 2))
    found = ops.convert_to_numpy(pool_features(ops.convert_to_tensor(x), f"grid{cells}"))
    np.testing.assert_allclose(found, slow.reshape(2, -1), atol=1e-6)


@pytest.mark.backends
def test_bag_counts_tokens_wherever_they_stand_and_knows_no_padding():
    def bag(*tokens):
        return ops.convert_to_numpy(pool_features(ops.convert_to_tensor([tokens], dtype="int32"), "bag64"))[0]

    once, twice = bag(7, 300, 0, 0), bag(300, 0, 7, 300)
    np.testing.assert_allclose(once, bag(300, 7, 0, 0), atol=1e-6)
    np.testing.assert_allclose(np.sort(np.abs(once[once != 0])), np.full(2, 0.5**0.5), atol=1e-6)
    values = np.abs(twice[twice != 0])
    np.testing.assert_allclose(values.max() / values.min(), 1 + np.log(2), rtol=1e-5)
    np.testing.assert_allclose(np.sign(once), np.sign(twice))
    assert np.all(bag(0, 0, 0, 0) == 0)
    assert np.isfinite(bag(10**6, 2**31 - 1, 0, 0)).all()


def test_blocks_of_the_embedded_network(images):
    (samples, format), lite0 = read(images), load_backbone("efficientnet_lite0")
    plan = with_blocks(plan_extraction(lite0, format, image_size=64))
    assert plan.beside == (
        Output("block14_add", "grid4"), Output("block10_add", "grid4"), Output("block7_add", "grid4"),
        Output(INPUT, "grid16"),
    )  # fmt: skip
    found = features.extract(plan, samples)
    assert block_widths(plan, found.shape[1]) == [1280, 16 * 192, 16 * 112, 16 * 80, 16 * 16 * 3]
    np.testing.assert_allclose(
        found[:, :1280], features.extract(plan_extraction(lite0, format, image_size=64), samples)
    )


def read(images):
    fitted = TransferClassifier(image_size=64, features="last").fit(images[:8], np.arange(8) % 2)
    return fitted._read_known(images), fitted.model_.format


@pytest.mark.parametrize("groups", [np.arange(12), np.array([0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 8])])
def test_error_in_closed_form_is_that_of_refits_without_each_group(groups):
    X, values, weights = RANDOM.normal(size=(12, 30)), RANDOM.normal(size=(12, 2)), RANDOM.uniform(0.5, 2, 12)
    gram, weights = X @ X.T / 30, weights / weights.mean()
    centered = values - np.average(values, axis=0, weights=weights)
    centered /= np.sqrt(np.average(np.square(centered), axis=0, weights=weights).sum())
    found = _Ridge(gram, weights, groups).held_out(values)
    for number, penalty in enumerate(PENALTIES):
        for group in np.unique(groups):
            seen = groups != group
            ridge = (gram + CONSTANT)[np.ix_(seen, seen)] + np.diag(penalty * 12 / weights[seen])
            answers = (gram + CONSTANT)[np.ix_(~seen, seen)] @ np.linalg.solve(ridge, centered[seen])
            expected = (centered[~seen] - answers) * np.sqrt(weights[~seen])[:, None]
            np.testing.assert_allclose(found[number, ~seen], expected, atol=1e-8)


def test_the_block_that_tells_classes_apart_is_chosen():
    codes = np.arange(60) % 3
    signal = np.eye(3)[codes] + 0.3 * RANDOM.normal(size=(60, 3))
    options = [Candidate("noise", (1, 0)), Candidate("both", (0.5, 0.5)), Candidate("signal", (0, 1))]
    X = np.hstack([RANDOM.normal(size=(60, 20)), signal])
    (choice,) = choose(X, classes(codes), [20, 3], options, np.arange(60))
    assert choice.chosen == 2
    assert choice.errors[2] < choice.errors[1] < choice.errors[0]
    (doubtful,) = choose(np.hstack([signal, signal]), classes(codes), [3, 3], options, np.arange(60))
    assert doubtful.chosen == 0
    (few,) = choose(X[:24], classes(codes[:24]), [20, 3], options, np.arange(24))
    assert few.chosen == 0
    assert few.errors.argmin() == 2


def test_shares_are_those_of_the_sum_of_squares():
    X = RANDOM.normal(size=(50, 9)) * np.repeat([10.0, 0.1, 3.0], [2, 4, 3])
    scale = block_scale(X, np.ones(50), [2, 4, 3], (3, 1, 0), 2)
    squares = np.square((X - X.mean(axis=0)) / scale).mean(axis=0)
    np.testing.assert_allclose([squares[:2].sum(), squares[2:6].sum(), squares[6:].sum()], [1.5, 0.5, 0.0])


@pytest.mark.parametrize("outputs", [1, 2, 3, 5])
def test_the_robust_candidate_comes_first_and_none_twice(outputs):
    blocks = [Output("last", "avg"), *(Output(f"s{i}", "grid4") for i in range(outputs - 2)), Output(INPUT, "grid16")]
    options = candidates(blocks[:outputs], [1280, *[9] * (outputs - 2), 768][:outputs])
    assert all(len(option.shares) == outputs for option in options)
    assert len({option.shares for option in options}) == len(options)
    robust = {1: (1.0,), 2: (1.0, 0.0), 3: (0.5, 0.5, 0.0), 5: (1 / 3, 1 / 3, 1 / 3, 0.0, 0.0)}[outputs]
    np.testing.assert_allclose(options[0].shares, robust)
    np.testing.assert_allclose([sum(option.shares) for option in options], 1)
    assert all(option.shares[0] > 0 for option in options)


def test_a_network_that_says_less_than_its_input_is_not_relied_on():
    blocks = [Output("last", "avg"), Output("late", "grid4"), Output(INPUT, "grid16")]
    first, second, *_ = candidates(blocks, [64, 1024, 256])
    np.testing.assert_allclose(first.shares, [8 / 56, 32 / 56, 16 / 56])
    assert second == candidates(blocks, [1280, 1024, 256])[0]


def test_left_out_features_have_no_coefficients():
    X, codes = RANDOM.normal(size=(30, 6)), np.arange(30) % 3
    scale = np.where(np.arange(6) < 4, 2.0, np.inf)
    head = fit_logistic(X, codes, n_classes=3, C=1.0, weights=np.ones(30), scale=scale)
    alone = fit_logistic(X[:, :4], codes, n_classes=3, C=1.0, weights=np.ones(30), scale=scale[:4])
    np.testing.assert_allclose(head.coef, np.vstack([alone.coef, np.zeros((2, 3))]), atol=1e-9)


@pytest.mark.parametrize("shape", [(30, 60), (60, 40)])
def test_axes_of_some_samples_are_close_to_those_of_all(shape, monkeypatch):
    low_rank = RANDOM.normal(size=(shape[0], 4)) @ RANDOM.normal(size=(4, shape[1]))
    X, codes, weights = low_rank, (low_rank[:, 0] > 0).astype(int), np.ones(shape[0])
    scale = np.full(shape[1], 1.0)
    exact = fit_logistic(X, codes, n_classes=2, C=0.1, weights=weights, scale=scale)
    monkeypatch.setattr(spans, "MAX_RANK", 20)
    spans.decompositions.clear()
    head = fit_logistic(X, codes, n_classes=2, C=0.1 + 1e-12, weights=weights, scale=scale)
    assert decompose(X, weights, scale)[0].combinations is not None
    spans.decompositions.clear()
    np.testing.assert_allclose(head(X), exact(X), atol=1e-6)


def noisy(n_samples):
    codes = np.arange(n_samples) % 3
    return np.eye(3)[codes] + RANDOM.normal(size=(n_samples, 3)), codes


def test_temperature_is_best_on_new_samples():
    (X, codes), (X_new, codes_new) = noisy(150), noisy(3000)
    coordinates = Coordinates(decompose(X, np.ones(150))[0], codes, 3, np.ones(150))
    for found in calibrate(coordinates, np.arange(150)):
        head = fit_logistic(X, codes, n_classes=3, C=found.C, weights=np.ones(150))

        def loss(temperature, head=head):
            return -log_softmax(head(X_new) / temperature, axis=1)[np.arange(3000), codes_new].mean()

        assert loss(found.temperature) < min(loss(found.temperature * 2), loss(found.temperature / 2))
        assert loss(found.temperature) == pytest.approx(found.log_loss, abs=0.15)


def test_few_groups_of_many_samples_do_not_make_probabilities_unsure():
    X, codes = noisy(160)
    X += 2 * np.eye(3)[codes]  # nearly all are right
    coordinates = Coordinates(decompose(X, np.ones(160))[0], codes, 3, np.ones(160))
    alone = calibrate(coordinates, np.arange(160))
    together = calibrate(coordinates, RANDOM.integers(0, 8, 160), np.arange(160))
    for one, other in zip(alone, together, strict=True):
        assert other.temperature == pytest.approx(one.temperature, rel=0.25)
        assert other.log_loss == pytest.approx(one.log_loss, abs=0.06)
    (doubled,) = calibrate(coordinates, np.arange(160) // 8 * 8, np.arange(160) // 8)[-1:]
    assert doubled.log_loss > alone[-1].log_loss  # eight of each are as few as one of each


def test_samples_that_no_fold_holds_out_do_not_count_in_the_temperature(monkeypatch):
    X, codes = noisy(90)
    seen, rest = np.arange(45), np.arange(45, 90)
    coordinates = Coordinates(decompose(X, np.ones(90))[0], codes, 3, np.ones(90))
    monkeypatch.setattr(calibration, "_folds", lambda coordinates, groups: [(seen, rest)])
    found = calibrate(coordinates, np.arange(90))[-1]
    decisions = coordinates.decisions(coordinates.solve(found.C, seen)[0], rest)
    wrong = 1 / 47
    targets = np.where(np.eye(3)[codes[rest]] > 0, 1 - wrong, wrong / 2)
    tried = np.exp(np.linspace(-3, 3, 601))
    losses = [-np.sum(targets * log_softmax(decisions / t, axis=1)) / 45 for t in tried]
    assert found.temperature == pytest.approx(tried[np.argmin(losses)], rel=0.02)
    assert found.log_loss == pytest.approx(min(losses), rel=1e-3)


def test_of_many_samples_no_strength_is_tried_beyond_one_at_which_the_loss_rises(monkeypatch):
    random, codes = np.random.default_rng(0), np.arange(60) % 3
    X = 2 * np.eye(3)[codes] + random.normal(size=(60, 3))
    coordinates = Coordinates(decompose(X, np.ones(60))[0], codes, 3, np.ones(60))
    strengths = (0.1, 1e4, 1.0)
    every = calibrate(coordinates, np.arange(60), strengths=strengths)
    assert every[1].log_loss > every[0].log_loss
    monkeypatch.setattr(calibration, "MANY_SAMPLES", 60)
    assert calibrate(coordinates, np.arange(60), strengths=strengths) == every[:2]
    (one,) = calibrate(coordinates, np.arange(60), strengths=strengths[:1], n_folds=1)
    assert one.log_loss != every[0].log_loss


def test_a_class_of_one_sample_is_not_calibrated():
    X, codes = RANDOM.normal(size=(11, 3)), np.append(np.arange(10) % 2, 2)
    coordinates = Coordinates(decompose(X, np.ones(11))[0], codes, 3, np.ones(11))
    ((C, temperature, loss),) = calibrate(coordinates, np.arange(11))
    assert (C, temperature) == (0.1, 1.0)
    assert np.isnan(loss)


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    some = np.concatenate([np.flatnonzero(data.target == k)[:16] for k in range(10)])
    return train_test_split(
        data.images[some], data.target[some], train_size=60, stratify=data.target[some], random_state=0
    )


def test_small_drawings_need_more_than_the_last_average(digits):
    X, X_test, y, y_test = digits
    clf = TransferClassifier(image_size=64).fit(X, y)
    last = TransferClassifier(image_size=64, features="last", C=0.1).fit(X, y)
    assert clf.score(X_test, y_test) > last.score(X_test, y_test) + 0.05
    tried = {name: np.array(column) for name, column in clf.selection_.items()}
    blocks = tried["step"] == "features"
    assert tried["error"][blocks].min() < tried["error"][blocks & (tried["candidate"] == "last")]
    assert tried["chosen"][blocks].sum() == tried["chosen"][~blocks].sum() == 1
    losses = -np.log(clf.predict_proba(X_test)[np.arange(len(y_test)), y_test])
    assert losses.mean() < -np.log(last.predict_proba(X_test)[np.arange(len(y_test)), y_test]).mean()
    values = TransferRegressor(image_size=64).fit(X, y)
    assert values.score(X_test, y_test) > TransferRegressor(image_size=64, features="last").fit(X, y).score(
        X_test, y_test
    )


def test_a_search_costs_one_forward_pass(digits, empty_store):
    X, X_test, y, _ = digits
    before = features.n_computed
    for C in ("auto", 0.01, 1.0):
        TransferClassifier(image_size=64, C=C).fit(X, y).predict(X_test)
    assert features.n_computed - before == len(X) + len(X_test)


def test_choice_is_the_same_again_in_any_order_and_with_groups(digits):
    X, X_test, y, _ = digits
    clf = TransferClassifier(image_size=64).fit(X, y)
    order = RANDOM.permutation(len(y))
    other = clone(clf).fit(X[order], y[order])
    assert clf.selection_["chosen"] == other.selection_["chosen"]
    np.testing.assert_allclose(clf.predict_proba(X_test), other.predict_proba(X_test), atol=1e-4)
    twice = clone(clf).fit(np.repeat(X, 2, axis=0), np.repeat(y, 2), groups=np.repeat(np.arange(len(y)), 2))
    weighted = clone(clf).fit(X, y, sample_weight=np.full(len(y), 2.0))
    np.testing.assert_allclose(twice.selection_["error"][:4], weighted.selection_["error"][:4], rtol=1e-6)


def test_seeds_stores_and_threads_change_nothing(digits, tmp_path):
    X, X_test, y, _ = digits

    def chosen_anew(**options):
        choosing.choices.clear()
        return TransferClassifier(image_size=64, **{"random_state": 0, **options}).fit(X, y)

    clf = chosen_anew()
    for options in ({"random_state": 1}, {"memory": str(tmp_path)}, {"memory": str(tmp_path)}):
        other = chosen_anew(**options)
        assert other.selection_ == clf.selection_
        np.testing.assert_array_equal(other.predict_proba(X_test), clf.predict_proba(X_test))
    for threads in (1, 2):
        with threadpool_limits(threads):
            other = chosen_anew()
        assert other.selection_["chosen"] == clf.selection_["chosen"]
        np.testing.assert_allclose(other.selection_["error"], clf.selection_["error"], rtol=1e-9)
        np.testing.assert_allclose(other.predict_proba(X_test), clf.predict_proba(X_test), rtol=1e-6)


def test_training_goes_on_from_blocks(digits):
    X, _, y, _ = digits
    clf = TransferClassifier(image_size=64, learning_rate=0.0, random_state=0).fit(X, y)
    expected = clf.decision_function(X)
    np.testing.assert_allclose(clf.partial_fit(X, y).decision_function(X), expected, rtol=1e-3, atol=1e-3)
    clf.set_params(warm_start=True, trainable=1, epochs=1).fit(X, y)
    last = TransferClassifier(image_size=64, features="last", C=0.1).fit(X, y)
    np.testing.assert_allclose(clf.decision_function(X), last.decision_function(X), rtol=1e-3, atol=1e-3)


@pytest.mark.backends
def test_kernels_are_those_of_standardized_samples():
    X, weights = RANDOM.normal(size=(40, 3)) * [1, 10, 100], RANDOM.uniform(0.5, 2, 40)
    mean = np.average(X, axis=0, weights=weights)
    scale = np.sqrt(np.average(np.square(X - mean), axis=0, weights=weights))
    network = TransferClassifier().fit(X, X[:, 0] > 0, sample_weight=weights).backbone_
    with double_precision():
        found = ops.convert_to_numpy(network.to_keras()(ops.convert_to_tensor(X, "float64")))
    atol = 1e-7 if backend.name() == "tensorflow" else 1e-4  # elsewhere Keras computes parts in single precision
    for block, width in zip(np.split(found, 3, axis=1), (0.3, 1.0, 3.0), strict=True):
        expected = rbf_kernel((X - mean) / scale, gamma=width / 3)
        np.testing.assert_allclose(block @ block.T, expected, atol=atol)


def test_kernels_of_more_samples_than_landmarks_do_not_hang_on_their_order():
    X = RANDOM.normal(size=(600, 2))
    y, order = (X[:, 0] * X[:, 1] > 0).astype(int), RANDOM.permutation(600)
    clf, other = TransferClassifier().fit(X, y), TransferClassifier().fit(X[order], y[order])
    assert clf.backbone_.to_keras().output_shape == (None, 3 * 512)
    np.testing.assert_allclose(clf.decision_function(X[:50]), other.decision_function(X[:50]), rtol=1e-4, atol=1e-6)
    new = RANDOM.normal(size=(500, 2))
    assert clf.score(new, (new[:, 0] * new[:, 1] > 0).astype(int)) > 0.95


@pytest.mark.parametrize(
    ("target", "expected"), [(lambda x: x[:, 0], "columns"), (lambda x: x[:, 0] * x[:, 1], "kernel")]
)
def test_a_table_chooses_columns_or_kernels(target, expected):
    X = RANDOM.normal(size=(80, 6))
    reg = TransferRegressor().fit(X, target(X))
    chosen = [
        name for name, picked in zip(reg.selection_["candidate"], reg.selection_["chosen"], strict=True) if picked
    ]
    assert expected in chosen[0]
    assert reg.score(X, target(X)) > 0.9


def test_a_network_of_columns_gives_the_columns_beside_its_last_layer():
    X, y = load_wine(return_X_y=True)
    backbone = AutoencoderTransformer(latent_dim=4, epochs=2, random_state=0).fit(X).backbone_
    clf = TransferClassifier(backbone).fit(X[::2], y[::2])
    assert "columns" in clf.selection_["candidate"]
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[::2], y[::2])
    assert clf.score(X[1::2], y[1::2]) >= scaled.score(X[1::2], y[1::2]) - 0.02


def test_a_search_over_the_penalty_chooses_blocks_once(images, labels):
    choosing.choices.clear()
    found = [TransferClassifier(image_size=32, C=C).fit(images, labels).selection_["chosen"] for C in (0.1, 1.0)]
    assert found[0] == found[1]
    assert len(choosing.choices) == 1
