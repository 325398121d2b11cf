"""Learning curves that power laws continue: the fit against a slow twin, coverage, and what is drawn."""

import matplotlib as mpl
import numpy as np
import pytest
from scipy.optimize import least_squares
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import RepeatedStratifiedKFold, learning_curve

from skltransfer import LearningCurveForecastDisplay, TransferClassifier
from skltransfer.transferability import LearningCurveForecast, learning_curve_forecast
from skltransfer.transferability._forecast import _laws
from skltransfer.transferability._power_law import fit_power_laws

mpl.use("agg")

SIZES = np.geomspace(20, 200, 6).round()


def slow_squares(sizes, errors, weights):
    """Least squares from several starts."""

    def deviations(law):
        return np.sqrt(weights) * (law[0] + law[1] * (sizes / sizes.max()) ** -law[2] - errors)

    bounds = ([0, 0, 0.05], [np.inf, np.inf, 2])
    starts = ([0.1, 0.1, 0.1], [0.01, 0.5, 0.5], [0.1, 0.05, 1.5])
    return min(2 * least_squares(deviations, start, bounds=bounds).cost for start in starts)


@pytest.mark.parametrize("seed", range(4))
def test_fit_is_as_good_as_a_slow_one(seed):
    random = np.random.default_rng(seed)
    limit, slope, exponent = random.uniform([0, 0.3, 0.1], [0.3, 3, 1.5])
    errors = limit + slope * SIZES**-exponent + 0.02 * random.normal(size=(2, 6))
    weights = random.uniform(0.5, 2, 6)
    laws = fit_power_laws(SIZES, errors, weights)
    for own, found in zip(errors, laws.errors(SIZES), strict=True):
        assert weights @ np.square(found - own) <= 1.01 * slow_squares(SIZES, own, weights) + 1e-5
    assert (laws.limit >= 0).all()
    assert (laws.slope >= 0).all()


@pytest.mark.parametrize(("limit", "slope", "exponent"), [(0.1, 2, 0.5), (0, 1, 0.3), (0.05, 3, 1)])
def test_a_law_is_found_where_there_is_no_noise(limit, slope, exponent):
    laws = fit_power_laws(SIZES, (limit + slope * SIZES**-exponent)[None], np.ones(6))
    assert laws.exponent[0] == pytest.approx(exponent, rel=0.05)
    assert laws.errors(np.array([1000.0]))[0] == pytest.approx(limit + slope * 1000**-exponent, abs=0.003)


def test_curves_that_rise_or_are_negative_have_laws_without_a_slope():
    laws = fit_power_laws(SIZES, np.stack([np.arange(6) / 10, np.full(6, -0.1)]), np.ones(6))
    np.testing.assert_allclose(laws.errors(np.array([500.0]))[:, 0], [0.25, 0], atol=1e-12)


def curves(random, law, n_samples, n_folds=5):
    """Shares of wrong predictions; a sample is as hard for all sizes, and a fold may have easy training samples."""
    sizes = np.geomspace(0.1, 0.8, 6) * n_samples
    errors = law(sizes) * (1 + 0.1 * random.normal(size=(n_folds, 1)) + 0.05 * random.normal(size=(n_folds, 6)))
    hardness = random.uniform(size=(n_folds, 1, n_samples // n_folds))
    return sizes, (hardness < errors[:, :, None]).mean(axis=2).T


@pytest.mark.parametrize(("limit", "slope", "exponent"), [(0.05, 1, 0.5), (0, 1, 0.3), (0.02, 3, 1)])
def test_intervals_cover_the_law_as_often_as_they_say(limit, slope, exponent):
    random, n_samples = np.random.RandomState(0), 400
    splits = [(np.arange(320), np.arange(80))] * 5
    covered, n_curves = np.zeros(2), 80
    for _ in range(n_curves):
        sizes, errors = curves(random, lambda n: limit + slope * n**-exponent, n_samples)
        laws = _laws(sizes, errors, splits, random)
        result = LearningCurveForecast(sizes, 1 - errors, n_samples, 1.0, 0.95, laws)
        numbers = np.array([800.0, 2000.0])
        _, low, high = result.forecast(numbers)
        truth = 1 - limit - slope * numbers**-exponent
        covered += (low <= truth) & (truth <= high)
    assert (covered >= 0.9 * n_curves).all()
    assert (high - low < 0.3).all()


@pytest.fixture(scope="module")
def result(images, labels):
    clf = TransferClassifier(image_size=32, features="last", C=0.1)
    return learning_curve_forecast(clf, images, labels, cv=4, sizes=[8, 12, 18, 30], random_state=0)


def test_curve_is_that_of_scikit_learn(result, images, labels):
    clf = TransferClassifier(image_size=32, features="last", C=0.1)
    whole = learning_curve(clf, images, labels, train_sizes=[30], cv=4)[2]
    np.testing.assert_array_equal(result.scores[-1:], whole)
    assert result.sizes.tolist() == [8, 12, 18, 30]
    assert result.n_samples == 40


def test_forecasts_rise_up_to_their_limit(result):
    score, low, high = result.forecast([40, 80, 1000])
    assert (np.diff(score) >= 0).all()
    assert (low <= score).all()
    assert (score <= high).all()
    assert score[-1] <= result.limit <= 1
    one = result.forecast(80)
    assert one == (score[1], low[1], high[1])
    assert isinstance(one.score, float)
    assert f"40 more labels: {one.score:.3f} ({one.low:.3f} to {one.high:.3f})" in str(result)


def table(seed=0, n_samples=120):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n_samples, 8))
    return X, X @ np.linspace(1, 0.2, 8) + random.normal(size=n_samples)


