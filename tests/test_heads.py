import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from skltransfer._heads.solver import fit_logistic
from skltransfer._targets.probabilities import log_probabilities, probabilities
from skltransfer._utils.statistics import weighted_moments
from skltransfer.adaptation._pseudo_labels import centroid_labels, confident_labels


def problem(n_rows, n_features, n_classes, seed=0):
    random = np.random.default_rng(seed)
    codes = np.arange(n_rows) % n_classes
    centres = random.normal(size=(n_classes, n_features))
    return (random.normal(size=(n_rows, n_features)) + 0.5 * centres[codes]) * random.uniform(0.1, 9, n_features), codes


@pytest.mark.parametrize(("n_samples", "n_features"), [(60, 5), (500, 420)])  # the second is solved as a large problem
def test_one_sample_of_each_of_many_classes(n_samples, n_features):
    X = np.random.default_rng(0).normal(size=(n_samples, n_features))
    head = fit_logistic(X, np.arange(n_samples), n_classes=n_samples, C=0.5, weights=np.ones(n_samples))
    centered = X - X.mean(axis=0)
    scale = np.sqrt(np.mean(np.square(centered)))
    residuals = softmax(head(X), axis=1) - np.eye(n_samples)
    slope = 0.5 * centered.T @ residuals / scale + head.coef * scale  # 0 where the penalized loss is least
    assert np.abs(slope).max() < 1e-6 * np.abs(head.coef * scale).max()
    assert np.abs(residuals.sum(axis=0)).max() < 1e-6


@pytest.mark.parametrize(("n_rows", "n_features"), [(40, 200), (200, 40), (50, 50)])
@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("C", [1e-4, 1e-2, 1.0])
def test_same_probabilities_as_scikit_learn(n_rows, n_features, n_classes, C):
    features, codes = problem(n_rows, n_features, n_classes)
    head = fit_logistic(features, codes, n_classes=n_classes, C=C, weights=np.ones(n_rows))
    centered = features - features.mean(axis=0)
    scaled = centered / np.sqrt(np.mean(centered**2))
    peer = LogisticRegression(C=C, tol=1e-12, max_iter=10000).fit(scaled, codes)
    np.testing.assert_allclose(probabilities(head(features)), peer.predict_proba(scaled), atol=1e-6)


@given(st.lists(st.integers(1, 4), min_size=24, max_size=24), st.sampled_from([2, 3]))
def test_integer_weight_is_a_repeated_sample(weights, n_classes):
    features, codes = problem(24, 60, n_classes)
    weights = np.array(weights)
    often, codes_often = features.repeat(weights, axis=0), codes.repeat(weights)
    weighted = fit_logistic(features, codes, n_classes=n_classes, C=0.1, weights=weights.astype(float))
    repeated = fit_logistic(often, codes_often, n_classes=n_classes, C=0.1, weights=np.ones(len(often)))
    np.testing.assert_allclose(weighted(features), repeated(features), atol=1e-6)


def test_same_fit_twice_is_bit_identical():
    features, codes = problem(60, 300, 4)
    first, second = (fit_logistic(features, codes, n_classes=4, C=0.1, weights=np.ones(60)) for _ in range(2))
    np.testing.assert_array_equal(first.coef, second.coef)


@given(st.permutations(range(30)))
def test_order_of_samples_changes_nothing(order):
    features, codes = problem(30, 80, 3)
    order = list(order)
    a = fit_logistic(features, codes, n_classes=3, C=0.1, weights=np.ones(30))
    b = fit_logistic(features[order], codes[order], n_classes=3, C=0.1, weights=np.ones(30))
    np.testing.assert_allclose(a(features), b(features), atol=1e-6)


def test_constant_and_duplicate_features_do_no_harm():
    features, codes = problem(30, 40, 3)
    features = np.hstack([features, features, np.full((30, 2), 7.0)])
    head = fit_logistic(features, codes, n_classes=3, C=1.0, weights=np.ones(30))
    assert np.isfinite(head.coef).all()
    assert (head(features).argmax(axis=1) == codes).mean() > 0.8


@given(st.integers(1, 3), st.floats(-40, 40))
def test_probabilities_sum_to_one_and_agree_with_their_logarithms(n_outputs, size):
    decisions = size * np.random.default_rng(0).normal(size=(7, n_outputs))
    if n_outputs == 2:
        decisions = decisions[:, :1]
    np.testing.assert_allclose(probabilities(decisions).sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(log_probabilities(decisions)), probabilities(decisions), atol=1e-12)


def test_weighted_moments_are_those_of_repeated_samples():
    values, weights = np.random.default_rng(0).normal(3, 2, (10, 4)), np.arange(1, 11)
    mean, scale = weighted_moments(values, weights.astype(float))
    np.testing.assert_allclose(mean, values.repeat(weights, axis=0).mean(axis=0))
    np.testing.assert_allclose(scale, values.repeat(weights, axis=0).std(axis=0))


PREDICTIONS = arrays(np.float64, (12, 4), elements=st.integers(1, 50).map(float)).map(
    lambda x: x / x.sum(axis=1, keepdims=True)
)


@given(PREDICTIONS, st.floats(0, 1), st.sampled_from([0.0, 0.4]))
def test_confident_labels_by_hand(predictions, share, threshold):
    codes, weights = confident_labels(predictions, share=share, threshold=threshold)
    assert codes.tolist() == [int(np.argmax(row)) for row in predictions]
    for code in set(codes):
        rows = sorted((i for i in range(12) if codes[i] == code), key=lambda i: (-max(predictions[i]), i))
        n_taken = max(1, round(share * len(rows)))
        expected = [float(rank < n_taken and max(predictions[i]) >= threshold) for rank, i in enumerate(rows)]
        assert weights[rows].tolist() == expected


@pytest.mark.parametrize("share", [-0.1, 1.5, np.nan])
def test_share_of_confident_labels_is_from_0_to_1(share):
    with pytest.raises(ValueError, match="share: expected a number from 0 to 1"):
        confident_labels(np.eye(2), share=share)


def slow_centroid_labels(features, predictions):
    rows = [np.append(row, 1) / np.sqrt(sum(row**2) + 1) for row in features]
    codes = [int(np.argmax(row)) for row in predictions]
    memberships = predictions
    for _ in range(2):
        cosines = np.full(predictions.shape, -np.inf)
        for code in set(codes):
            centroid = sum(m[code] * row for m, row in zip(memberships, rows, strict=True)) / sum(memberships[:, code])
            cosines[:, code] = [row @ centroid / np.sqrt(centroid @ centroid) for row in rows]
        codes = [int(np.argmax(row)) for row in cosines]
        memberships = np.eye(predictions.shape[1])[codes]
    return codes


@given(PREDICTIONS, st.integers(0, 99))
def test_centroid_labels_by_hand(predictions, seed):
    features = np.random.default_rng(seed).normal(size=(12, 5))
    found = centroid_labels(features, predictions)
    assert found.tolist() == slow_centroid_labels(features, predictions)
    assert set(found) <= set(predictions.argmax(axis=1))


def test_centroid_labels_correct_mistakes_near_other_classes():
    random = np.random.default_rng(0)
    codes = np.arange(60) % 3
    features = 9 * np.eye(3)[codes] + random.normal(size=(60, 3))
    predictions = np.full((60, 4), 0.1) + 0.6 * np.eye(4)[codes]
    predictions[:6] = np.roll(predictions[:6], 1, axis=0)
    assert (predictions.argmax(axis=1) == codes).mean() < 1
    assert centroid_labels(features, predictions).tolist() == codes.tolist()
