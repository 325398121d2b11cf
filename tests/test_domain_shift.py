import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from skltransfer import domain_report
from skltransfer.domain_shift import align_domains
from skltransfer.domain_shift._measures import class_drift, density_ratio, mmd_test, scale_mismatch, with_shares


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:, 18:46], y


def halves(digits, seed, n=150):
    X, y = digits
    rows = np.random.default_rng(seed).permutation(len(X))
    return X[rows[:n]], y[rows[:n]], X[rows[n : 2 * n]], y[rows[n : 2 * n]]


def test_equal_domains_are_found_equal(digits):
    reports = []
    for seed in range(12):
        X, y, X_target, _ = halves(digits, seed)
        reports.append(domain_report(X, y, X_target, random_state=seed))
    for name in ("mmd_p_value", "c2st_p_value", "label_p_value"):
        p_values = np.array([getattr(report, name) for report in reports])
        assert (p_values > 0.05).sum() >= 9, (name, p_values)
        assert 0.2 < np.median(p_values) < 0.9, (name, p_values)
    assert sum("no shift found" in report.suggestions[0] for report in reports) > 10


def test_obvious_shift_is_found(digits):
    X, y, X_target, _ = halves(digits, 0)
    report = domain_report(X, y, 16 - X_target, random_state=0)
    assert report.a_distance > 1.9
    assert report.c2st_accuracy > 0.95
    assert max(report.mmd_p_value, report.c2st_p_value) < 0.01
    assert report.mmd2 > 0.3
    assert report.suggestions[0].startswith("covariate shift")
    assert np.isnan(list(report.target_shares.values())).all()
    assert report.not_identified
    assert report.bound == report.source_error + report.a_distance / 2


def test_label_shift_is_recovered(digits):
    X, y = digits
    random = np.random.default_rng(0)
    rows = random.permutation(len(X))
    source, rest = rows[:800], rows[800:]
    target = rest[random.random(len(rest)) < np.where(y[rest] < 3, 1, 0.2)]
    report = domain_report(X[source], y[source], X[target], random_state=0)
    true = np.bincount(y[target]) / len(target)
    np.testing.assert_allclose(list(report.target_shares.values()), true, atol=0.05)
    assert report.label_p_value < 1e-6
    assert report.reweighted_p_value > 0.05
    assert report.suggestions[0].startswith("label shift")
    assert sum(report.target_shares.values()) == pytest.approx(1)
    assert all(low <= share <= high for share, (low, high) in zip(true, report.target_intervals.values(), strict=True))
    assert report.alignments == ()


def test_other_units_are_found(digits):
    X, y, X_target, _ = halves(digits, 0)
    report = domain_report(X / 16, y, X_target, random_state=0)
    assert len(report.mismatched_columns) > 10
    assert len(report.suggestions) == 1
    assert "scale mismatch" in report.suggestions[0]
    assert domain_report(X / 16, y, X_target / 16, random_state=0).mismatched_columns == ()


def two_classes(seed, positives, shift=0.0, n=300, d=40):
    """Two classes in many columns; a shift pushes the target towards the second class, and aside."""
    random = np.random.default_rng(seed)
    apart, beside = random.normal(size=(2, d))
    apart *= 3 / np.linalg.norm(apart)
    y, y_target = random.random(n) < 0.4, random.random(n) < positives
    X, X_target = (np.outer(own, apart) + random.normal(size=(n, d)) for own in (y, y_target))
    return X, y.astype(int), X_target + shift * (0.5 * apart + 0.3 * beside), y_target.astype(int)


@pytest.mark.parametrize("n_scaled", [0, 2])
def test_shares_are_not_told_under_a_strong_covariate_shift(n_scaled):
    """Nearly all of the target is predicted as positive, where 29 % are."""
    X, y, X_target, _ = two_classes(0, 0.29, shift=4.0)
    X_target[:, :n_scaled] *= 50
    report = domain_report(X, y, X_target, random_state=0)
    assert report.mismatched_columns == tuple(range(n_scaled))
    assert np.isnan([*report.target_shares.values(), *report.class_weights.values()]).all()
    kinds = [sentence.split(":")[0].split(",")[0] for sentence in report.suggestions]
    assert kinds[-3] == "covariate shift"
    assert kinds[-1] == "label shift"
    assert "but the shares are not identifiable: " in report.suggestions[-1]
    assert (kinds[0] == "scale mismatch") == bool(n_scaled)
    assert "not identifiable" in str(report)