def test_values_and_losses_have_errors_of_their_own():
    X, values = table(n_samples=300)
    r2 = learning_curve_forecast(Ridge(), X, values, random_state=0)
    loss = learning_curve_forecast(Ridge(), X, values, scoring="neg_mean_squared_error", random_state=0)
    assert (r2.best, loss.best) == (1, 0)
    signal = np.square(np.linspace(1, 0.2, 8)).sum()  # beside noise of variance 1
    for found, best, width in ((r2, signal / (signal + 1), 0.5), (loss, -1, 2)):
        _, low, high = found.forecast(2000)
        assert low < best < high
        assert high - low < width


def test_repeated_folds_and_less_confidence_make_intervals_narrower():
    X, values = table()
    labels = values > 0
    widths = []
    repeated = RepeatedStratifiedKFold(n_splits=5, n_repeats=4, random_state=0)
    for cv, confidence in ((5, 0.95), (5, 0.5), (repeated, 0.95)):
        found = learning_curve_forecast(
            LogisticRegression(), X, labels, cv=cv, confidence=confidence, random_state=0
        ).forecast(200)
        widths.append(found.high - found.low)
    assert min(widths) > 0
    assert widths[0] > max(widths[1:])


def test_curve_without_noise_has_no_interval():
    y = np.arange(60) % 2
    found = learning_curve_forecast(DummyClassifier(), np.zeros((60, 1)), y).forecast(100)
    assert found == pytest.approx((0.5, 0.5, 0.5))


def test_bad_curves(result):
    X, values = table()
    with pytest.raises(ValueError, match=r"sizes: expected 'auto', or at least 3 .* from 1 to 96.*Got \[5, 200\]"):
        learning_curve_forecast(Ridge(), X, values, sizes=[5, 200])
    with pytest.raises(ValueError, match=r"sizes: expected 'auto', .*Got \[0.2, 0.5, 1.0\]"):
        learning_curve_forecast(Ridge(), X, values, sizes=[0.2, 0.5, 1.0])
    with pytest.raises(ValueError, match=r"confidence: expected a number between 0 and 1. Got 95"):
        learning_curve_forecast(Ridge(), X, values, confidence=95)
    with pytest.raises(ValueError, match="cv: expected at least 2 folds"):
        learning_curve_forecast(Ridge(), X, values, cv=[(np.arange(60), np.arange(60, 120))])
    with pytest.raises(ValueError, match=r"best: expected the score of an estimator without error. Got 0.1"):
        learning_curve_forecast(Ridge(), X, values, best=0.1)
    with pytest.raises(ValueError, match="scoring: expected finite scores"):
        learning_curve_forecast(Ridge(), X, values, scoring=lambda *_: np.nan)
    with pytest.raises(ValueError, match=r"n_samples: expected at least 1 training sample. Got 0"):
        result.forecast(0)


def test_forecast_is_drawn(result):
    display = LearningCurveForecastDisplay.from_forecast(result, n_samples=100)
    display.figure_.canvas.draw()
    line, points, _ = display.ax_.get_lines()
    np.testing.assert_allclose(line.get_ydata(), result.forecast(line.get_xdata()).score)
    assert line.get_xdata()[[0, -1]].tolist() == pytest.approx([8, 100])
    np.testing.assert_allclose(points.get_ydata(), result.scores.mean(axis=1))
    with pytest.raises(ValueError, match=r"result: expected what learning_curve_forecast gives. Got a dict"):
        LearningCurveForecastDisplay.from_forecast({})
    mpl.pyplot.close("all")


def test_parts_of_training_samples_have_all_classes():
    y = np.repeat(["a", "b", "c"], [60, 24, 12])
    seen = []

    class Counting(DummyClassifier):
        def fit(self, X, y, sample_weight=None):
            seen.append(np.unique(y, return_counts=True)[1].tolist())
            return super().fit(X, y, sample_weight)

    learning_curve_forecast(Counting(), np.zeros((96, 1)), y, cv=4, sizes=[24, 36, 72], random_state=0)
    parts = [counts for counts in seen if sum(counts) == 24]
    assert len(parts) == 4
    assert all(np.abs(np.subtract(counts, [15, 6, 3])).max() <= 1 for counts in parts)
