"""Bounds on errors: their parts against slow twins, and that they hold on resamples."""

import numpy as np
import pytest
from scipy.stats import binom, norm

from skltransfer import TransferClassifier, TransferRegressor
from skltransfer._heads.solver import fit_logistic
from skltransfer.transferability import error_bound
from skltransfer.transferability._pac_bayes import (
    Samples,
    _gibbs_error,
    _margins,
    gibbs_bound,
    held_out_bound,
    inverse_kl,
    typical_margin,
)

DELTA, N_RESAMPLES = 0.1, 200


def test_limit_of_a_binomial_is_where_so_few_errors_are_as_rare_as_said():
    for wrong in (0, 3, 29):
        assert binom.cdf(wrong, 30, held_out_bound(wrong, 30, 0.05)) == pytest.approx(0.05)
    assert held_out_bound(30, 30, 0.05) == 1


@pytest.mark.parametrize(("error", "budget"), [(0.0, 0.2), (0.1, 0.05), (0.5, 0.3), (0.9, 0.001)])
def test_inverse_of_the_relative_entropy(error, budget):
    p = inverse_kl(error, budget)
    terms = [a * np.log(a / b) for a, b in ((error, p), (1 - error, 1 - p)) if a > 0]
    assert sum(terms) == pytest.approx(budget)
    assert p > error
    assert inverse_kl(1.0, budget) == inverse_kl(error, 50.0) == 1


@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_error_of_random_heads_is_what_draws_of_them_have(n_classes):
    random = np.random.default_rng(n_classes)
    theta, features = random.normal(size=(4, n_classes)), random.normal(size=(50, 4))
    samples = Samples(features, random.integers(n_classes, size=50))
    noise = 0.7 * random.normal(size=(4000, *theta.shape))
    if n_classes == 2:  # the difference of both has the noise
        drawn = (theta[:, 1] - theta[:, 0] + noise[:, :, 0]) @ features.T > 0
        theta = theta[:, 1:] - theta[:, :1]
    else:
        drawn = np.einsum("tfk,nf->tnk", theta + noise, features).argmax(axis=2)
    assert _gibbs_error(_margins(theta, samples) / 0.7) == pytest.approx((drawn != samples.codes).mean(), abs=0.01)


def test_bound_is_the_formula_of_maurer_for_one_gaussian():
    random = np.random.default_rng(0)
    prior = np.column_stack([np.zeros(3), [1.0, 0.5, 0.0]])
    features = random.normal(size=(60, 3))
    samples = Samples(features, (features @ prior[:, 1] > 0).astype(int))
    found = gibbs_bound(prior, prior, samples, typical=1.0, delta=0.05)
    tried = []
    for deviation in 2.0 ** np.arange(-4, 4):
        for length in (1, 1.5, 2.25):
            distances = np.abs(features @ prior[:, 1]) / np.linalg.norm(features, axis=1)
            error = norm.cdf(-length * distances / deviation).mean()
            kl = (length - 1) ** 2 * 1.25 / (2 * deviation**2)
            tried.append(inverse_kl(error, (kl + np.log(2 * np.sqrt(60) * 8 / 0.05)) / 60))
    assert found.bound == pytest.approx(min(tried))


class Pool:
    """All samples that there are, of which others are drawn with replacement."""

    def __init__(self, n_classes, apart, noisy):
        self.random, self.n_classes = np.random.default_rng(0), n_classes
        codes = self.random.integers(n_classes, size=1500)
        features = apart * np.eye(n_classes, 6)[codes] + self.random.normal(size=(1500, 6))
        wrong = self.random.uniform(size=1500) < noisy
        codes[wrong] = self.random.permutation(codes[wrong])
        self.whole = Samples(np.column_stack([features, np.ones(1500)]), codes)

    def draw(self, n_samples):
        drawn = self.random.integers(1500, size=n_samples)
        return self.whole.features[drawn], self.whole.codes[drawn]

    def error(self, theta):
        return ((self.whole.features @ theta).argmax(axis=1) != self.whole.codes).mean()

    def head(self, features, codes):
        head = fit_logistic(features[:, :-1], codes, n_classes=self.n_classes, C=0.1, weights=np.ones(len(codes)))
        theta = np.vstack([head.coef, head.intercept])
        return np.column_stack([np.zeros(len(theta)), theta]) if self.n_classes == 2 else theta


