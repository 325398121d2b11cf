"""Whether plain models are better: what they see, scores of the same folds, and the warning."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from skltransfer import BackboneTransformer, TransferClassifier, TransferRegressor, load_backbone
from skltransfer._estimators.reading import read_new
from skltransfer.transferability import NegativeTransferWarning, negative_transfer_check
from skltransfer.transferability._baselines import baselines, numbers_of


@pytest.fixture(scope="module")
def lite():
    return TransferClassifier(image_size=64, features="last", C=0.1)


@pytest.fixture(scope="module")
def checked(lite, sample):
    return negative_transfer_check(lite, sample.images, sample.target, cv=4)


def row(result, name):
    return {column: values[result["name"].index(name)] for column, values in result.items()}


def test_scores_are_those_of_the_same_folds(checked, lite, sample):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(checked)
    assert set(table.name) == {"estimator", "logistic regression on pixels", "RBF SVM on pixels"}
    assert table.mean_test_score.is_monotonic_decreasing
    ours = cross_val_score(lite, sample.images, sample.target, cv=4)
    theirs = cross_val_score(LogisticRegression(max_iter=2000), sample.data / 255, sample.target, cv=4)
    plain = row(checked, "logistic regression on pixels")
    assert plain["mean_test_score"] == pytest.approx(theirs.mean())
    assert plain["difference"] == pytest.approx((theirs - ours).mean())
    error = np.sqrt((1 / 4 + 1 / 3) * (theirs - ours).var(ddof=1))
    assert plain["difference_error"] == pytest.approx(error)
    assert plain["upper"] - plain["difference"] == pytest.approx(3.182446 * error)  # t of 3 degrees
    own = row(checked, "estimator")
    assert (own["difference"], own["difference_error"]) == (0, 0)
    assert own["mean_test_score"] == pytest.approx(ours.mean())
    assert (table.seconds > 0).all()


def test_a_network_that_knows_nothing_is_warned_of(sample):
    blind = load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0)
    clf = TransferClassifier(blind, trainable="head", features="last", C=1e-4)
    with pytest.warns(NegativeTransferWarning, match=r"regression on pixels has a mean score of 0\.\d+.*rank_"):
        result = negative_transfer_check(clf, sample.images, sample.target, cv=3)
    assert result["name"][-1] == "estimator"


def test_tables_have_three_models_and_a_remedy_of_their_own():
    random = np.random.default_rng(0)
    X = random.normal(size=(90, 3))
    X[random.uniform(size=X.shape) < 0.05] = np.nan
    values = np.nan_to_num(X) @ [10.0, 20.0, 5.0]
    regressor = TransferRegressor(load_backbone("mlp", input_shape=(3,), random_state=0), epochs=1, random_state=0)
    with pytest.warns(NegativeTransferWarning, match="knows nothing of these columns"):
        result = negative_transfer_check(regressor, np.nan_to_num(X), values, cv=3, random_state=0)
    names = {"estimator", "ridge regression on columns", "RBF SVM on columns", "gradient boosting on columns"}
    assert set(result["name"]) == names
    assert row(result, "ridge regression on columns")["mean_test_score"] > 0.95
    assert row(result, "ridge regression on columns")["difference"] > 0.5


def numbers(estimator, X):
    samples, format = read_new(estimator, X)
    return numbers_of(samples, format), baselines(format, classifier=True, seed=0)


def test_images_are_seen_small_and_the_same_from_files(tmp_path, images):
    from PIL import Image

    large = np.repeat(np.repeat(images[:3], 3, axis=1), 3, axis=2)
    found, _ = numbers(TransferClassifier(), large)
    assert found.shape == (3, 32 * 32)
    assert 0 <= found.min() < found.max() <= 1
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, image in zip(paths, large, strict=True):
        Image.fromarray(image).save(path)
    from_files, plain = numbers(TransferClassifier(), paths)
    assert from_files.shape == (3, 32 * 32 * 3)
    np.testing.assert_allclose(from_files.reshape(3, -1, 3)[:, :, 0], found, atol=0.02)
    assert set(plain) == {"logistic regression on pixels", "RBF SVM on pixels"}
    flat, _ = numbers(TransferClassifier(input_shape=(28, 28)), images.reshape(len(images), -1))
    np.testing.assert_allclose(flat, images.reshape(len(images), -1) / 255, atol=1e-6)


def test_sounds_are_seen_as_levels_of_bands():
    time = np.arange(16000) / 16000
    clips = np.sin(2 * np.pi * np.repeat([300, 3000], 6)[:, None] * time * np.linspace(0.95, 1.05, 12)[:, None])
    found, plain = numbers(TransferClassifier(sample_rate=16000), list(clips))
    assert found.shape == (12, 128)
    assert found[:6, :64].argmax(axis=1).max() < found[6:, :64].argmax(axis=1).min()
    assert set(plain) == {"logistic regression on spectrograms", "RBF SVM on spectrograms"}
    model = plain["logistic regression on spectrograms"]
    assert model.fit(found[::2], np.repeat([0, 1], 3)).score(found[1::2], np.repeat([0, 1], 3)) == 1


def test_texts_are_seen_as_words():
    texts = ["a lovely film", "a boring film", "lovely music here", "boring music here"]
    found, plain = numbers(TransferClassifier(), texts)
    assert found == texts
    (model,) = plain.values()
    assert model.fit(texts, [1, 0, 1, 0]).predict(["so lovely", "so boring"]).tolist() == [1, 0]


def test_pipelines_weights_and_groups(sample):
    X, y = sample.images[:60], sample.target[:60]
    pipeline = make_pipeline(BackboneTransformer(image_size=64), LogisticRegression(max_iter=500))
    groups = np.arange(60) // 10
    weights = np.ones(60)
    weights[np.isin(y, ["Bag", "Coat"])] = 1e-9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NegativeTransferWarning)
        result = negative_transfer_check(
            pipeline, X, y, cv=GroupKFold(3), groups=groups, sample_weight=weights, scoring="balanced_accuracy"
        )
    plain = LogisticRegression(max_iter=2000)
    flat = X.reshape(60, -1) / 255
    scores = cross_val_score(
        plain, flat, y, cv=GroupKFold(3), groups=groups, params={"sample_weight": weights}, scoring="balanced_accuracy"
    )
    found = row(result, "logistic regression on pixels")
    assert found["mean_test_score"] == pytest.approx(scores.mean())
    assert found["mean_test_score"] <= 0.8  # two classes of ten are not learned
    assert row(result, "estimator")["mean_test_score"] <= 0.8


def test_bad_checks(lite, sample):
    X, y = sample.images[:20], sample.target[:20]
    with pytest.raises(TypeError, match=r"estimator: expected a TransferClassifier.*Got a LogisticRegression"):
        negative_transfer_check(LogisticRegression(), X, y)
    with pytest.raises(ValueError, match=r"y: expected one label or value for each sample. Got an array of 2"):
        negative_transfer_check(lite, X, np.stack([y, y], axis=1))
    with pytest.raises(ValueError, match="cv: expected at least 2 folds"):
        negative_transfer_check(lite, X, y, cv=[(np.arange(10), np.arange(10, 20))])
    with pytest.raises(ValueError, match=r"scoring: expected finite scores.*for 'estimator'"):
        negative_transfer_check(lite, X, y, cv=2, scoring=lambda *_: np.nan)
