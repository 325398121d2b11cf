import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from skltransfer import BackboneTransformer, TransferClassifier, TransferRegressor

SEEN = {"image_size": 32, "random_state": 0}


@pytest.fixture(scope="module")
def ink(images):
    """Mean brightness, and height of the centre of brightness: what can be told from a picture."""
    pixels = images.astype(float)
    rows = np.arange(28)[None, :, None]
    return np.column_stack([pixels.mean(axis=(1, 2)), 100 + (pixels * rows).sum(axis=(1, 2)) / pixels.sum(axis=(1, 2))])


@pytest.fixture(scope="module")
def source(sample):
    fitted = TransferClassifier("small_cnn", epochs=15, random_state=0).fit(sample.images, sample.target)
    return fitted.backbone_


def test_is_ridge_regression_on_standardised_frozen_features(images, ink):
    ours = TransferRegressor(image_size=32, features="last", alpha=3.0).fit(images, ink[:, 0])
    seen = BackboneTransformer(image_size=32).fit_transform(images).astype(float)
    scaled = (seen - seen.mean(axis=0)) / np.sqrt(seen.var(axis=0).mean())
    y = (ink[:, 0] - ink[:, 0].mean()) / ink[:, 0].std()
    by_hand = Ridge(alpha=3.0, tol=1e-10).fit(scaled, y).predict(scaled) * ink[:, 0].std() + ink[:, 0].mean()
    np.testing.assert_allclose(ours.predict(images), by_hand, rtol=1e-6)


@pytest.mark.parametrize("trainable", ["head", 2, "all", "lora"])
def test_several_targets_come_back_in_their_units(source, images, ink, trainable):
    fitted = TransferRegressor(source, trainable=trainable, epochs=20, random_state=0).fit(images, ink)
    assert fitted.predict(images).shape == (40, 2)
    assert fitted.score(images, ink) > 0.8
    one = TransferRegressor(source, trainable=trainable, epochs=20, random_state=0).fit(images, ink[:, 0])
    assert one.predict(images).shape == (40,)
    assert abs(one.predict(images).mean() - ink[:, 0].mean()) < 0.2 * ink[:, 0].std()


def test_units_of_the_targets_change_nothing_else(source, images, ink):
    fits = [
        TransferRegressor(source, trainable=1, epochs=3, random_state=0).fit(images, y).predict(images)
        for y in (ink[:, 0], 1000 * ink[:, 0] - 7)
    ]
    np.testing.assert_allclose(1000 * fits[0] - 7, fits[1], rtol=1e-4)


@pytest.mark.parametrize("trainable", ["head", 1])
def test_missing_values_do_not_count(source, images, ink, trainable):
    holes = ink.copy()
    holes[::3, 1] = np.nan
    options = {"trainable": trainable, "epochs": 3, "batch_size": 40, "random_state": 0}
    with_holes = TransferRegressor(source, **options).fit(images, holes)
    assert np.isfinite(with_holes.predict(images)).all()
    if trainable == "head":
        kept = np.arange(40) % 3 > 0
        alone = TransferRegressor(source, **options).fit(images[kept], ink[kept, 1])
        np.testing.assert_allclose(with_holes.predict(images)[:, 1], alone.predict(images), rtol=1e-8)
        whole = TransferRegressor(source, **options).fit(images, ink[:, 0])
        np.testing.assert_allclose(with_holes.predict(images)[:, 0], whole.predict(images), rtol=1e-8)


def test_missing_targets_that_cannot_be_are_refused(source, images, ink):
    empty = ink.copy()
    empty[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"expected some values of target 1\. Got none; drop that column"):
        TransferRegressor(source).fit(images, empty)
    with pytest.raises(ValueError, match="y contains NaN"):
        TransferRegressor(source).fit(images, np.where(np.arange(40) == 3, np.nan, ink[:, 0]))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (lambda y: y[:-1], r"expected 40 entries, one for each sample of X\. Got 39"),
        (lambda y: None, "TransferRegressor requires y to be passed"),
        (lambda y: np.full(len(y), "high"), "could not convert string to float|dtype='numeric'"),
    ],
)
def test_bad_values_are_refused(source, images, ink, y, message):
    with pytest.raises(ValueError, match=message):
        TransferRegressor(source).fit(images, y(ink[:, 0]))


def test_zero_weight_is_an_absent_sample_and_two_a_repeated_one(source, images, ink):
    weights = np.arange(40) % 3
    weighted = TransferRegressor(source).fit(images, ink, sample_weight=weights)
    repeated = TransferRegressor(source).fit(images.repeat(weights, axis=0), ink.repeat(weights, axis=0))
    np.testing.assert_allclose(weighted.predict(images), repeated.predict(images), rtol=1e-6)


def test_partial_fit_learns_from_parts(source, images, ink):
    reg = TransferRegressor(source, trainable="all", learning_rate=1e-3, batch_size=8, random_state=0)
    for _ in range(15):
        for part in range(2):
            reg.partial_fit(images[part::2], ink[part::2])
    assert reg.score(images, ink) > 0.7


def test_early_stopping_and_groups(source, images, ink):
    groups = np.arange(40) // 4
    reg = TransferRegressor(
        source, trainable="all", epochs=50, early_stopping=True, n_iter_no_change=2, validation_fraction=0.2,
        learning_rate=0.01, random_state=0,
    )  # fmt: skip
    assert reg.fit(images, ink, groups=groups).n_iter_ == len(reg.history_["val_loss"])
    watched = clone(reg).fit(images[:30], ink[:30], X_val=images[30:], y_val=ink[30:])
    assert watched.history_["val_loss"] != reg.history_["val_loss"]


def test_small_networks_get_a_larger_learning_rate(source, images, ink):
    options = {"trainable": 1, "epochs": 1, "schedule": "constant", "warmup": 0, "random_state": 0}
    for backbone, size, rate in ((source, 28, 1e-3), ("efficientnet_lite0", 32, 1e-4)):
        reg = TransferRegressor(backbone, image_size=size, **options).fit(images, ink)
        assert reg.history_["learning_rate"] == pytest.approx([rate])


def test_warm_start_goes_on(source, images, ink):
    options = {"epochs": 3, "learning_rate": 1e-4, "warm_start": True, "random_state": 0}
    reg = TransferRegressor(source, trainable="all", **options).fit(images, ink)
    first = reg.history_["loss"]
    assert reg.fit(images, ink).history_["loss"][0] < first[0]


def test_table_from_scratch():
    X, y = load_diabetes(return_X_y=True)
    reg = TransferRegressor(random_state=0, epochs=100).fit(X[::2], y[::2])
    assert reg.score(X[1::2], y[1::2]) > 0.3


def test_search(images, ink):
    search = GridSearchCV(TransferRegressor(**SEEN), {"alpha": [1.0, 100.0]}, cv=2).fit(images, ink[:, 0])
    assert search.best_score_ > 0


def test_unfitted_says_so(images):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        TransferRegressor().predict(images)
