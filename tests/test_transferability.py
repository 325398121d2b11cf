"""Measures of transferability against slow twins, what they must not depend on, and the ranking of backbones."""

import itertools
import math

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import StratifiedKFold, cross_val_score

from skltransfer import BackboneRankingDisplay, TransferClassifier, load_backbone, rank_backbones
from skltransfer.transferability import h_score, k_nn, leep, log_me, n_leep, nce, trans_rate

mpl.use("agg")

BY_FEATURES = [h_score, k_nn, log_me, n_leep, trans_rate]


def blobs(seed, n_samples=30, n_features=4, n_classes=3, apart=1.5):
    random = np.random.default_rng(seed)
    y = np.arange(n_samples) % n_classes
    centers = apart * random.normal(size=(n_classes, n_features))
    return centers[y] + random.normal(size=(n_samples, n_features)) * random.uniform(0.5, 2, n_features), y


def soft_labels(seed, n_samples=20, n_classes=4):
    return np.random.default_rng(seed).dirichlet(np.full(n_classes, 0.5), n_samples)


def slow_evidence(F, t):
    """MacKay's fixed point of both precisions, and the evidence there, with whole matrices."""
    n, d = F.shape
    alpha, beta = 1.0, 1.0
    for _ in range(2000):
        A = alpha * np.eye(d) + beta * F.T @ F
        m = beta * np.linalg.inv(A) @ F.T @ t
        known = d - alpha * np.trace(np.linalg.inv(A))
        alpha, beta = known / (m @ m), (n - known) / ((F @ m - t) @ (F @ m - t))
    A = alpha * np.eye(d) + beta * F.T @ F
    m = beta * np.linalg.inv(A) @ F.T @ t
    lost = beta / 2 * (F @ m - t) @ (F @ m - t) + alpha / 2 * m @ m
    evidence = n / 2 * np.log(beta / (2 * np.pi)) + d / 2 * np.log(alpha) - lost - np.linalg.slogdet(A)[1] / 2
    return evidence / n


def slow_log_me(F, y):
    return np.mean([slow_evidence(F, (y == label).astype(float)) for label in np.unique(y)])


def slow_leep(probabilities, y):
    total, n_source = 0.0, len(probabilities[0])
    for row, label in zip(probabilities, y, strict=True):
        likelihood = 0.0
        for z in range(n_source):
            alike = sum(other[z] for other, its in zip(probabilities, y, strict=True) if its == label)
            everyone = sum(other[z] for other in probabilities)
            likelihood += row[z] * alike / everyone
        total += math.log(likelihood)
    return total / len(y)


