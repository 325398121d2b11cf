import pickle
import warnings

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skltransfer import TransferClassifier
from skltransfer._targets.domains import read_domains
from skltransfer.model_selection._circular import CircularValidation
from skltransfer.model_selection._splitters import (
    LeaveOneDomainOut,
    SourceTargetShuffleSplit,
    StratifiedDomainShuffleSplit,
)
from skltransfer.model_selection._target import (
    MixValScorer,
    MutualInformationScorer,
    PredictionEntropyScorer,
    SoftNeighborhoodDensity,
)
from skltransfer.model_selection._weighted import DeepEmbeddedValidation, ImportanceWeightedScorer

SCORERS = [
    ImportanceWeightedScorer(),
    DeepEmbeddedValidation(),
    PredictionEntropyScorer(),
    SoftNeighborhoodDensity(),
    MutualInformationScorer(),
    MixValScorer(random_state=0),
    CircularValidation(),
]
OF_BOTH = [SCORERS[0], SCORERS[1], SCORERS[6]]
OF_TARGET = SCORERS[2:6]


def name_of(value):
    return type(value).__name__


class SourceOnly(ClassifierMixin, BaseEstimator):
    """A logistic regression on source rows, with the conventions of domain adaptation."""

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y, sample_domain=None):
        self.domains_ = read_domains(y, sample_domain, len(X))
        source = self.domains_.source
        self.model_ = LogisticRegression(C=self.C, max_iter=1000).fit(X[source], np.asarray(y)[source])
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X, **params):
        return self.model_.predict(X)

    def predict_proba(self, X, **params):
        return self.model_.predict_proba(X)

    def transform(self, X):
        return self.model_.decision_function(X)


def regression(**parameters):
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, **parameters))


def from_grey(X):
    """The same for a digit and the inverted digit."""
    return np.abs(X - 8)


def to_unit_length(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def one_pixel_right(X):
    return np.roll(X.reshape(-1, 8, 8), 1, axis=2).reshape(-1, 64)


def some_inverted(X, share):
    return np.where(np.random.default_rng(0).random((len(X), 1)) < share, 16 - X, X)


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def two_domains(digits):
    """Samples, labels with those of the target masked, and domains."""
    X, y = digits
    X = np.concatenate([X[300:500], one_pixel_right(X[500:650])]) / 16
    domain = np.repeat([1, -1], [200, 150])
    return X, np.where(domain > 0, y[300:650], -1), domain


@pytest.fixture(scope="module")
def fitted(digits):
    X, y = digits
    return regression().fit(X[:300] / 16, y[:300])


@pytest.mark.parametrize("scorer", SCORERS, ids=name_of)
class TestEveryScorer:
    def test_masks_and_domains_say_the_same(self, scorer, fitted, two_domains):
        X, y, domain = two_domains
        score = scorer(fitted, X, y, sample_domain=domain)
        assert isinstance(score, float)
        assert scorer(fitted, X, y) == score

    def test_labels_of_the_target_are_not_read(self, scorer, fitted, two_domains):
        X, y, domain = two_domains
        other = np.where(domain > 0, y, 3)
        assert scorer(fitted, X, other, sample_domain=domain) == scorer(fitted, X, y, sample_domain=domain)

    def test_names_of_classes_do_not_matter(self, scorer, digits, fitted, two_domains):
        X, y, domain = two_domains
        names = np.array([f"digit {i}" for i in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)])
        named = regression().fit(digits[0][:300] / 16, names[digits[1][:300]])
        tolerance = 0.1 if isinstance(scorer, MixValScorer) else 1e-3
        renamed = scorer(named, X, names[y], sample_domain=domain)
        assert renamed == pytest.approx(scorer(fitted, X, y, sample_domain=domain), abs=tolerance)

    def test_it_can_be_copied_and_read(self, scorer):
        assert repr(scorer).startswith(type(scorer).__name__)
        for copy in (clone(scorer), pickle.loads(pickle.dumps(scorer))):
            assert copy.get_params() == scorer.get_params()

    def test_it_does_not_change_the_estimator(self, scorer, fitted, two_domains):
        before = pickle.dumps(fitted)
        scorer(fitted, *two_domains[:2])
        assert pickle.dumps(fitted) == before

    def test_search_without_routing(self, scorer, two_domains):
        X, y, _ = two_domains
        search = GridSearchCV(
            SourceOnly(), {"C": [0.01, 1]}, scoring=scorer, cv=StratifiedDomainShuffleSplit(2, test_size=0.4)
        )
        assert np.isfinite(search.fit(X, y).cv_results_["mean_test_score"]).all()
        assert clone(search).scoring.get_params() == scorer.get_params()

    def test_cross_validation_with_routing(self, scorer, two_domains):
        X, _, domain = two_domains
        y = load_digits().target[300:650]
        splitter = StratifiedDomainShuffleSplit(2, test_size=0.4, random_state=0)
        with sklearn.config_context(enable_metadata_routing=True):
            estimator = SourceOnly().set_fit_request(sample_domain=True)
            for scoring in (scorer, {"it": scorer, "accuracy": "accuracy"}):
                found = cross_validate(
                    estimator, X, y, scoring=scoring, cv=splitter, params={"sample_domain": domain}, error_score="raise"
                )
                assert np.isfinite(found["test_it" if isinstance(scoring, dict) else "test_score"]).all()
        assert not sklearn.get_config()["enable_metadata_routing"]


