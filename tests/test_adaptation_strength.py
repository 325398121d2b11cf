"""How strongly methods adapt: by how far domains are apart, and not at all where no difference is seen."""

import re

import numpy as np
import pytest
from sklearn.datasets import make_moons

from skltransfer import DomainAdaptationClassifier, DomainAdaptationRegressor, MLPHead
from skltransfer.adaptation import AdaptationWarning
from skltransfer.adaptation._strength import adaptation_strength

FAST = {"epochs": 3, "head": MLPHead((8,)), "random_state": 0}
DOMAIN = np.repeat([1, -1], 100)
NOT_APPLIED = r"No difference of source and target was found, so method='{}' was not applied.*Pass a number as weight"


@pytest.fixture(scope="module")
def alike():
    """Two classes; both domains are drawn alike."""
    random = np.random.default_rng(0)
    X, y = random.normal(size=(200, 4)), np.arange(200) % 2
    X[:, 0] += 2 * y
    return X, y


def test_the_farther_the_domains_the_stronger():
    X = np.random.default_rng(1).normal(size=(400, 6))
    strengths = [adaptation_strength(X[:200], X[200:] + moved, 0) for moved in (0.0, 0.2, 0.3, 1.5)]
    assert strengths[0] == 0
    assert strengths[-1] == 1
    assert strengths == sorted(strengths)
    assert 0 < strengths[1] < strengths[2] < 1


def test_a_shift_that_no_line_shows_is_seen():
    X, _ = make_moons(600, noise=0.1, random_state=0)
    X -= X.mean(axis=0)
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    assert adaptation_strength(X[:300], X[300:] @ turn, 0) > 0.5


def test_domains_are_seen_to_be_alike_whatever_the_draw():
    strengths = []
    for seed in range(40):
        X = np.random.default_rng(seed).normal(size=(200, 5))
        strengths.append(adaptation_strength(X[:120], X[120:], seed))
    assert np.mean(np.array(strengths) == 0) >= 0.9
    assert max(strengths) < 0.3


def test_too_few_samples_to_tell_leave_all_of_the_weight():
    X = np.zeros((20, 3))
    assert adaptation_strength(X[:9], X[9:], 0) == 1.0


@pytest.mark.parametrize("method", ["shot", "mcd", "self_training", "adda", "deepjdot", "deepjdot_mcc", "mmd", "dann"])
def test_nothing_is_lost_where_the_target_is_the_source(alike, method):
    X, y = alike
    alone = DomainAdaptationClassifier(method="source_only", **FAST).fit(X, y, sample_domain=DOMAIN)
    with pytest.warns(AdaptationWarning, match=NOT_APPLIED.format(method)):
        clf = DomainAdaptationClassifier(method=method, **FAST).fit(X, y, sample_domain=DOMAIN)
    assert clf.adaptation_strength_ == 0
    np.testing.assert_array_equal(clf.predict_proba(X), alone.predict_proba(X))


def test_auto_does_not_choose_where_there_is_nothing_to_choose_by(alike):
    X, y = alike
    alone = DomainAdaptationClassifier(method="source_only", **FAST).fit(X, y, sample_domain=DOMAIN)
    clf = DomainAdaptationClassifier(**FAST).fit(X, y, sample_domain=DOMAIN)
    assert clf.selection_ == {"candidate": ["source_only"], "veto": [""], "chosen": [True]}
    np.testing.assert_array_equal(clf.predict_proba(X), alone.predict_proba(X))


def test_a_number_as_weight_is_applied_all_the_same(alike):
    X, y = alike
    alone = DomainAdaptationClassifier(method="source_only", **FAST).fit(X, y, sample_domain=DOMAIN)
    clf = DomainAdaptationClassifier(method="mmd", weight=10.0, **FAST).fit(X, y, sample_domain=DOMAIN)
    assert clf.adaptation_strength_ == 1
    assert np.abs(clf.predict_proba(X) - alone.predict_proba(X)).max() > 1e-3


def test_between_alike_and_apart_the_weight_is_a_share(alike):
    X, y = alike
    X = X + 0.5 * (DOMAIN < 0)[:, None]
    clf = DomainAdaptationClassifier(method="mmd", **FAST).fit(X, y, sample_domain=DOMAIN)
    share = clf.adaptation_strength_
    assert 0 < share < 1
    given = DomainAdaptationClassifier(method="mmd", weight=10 * share, **FAST).fit(X, y, sample_domain=DOMAIN)
    np.testing.assert_array_equal(clf.predict_proba(X), given.predict_proba(X))


def test_regressors_adapt_by_the_same_rule(alike):
    X, y = alike
    target = X[:, 1] + y
    with pytest.warns(AdaptationWarning, match=NOT_APPLIED.format("mmd")):
        reg = DomainAdaptationRegressor(method="mmd", **FAST).fit(X, target, sample_domain=DOMAIN)
    assert reg.adaptation_strength_ == 0


def test_a_method_of_ones_own_is_named_in_the_warning(alike):
    def apart(source, target):
        import keras

        return keras.ops.mean(keras.ops.square(source.features - target.features))

    with pytest.warns(AdaptationWarning, match=re.escape("so method=<function")):
        DomainAdaptationClassifier(method=apart, **FAST).fit(*alike, sample_domain=DOMAIN)