def test_a_label_shift_is_told_beside_columns_of_other_scales():
    X, y, X_target, y_target = two_classes(0, 0.8)
    X_target[:, :2] *= 50
    report = domain_report(X, y, X_target, random_state=0)
    assert [sentence.split(":")[0] for sentence in report.suggestions] == ["scale mismatch", "label shift"]
    lower, upper = report.target_intervals[1]
    assert lower < y_target.mean() < upper


def test_only_what_brings_domains_together_is_recommended():
    X, y, X_target, _ = two_classes(0, 0.4, shift=2.0)
    report = domain_report(X, y, X_target, random_state=0)
    none, *tried = report.alignments
    assert [trial.name for trial in tried] == ["center", "standardize", "coral"]
    best = min(tried, key=lambda trial: trial.distance)
    assert best.distance < none.distance - 1
    assert f"align_domains(X_source, X_target, {best.name!r}) brings the domains together" in report.suggestions[1]
    random = np.random.default_rng(0)
    bent = np.sign(X_target - X_target.mean(axis=0)) * random.uniform(0.99, 1.01, X_target.shape)
    report = domain_report(X, y, bent, random_state=0)  # no moments of the source make two points a bell
    assert report.suggestions[1].startswith("no alignment without training helps clearly")


@pytest.mark.parametrize("how", ["center", "standardize", "coral"])
def test_alignments_match_moments(how):
    random = np.random.default_rng(0)
    mix = random.normal(size=(3, 3))
    X, X_target = random.normal(size=(500, 3)), 5 * random.normal(size=(400, 3)) @ mix + 7
    source, target = align_domains(X, X_target, how)
    np.testing.assert_allclose(source.mean(axis=0), target.mean(axis=0), atol=1e-9)
    if how != "center":
        np.testing.assert_allclose(source.std(axis=0), target.std(axis=0), rtol=0.05)
    if how == "coral":
        np.testing.assert_allclose(np.cov(source.T), np.cov(target.T), rtol=0.1, atol=1)
        np.testing.assert_array_equal(target, X_target)
    with pytest.raises(ValueError, match=r"Got how='corall'; known: .* Did you mean 'coral'"):
        align_domains(X, X_target, "corall")
    with pytest.raises(ValueError, match=r"X_target: expected 3 columns, as in X_source\. Got 2"):
        align_domains(X, X_target[:, :2], how)


def test_report_is_a_function_of_its_seed(digits):
    X, y, X_target, _ = halves(digits, 0)
    assert domain_report(X, y, X_target, random_state=3) == domain_report(X, y, X_target, random_state=3)


def test_report_prints(digits):
    pd = pytest.importorskip("pandas")
    X, y, X_target, _ = halves(digits, 0)
    names = np.array(["<zero>", *map(str, range(1, 10))])[y]
    report = domain_report(X, names, X_target, random_state=0)
    frame = report.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["figure", "value", "meaning"]
    assert frame.set_index("figure").loc["A-distance", "value"] == report.a_distance
    assert "share of <zero>" in set(frame.figure)
    assert "share of &lt;zero&gt;" in report._repr_html_()
    assert "150 source samples, 150 target samples, 28 features" in str(report)
    assert f"- {report.suggestions[0]}" in str(report)


def test_bad_features(digits, images):
    X, y, X_target, _ = halves(digits, 0)
    with pytest.raises(ValueError, match=r"X_source: expected features.*\(40, 28, 28\).*BackboneTransformer"):
        domain_report(images, y[:40], X_target)
    with pytest.raises(ValueError, match=r"X_target: expected features.*BackboneTransformer"):
        domain_report(X, y, ["a.png", "b.png"])
    with pytest.raises(ValueError, match=r"X_target: expected 28 columns, as in X_source. Got 5"):
        domain_report(X, y, X_target[:, :5])
    with pytest.raises(ValueError, match="X_target: expected at least 10 samples"):
        domain_report(X, y, X_target[:9])
    with pytest.raises(ValueError, match="X_source: expected finite numbers"):
        domain_report(np.where(X > 15, np.nan, X), y, X_target)


