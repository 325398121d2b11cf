import matplotlib as mpl
import numpy as np
import pytest

from skltransfer import AutoencoderTransformer, LatentDisplay, ReconstructionDisplay

mpl.use("agg")


@pytest.fixture(scope="module")
def fitted(sample):
    return AutoencoderTransformer(latent_dim=4, hidden=(8,), epochs=3, random_state=0).fit(sample.images)


@pytest.fixture(autouse=True)
def closed():
    yield
    mpl.pyplot.close("all")


def test_worst_pictures_come_first(fitted, sample):
    display = ReconstructionDisplay.from_estimator(fitted, sample.images, n_pictures=5)
    scores = fitted.score_samples(sample.images)
    np.testing.assert_allclose(display.scores, np.sort(scores)[:5])
    np.testing.assert_array_equal(display.pictures[0], sample.images[scores.argmin()])
    assert display.axes_.shape == (2, 5)
    shown = display.axes_[0, 0].images[0].get_array()
    np.testing.assert_allclose(shown, display.pictures[0] / 255)


def test_flattened_pictures_and_files_are_drawn(sample, tmp_path):
    from PIL import Image

    flat = AutoencoderTransformer(input_shape=(28, 28), hidden=(8,), epochs=1).fit(sample.data)
    assert ReconstructionDisplay.from_estimator(flat, sample.data, n_pictures=2).pictures.shape == (2, 28, 28)
    for i in range(3):
        Image.fromarray(sample.images[i]).save(tmp_path / f"{i}.png")
    paths = sorted(map(str, tmp_path.iterdir()))
    files = AutoencoderTransformer(image_size=16, hidden=(8,), epochs=1).fit(paths)
    assert ReconstructionDisplay.from_estimator(files, paths).reconstructions.shape == (3, 16, 16, 3)


def test_tables_are_not_drawn_as_pictures():
    X = np.random.default_rng(0).normal(size=(9, 4))
    table = AutoencoderTransformer(hidden=(), epochs=1).fit(X)
    with pytest.raises(ValueError, match=r"X: expected pictures. Got rows of shape \(4,\)"):
        ReconstructionDisplay.from_estimator(table, X)


def test_latent_values_in_a_plane(fitted, sample):
    display = LatentDisplay.from_estimator(fitted, sample.images, sample.target)
    assert len(display.ax_.collections) == 10
    assert display.points.shape == (100, 2)
    assert "first component" in display.ax_.get_xlabel()
    figure, ax = mpl.pyplot.subplots()
    assert LatentDisplay.from_estimator(fitted, sample.images, ax=ax).figure_ is figure


def test_bad_input_of_latent_display(fitted, sample):
    with pytest.raises(ValueError, match="y: expected 100 values, one for each row of X"):
        LatentDisplay.from_estimator(fitted, sample.images, sample.target[:5])
    single = AutoencoderTransformer(latent_dim=1, hidden=(8,), epochs=1).fit(sample.images)
    with pytest.raises(ValueError, match="expected at least 2 latent values"):
        LatentDisplay.from_estimator(single, sample.images)
