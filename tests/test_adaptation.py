"""Learning from one domain, and adapting to another."""

import warnings

import keras
import numpy as np
import pytest
import sklearn
from scipy.special import softmax
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skltransfer import (
    AttentionHead,
    DomainAdaptationClassifier,
    DomainAdaptationRegressor,
    MLPHead,
    TransferClassifier,
    load_backbone,
)
from skltransfer.adaptation._diagnostics import AdaptationWarning, warn_of_negative_transfer
from skltransfer.adaptation._discrepancies import coral
from skltransfer.adaptation._methods import METHODS

pytestmark = pytest.mark.filterwarnings("ignore::skltransfer.adaptation.AdaptationWarning")  # fits are short here

FAST = {"epochs": 6, "head": MLPHead((16,)), "random_state": 0}


@pytest.mark.parametrize("mask", [-1, np.nan, None], ids=str)
def test_masked_labels_are_the_target(mask, shifted):
    X, y, domain = shifted
    hidden = np.array(["cat", "dog"], object)[y] if mask is None else (y + 1).astype(type(mask))
    hidden[domain < 0] = mask
    clf = DomainAdaptationClassifier(method="coral", **FAST).fit(X, hidden)
    given = DomainAdaptationClassifier(method="coral", **FAST).fit(X, y, sample_domain=domain)
    np.testing.assert_array_equal(clf.predict_proba(X), given.predict_proba(X))
    assert clf.predict(X)[0] in clf.classes_


def test_labels_of_which_minus_one_may_be_a_class_are_told(shifted):
    X, y, domain = shifted
    y = np.where(domain < 0, -1, y)
    clf = DomainAdaptationClassifier(**FAST | {"epochs": 1}, method="source_only")
    with pytest.warns(UserWarning, match="y: -1 is read as unknown, so 120 of 240 samples are the target"):
        assert clf.fit(X, y).classes_.tolist() == [0, 1]
    assert clf.fit(X, y, sample_domain=np.abs(domain)).classes_.tolist() == [-1, 0, 1]


@pytest.mark.parametrize("method", ["coral", "dann", "adda"])
def test_a_method_without_weight_is_source_only(shifted, method):
    X, y, domain = shifted
    fits = [
        DomainAdaptationClassifier(**FAST, **options).fit(X, y, sample_domain=domain)
        for options in ({"method": method, "weight": 0}, {"method": "source_only"})
    ]
    np.testing.assert_array_equal(*(clf.predict_proba(X) for clf in fits))
    assert fits[0].history_ == fits[1].history_


def test_samples_of_the_source_decide_when_to_stop(shifted):
    X, y, domain = shifted
    options = {**FAST, "epochs": 30, "source_epochs": 20, "method": "coral", "n_iter_no_change": 2, "tol": 0.5}
    recorded = keras.callbacks.History()
    clf = DomainAdaptationClassifier(**options, early_stopping=True, callbacks=[recorded])
    clf.fit(X, y, sample_domain=domain)
    n_source = clf.n_iter_ - 10  # the epochs that adapt are never cut short
    assert 3 <= n_source < 20
    assert np.isfinite(clf.history_["val_loss"]).all()
    assert recorded.history["val_loss"] == clf.history_["val_loss"]
    assert recorded.epoch == list(range(10))  # of the training that came last
    with pytest.raises(ValueError, match=r"early_stopping holds out samples of the source\. Got target samples only"):
        DomainAdaptationClassifier(FrozenEstimator(clf), method="shot", early_stopping=True).fit(X[domain < 0])


@pytest.mark.parametrize("estimator", [DomainAdaptationClassifier, DomainAdaptationRegressor])
def test_samples_for_validation(shifted, estimator):
    X, y, domain = shifted
    clf = estimator(**FAST, method="coral").fit(X, y, sample_domain=domain, X_val=X[domain < 0], y_val=y[domain < 0])
    plain = estimator(**FAST, method="coral").fit(X, y, sample_domain=domain)
    np.testing.assert_array_equal(clf.predict(X), plain.predict(X))
    if estimator is DomainAdaptationClassifier:
        own = clf.predict_proba(X[domain < 0])[np.arange(120), y[domain < 0]]
        assert clf.history_["val_loss"][-1] == pytest.approx(-np.log(own).mean(), rel=1e-4)
        assert clf.history_["val_accuracy"][-1] == pytest.approx(clf.score(X[domain < 0], y[domain < 0]))


