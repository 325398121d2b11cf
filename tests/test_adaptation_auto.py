"""The method that chooses among others without labels of the target."""

import warnings

import keras
import matplotlib as mpl
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from skltransfer import AdaptationSelectionDisplay, DomainAdaptationClassifier, DomainAdaptationRegressor, MLPHead
from skltransfer._heads.head import Head
from skltransfer._targets.targets import Targets
from skltransfer._targets.task import Task
from skltransfer.adaptation import AdaptationWarning
from skltransfer.adaptation._automatic import CANDIDATES
from skltransfer.adaptation._committee import (
    Embedded,
    Known,
    consider,
    decide,
    expected_shares,
)
from skltransfer.adaptation._diagnostics import warn_of_balance

mpl.use("agg")
pytestmark = pytest.mark.filterwarnings("ignore::skltransfer.adaptation.AdaptationWarning")  # fits are short here

FAST = {"epochs": 6, "head": MLPHead((8,)), "random_state": 0}


def classes(y):
    return Targets((Task("classes", 2),), np.eye(2)[y], np.ones((len(y), 1)))


@pytest.fixture(scope="module")
def chosen():
    """A fit on two classes along the first column; in the target, it is moved and spreads less."""
    random = np.random.default_rng(0)
    X, y = random.normal(size=(240, 3)), np.arange(240) % 2
    X[:, 0] += 3 * y
    X[120:] = X[120:] * 0.5 + [4, 0, 0]
    domain = np.repeat([1, -1], 120)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AdaptationWarning)
        return DomainAdaptationClassifier(**FAST).fit(X, y, sample_domain=domain), X, y, domain


def trap(seed, gap=1.5):
    """Overlapping classes, of which the target has one in ten: two confident candidates beside the source alone."""
    random = np.random.default_rng(seed)

    def drawn(n_samples, share):
        y = (random.random(n_samples) < share).astype(int)
        return random.normal(size=(n_samples, 4)) + gap * np.outer(y, [1, 0, 0, 0]), y

    (source, y), (held_out, y_held), (target, _) = drawn(300, 0.5), drawn(150, 0.5), drawn(400, 0.9)
    fitted = LogisticRegression().fit(source, y)
    coef, intercept = fitted.coef_.T @ [[-0.5, 0.5]], fitted.intercept_ @ np.array([[-0.5, 0.5]])
    middle = np.array([-1, 1]) * (target @ coef)[:, 0].mean()
    heads = {
        "source_only": Head(coef, intercept, 1),
        "halves": Head(9 * coef, 9 * middle, 1),  # surely one half of the target, and surely the other
        "one": Head(coef, np.array([-99.0, 99.0]), 1),
    }
    candidates = {name: Embedded(source, held_out, target, head) for name, head in heads.items()}
    return candidates, Known(classes(y), classes(y_held))


@pytest.mark.parametrize("seed", range(20))
def test_a_confident_collapse_is_never_chosen(seed):
    candidates, known = trap(seed)
    plain = candidates["source_only"]
    considered = [consider(name, own, plain, known) for name, own in candidates.items()]
    information = [found.information for found in considered]
    assert max(information) == information[1]  # by which it would be chosen
    chosen, selection = decide(considered, expected_shares(plain, known, 0), known)
    assert chosen == "source_only"
    assert [bool(veto) for veto in selection["veto"]] == [False, True, True]
    assert "shares of classes are" in selection["veto"][1]
    assert "100% of the target are predicted as one class" in selection["veto"][2]


def test_in_doubt_it_is_the_best_on_other_pairs_that_is_taken():
    candidates, known = trap(0)
    plain = candidates["source_only"]
    found = consider("source_only", plain, plain, known)._replace(circular=0.7, own_circular=0.7)
    usual, expected = found._replace(candidate="deepjdot_mcc"), expected_shares(plain, known, 0).withheld("not asked")
    for gain, taken in ((0.18, "deepjdot_mcc"), (0.22, "mmd")):
        chosen, selection = decide(
            [found, found._replace(candidate="mmd", circular=0.7 + gain), usual], expected, known
        )
        assert chosen == taken
        assert selection["score"] == pytest.approx([0.7, 0.7 + gain / 2, 0.7])
    assert decide([found, found._replace(candidate="again")], expected, known)[0] == "source_only"