@settings(max_examples=5)
@given(seed=st.integers(0, 1000))
def test_order_of_samples_does_not_matter(seed):
    X, y = load_digits(return_X_y=True)
    X, y, domain = X[:60] / 16, y[:60], np.repeat([1, -1], 30)
    fitted, order = LogisticRegression(max_iter=1000).fit(X[:30], y[:30]), np.random.default_rng(seed).permutation(60)
    for scorer in (*OF_BOTH, *OF_TARGET[:3]):
        shuffled = scorer(fitted, X[order], y[order], sample_domain=domain[order])
        assert shuffled == pytest.approx(scorer(fitted, X, y, sample_domain=domain), abs=1e-3)


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_bounds(seed):
    random = np.random.default_rng(seed)
    X, y, domain = random.normal(size=(30, 3)), random.permutation(np.repeat([0, 1, 2], 10)), np.repeat([1, -1], 15)
    fitted = LogisticRegression().fit(X, y)
    scores = {name_of(scorer): scorer(fitted, X, y, sample_domain=domain) for scorer in SCORERS}
    for name in ("ImportanceWeightedScorer", "MixValScorer", "CircularValidation"):
        assert 0 <= scores[name] <= 1
    assert -np.log(3) <= scores["PredictionEntropyScorer"] <= 0
    assert -1e-9 <= scores["MutualInformationScorer"] <= np.log(3)
    assert 0 <= scores["SoftNeighborhoodDensity"] <= np.log(14) + 1e-9


def slow_weights(source, target):
    """Odds of a logistic regression found by Newton's method, times the ratio of sizes."""
    both = np.concatenate([source, target])
    mean, deviation = both.mean(axis=0), both.std(axis=0)
    deviation[deviation == 0] = 1
    columns = np.column_stack([(both - mean) / deviation, np.ones(len(both))])
    wanted = np.repeat([0.0, 1.0], [len(source), len(target)])
    penalty = np.diag([float(source.shape[1])] * source.shape[1] + [0.0])
    weights = np.zeros(columns.shape[1])
    for _ in range(50):
        likely = 1 / (1 + np.exp(-columns @ weights))
        curvature = (columns.T * likely * (1 - likely)) @ columns + penalty
        weights -= np.linalg.solve(curvature, columns.T @ (likely - wanted) + penalty @ weights)
    return np.exp(columns[: len(source)] @ weights) * len(source) / len(target)


def test_weighted_scores_beside_slow_ones(fitted, two_domains):
    X, y, domain = two_domains
    source, labels = X[domain > 0], y[domain > 0]
    weights = slow_weights(fitted[:-1].transform(source), fitted[:-1].transform(X[domain < 0]))
    predicted, proba = fitted.predict(source), fitted.predict_proba(source)
    accuracy = sum(w for w, a, b in zip(weights, predicted, labels, strict=True) if a == b) / sum(weights)
    assert ImportanceWeightedScorer()(fitted, X, y) == pytest.approx(accuracy, abs=1e-3)
    losses = np.array([-np.log(row[label]) for row, label in zip(proba, labels, strict=True)])
    covariance = np.cov(weights * losses, weights)
    eta = -covariance[0, 1] / covariance[1, 1]
    risk = np.mean(weights * losses) + eta * np.mean(weights) - eta
    assert DeepEmbeddedValidation()(fitted, X, y) == pytest.approx(-risk, abs=1e-3)