def test_adaptation_helps_where_the_target_lies_elsewhere(shifted):
    X, y, domain = shifted
    options = {"epochs": 100, "head": MLPHead((16,)), "random_state": 0}
    score = {
        method: DomainAdaptationClassifier(method=method, weight=weight, **options)
        .fit(X, y, sample_domain=domain)
        .score(X[domain < 0], y[domain < 0])
        for method, weight in {"source_only": "auto", "mmd": "auto", "jmmd": "auto", "mdd": 0.1, "cdan": "auto"}.items()
    }
    source_only = score.pop("source_only")
    assert min(score.values()) > source_only + 0.05, score


def test_alignment_brings_embeddings_together(shifted):
    X, y, domain = shifted

    def distance(method):
        clf = DomainAdaptationClassifier(method=method, epochs=60, head=MLPHead((16,)), random_state=0)
        embedding = clf.fit(X, y, sample_domain=domain).transform(X).astype(np.float32)
        return float(coral(embedding[domain > 0], embedding[domain < 0])) / embedding.var() ** 2

    assert distance("coral") < 0.7 * distance("source_only")


@pytest.mark.parametrize(
    ("method", "term", "alone"), [("mcc", "confusion", 3), ("shot", "information", 6), ("adda", "unsure", 6)]
)
def test_source_is_learned_for_longer_where_adaptation_uses_no_labels(method, term, alone, shifted):
    X, y, domain = shifted
    clf = DomainAdaptationClassifier(method=method, epochs=8, random_state=0).fit(X, y, sample_domain=domain)
    assert np.isnan(clf.history_[term]).tolist() == [True] * alone + [False] * (8 - alone)


@pytest.mark.parametrize(
    ("estimator", "method"),
    [(DomainAdaptationClassifier, name) for name, method in METHODS.items() if not method.predicts]
    + [(DomainAdaptationRegressor, name) for name, method in METHODS.items() if not method.classes],
)
def test_plain_fit_is_source_only(estimator, method, shifted):
    X, y, _ = shifted
    plain = estimator(method=method, **FAST).fit(X, y)
    alone = estimator(method="source_only", **FAST).fit(X, y)
    np.testing.assert_array_equal(plain.transform(X), alone.transform(X))
    np.testing.assert_array_equal(plain.model_.head.coef, alone.model_.head.coef)
    assert set(plain.history_) == {"loss", "source", "learning_rate"} | (
        {"accuracy"} if estimator is DomainAdaptationClassifier else set()
    )


def test_source_only_does_not_depend_on_target_samples(shifted):
    X, y, domain = shifted
    both = DomainAdaptationClassifier(method="source_only", **FAST).fit(X, y, sample_domain=domain)
    alone = DomainAdaptationClassifier(method="source_only", **FAST).fit(X[domain > 0], y[domain > 0])
    np.testing.assert_array_equal(both.predict_proba(X), alone.predict_proba(X))


@pytest.mark.parametrize("method", ["dann", "coral", "self_training"])
def test_several_sources_and_targets(method, shifted):
    X, y, _ = shifted
    domain = np.repeat([1, 3, -2, -5], 60)
    clf = DomainAdaptationClassifier(method=method, **FAST).fit(X, y, sample_domain=domain)
    renamed = DomainAdaptationClassifier(method=method, **FAST).fit(
        X, y, sample_domain=np.sign(domain) * abs(domain) * 2
    )
    np.testing.assert_array_equal(clf.predict_proba(X), renamed.predict_proba(X))
    assert clf.score(X[:120], y[:120]) > 0.6


@pytest.mark.parametrize("method", ["coral", "mcc", "shot"])
def test_unequal_numbers_of_samples(method, shifted):
    X, y, domain = shifted
    few = np.r_[:100, 120:127]
    clf = DomainAdaptationClassifier(method=method, batch_size=16, **FAST).fit(
        X[few], y[few], sample_domain=domain[few]
    )
    assert clf.n_iter_ == 6


@pytest.mark.parametrize("method", ["mmd", "adda", "shot"])
def test_frozen_features_are_computed_once(method, two_domains_of_images):
    X, y, domain = two_domains_of_images
    clf = DomainAdaptationClassifier(method=method, image_size=32, **FAST).fit(X, y, sample_domain=domain)
    assert clf.backbone_ == load_backbone("efficientnet_lite0")
    again = clone(clf).fit(X, y, sample_domain=domain)
    np.testing.assert_array_equal(clf.predict_proba(X), again.predict_proba(X))