def test_of_two_classes_the_shares_of_the_source_are_not_made_those_of_the_target():
    candidates, known = trap(0)
    plain = candidates["source_only"]
    expected = expected_shares(plain, known, 0)
    assert expected.source_shares == pytest.approx([0.5, 0.5], abs=0.05)
    withheld = expected.withheld("not asked")
    found = consider("source_only", plain, plain, known)._replace(shares=np.array([0.3, 0.7]))
    halves = found._replace(candidate="deepjdot_mcc", shares=np.array([0.48, 0.52]))
    between = found._replace(candidate="mcc", shares=np.array([0.36, 0.64]))
    near, one = halves._replace(shares=np.array([0.34, 0.66])), between._replace(shares=np.array([0.0, 1.0]))
    nearly_halves = between._replace(shares=np.array([0.42, 0.58]))
    assert decide([found, halves, between], withheld, known)[0] == "mcc"
    assert decide([found, near, between], withheld, known)[0] == "deepjdot_mcc"
    assert decide([found, halves, one], withheld, known)[0] == "deepjdot_mcc"
    assert decide([found, halves, between._replace(circular=halves.circular - 0.3)], withheld, known)[0] == halves[0]
    assert decide([found, halves, nearly_halves], withheld, known)[0] == "deepjdot_mcc"
    assert decide([found, halves], withheld, known)[0] == "deepjdot_mcc"


def test_what_harms_the_source_is_left_out():
    candidates, known = trap(0, gap=4)
    plain = candidates["source_only"]
    blind = plain._replace(head=Head(plain.head.coef[::-1], np.zeros(2), 1))
    considered = [consider(name, own, plain, known) for name, own in (("source_only", plain), ("blind", blind))]
    _, selection = decide(considered, expected_shares(plain, known, 0).withheld("not asked"), known)
    assert "% of the source held out are right" in selection["veto"][1]


def test_auto_tells_what_it_tried(chosen):
    clf = chosen[0]
    tried = clf.selection_
    assert tried["candidate"] == list(CANDIDATES)
    assert sum(tried["chosen"]) == 1
    best = tried["chosen"].index(True)
    passed = [score for score, veto in zip(tried["score"], tried["veto"], strict=True) if not veto]
    assert tried["score"][best] >= max(passed) - 0.1
    assert {len(column) for column in tried.values()} == {len(CANDIDATES)}


def test_all_scores_are_drawn_the_best_candidate_first(chosen):
    tried = chosen[0].selection_
    display = AdaptationSelectionDisplay.from_estimator(chosen[0])
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels[0] == tried["candidate"][tried["chosen"].index(True)] + " (chosen)"
    assert {label.removesuffix(" (chosen)") for label in labels} == set(CANDIDATES)
    written = [text.get_text() for text in display.ax_.texts]
    assert {f"{value:.3f}" for value in tried["density"]} <= set(written)
    mpl.pyplot.close(display.figure_)


def test_candidates_that_were_left_out_are_drawn_last_with_the_reason():
    figure, ax = mpl.pyplot.subplots()
    display = AdaptationSelectionDisplay(
        names=["source_only", "sure", "mmd"], scores={"circular": [0.5, 0.9, 0.7]}, means=[0.5, 0.9, 0.7],
        vetoes=["", "all alike", ""], chosen=2,
    ).plot(ax=ax)  # fmt: skip
    assert display.figure_ is figure
    assert [label.get_text() for label in ax.get_yticklabels()] == ["mmd (chosen)", "source_only", "sure"]
    shades = ax.images[0].get_array()
    assert shades.mask[:, 0].tolist() == [False, False, True]
    assert shades[:2, 0].tolist() == [1.0, 0.0]
    assert [text.get_text() for text in ax.texts[3:]] == ["score 0.700", "score 0.500", "all alike"]
    mpl.pyplot.close(figure)


def test_only_a_choice_of_methods_is_drawn(chosen):
    fitted = clone(chosen[0]).set_params(method="standardize").fit(*chosen[1:3], sample_domain=chosen[3])
    with pytest.raises(ValueError, match=r"estimator: expected one that chose among methods of domain adaptation"):
        AdaptationSelectionDisplay.from_estimator(fitted)