def test_scores_of_the_target_beside_slow_ones(fitted, two_domains):
    X, y, domain = two_domains
    proba = fitted.predict_proba(X[domain < 0])
    entropy = np.mean([-sum(p * np.log(p) for p in row if p > 0) for row in proba])
    assert PredictionEntropyScorer()(fitted, X, y) == pytest.approx(-entropy)
    mean = [sum(column) / len(proba) for column in proba.T]
    information = -sum(p * np.log(p) for p in mean) - entropy
    assert MutualInformationScorer()(fitted, X, y) == pytest.approx(information)
    densities = []
    for i, row in enumerate(proba):
        others = [other for j, other in enumerate(proba) if j != i]
        cosines = [row @ other / np.sqrt((row @ row) * (other @ other)) for other in others]
        shares = np.exp(np.array(cosines) / 0.1)
        shares /= shares.sum()
        densities.append(-np.sum(shares * np.log(shares)))
    assert SoftNeighborhoodDensity(temperature=0.1)(fitted, X, y) == pytest.approx(np.mean(densities))


def test_density_in_batches_is_that_at_once(fitted, digits, monkeypatch):
    import skltransfer.model_selection._target as module

    whole = SoftNeighborhoodDensity()(fitted, digits[0][:90] / 16)
    batches = module.gen_batches
    monkeypatch.setattr(module, "gen_batches", lambda n, _: batches(n, 40))
    assert SoftNeighborhoodDensity()(fitted, digits[0][:90] / 16) == pytest.approx(whole)


SHIFTS = {
    "inverted": (
        lambda X: some_inverted(X, 0.2),
        lambda X: some_inverted(X, 0.9),
        regression(),
        make_pipeline(FunctionTransformer(from_grey), regression()),
    ),
    "brighter": (
        np.array,
        lambda X: 4 * X,
        regression(),
        make_pipeline(FunctionTransformer(to_unit_length), regression()),
    ),
    "moved": (np.array, one_pixel_right, regression(C=0.01), regression(C=100)),
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("scorer", "shift"),
    [
        (ImportanceWeightedScorer(), "inverted"),
        (DeepEmbeddedValidation(), "inverted"),
        (CircularValidation(), "inverted"),
        (CircularValidation(), "brighter"),
        (MixValScorer(random_state=0), "brighter"),
        (PredictionEntropyScorer(), "moved"),
        (SoftNeighborhoodDensity(), "moved"),
        (MutualInformationScorer(), "moved"),
    ],
    ids=lambda value: value if isinstance(value, str) else name_of(value),
)
def test_better_on_the_target_scores_better(scorer, shift, seed, digits):
    X, y = digits
    rows = np.random.default_rng(seed).permutation(len(X))
    train, source, target = rows[:500], rows[500:1000], rows[1000:]
    of_source, of_target, worse, better = SHIFTS[shift]
    X_target = of_target(X[target])
    both, labels = np.concatenate([of_source(X[source]), X_target]), y[rows[500:]]
    domain = np.repeat([1, -1], [len(source), len(target)])
    accuracies, scores = [], []
    for estimator in (clone(worse), clone(better)):
        estimator.fit(X[train], y[train])
        accuracies.append(estimator.score(X_target, y[target]))
        scores.append(scorer(estimator, both, labels, sample_domain=domain))
    assert accuracies[0] + 0.02 < accuracies[1]
    assert scores[0] < scores[1]


def test_circular_validation_hands_domains_on(two_domains):
    X, y, domain = two_domains
    seen = []

    class Witness(SourceOnly):
        def fit(self, X, y, sample_domain=None):
            seen.append((y, sample_domain))
            return super().fit(X, y, sample_domain)

    scorer = CircularValidation()
    direct = scorer(Witness().fit(X, y), X, y)
    labels, codes = seen[-1]
    np.testing.assert_array_equal(codes, -domain)
    assert set(labels[domain > 0]) == {-1}
    piped = make_pipeline(StandardScaler(with_mean=False, with_std=False), Witness()).fit(X, y)
    assert scorer(piped, X, y) == direct
    np.testing.assert_array_equal(seen[-1][1], -domain)
    with sklearn.config_context(enable_metadata_routing=True):
        witness = Witness().set_fit_request(sample_domain=True)
        piped = make_pipeline(StandardScaler(with_mean=False, with_std=False), witness).fit(X, y, sample_domain=domain)
        assert scorer(piped, X, y, sample_domain=domain) == direct


def test_circular_validation_of_one_class(two_domains):
    X, y, domain = two_domains
    same = LogisticRegression().fit([[0.0] * 64, [1e9] * 64], [3, 7])
    assert set(same.predict(X)) == {3}
    assert CircularValidation()(same, X, y) == np.mean(y[domain > 0] == 3)


