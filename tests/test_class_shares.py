"""Shares of classes in samples without labels."""

import numpy as np
import pytest
from scipy.stats import norm

from skltransfer.domain_shift import estimate_class_shares


def predictions(positives, n=400, *, seed=0, shift=0.0, apart=2.0, even=0.5):
    """Predicted probabilities of two normal classes by the true posterior of the source."""
    random = np.random.default_rng(seed)
    y = (random.random(n) < positives).astype(int)
    X = random.normal(apart * y) + shift
    densities = norm.pdf(X[:, None] - [0, apart]) * [1 - even, even]
    return densities / densities.sum(axis=1, keepdims=True), y


@pytest.mark.parametrize("method", ["mlls", "bbse"])
def test_intervals_cover_shares_under_a_label_shift(method):
    covered = []
    for seed in range(12):
        source, y = predictions(0.5, seed=seed)
        found = estimate_class_shares(source, y, predictions(0.2, seed=100 + seed)[0], method=method, random_state=seed)
        if found.identified:
            covered.append(found.lower[1] <= 0.2 <= found.upper[1])
            assert found.shares.sum() == pytest.approx(1)
            assert abs(found.shares[1] - 0.2) < 0.15
            assert found.p_value < 0.01
            assert found.upper[1] - found.lower[1] < 0.25
    assert len(covered) >= 10
    assert np.mean(covered) >= 0.8


def test_probabilities_need_not_be_calibrated():
    source, y = predictions(0.5)
    target, _ = predictions(0.2, seed=1)
    overconfident = [part**3 / (part**3).sum(axis=1, keepdims=True) for part in (source, target)]
    found = [
        estimate_class_shares(some, y, others, random_state=0) for some, others in ((source, target), overconfident)
    ]
    np.testing.assert_allclose(found[0].shares, found[1].shares, atol=0.02)


def test_no_shift_is_no_shift():
    rejected = [
        estimate_class_shares(*predictions(0.3, seed=seed), predictions(0.3, seed=50 + seed)[0], random_state=0).p_value
        < 0.05
        for seed in range(12)
    ]
    assert sum(rejected) <= 2


def test_classes_that_cannot_be_distinguished_have_no_shares():
    random = np.random.default_rng(0)
    source, target = random.dirichlet([5, 5], size=(2, 300))
    found = estimate_class_shares(source, random.integers(2, size=300), target, random_state=0)
    assert "the confusion matrix is singular within its sampling error" in found.reason
    assert np.isnan([found.shares, found.lower, found.upper]).all()
    assert not found.identified


def test_predictions_that_are_no_mixture_have_no_shares():
    source, y = predictions(0.4, apart=3.0, even=0.4)
    target, _ = predictions(0.29, seed=1, shift=3.5, apart=3.0, even=0.4)
    assert target.argmax(axis=1).mean() > 0.9  # three times as many as there are
    found = estimate_class_shares(source, y, target, random_state=0)
    assert "no mixture" in found.reason
    assert found.fit_p_value < 0.05
    assert np.isnan(found.shares).all()


def test_an_interval_too_wide_is_no_estimate():
    source, y = predictions(0.5, n=60, apart=0.9)
    target, _ = predictions(0.5, n=12, seed=3, apart=0.9)
    found = estimate_class_shares(source, y, target, method="bbse", random_state=0)
    assert found.reason == "the interval of a share goes from 0% to 100%"


def test_weights_count_as_samples():
    source, y = predictions(0.5, n=150)
    target, _ = predictions(0.2, seed=1)
    times = np.where(y == 1, 3, 1)
    weighted = estimate_class_shares(source, y, target, sample_weight=times, random_state=0)
    repeated = estimate_class_shares(source.repeat(times, axis=0), y.repeat(times), target, random_state=0)
    np.testing.assert_allclose(weighted.source_shares, repeated.source_shares)
    np.testing.assert_allclose(weighted.shares, repeated.shares, atol=0.01)


def test_found_shares_are_a_function_of_the_seed():
    source, y = predictions(0.5, n=100)
    target, _ = predictions(0.2, seed=1, n=100)
    one, other = (estimate_class_shares(source, y, target, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(one.lower, other.lower)
    assert one.fit_p_value == other.fit_p_value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "em"}, "method: expected 'mlls' or 'bbse'. Got 'em'"),
        ({"classes": np.zeros(20, int)}, r"each for at least 2 samples of positive weight. Got \[20, 0\]"),
        ({"classes": np.arange(20)}, r"numbers from 0 to 1, each .* and 18 of other numbers"),
        ({"classes": np.arange(20) % 2 == 0}, r"classes: expected 20 integers.* dtype bool"),
        (
            {"target_probabilities": np.full((5, 3), 1 / 3)},
            "target_probabilities: expected 2 columns, one a class. Got 3",
        ),
        ({"probabilities": -np.ones((20, 2))}, "probabilities: expected probabilities"),
        ({"sample_weight": np.ones(3)}, r"sample_weight\.shape"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given = {
        "probabilities": np.full((20, 2), 0.5), "classes": np.arange(20) % 2,
        "target_probabilities": np.full((5, 2), 0.5),
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        estimate_class_shares(**{**given, **change})