def test_bad_labels(digits):
    X, y, X_target, _ = halves(digits, 0)
    with pytest.raises(ValueError, match="y_source: expected 150 labels"):
        domain_report(X, y[:3], X_target)
    with pytest.raises(ValueError, match=r"y_source: expected a label in each sample. Got 1 None or NaN"):
        domain_report(X, [None, *map(str, y[1:])], X_target)
    with pytest.raises(ValueError, match=r"at least 2 classes with at least 2 samples each. Got 1 classes"):
        domain_report(X, np.zeros(150), X_target)


def slow_mmd2(some, others):
    rows = np.concatenate([some, others])
    distances = [((a - b) ** 2).sum() for i, a in enumerate(rows) for b in rows[:i]]
    width = np.median(distances)

    def kernel(a, b):
        return np.exp(-((a - b) ** 2).sum() / width)

    within = [
        np.mean([kernel(a, b) for i, a in enumerate(X) for j, b in enumerate(X) if i != j]) for X in (some, others)
    ]
    return sum(within) - 2 * np.mean([kernel(a, b) for a in some for b in others])


def test_mmd_beside_a_slow_one(digits):
    X, _, X_target, _ = halves(digits, 0, n=15)
    assert mmd_test(X, X_target[:9], random_state=0)[0] == pytest.approx(slow_mmd2(X, X_target[:9]))


@given(seed=st.integers(0, 1000), shift=st.floats(0, 3))
def test_mmd_is_symmetric_and_blind_to_order(seed, shift):
    random = np.random.default_rng(seed)
    some, others = random.normal(size=(8, 3)), random.normal(shift, size=(6, 3))
    value = mmd_test(some, others, random_state=0)[0]
    assert value == pytest.approx(mmd_test(others, some, random_state=0)[0], abs=1e-12)
    assert value == pytest.approx(mmd_test(random.permutation(some), others, random_state=0)[0], abs=1e-12)
    assert value <= 2


@given(seed=st.integers(0, 1000))
def test_density_ratio_is_about_one_for_one_domain(seed):
    X = np.random.default_rng(seed).normal(size=(20, 4))
    np.testing.assert_allclose(density_ratio(X, X), 1, atol=1e-3)


def test_density_ratio_follows_the_densities():
    random = np.random.default_rng(0)
    source, target = random.normal(0, 1, size=(4000, 1)), random.normal(1, 1, size=(4000, 1))
    true = np.exp(source[:, 0] - 0.5)
    assert np.corrcoef(np.log(density_ratio(source, target)), np.log(true))[0, 1] > 0.99
    assert np.mean(density_ratio(source, target)) == pytest.approx(1, abs=0.1)


def test_small_measures():
    source, target = np.array([[0.0], [2.0], [9.0], [11.0]]), np.array([[4.0], [6.0]])
    drift = class_drift(source, np.array([0, 0, 1, 1]), target, np.array([0, 0]))
    np.testing.assert_allclose(drift, [4.0, np.nan])
    wide = np.column_stack([np.arange(20.0), np.zeros(20), np.arange(20.0)])
    assert scale_mismatch(wide, wide * [1, 1, 11]).tolist() == [2]
    silent = np.where(np.arange(20) < 8, 0, np.arange(20.0))[:, None]
    assert scale_mismatch(silent, wide[:, :1]).tolist() == []
    assert scale_mismatch(silent, silent / 255).tolist() == [0]
    rows = with_shares(np.repeat([0, 1], [10, 10]), np.array([0.8, 0.2]), np.random.RandomState(0))
    assert np.bincount(np.repeat([0, 1], [10, 10])[rows]).tolist() == [10, 2]