def slow_n_leep(F, y, n_components, seed):
    centered = F - F.mean(axis=0)
    variances, axes = np.linalg.eigh(centered.T @ centered)
    order = np.argsort(variances)[::-1]
    kept = next(k for k in itertools.count(1) if variances[order[:k]].sum() > 0.8 * variances.sum())
    reduced = centered @ axes[:, order[:kept]]
    mixture = GaussianMixture(n_components, covariance_type="diag", random_state=seed).fit(reduced)
    shares = []
    for x in reduced:
        parts = zip(mixture.weights_, mixture.means_, mixture.covariances_, strict=True)
        dense = [w * np.prod(np.exp(-((x - m) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)) for w, m, v in parts]
        shares.append(np.array(dense) / sum(dense))
    return slow_leep(shares, y)


def slow_nce(source, y):
    n, total = len(y), 0.0
    for z, label in itertools.product(set(source), set(y)):
        both = sum(a == z and b == label for a, b in zip(source, y, strict=True)) / n
        if both:
            total += both * math.log(both / (list(source).count(z) / n))
    return total


def slow_h_score(F, y):
    """Shrinkage by the sums of Ledoit and Wolf (2004), sample by sample."""
    X = F - F.mean(axis=0)
    n, d = X.shape
    S = sum(np.outer(x, x) for x in X) / n
    target = np.trace(S) / d * np.eye(d)
    distance = ((S - target) ** 2).sum()
    shrinkage = min(sum(((np.outer(x, x) - S) ** 2).sum() for x in X) / n**2, distance) / distance
    G = np.array([X[y == label].mean(axis=0) for label in y])
    return np.trace(np.linalg.inv((1 - shrinkage) * S + shrinkage * target) @ ((1 - shrinkage) * G.T @ G / n))


def slow_rate(Z):
    return np.linalg.slogdet(np.eye(Z.shape[1]) + Z.T @ Z / (len(Z) * 1e-4))[1] / 2


def slow_trans_rate(F, y):
    Z = F - F.mean(axis=0)
    Z = Z / np.sqrt(np.trace(np.cov(Z.T, bias=True)))
    return slow_rate(Z) - sum((y == label).mean() * slow_rate(Z[y == label]) for label in np.unique(y))


def slow_neighbors(F, n_neighbors):
    for i, x in enumerate(F):
        others = [j for j in range(len(F)) if j != i]
        yield sorted(others, key=lambda j, x=x: np.linalg.norm(F[j] - x))[:n_neighbors]


@pytest.mark.parametrize(("seed", "n_features"), [(0, 4), (1, 2), (2, 12)])
def test_measures_of_features_equal_their_slow_twins(seed, n_features):
    F, y = blobs(seed, n_features=n_features)
    assert log_me(F + 0.3, y) == pytest.approx(slow_log_me(F + 0.3, y), abs=1e-5)
    assert h_score(F, y) == pytest.approx(slow_h_score(F, y))
    assert trans_rate(F, y) == pytest.approx(slow_trans_rate(F, y))
    assert n_leep(F, y, n_components=4, random_state=seed) == pytest.approx(slow_n_leep(F, y, 4, seed))
    votes = [np.bincount(y[near], minlength=3).argmax() for near in slow_neighbors(F, 3)]
    assert k_nn(F, y, n_neighbors=3) == pytest.approx(np.mean(votes == y))


def test_measures_of_values_equal_their_slow_twins():
    F, _ = blobs(3)
    values = F @ [1.0, -2.0, 0.5, 0.0] + np.random.default_rng(0).normal(size=len(F))
    assert log_me(F, values) == pytest.approx(slow_evidence(F, values), abs=1e-5)
    both = np.stack([values, np.sin(F[:, 0])], axis=1)
    mean = (slow_evidence(F, both[:, 0]) + slow_evidence(F, both[:, 1])) / 2
    assert log_me(F, both) == pytest.approx(mean, abs=1e-5)
    found = np.array([values[near].mean() for near in slow_neighbors(F, 5)])
    assert k_nn(F, values) == pytest.approx(1 - ((values - found) ** 2).sum() / ((values - values.mean()) ** 2).sum())


@pytest.mark.parametrize("seed", [0, 1])
def test_measures_of_source_classes_equal_their_slow_twins(seed):
    probabilities, y = soft_labels(seed), np.array(["a", "b", "c", "b", "a"] * 4)
    assert leep(probabilities, y) == pytest.approx(slow_leep(probabilities, y))
    source = probabilities.argmax(axis=1)
    assert nce(source, y) == pytest.approx(slow_nce(source.tolist(), y.tolist()))
    assert leep(np.eye(4)[source], y) == pytest.approx(nce(source, y))


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(2, 5))
def test_leep_and_nce_are_at_most_zero(seed, n_source, n_classes):
    random = np.random.default_rng(seed)
    y = np.append(np.arange(n_classes), random.integers(n_classes, size=15))
    probabilities = random.dirichlet(np.full(n_source, 0.3), len(y))
    assert leep(probabilities, y) <= 0
    assert nce(probabilities.argmax(axis=1), y) <= 0
    assert nce(y, y) == 0


@given(st.integers(0, 10**6), st.sampled_from([2, 5, 40]))
def test_rotation_of_features_changes_nothing(seed, n_features):
    F, y = blobs(seed, n_features=n_features)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(n_features, n_features)))[0]
    for measure in (log_me, h_score, trans_rate, k_nn):
        assert measure(F @ rotation, y) == pytest.approx(measure(F, y), rel=1e-6, abs=1e-6)
    assert 0 <= h_score(F, y) <= 2
    assert trans_rate(F, y) >= 0


@given(st.integers(0, 10**6))
def test_order_of_samples_and_names_of_classes_change_nothing(seed):
    F, y = blobs(seed)
    order = np.random.default_rng(seed).permutation(len(y))
    probabilities = soft_labels(seed, len(y))
    names = np.array(["b", "c", "a"])[y]
    for measure, given_ in ((log_me, F), (h_score, F), (trans_rate, F), (leep, probabilities)):
        assert measure(given_[order], names[order]) == pytest.approx(measure(given_, y))
    assert k_nn(F[order], y[order]) == pytest.approx(k_nn(F, y))
    source = probabilities.argmax(axis=1)
    assert nce(source[order], names[order]) == pytest.approx(nce(source, y))


