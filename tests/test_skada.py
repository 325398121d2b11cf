"""Scorers, splitters and estimators of skada, with ours."""

import importlib

import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.preprocessing import StandardScaler

from skltransfer import BackboneTransformer, DomainAdaptationClassifier, model_selection


@pytest.fixture(scope="module")
def skada():
    """skada's scorers and splitters; importing it switches metadata routing on, which is undone."""
    with sklearn.config_context():
        reason = 'needs skada: pip install "skltransfer[test]"'
        pytest.importorskip("skada", reason=reason)
        return importlib.import_module("skada.metrics"), importlib.import_module("skada.model_selection")


@pytest.fixture
def adapting():
    return DomainAdaptationClassifier(method="mmd", epochs=30, random_state=0)


@pytest.fixture(scope="module")
def two_domains():
    X, y = load_digits(return_X_y=True)
    X = X[:400] / 16
    X[200:] = np.roll(X[200:].reshape(-1, 8, 8), 1, axis=2).reshape(-1, 64)
    domain = np.repeat([1, -1], 200)
    return X, y[:400], np.where(domain > 0, y[:400], -1), domain


def accuracy(estimator, X, y, *, sample_domain):
    return estimator.score(X, y)


def weighted_accuracy(estimator, X, y, *, sample_weight, sample_domain, allow_source):
    return float(np.average(estimator.predict(X) == y, weights=sample_weight))


def test_scorers_agree_where_they_are_the_same(skada, two_domains, adapting):
    X, _, y, domain = two_domains
    estimator = adapting.fit(X, y, sample_domain=domain)
    scores = {}
    for name in ("PredictionEntropyScorer", "SoftNeighborhoodDensity", "CircularValidation", "MixValScorer"):
        with sklearn.config_context(enable_metadata_routing=True):
            parameters = {"scoring": accuracy} if name == "MixValScorer" else {}
            theirs = getattr(skada[0], name)(**parameters)(estimator, X, y, sample_domain=domain)
        scores[name] = theirs, getattr(model_selection, name)()(estimator, X, y, sample_domain=domain)
    theirs, ours = scores["PredictionEntropyScorer"]
    assert 10 * theirs == pytest.approx(ours, rel=1e-4)  # a mean over classes, too
    theirs, ours = scores["SoftNeighborhoodDensity"]
    assert theirs == pytest.approx(ours, rel=1e-3)
    for name in ("CircularValidation", "MixValScorer"):
        theirs, ours = scores[name]
        assert theirs == pytest.approx(ours, abs=0.1)


def test_supervised_and_weighted_scorers_run(skada, two_domains, adapting):
    X, labels, y, domain = two_domains
    estimator = adapting.fit(X, y, sample_domain=domain)
    with sklearn.config_context(enable_metadata_routing=True):
        supervised = skada[0].SupervisedScorer(accuracy)
        score = supervised(estimator, X, y, sample_domain=domain, target_labels=labels)
        weighted = skada[0].ImportanceWeightedScorer(scoring=weighted_accuracy)
        estimator.set_score_request(sample_weight=True)
        assert 0 <= weighted(estimator, X, y, sample_domain=domain) <= 1
    assert score == estimator.score(X[domain < 0], labels[domain < 0])


def test_scorers_and_splitters_mix(skada, two_domains, adapting):
    X, _, y, domain = two_domains
    with sklearn.config_context(enable_metadata_routing=True):
        for scorers, splitters in ((skada[0], model_selection), (model_selection, skada[1])):
            found = cross_validate(
                adapting,
                X,
                y,
                scoring=scorers.PredictionEntropyScorer(),
                cv=splitters.StratifiedDomainShuffleSplit(2, test_size=0.3, random_state=0),
                params={"sample_domain": domain},
                error_score="raise",
            )
            assert (found["test_score"] < 0).all()


def test_leaving_out_domains_in_both_roles_gives_the_same_sources(skada):
    domain = np.repeat([1, 2, 3, -1, -2, -3], 10)
    X = np.zeros((60, 1))
    theirs = skada[1].LeaveOneDomainOut(test_size=0.5, random_state=0).split(X, None, domain)
    held = {frozenset(np.unique(domain[train])) for train, _ in theirs}
    ours = model_selection.LeaveOneDomainOut().split(X, None, domain)
    assert {frozenset(np.unique(domain[train])) for train, _ in ours} == held


def test_its_estimators_take_our_features(skada, images, labels):
    pictures = np.concatenate([images[::2], 255 - images[1::2]])
    codes = np.unique(labels, return_inverse=True)[1]  # skada takes numbers only
    y, domain = np.concatenate([codes[::2], codes[1::2]]), np.repeat([1, -1], 20)
    features = BackboneTransformer(image_size=32).fit_transform(pictures)
    adapted = importlib.import_module("skada")
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = adapted.make_da_pipeline(StandardScaler(), adapted.CORALAdapter(reg=0.1), LogisticRegression())
        pipe.fit(features, y, sample_domain=domain)
        assert set(pipe.predict(features, sample_domain=domain, allow_source=True)) <= set(codes)


def test_routing_is_as_it_was(skada):
    assert not sklearn.get_config()["enable_metadata_routing"]
