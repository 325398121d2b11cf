import matplotlib as mpl
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import TruncatedSVD

from skltransfer import (
    AttentionMapDisplay,
    AutoencoderTransformer,
    DomainShiftDisplay,
    EmbeddingDisplay,
    HistoryDisplay,
    LatentDisplay,
    ReconstructionDisplay,
    TransferClassifier,
)

mpl.use("agg")


@pytest.fixture(scope="module")
def fitted(sample):
    return AutoencoderTransformer(latent_dim=4, hidden=(8,), epochs=3, random_state=0).fit(sample.images)


@pytest.fixture(autouse=True)
def closed():
    yield
    mpl.pyplot.close("all")


def test_worst_images_come_first(fitted, sample):
    display = ReconstructionDisplay.from_estimator(fitted, sample.images, n_images=5)
    scores = fitted.score_samples(sample.images)
    np.testing.assert_allclose(display.scores, np.sort(scores)[:5])
    np.testing.assert_array_equal(display.images[0], sample.images[scores.argmin()])
    assert display.axes_.shape == (2, 5)
    shown = display.axes_[0, 0].images[0].get_array()
    np.testing.assert_allclose(shown, display.images[0] / 255)


def test_flattened_images_and_files_are_drawn(sample, tmp_path):
    from PIL import Image

    flat = AutoencoderTransformer(input_shape=(28, 28), hidden=(8,), epochs=1).fit(sample.data)
    assert ReconstructionDisplay.from_estimator(flat, sample.data, n_images=2).images.shape == (2, 28, 28, 1)
    for i in range(3):
        Image.fromarray(sample.images[i]).save(tmp_path / f"{i}.png")
    paths = sorted(map(str, tmp_path.iterdir()))
    files = AutoencoderTransformer(image_size=16, hidden=(8,), epochs=1).fit(paths)
    assert ReconstructionDisplay.from_estimator(files, paths).reconstructions.shape == (3, 16, 16, 3)


def test_tables_are_not_drawn_as_images():
    X = np.random.default_rng(0).normal(size=(9, 4))
    table = AutoencoderTransformer(hidden=(), epochs=1).fit(X)
    with pytest.raises(ValueError, match=r"X: expected images. Got a table of 4 columns"):
        ReconstructionDisplay.from_estimator(table, X)


def test_latent_values_in_a_plane(fitted, sample):
    display = LatentDisplay.from_estimator(fitted, sample.images, sample.target)
    assert len(display.ax_.collections) == 10
    assert display.points.shape == (100, 2)
    assert "first component" in display.ax_.get_xlabel()
    figure, ax = mpl.pyplot.subplots()
    assert LatentDisplay.from_estimator(fitted, sample.images, ax=ax).figure_ is figure


def test_bad_input_of_latent_display(fitted, sample):
    with pytest.raises(ValueError, match="y: expected 100 values, one for each sample of X"):
        LatentDisplay.from_estimator(fitted, sample.images, sample.target[:5])
    single = AutoencoderTransformer(latent_dim=1, hidden=(8,), epochs=1).fit(sample.images)
    with pytest.raises(ValueError, match="expected at least 2 latent values"):
        LatentDisplay.from_estimator(single, sample.images)


def test_heat_lies_over_images(sample, tmp_path):
    from PIL import Image

    clf = TransferClassifier(image_size=64).fit(sample.images, sample.target)
    display = AttentionMapDisplay.from_estimator(clf, sample.images, sample.target, n_samples=3)
    assert display.axes_.shape == (3,)
    below, above = display.axes_[0].images
    np.testing.assert_allclose(below.get_array(), sample.images[0] / 255)
    assert above.get_extent() == [-0.5, 27.5, 27.5, -0.5]
    np.testing.assert_allclose(above.get_array(), clf.attention_maps(sample.images[:1])[0], atol=1e-6)
    assert display.axes_[0].get_title() == f"{clf.predict(sample.images[:1])[0]} ({sample.target[0]})"
    for i in range(3):
        Image.fromarray(sample.images[i]).save(tmp_path / f"{i}.png")
    paths = sorted(map(str, tmp_path.iterdir()))
    files = TransferClassifier(image_size=64).fit(paths, [0, 1, 0])
    assert AttentionMapDisplay.from_estimator(files, paths, n_samples=2).samples.shape == (2, 224, 224, 3)


def test_words_of_texts_are_coloured():
    words = [[("a", 0.1), (" lovely", 0.6)], [("so" * 20, 0.2), (" " + "long" * 10, 0.1)]]
    maps = [np.array([share for _, share in row]) for row in words]
    display = AttentionMapDisplay(samples=words, maps=maps, titles=["good", "bad"]).plot()
    boxes, texts = display.axes_[0].patches, [text.get_text() for text in display.axes_[0].texts]
    assert texts == ["good", "a", " lovely"]
    assert [box.get_x() for box in boxes] == [0, 2]
    assert [box.get_width() for box in boxes] == [1, 6]
    assert boxes[1].get_alpha() == 1
    assert display.axes_[1].texts[2].get_text() == "long" * 10