def test_mixtures_of_frames_and_sparse_samples(digits):
    pd, sparse = pytest.importorskip("pandas"), pytest.importorskip("scipy.sparse")
    X, y = digits[0][:200] / 16, digits[1][:200]
    frame = pd.DataFrame(X, columns=[f"pixel {i}" for i in range(64)], index=np.arange(200) + 7)
    scorer = MixValScorer(random_state=0)
    plain = scorer(LogisticRegression(max_iter=1000).fit(X, y), X)
    assert scorer(LogisticRegression(max_iter=1000).fit(frame, y), frame) == plain
    assert scorer(LogisticRegression(max_iter=1000).fit(sparse.csr_array(X), y), sparse.csr_array(X)) == pytest.approx(
        plain, abs=0.01
    )


def test_mixtures_of_one_class_or_one_sample_each(digits):
    X = digits[0][:20]
    same = LogisticRegression().fit([[0.0] * 64, [1e9] * 64], [3, 7])
    assert MixValScorer(random_state=0)(same, X) == 0.5
    apart = LogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 2])
    assert MixValScorer(random_state=0)(apart, [[-3.0], [5.0]]) <= 0.5


def test_scores_of_a_network(images, labels, quick):
    domain = np.repeat([1, -1], 20)
    quick.fit(images[:20], labels[:20])
    target = 255 - images[20:]
    rows = np.concatenate([images[:20], target])
    for scorer in SCORERS:
        assert np.isfinite(scorer(quick, rows, labels, sample_domain=domain))


def test_target_scorers_take_all_samples_without_masks(fitted, two_domains):
    X, _, domain = two_domains
    target = X[domain < 0]
    for scorer in OF_TARGET:
        assert scorer(fitted, target) == scorer(fitted, target, np.arange(len(target)) % 10)


@pytest.mark.parametrize("scorer", OF_BOTH, ids=name_of)
def test_scorers_of_both_domains_tell_what_is_missing(scorer, fitted, two_domains):
    X, y, domain = two_domains
    with pytest.raises(ValueError, match=r"expected labels of source samples. Got y=None"):
        scorer(fitted, X)
    with pytest.raises(ValueError, match="y: expected some masked labels, of target samples"):
        scorer(fitted, X[domain > 0], y[domain > 0])
    with pytest.raises(ValueError, match="sample_domain: expected some positive values, of source samples"):
        scorer(fitted, X, y, sample_domain=-np.ones(len(X)))


def test_bad_estimators_samples_and_parameters(fitted, two_domains, digits):
    X, y, _ = two_domains
    ridge = RidgeClassifier().fit(digits[0][:300] / 16, digits[1][:300])
    for scorer in (DeepEmbeddedValidation(), *OF_TARGET[:3]):
        with pytest.raises(
            TypeError, match=f"{name_of(scorer)}: expected a classifier with predict_proba.*RidgeClassifier"
        ):
            scorer(ridge, X, y)
    with pytest.raises(ValueError, match="MixValScorer: expected arrays or frames of numbers"):
        MixValScorer()(TransferClassifier(), ["a.png", "b.png"])
    with pytest.raises(ValueError, match=r"mix: expected a number above 0.5 and below 1. Got 0.5"):
        MixValScorer(mix=0.5)(fitted, X)
    with pytest.raises(ValueError, match=r"temperature: expected a positive number. Got 0"):
        SoftNeighborhoodDensity(temperature=0)(fitted, X)
    with pytest.raises(ValueError, match="expected at least 2 target samples"):
        SoftNeighborhoodDensity()(fitted, X[:1])


def test_embedding_falls_back():
    from skltransfer.model_selection._scoring import embedding

    X, y = np.eye(4), [0, 1, 2, 2]
    model = LogisticRegression().fit(X, y)
    piped = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    np.testing.assert_array_equal(embedding(StandardScaler().fit(X), X), StandardScaler().fit_transform(X))
    np.testing.assert_array_equal(embedding(piped, X), StandardScaler().fit_transform(X))
    np.testing.assert_array_equal(embedding(model, X), model.decision_function(X))
    assert embedding(LogisticRegression().fit(X, [0, 0, 1, 1]), X).shape == (4, 1)
    with pytest.raises(TypeError, match="expected an estimator with transform, decision_function or predict_proba"):
        embedding(object(), X)


def splits_of(splitter, *args, **kwargs):
    return [(train.tolist(), test.tolist()) for train, test in splitter.split(*args, **kwargs)]