def random_error(theta, samples, sharpness):
    theta = theta[:, 1:] - theta[:, :1] if theta.shape[1] == 2 else theta
    return _gibbs_error(_margins(theta, samples) * sharpness)


@pytest.mark.parametrize(("n_classes", "apart", "noisy", "largest"), [(2, 4, 0.0, 0.4), (3, 2, 0.2, 1.0)])
def test_bounds_are_violated_no_more_often_than_they_may(n_classes, apart, noisy, largest):
    pool = Pool(n_classes, apart, noisy)
    violated, bounds = np.zeros(3, int), []
    for _ in range(N_RESAMPLES):
        features, codes = pool.draw(100)
        rest, held_out = Samples(features[40:], codes[40:]), Samples(features[:40], codes[:40])
        prior, mean = pool.head(*rest), pool.head(features, codes)
        typical = typical_margin(prior, rest)
        found = gibbs_bound(prior, mean, held_out, typical=typical, delta=DELTA)
        wrong = ((held_out.features @ prior).argmax(axis=1) != held_out.codes).sum()
        limit = held_out_bound(int(wrong), 40, DELTA)
        errors = [pool.error(theta) for theta in (prior, mean)]
        violated += [
            errors[0] > limit,
            random_error(mean, pool.whole, found.sharpness) > found.bound,
            errors[1] > 2 * found.bound,
        ]
        bounds.append(found.bound)
    assert (violated <= binom.ppf(0.999, N_RESAMPLES, DELTA)).all()
    assert max(bounds) < largest


def test_bound_of_an_estimator(sample):
    shoes = np.isin(sample.target, ["Ankle boot", "Sandal", "Sneaker"])
    clf = TransferClassifier(image_size=64, features="last", C=0.1)
    found = error_bound(clf, sample.images, shoes, delta=0.1, test_size=0.4, random_state=0)
    assert found.n_held_out == 40
    assert 0 <= found.held_out_error < found.held_out < 0.2
    assert found.gibbs_error < found.gibbs < 0.7
    assert found.majority == min(1, 2 * found.gibbs)
    assert len(found.estimator.predict(sample.images_test)) == 200
    for fitted, bound in ((found.estimator_of_rest, found.held_out), (found.estimator, found.majority)):
        unseen = np.isin(sample.target_test, ["Ankle boot", "Sandal", "Sneaker"])
        assert 1 - fitted.score(sample.images_test, unseen) < bound
    assert f"at most {found.held_out:.3f} for the head without the 40 samples held out" in str(found)
    assert not hasattr(clf, "model_")


def test_bound_holds_whatever_blocks_are_chosen(images, labels):
    found = error_bound(TransferClassifier(image_size=32), images, labels, random_state=1)
    assert found.n_held_out == 12
    assert found.held_out_error < found.held_out < 1
    assert 0 < found.divergence < np.inf


def test_bad_bounds(images, labels):
    clf = TransferClassifier(image_size=32, features="last", C=0.1)
    with pytest.raises(TypeError, match=r"expected a TransferClassifier. Got a TransferRegressor.*binomtest"):
        error_bound(TransferRegressor(), images, labels)
    with pytest.raises(ValueError, match=r"delta: expected a number between 0 and 1. Got 5"):
        error_bound(clf, images, labels, delta=5)
    with pytest.raises(ValueError, match=r"test_size: expected at least 8 samples held out. Got 4"):
        error_bound(clf, images, labels, test_size=0.1)
    with pytest.raises(ValueError, match="y: expected one label for each sample"):
        error_bound(clf, images, np.stack([labels, labels], axis=1))
    rare = np.where(np.arange(40) == 3, "rare", labels)
    with pytest.raises(ValueError, match=r"y: expected samples of each class beside those held out. Got 4 of 5"):
        error_bound(clf, images, rare, random_state=next(s for s in range(99) if held_out_first(s, 3)))
    with pytest.raises(ValueError, match="estimator: expected a linear head that is solved on a frozen network"):
        error_bound(TransferClassifier("small_cnn", epochs=1), images, labels)
    untrained = TransferClassifier("small_cnn", trainable="head", C=0.1, features="last")
    with pytest.raises(ValueError, match=r"expected features that do not depend on which samples.*random_state for"):
        error_bound(untrained, images, labels)


def held_out_first(seed, position):
    return position in np.random.RandomState(seed).permutation(40)[:12]