@given(st.integers(0, 10**6))
def test_separable_classes_score_higher_than_shuffled_ones(seed):
    y = np.repeat([0, 1, 2], 20)
    random = np.random.default_rng(seed)
    F = 12 * np.eye(3)[y] + random.normal(size=(60, 3))
    shuffled = random.permutation(y)
    for measure in (log_me, h_score, trans_rate, k_nn):
        assert measure(F, y) > measure(F, shuffled)
    assert leep(np.eye(3)[y], y) > leep(np.eye(3)[y], shuffled)
    assert nce(y, y) > nce(y, shuffled)


def test_gaussian_components_tell_separable_classes_and_not_shuffled_ones():
    F, y = blobs(0, 60, apart=8)
    scores = [n_leep(F, labels, random_state=0) for labels in (y, np.random.default_rng(0).permutation(y))]
    assert scores[0] > -0.05 > -0.5 > scores[1]
    assert n_leep(F, y, random_state=0) == n_leep(F, y, n_components=12, random_state=0)  # one for 5 samples


def test_log_me_stays_finite_where_features_explain_all():
    F, y = blobs(0, n_features=2)
    exact = np.column_stack([F, np.eye(3)[y]])
    assert np.isfinite(log_me(exact, y))
    assert log_me(exact, y) > log_me(F, y)


@pytest.mark.parametrize("measure", BY_FEATURES)
def test_bad_features_and_labels(measure, images):
    F, y = blobs(0)
    with pytest.raises(ValueError, match=r"features: expected features.*\(40, 28, 28\).*BackboneTransformer"):
        measure(images, np.arange(40) % 2)
    with pytest.raises(ValueError, match="features: expected finite numbers"):
        measure(np.where(F > 2, np.nan, F), y)
    with pytest.raises(ValueError, match="features: expected at least 2 samples that differ"):
        measure(np.ones((30, 4)), y)
    with pytest.raises(ValueError, match=r"y: expected 30 entries, one for each sample. Got 7"):
        measure(F, y[:7])
    with pytest.raises(ValueError, match=r"y: expected at least 2 classes. Got 1 class"):
        measure(F, np.zeros(30, int))


@pytest.mark.parametrize("measure", [h_score, n_leep, trans_rate])
def test_values_are_no_classes(measure):
    F, y = blobs(0)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        measure(F, y + 0.5)
    with pytest.raises(ValueError, match=r"y: expected one label for each sample. Got 2 columns"):
        measure(F, np.stack([y, y], axis=1))


def test_bad_options_values_and_probabilities():
    F, y = blobs(0)
    for n_neighbors in (0, 30, 2.5):
        with pytest.raises(ValueError, match="n_neighbors: expected an int from 1 to 29"):
            k_nn(F, y, n_neighbors=n_neighbors)
    for n_components in (0, 31, "some"):
        with pytest.raises(ValueError, match="n_components: expected 'auto', or an int from 1 to"):
            n_leep(F, y, n_components=n_components)
    values = F[:, :2].copy()
    values[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"y: expected a value in each place. Got 1 NaN"):
        log_me(F, values)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        log_me(F, values[:, 1])
    with pytest.raises(ValueError, match=r"y: expected values that differ. Got equal ones in target 1"):
        log_me(F, np.stack([F[:, 0], np.full(30, 0.5)], axis=1))
    with pytest.raises(ValueError, match=r"probabilities: expected values of at least 0 whose sum is 1.*predict_proba"):
        leep(F, y)
    with pytest.raises(ValueError, match="y: expected 30 entries"):
        nce(y, y[:5])


@pytest.fixture(scope="module")
def tops(sample):
    """Forty images of clothes that look alike."""
    chosen = np.isin(sample.target, ["Coat", "Pullover", "Shirt", "T-shirt"])
    return sample.images[chosen], sample.target[chosen]


@pytest.fixture(scope="module")
def networks(tops):
    """A small network that has learned the very images that it is ranked on, and an untrained one."""
    clf = TransferClassifier("small_cnn", epochs=20, random_state=0).fit(*tops)
    untrained = load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0)
    return {"untrained": untrained, "pretrained": clf.backbone_}