def test_shot_starts_from_a_fitted_classifier_and_needs_no_source(shifted):
    X, y, domain = shifted
    names = np.array(["no", "yes"])[y]
    source = TransferClassifier(head=MLPHead((16,)), epochs=50, random_state=0).fit(X[domain > 0], names[domain > 0])
    shot = DomainAdaptationClassifier(FrozenEstimator(source), method="shot", epochs=30, random_state=0)
    shot.fit(X[domain < 0])
    assert shot.classes_.tolist() == ["no", "yes"]
    assert shot.score(X[domain < 0], names[domain < 0]) >= source.score(X[domain < 0], names[domain < 0])
    assert clone(shot).fit(X[domain < 0]).score(X[domain < 0], names[domain < 0]) == shot.score(
        X[domain < 0], names[domain < 0]
    )


@pytest.mark.parametrize("method", ["source_only", "adabn", "coral", "mmd", "dann", "adda"])
def test_regressor(method, shifted):
    X, _, domain = shifted
    y = 100 + 7 * X[:, 0]
    masked = np.where(domain > 0, y, np.nan)
    reg = DomainAdaptationRegressor(method=method, epochs=100, head=MLPHead((16,)), random_state=0).fit(X, masked)
    assert reg.score(X[domain > 0], y[domain > 0]) > (0.5 if method == "adabn" else 0.9)
    given = clone(reg).fit(X, np.where(domain > 0, y, 1e9), sample_domain=domain)
    np.testing.assert_array_equal(given.predict(X), reg.predict(X))


def test_estimator_that_cannot_be_a_start_is_refused(shifted):
    X, y, domain = shifted
    for start in (LogisticRegression(), DomainAdaptationRegressor(**FAST).fit(X, X[:, 0])):
        with pytest.raises(
            ValueError, match=r"FrozenEstimator\(…\): expected a fitted estimator of skltransfer.*Got \w+R"
        ):
            DomainAdaptationClassifier(FrozenEstimator(start), method="mcc", **FAST).fit(X, y, sample_domain=domain)


def test_search_without_routing_and_with_it(shifted):
    X, y, domain = shifted
    order = np.random.default_rng(0).permutation(len(X))
    X, y, domain = X[order], y[order], domain[order]
    pipe = make_pipeline(StandardScaler(), DomainAdaptationClassifier(**FAST))
    grid = {"domainadaptationclassifier__method": ["coral", "mcc"]}
    plain = GridSearchCV(pipe, grid, cv=2).fit(X, y, domainadaptationclassifier__sample_domain=domain)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = GridSearchCV(pipe, grid, cv=2).fit(X, y, sample_domain=domain)
    np.testing.assert_array_equal(plain.predict_proba(X), routed.predict_proba(X))
    term = {"coral": "coral", "mcc": "confusion"}[plain.best_params_["domainadaptationclassifier__method"]]
    assert set(plain.best_estimator_[-1].history_) == {"loss", "source", term, "accuracy", "learning_rate"}


def test_negative_transfer_is_warned_of():
    random = np.random.default_rng(0)
    sure = softmax(5 * random.normal(size=(200, 3)), axis=1)
    unsure, one = softmax(random.normal(size=(200, 3)), axis=1), np.tile([0.8, 0.1, 0.1], (200, 1))
    even = np.ones(3)
    with pytest.warns(
        AdaptationWarning, match=r"is 0\.\d+ nats, and was 0\.\d+ before.*negative transfer.*'source_only'"
    ):
        warn_of_negative_transfer(sure, unsure, even)
    with pytest.warns(AdaptationWarning, match=r"100% of the target samples are predicted as one class.*has 33%"):
        warn_of_negative_transfer(sure, one, even)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_negative_transfer(unsure, sure, even)
        warn_of_negative_transfer(one, one, np.array([9.0, 1.0, 0.0]))  # as lopsided as the source


def test_fit_warns_of_negative_transfer(shifted):
    def unsure(source, target):
        from keras import ops

        return ops.mean(target.decisions**2)

    X, y, domain = shifted
    clf = DomainAdaptationClassifier(method=unsure, weight=100.0, epochs=60, random_state=0)
    with pytest.warns(AdaptationWarning, match=r"probably|negative transfer is likely"):
        clf.fit(X, y, sample_domain=domain)


def test_columns_of_other_scales_are_warned_of(shifted):
    X, y, domain = shifted
    X = np.where(domain[:, None] > 0, X, 100 * X)
    message = r"4 of 4 columns \(0, 1, 2, 3\) spread 10 times as far in one domain"
    with pytest.warns(AdaptationWarning, match=message):
        DomainAdaptationClassifier(method="source_only", **FAST).fit(X, y, sample_domain=domain)