def test_each_domain_is_left_out_once():
    X = np.zeros((6, 1))
    splitter = LeaveOneDomainOut()
    assert splits_of(splitter, X, None, [1, 1, 2, 2, 3, 3]) == [
        ([2, 3, 4, 5], [0, 1]),
        ([0, 1, 4, 5], [2, 3]),
        ([0, 1, 2, 3], [4, 5]),
    ]
    assert splits_of(splitter, X, None, [1, 1, -2, -2, -3, -3]) == [([0, 1, 4, 5], [2, 3]), ([0, 1, 2, 3], [4, 5])]
    assert splits_of(splitter, X, None, [1, 1, 2, 2, -3, -3]) == [([2, 3, 4, 5], [0, 1]), ([0, 1, 4, 5], [2, 3])]
    assert splitter.get_n_splits(X, None, [1, 1, 2, 2, -3, -3]) == 2
    assert splitter.get_n_splits(groups=[1, 2, 3]) == 3


def test_domains_in_both_roles_are_tested_on_their_labels():
    domain = [1, 2, 3, -1, -2, -3]
    assert splits_of(LeaveOneDomainOut(), np.zeros((6, 1)), sample_domain=domain) == [
        ([1, 2, 3], [0]),
        ([0, 2, 4], [1]),
        ([0, 1, 5], [2]),
    ]


def test_domains_that_cannot_be_left_out():
    with pytest.raises(
        ValueError, match=r"expected a domain without which source and target samples are left.*\[-2, 1\]"
    ):
        next(LeaveOneDomainOut().split(np.zeros((4, 1)), None, [1, 1, -2, -2]))
    with pytest.raises(ValueError, match="expected sample_domain, which says how many splits there are"):
        LeaveOneDomainOut().get_n_splits()


def test_shares_are_kept():
    domain = np.repeat([1, 2, -1], [40, 20, 20])
    y = np.where(domain > 0, np.tile([0, 0, 0, 1], 20), np.arange(80))
    for train, test in StratifiedDomainShuffleSplit(3, test_size=0.25, random_state=0).split(y, y, domain):
        assert np.unique(domain[test], return_counts=True)[1].tolist() == [5, 10, 5]
        assert y[test][domain[test] > 0].sum() in (3, 4)
        assert not set(train) & set(test)
    for _, test in SourceTargetShuffleSplit(3, test_size=0.25, random_state=0).split(y, None, domain):
        assert (domain[test] > 0).sum() == 15
    assert SourceTargetShuffleSplit(3).get_n_splits() == 3
    first, again = (splits_of(StratifiedDomainShuffleSplit(2, random_state=5), y, y, domain) for _ in range(2))
    assert first == again
    with pytest.raises(ValueError, match=r"StratifiedDomainShuffleSplit: expected labels. Got y=None"):
        next(StratifiedDomainShuffleSplit().split(y, None, domain))


@pytest.mark.parametrize(
    "splitter",
    [
        LeaveOneDomainOut(),
        SourceTargetShuffleSplit(2, test_size=0.5),
        StratifiedDomainShuffleSplit(2, test_size=0.5),
    ],
    ids=name_of,
)
def test_splitters_in_cross_validation(splitter, digits):
    X, y = digits[0][:120] / 16, digits[1][:120]
    domain = np.repeat([1, 2, -3], 40)
    found = cross_validate(regression(), X, y, cv=splitter, groups=domain, error_score="raise")
    assert (found["test_score"] > 0.5).all()
    search = GridSearchCV(regression(), {"logisticregression__C": [1]}, cv=splitter).fit(X, y, groups=domain)
    assert search.best_score_ > 0.5
    with sklearn.config_context(enable_metadata_routing=True):
        for name in ("groups", "sample_domain"):
            routed = cross_validate(regression(), X, y, cv=splitter, params={name: domain}, error_score="raise")
            assert len(routed["test_score"]) == 2
    assert clone(splitter).get_params() == splitter.get_params()


@pytest.mark.parametrize("mask", [-1, None], ids=["integers", "objects"])
def test_masked_labels_go_through_scikit_learn(mask, two_domains):
    X, y, domain = two_domains
    names = y if mask == -1 else np.where(domain > 0, y.astype(str), None)
    splitter = StratifiedDomainShuffleSplit(2, test_size=0.4, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = cross_validate(SourceOnly(), X, names, cv=splitter, scoring=SCORERS[0], error_score="raise")
    assert (found["test_score"] > 0.3).all()
