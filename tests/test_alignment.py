"""Every method of domain adaptation, on every backend."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from skltransfer import BackboneTransformer, DomainAdaptationClassifier, DomainAdaptationRegressor, MLPHead
from skltransfer.adaptation._alignments import linear_ot, subspace_alignment
from skltransfer.adaptation._discrepancies import mmd
from skltransfer.adaptation._methods import METHODS
from skltransfer.domain_shift._alignments import standardize

pytestmark = pytest.mark.filterwarnings("ignore::skltransfer.adaptation.AdaptationWarning")  # fits are short here

FAST = {"epochs": 6, "head": MLPHead((16,)), "random_state": 0}
ONE_OF_A_KIND = ("coral", "dann", "mcd", "adda", "deepjdot", "mcc", "shot", "tent")
"""Distances, each kind of adversary, transport, predictions, pseudo-labels, and what adapts in `predict`."""


def one_norm(input_shape, random_state=None):
    """Build a small network with a batch normalization."""
    import keras

    layers = keras.layers
    pictures = layers.Input(input_shape)
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same", use_bias=False)(pictures))
    return keras.Model(pictures, layers.MaxPooling2D(2)(layers.ReLU()(x)))


@pytest.mark.parametrize(
    "method", [pytest.param(name, marks=pytest.mark.backends) if name in ONE_OF_A_KIND else name for name in METHODS]
)
def test_every_method_adapts_tells_its_terms_and_never_reads_labels_of_the_target(method, shifted):
    X, y, domain = shifted
    backbone = "auto"
    if METHODS[method].predicts:
        backbone, X = one_norm, 1 / (1 + np.exp(-X.reshape(-1, 2, 2, 1)))
    clf = DomainAdaptationClassifier(backbone, method=method, **FAST).fit(X, y, sample_domain=domain)
    history, n_epochs = clf.history_, clf.n_iter_
    assert n_epochs == 6
    assert {len(values) for values in history.values()} == {6}
    terms = [values for name, values in history.items() if name not in ("loss", "learning_rate", "accuracy")]
    np.testing.assert_allclose(np.nansum(terms, axis=0), history["loss"], rtol=1e-4, atol=1e-5)
    assert (len(terms) > 1) == METHODS[method].trains
    assert all(np.isnan(values[:2]).all() for values in terms[1:])
    assert clf.predict_proba(X).shape == (240, 2)
    if METHODS[method].source and not METHODS[method].anchored:  # others move away from it
        assert clf.score(X[domain > 0], y[domain > 0]) > 0.6
    assert clf.transform(X).shape == (240, 16)
    garbage = clone(clf).fit(X, np.where(domain < 0, 77, y), sample_domain=domain)
    np.testing.assert_array_equal(garbage.predict_proba(X), clf.predict_proba(X))
    assert garbage.classes_.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("method", "aligned"),
    [(method, "embedding") for method in ("dann", "adda", "adabn", "tent")]
    + [(method, "backbone") for method in ("dann", "adda", "mcd")],
)
def test_a_trainable_network(method, aligned, two_domains_of_images):
    X, y, domain = two_domains_of_images
    clf = DomainAdaptationClassifier(one_norm, method=method, aligned=aligned, batch_size=10, **FAST)
    before = clf.fit(X, y, sample_domain=domain).predict_proba(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(clf)).predict_proba(X), before)
    np.testing.assert_array_equal(clf.predict_proba(X), before)
    assert np.isfinite(before).all()


def one_layer(input_shape, random_state=None):
    import keras

    return keras.Sequential([keras.layers.Input(input_shape), keras.layers.Dense(16, activation="relu")])


def test_features_of_the_backbone_or_the_embedding_are_aligned(shifted):
    X, y, domain = shifted
    distances = {}
    for aligned in ("embedding", "backbone"):
        clf = DomainAdaptationClassifier(one_layer, method="mmd", weight=30, aligned=aligned, **{**FAST, "epochs": 60})
        features = BackboneTransformer(clf.fit(X, y, sample_domain=domain).backbone_).fit_transform(X)
        distances[aligned] = float(mmd(features[domain > 0], features[domain < 0]))
    assert distances["backbone"] < 0.5 * distances["embedding"]


@pytest.mark.backends
def test_adabn_takes_the_statistics_of_the_target(two_domains_of_images):
    X, y, domain = two_domains_of_images
    clf = DomainAdaptationClassifier(one_norm, method="adabn", **FAST).fit(X, y, sample_domain=domain)
    alone = DomainAdaptationClassifier(one_norm, method="source_only", **FAST).fit(X, y, sample_domain=domain)
    moved = [
        path
        for path, one, other in zip(clf.backbone_.paths, clf.backbone_.weights, alone.backbone_.weights, strict=True)
        if not np.array_equal(one, other)
    ]
    assert moved
    assert all("moving_" in path for path in moved)
    first = next(i for i, path in enumerate(clf.backbone_.paths) if path.endswith("moving_mean"))
    assert not np.allclose(clf.backbone_.weights[first], alone.backbone_.weights[first])


def test_tent_lowers_the_entropy_of_what_is_predicted(two_domains_of_images):
    X, y, domain = two_domains_of_images

    def adapted(method):
        clf = DomainAdaptationClassifier(one_norm, method=method, **FAST, learning_rate=0.01, batch_size=5)
        return clf.fit(X, y, sample_domain=domain)

    def entropy(clf):
        return -(clf.predict_proba(X[20:]) * clf.predict_log_proba(X[20:])).sum(axis=1).mean()

    tent = adapted("tent")
    assert tent.backbone_ == adapted("source_only").backbone_
    assert entropy(adapted("adabn")) - entropy(tent) > 5e-4  # both take the same statistics


@pytest.mark.backends
def test_a_distance_of_ones_own(shifted):
    from keras import ops

    def means(source, target):
        return ops.sum(ops.square(ops.mean(source.features, axis=0) - ops.mean(target.features, axis=0)))

    X, y, domain = shifted
    clf = DomainAdaptationClassifier(method=means, **FAST).fit(X, y, sample_domain=domain)
    assert "own" in clf.history_
    np.testing.assert_array_equal(clone(clf).fit(X, y, sample_domain=domain).predict_proba(X), clf.predict_proba(X))


@pytest.fixture(scope="module")
def clouds():
    """Two clouds of samples with other means, spreads and directions; the third column of the source is constant."""
    random = np.random.default_rng(0)
    source, target = random.normal(size=(300, 3)) * [1, 4, 0] + 5, random.normal(size=(200, 3)) @ np.eye(3)[[1, 2, 0]]
    return source, target * [3, 1, 1] + [0, 2, 0]


def test_standardized_source_has_the_moments_of_the_target(clouds):
    source, target = clouds
    moved = standardize(source, np.ones(300), target)(source)
    np.testing.assert_allclose(moved.mean(axis=0), target.mean(axis=0))
    np.testing.assert_allclose(moved.std(axis=0)[:2], target.std(axis=0)[:2])
    assert moved[:, 2].std() == pytest.approx(0, abs=1e-12)


def test_transported_source_has_the_covariance_of_the_target(clouds):
    source, target = (cloud[:, :2] for cloud in clouds)
    move = linear_ot(source, np.ones(300), target)
    moved = move(source)
    np.testing.assert_allclose(moved.mean(axis=0), target.mean(axis=0))
    np.testing.assert_allclose(np.cov(moved.T), np.cov(target.T), rtol=0.02, atol=0.02)
    np.testing.assert_allclose(move.matrix, move.matrix.T, atol=1e-12)  # as of a map of least squared distance
    assert (np.linalg.eigvalsh(move.matrix) > 0).all()


def test_source_is_expressed_by_the_main_axes_of_the_target(clouds):
    source, target = clouds
    move = subspace_alignment(source, np.ones(300), target)
    axes, new_axes = (np.linalg.svd(x - x.mean(axis=0))[2][:1].T for x in (source, target))
    slow = (source - source.mean(axis=0)) @ axes @ axes.T @ new_axes
    np.testing.assert_allclose((move(source) - target.mean(axis=0)) @ new_axes, slow, atol=1e-12)


@pytest.mark.parametrize("align", [standardize, subspace_alignment, linear_ot])
def test_a_weight_counts_as_so_many_samples(align, clouds):
    source, target = clouds
    counts = np.random.default_rng(0).integers(0, 3, len(source))
    weighted, repeated = (align(*given, target) for given in (
        (source, counts.astype(float)), (np.repeat(source, counts, axis=0), np.ones(counts.sum()))
    ))  # fmt: skip
    np.testing.assert_allclose(weighted.offset, repeated.offset, rtol=1e-2)
    np.testing.assert_allclose(weighted.matrix, repeated.matrix, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("method", ["standardize", "subspace_alignment", "linear_ot"])
def test_alignments_are_solved(method, two_domains_of_images):
    X, y, domain = two_domains_of_images
    clf = DomainAdaptationClassifier(method=method, image_size=32).fit(X, y, sample_domain=domain)
    assert clf.history_ == {}
    assert clf.transform(X).shape == (40, 1280)
    assert clf.domain_score_ < 0.5
    again = pickle.loads(pickle.dumps(clone(clf).fit(X, np.where(domain < 0, "77", y), sample_domain=domain)))
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    reg = DomainAdaptationRegressor(method=method, image_size=32).fit(X, X.mean(axis=(1, 2)), sample_domain=domain)
    assert np.isfinite(reg.predict(X)).all()


def test_coral_brings_means_together(shifted):
    X, y, domain = shifted

    def distance(method):
        embedding = DomainAdaptationClassifier(method=method, **{**FAST, "epochs": 60}).fit(X, y, sample_domain=domain)
        source, target = (embedding.transform(X[own]) for own in (domain > 0, domain < 0))
        return np.linalg.norm(source.mean(axis=0) - target.mean(axis=0)) / source.std()

    assert distance("coral") < 0.5 * distance("source_only")