def test_maps_of_tables_are_not_drawn():
    X = np.random.default_rng(0).normal(size=(9, 4))
    with pytest.raises(ValueError, match=r"X: expected images or texts\. Got a table of 4 columns"):
        AttentionMapDisplay.from_estimator(TransferClassifier(epochs=1).fit(X, [0, 1, 2] * 3), X)


def test_two_domains_in_a_plane(sample):
    X, X_target = sample.data / 255, 1 - sample.data_test / 255
    display = DomainShiftDisplay.from_features(X, X_target, y_source=sample.target)
    assert display.source.shape == (100, 2)
    assert display.target.shape == (200, 2)
    assert [text.get_text() for text in display.ax_.get_legend().texts] == [
        "source (100 samples)",
        "target (200 samples)",
    ]
    assert {text.get_text() for text in display.ax_.texts} == set(sample.target)
    np.testing.assert_allclose(display.ax_.collections[1].get_offsets(), display.target)
    assert display.shares[0] > 0.4
    assert display.ax_.get_xlabel() == f"first component ({display.shares[0]:.0%} of the variance)"
    figure, ax = mpl.pyplot.subplots()
    assert DomainShiftDisplay.from_features(X, X_target, ax=ax).figure_ is figure


def test_bad_input_of_two_domains(sample):
    X = sample.data
    with pytest.raises(ValueError, match=r"X_source: expected features.*BackboneTransformer"):
        DomainShiftDisplay.from_features(sample.images, X)
    with pytest.raises(ValueError, match="expected the same columns, at least 2"):
        DomainShiftDisplay.from_features(X, X[:, :9])
    with pytest.raises(ValueError, match="y_source: expected 100 values"):
        DomainShiftDisplay.from_features(X, X, y_source=sample.target[:5])


def test_training_curves_beside_samples_held_out(sample):
    clf = TransferClassifier("mlp", epochs=4, early_stopping=True, validation_fraction=0.2, random_state=0).fit(
        sample.data / 255, sample.target
    )
    display = HistoryDisplay.from_estimator(clf)
    training, held_out = display.ax_.lines
    np.testing.assert_array_equal(training.get_ydata(), clf.history_["loss"])
    np.testing.assert_array_equal(held_out.get_ydata(), clf.history_["val_loss"])
    assert display.ax_.get_ylabel() == "loss"
    assert HistoryDisplay.from_estimator(clf, measure="accuracy").ax_.get_ylabel() == "accuracy"
    with pytest.raises(ValueError, match=r"measure: expected one of 'loss'.* Got 'speed'"):
        HistoryDisplay.from_estimator(clf, measure="speed")
    solved = TransferClassifier(C=1).fit(sample.data / 255, sample.target)
    with pytest.raises(ValueError, match="expected one that was trained in epochs"):
        HistoryDisplay.from_estimator(solved)


@pytest.mark.parametrize("method", ["pca", "tsne", TruncatedSVD(2, random_state=0)], ids=str)
def test_features_by_class_and_domain(method):
    X, y = load_iris(return_X_y=True)
    domain = np.where(np.arange(150) % 2, "camera", "phone")
    display = EmbeddingDisplay.from_features(X, y, sample_domain=domain, method=method)
    assert display.points.shape == (150, 2)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == [f"{label}, {name}" for label in range(3) for name in ("camera", "phone")]
    shown = np.concatenate([drawn.get_offsets() for drawn in display.ax_.collections])
    np.testing.assert_allclose(np.sort(shown, axis=0), np.sort(display.points, axis=0), rtol=1e-6)
    again = EmbeddingDisplay.from_features(X, y, sample_domain=domain, method=method)
    np.testing.assert_array_equal(display.points, again.points)


def test_what_cannot_be_embedded_is_refused():
    X = np.random.default_rng(0).normal(size=(9, 4))
    with pytest.raises(ValueError, match=r"features: expected at least 3 samples of at least 2 features"):
        EmbeddingDisplay.from_features(X[:, :1])
    with pytest.raises(ValueError, match=r"sample_domain: expected 9 values, one for each sample. Got shape \(3,\)"):
        EmbeddingDisplay.from_features(X, sample_domain=[1, 2, 3])
    with pytest.raises(ValueError, match="method"):
        EmbeddingDisplay.from_features(X, method="umap")
    with pytest.raises(TypeError, match="expected one with transform"):
        EmbeddingDisplay.from_estimator(TransferClassifier(), X)