def test_images_of_other_scales_are_refused(two_domains_of_images):
    X, y, domain = two_domains_of_images
    X = np.where(domain[:, None, None] > 0, X / 255, X)
    with pytest.raises(
        ValueError, match=r"expected pixel values from 0 to 255, as in fit\. Got float64 values from 0 to 1"
    ):
        DomainAdaptationClassifier(image_size=32, method="source_only", **FAST).fit(X, y, sample_domain=domain)


def test_domain_score_tells_how_alike_embeddings_are(shifted):
    X, y, domain = shifted
    options = {"epochs": 60, "head": MLPHead((16,)), "random_state": 0}
    apart = DomainAdaptationClassifier(method="source_only", **options).fit(X, y, sample_domain=domain).domain_score_
    nearer = DomainAdaptationClassifier(method="mmd", **options).fit(X, y, sample_domain=domain).domain_score_
    assert 0 <= nearer < apart <= 2
    assert np.isnan(DomainAdaptationClassifier(**FAST).fit(X, y).domain_score_)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "dan"}, r"The 'method' parameter of DomainAdaptationClassifier must be .*Got 'dan' instead"),
        ({"head": AttentionHead()}, r"The 'head' parameter must be 'linear', 'mlp' or MLPHead"),
        ({"source_epochs": 6}, r"source_epochs: expected fewer than the 6 epochs.*Got 6"),
        ({"weight": -1.0}, r"The 'weight' parameter .*Got -1.0 instead"),
    ],
)
def test_wrong_parameters_are_refused(change, message, shifted):
    X, y, domain = shifted
    with pytest.raises(ValueError, match=message):
        DomainAdaptationClassifier(**{**FAST, "method": "mcc", **change}).fit(X, y, sample_domain=domain)


def test_frozen_features_cannot_be_aligned(two_domains_of_images):
    X, y, domain = two_domains_of_images
    clf = DomainAdaptationClassifier(method="coral", head="linear", image_size=32)
    frozen = clone(clf).set_params(aligned="backbone", head="mlp")
    with pytest.raises(
        ValueError, match=r"aligned='backbone' .* have to be fine-tuned\. Got trainable='auto'; fine-tune some"
    ):
        frozen.fit(X, y, sample_domain=domain)
    with pytest.raises(ValueError, match=r"method='coral' aligns features\. Got trainable='auto' with head='linear'"):
        clf.fit(X, y, sample_domain=domain)


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        (np.ones(240, int), r"sample_domain: expected some negative values.*Got source samples only \(240\)"),
        (-np.ones(240, int), r"sample_domain: expected some positive values.*Got target samples only \(240\)"),
        (np.zeros(240, int), r"sample_domain: expected integers, positive.*Got 0 in 240 of 240 samples"),
        (np.ones(7, int), r"sample_domain: expected 240 values, one for each sample of X"),
        (np.full(240, 0.5), r"sample_domain: expected integers, positive for source samples.*Got 0\.5"),
    ],
)
def test_wrong_domains_are_refused(domain, message, shifted):
    X, y, _ = shifted
    with pytest.raises(ValueError, match=message):
        DomainAdaptationClassifier(**FAST).fit(X, y, sample_domain=domain)


def test_a_source_of_one_class_is_refused(shifted):
    X, y, domain = shifted
    with pytest.raises(
        ValueError, match=r"y: expected at least 2 classes among the samples of positive weight\. Got 1"
    ):
        DomainAdaptationClassifier(**FAST).fit(X, np.where(domain > 0, 1, y), sample_domain=domain)


def test_a_class_absent_from_the_source_is_refused(shifted):
    X, y, domain = shifted
    named = np.array(["cat", "dog"])[y]
    wanted = DomainAdaptationClassifier(**FAST, class_weight={"cat": 1, "dog": 1, "owl": 2})
    with pytest.raises(ValueError, match=r"samples of the source have, \['cat', 'dog'\]\. Got \['owl'\] as well; add"):
        wanted.fit(X, named, sample_domain=domain)
    start = DomainAdaptationClassifier(method="mcc", **FAST).fit(X, named, sample_domain=domain)
    again = DomainAdaptationClassifier(FrozenEstimator(start), method="mcc", **FAST)
    with pytest.raises(ValueError, match=r"y: expected labels that fit saw, \['cat', 'dog'\].*Got \['owl'\] as well"):
        again.fit(X, np.where(np.arange(240) < 20, "owl", named), sample_domain=domain)


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.classes])
def test_methods_by_probabilities_are_refused_for_values(method, shifted):
    X, y, domain = shifted
    with pytest.raises(
        ValueError,
        match=rf"method='{method}' works by probabilities of classes.*Pass one of 'source_only', .*'coral', .*'dann'",
    ):
        DomainAdaptationRegressor(method=method).fit(X, y.astype(float), sample_domain=domain)
