"""Shares of classes that differ in the target, and samples unlike those of `fit`."""

import pickle
import re
import warnings

import numpy as np
import pytest
from sklearn.metrics import log_loss

from skltransfer import DomainAdaptationClassifier, DomainAdaptationRegressor, TransferClassifier, domain_report
from skltransfer.adaptation import AdaptationWarning

FAST = {"method": "source_only", "epochs": 30, "head": "linear", "random_state": 0}


def domains(positives, n=300, seed=0, shift=0.0):
    """Two normal classes in four columns, half of the source each; the target has other shares."""
    random = np.random.default_rng(seed)
    y = np.concatenate([random.random(n) < 0.5, random.random(n) < positives]).astype(int)
    X = random.normal(size=(2 * n, 4))
    X[:, 0] += 2 * y
    X[n:] += [shift, -shift, shift, 0]
    return X, y, np.repeat([1, -1], n)


def test_a_label_shift_of_three_to_one_is_allowed_for():
    X, y, domain = domains(0.75)
    target = domain < 0
    plain, shifted = (
        DomainAdaptationClassifier(**FAST, label_shift=label_shift).fit(X, y, sample_domain=domain)
        for label_shift in (None, "auto")
    )
    found = shifted.model_.class_shares
    assert found.lower[1] < y[target].mean() < found.upper[1]
    assert shifted.score(X[target], y[target]) > plain.score(X[target], y[target]) + 0.01
    losses = [log_loss(y[target], clf.predict_proba(X[target])) for clf in (plain, shifted)]
    assert losses[1] < losses[0] - 0.02
    assert plain.model_.class_shares is None
    network = shifted.model_.to_keras()
    np.testing.assert_allclose(network.predict(X[:20], verbose=0), shifted.predict_proba(X[:20]), atol=1e-5)


@pytest.mark.parametrize(("shift", "reason"), [(0.0, "no shift of class shares is seen"), (1.5, "different|differ")])
def test_nothing_is_done_without_a_label_shift_that_can_be_told(shift, reason):
    X, y, domain = domains(0.5, shift=shift)
    plain, asked = (
        DomainAdaptationClassifier(**FAST, label_shift=label_shift).fit(X, y, sample_domain=domain)
        for label_shift in (None, "auto")
    )
    np.testing.assert_array_equal(plain.predict_proba(X), asked.predict_proba(X))
    assert re.search(reason, asked.model_.class_shares.reason)


@pytest.fixture(scope="module")
def fitted():
    X, y, domain = domains(0.5)
    return DomainAdaptationClassifier(**FAST).fit(X, y, sample_domain=domain)


def warned(clf, X):
    """Messages of a prediction by a copy, which has not warned yet."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf = pickle.loads(pickle.dumps(clf))
        clf.predict(X)
        n_first = len(caught)
        clf.predict_proba(X)
        assert len(caught) == n_first  # said once
    return [str(warning.message) for warning in caught if warning.category is AdaptationWarning]


def test_ordinary_samples_are_predicted_in_silence(fitted):
    X, y, domain = domains(0.5, seed=1)
    for some in (X, X[domain > 0], X[y == 1], X[y == 0], X[:3], X[:1]):
        assert warned(fitted, some) == []
    assert domain_report(fitted, X).suggestions == ("nothing unusual: samples lie where those of fit lay.",)


def test_samples_far_from_both_domains_are_warned_of_once(fitted):
    X, _, _ = domains(0.5, seed=1)
    messages = warned(fitted, X * 8)
    assert len(messages) == 1
    assert "of 600 samples are far from both domains that fit saw: over 1.5 times as far" in messages[0]
    report = domain_report(fitted, X * 8)
    assert report.far_share > 0.3
    assert "are far from both domains" in report.suggestions[0]


def test_one_class_for_all_is_warned_of_where_the_samples_do_not_look_like_it():
    X, y, domain = domains(0.3, shift=4.0)
    target = domain < 0
    clf = DomainAdaptationClassifier(**FAST).fit(X, y, sample_domain=domain)
    messages = warned(clf, X[target])
    assert "samples are predicted as 1, which was predicted for" in messages[0]
    assert "probably collapsed" in messages[0]
    assert warned(clf, X[(domain > 0) & (y == 1)]) == []  # all of one class, and looking like it
    report = domain_report(clf, X[target])
    assert report.shares[1] > 0.95
    assert report.source_shares[1] < 0.7
    assert report.class_drift[1] > 1
    assert "share of 1" in str(report)


def test_predictions_do_not_depend_on_the_batch(fitted):
    X, _, _ = domains(0.5, seed=1)
    far = np.concatenate([X * 8, X[:5]])
    with pytest.warns(AdaptationWarning, match="far from both domains"):
        together = pickle.loads(pickle.dumps(fitted)).predict_proba(far)
    np.testing.assert_allclose(together[-5:], fitted.predict_proba(X[:5]), rtol=1e-5)


def test_report_of_a_regressor_knows_distances():
    X, _, domain = domains(0.5, n=40)
    reg = DomainAdaptationRegressor(**FAST).fit(X, X[:, 0], sample_domain=domain)
    assert domain_report(reg, X).shares == {}
    assert domain_report(reg, 50 * X).far_share > 0.5


def test_an_estimator_that_keeps_nothing_is_refused(fitted):
    X, y, _ = domains(0.5, n=20)
    clf = TransferClassifier(epochs=1, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"domain_report\(estimator, X\).*Got TransferClassifier, which keeps nothing"):
        domain_report(clf, X)
    with pytest.raises(ValueError, match="X_target: expected None beside a fitted estimator"):
        domain_report(fitted, X, X)