def test_auto_adapts_and_never_reads_labels_of_the_target(chosen):
    clf, X, y, domain = chosen
    alone = DomainAdaptationClassifier(method="source_only", **FAST).fit(X, y, sample_domain=domain)
    target = domain < 0
    assert clf.score(X[target], y[target]) > alone.score(X[target], y[target]) + 0.1
    garbage = clone(clf).fit(X, np.where(target, 77, y), sample_domain=domain)
    np.testing.assert_array_equal(garbage.predict_proba(X), clf.predict_proba(X))
    np.testing.assert_array_equal(garbage.selection_["score"], clf.selection_["score"])


def test_samples_without_weight_are_not_there(chosen):
    clf, X, y, domain = chosen
    out = np.r_[:10, 120:125]
    weights = np.ones(240)
    weights[out] = 0
    left = np.setdiff1d(np.arange(240), out)
    weighted = clone(clf).fit(X, y, sample_weight=weights, sample_domain=domain)
    without = clone(clf).fit(X[left], y[left], sample_domain=domain[left])
    assert weighted.selection_["chosen"] == without.selection_["chosen"]
    np.testing.assert_array_equal(weighted.predict_proba(X), without.predict_proba(X))


@pytest.mark.parametrize("options", [{"weight": 0}, {}], ids=["no weight", "few samples"])
def test_auto_is_source_only_where_nothing_can_be_chosen(options, shifted):
    X, y, domain = shifted
    kept = np.arange(240) if options else np.r_[:120, 120:127]
    fits = [
        DomainAdaptationClassifier(method=method, **FAST, **options).fit(X[kept], y[kept], sample_domain=domain[kept])
        for method in ("auto", "source_only")
    ]
    np.testing.assert_array_equal(*(clf.predict_proba(X) for clf in fits))
    assert fits[0].selection_.get("chosen", [True]) == [True]


def test_callbacks_follow_the_last_fit_alone(chosen):
    clf, X, y, domain = chosen
    recorded = keras.callbacks.History()
    again = clone(clf).set_params(callbacks=[recorded])
    again.fit(X, y, sample_domain=domain)
    assert again.callbacks[0].epoch == list(range(len(again.callbacks[0].epoch)))
    assert len(again.callbacks[0].epoch) <= again.n_iter_


def test_far_domains_without_help_are_told(monkeypatch, shifted):
    X, y, domain = shifted
    X = np.where(domain[:, None] > 0, X, 40 - X)
    monkeypatch.setattr("skltransfer.adaptation._automatic.CANDIDATES", ("source_only",))
    with pytest.warns(AdaptationWarning, match=r"domains are far apart \(A-distance [12]\.\d+ of 2\).*See selection_"):
        DomainAdaptationClassifier(**FAST).fit(X, y, sample_domain=domain)


def test_values_have_no_candidates(shifted):
    X, y, domain = shifted
    with pytest.raises(ValueError, match=r"The 'method' parameter of DomainAdaptationRegressor .*Got 'auto' instead"):
        DomainAdaptationRegressor(method="auto").fit(X, 1.0 * y, sample_domain=domain)


def test_predictions_with_the_shares_of_the_source_are_warned_of():
    random = np.random.default_rng(0)

    def drawn(share, moved):
        y = (random.random(200) < share).astype(int)
        return random.normal(size=(200, 4)) + np.outer(y, [2.5, 0, 0, 0]) + [0.2 * moved, moved, 0, 0], y

    (source, y), (target, truth) = drawn(0.5, 0.0), drawn(0.85, 1.0)
    X, labels, domain = np.concatenate([source, target]), np.append(y, np.full(200, -1)), np.repeat([1, -1], 200)
    clf = DomainAdaptationClassifier(**FAST)
    with pytest.warns(AdaptationWarning, match=r"0\.55, 0\.45 in the source; in the target .* method='source_only' or"):
        clf.fit(X, labels, sample_domain=domain)
    plain = clone(clf).set_params(method="source_only").fit(X, labels, sample_domain=domain)
    assert plain.score(target, truth) > clf.score(target, truth) + 0.1


def test_a_choice_that_leaves_shares_as_they_are_is_warned_of_where_they_are_in_doubt():
    source, plain, chosen = np.array([0.51, 0.49]), np.array([0.27, 0.73]), np.array([0.35, 0.65])
    said = r"0\.51, 0\.49 in the source; in the target 0\.27, 0\.73 .* 0\.35, 0\.65 with method='mcc', which was chosen"
    with pytest.warns(AdaptationWarning, match=said):
        warn_of_balance("mcc", chosen, plain, source, in_doubt=source)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_balance("mcc", chosen, plain, source, in_doubt=chosen)