@pytest.fixture(scope="module")
def ranking(networks, tops):
    folds = StratifiedKFold(2, shuffle=True, random_state=None)  # drawn anew at each call of split
    return rank_backbones(networks, *tops, cv=folds, random_state=0)


def test_pretrained_network_ranks_before_an_untrained_one(ranking, networks):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(ranking)
    assert table.name.tolist() == ["pretrained", "untrained"]
    assert table.mean_test_score.is_monotonic_decreasing
    assert table.n_parameters.tolist() == [network.n_parameters for network in reversed(networks.values())]
    assert (table.n_features > 1).all()
    assert (table.seconds > 0).all()
    assert ((table.lower <= table.mean_test_score) & (table.mean_test_score <= table.upper)).all()


@pytest.mark.parametrize("features", ["last", "auto"])
def test_rank_is_by_cross_validated_scores_of_the_estimator(networks, images, labels, features):
    options = {} if features == "last" else {"features": features}  # "last" is the default
    result = rank_backbones([networks["pretrained"]], images, labels, cv=4, **options)
    scores = cross_val_score(TransferClassifier(networks["pretrained"], features=features), images, labels, cv=4)
    assert result["name"] == [networks["pretrained"].name]
    assert result["mean_test_score"] == [pytest.approx(scores.mean())]
    error = np.sqrt((1 / 4 + 1 / 3) * scores.var(ddof=1))
    assert result["standard_error"] == [pytest.approx(error)]
    assert result["upper"][0] - result["mean_test_score"][0] == pytest.approx(3.182446 * error)  # t of 3 degrees


def test_values_are_ranked_by_a_regressor_and_any_score(networks, images):
    brightness = images.mean(axis=(1, 2)) / 255
    result = rank_backbones(networks, images, brightness, cv=2, scoring="neg_mean_absolute_error", random_state=0)
    assert all(-0.2 < score < 0 for score in result["mean_test_score"])


def test_ranking_is_drawn_best_first(ranking):
    display = BackboneRankingDisplay.from_ranking(ranking)
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["pretrained", "untrained"]
    display.figure_.canvas.draw()
    points = display.ax_.collections[-1].get_offsets()
    np.testing.assert_allclose(points[:, 0], ranking["mean_test_score"])
    ends = [segment[:, 0] for segment in display.ax_.collections[0].get_segments()]
    np.testing.assert_allclose(ends, np.stack([ranking["lower"], ranking["upper"]], axis=1))
    assert display.ax_.yaxis_inverted()
    with pytest.raises(ValueError, match=r"result: expected what rank_backbones gives. Got none of its \['lower'"):
        BackboneRankingDisplay.from_ranking({"name": ["a"], "mean_test_score": [0.5]})
    mpl.pyplot.close("all")


def test_bad_rankings(networks, images, labels):
    network = networks["pretrained"]
    with pytest.raises(ValueError, match=r"backbones: expected at least one, of names that differ.*pass a dict"):
        rank_backbones([network, network], images, labels)
    with pytest.raises(ValueError, match=r"backbones: expected at least one, of names that differ. Got \[\]"):
        rank_backbones([], images, labels)
    with pytest.raises(ValueError, match=r"backbones: expected a list or dict of backbones. Got 'small_cnn'"):
        rank_backbones("small_cnn", images, labels)
    with pytest.raises(ValueError, match=r"cv: expected at least 2 folds, for a standard error. Got 1"):
        rank_backbones([network], images, labels, cv=[(np.arange(30), np.arange(30, 40))])
    with pytest.raises(ValueError, match=r"scoring: expected one score.*rank by each alone"):
        rank_backbones([network], images, labels, scoring=["accuracy", "f1_macro"])
    with pytest.raises(ValueError, match=r"scoring: expected finite scores. Got \[nan, nan\] for 'net'"):
        rank_backbones({"net": network}, images, labels, cv=2, scoring=lambda *_: np.nan)
    with pytest.raises(ValueError, match=r"'features' parameter of .* must be a str among"):
        rank_backbones({"net": network}, images, labels, features="all")
    with pytest.raises(ValueError, match="Got backbone='small_cn'; known") as caught:
        rank_backbones(["small_cn"], images, labels)
    assert caught.value.__notes__ == ["This was for the backbone 'small_cn'."]
