import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import subspace_angles
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skltransfer import AutoencoderTransformer, LoRA, TransferClassifier, load_backbone
from skltransfer._engine.augmentation import augmentation_json
from skltransfer._features import extraction as features
from skltransfer._inputs.formats import Layout

LOSSES = ["mse", "mae", "bce", "ssim"]


def small(**changes):
    options = {"latent_dim": 6, "hidden": (8, 16), "epochs": 4, "learning_rate": 0.01, "random_state": 0, **changes}
    return AutoencoderTransformer(options.pop("backbone", "auto"), **options)


@pytest.fixture(scope="module")
def source(sample):
    return small(epochs=20).fit(sample.images_test)


@pytest.fixture(scope="module")
def wine():
    return load_wine().data


def test_linear_layers_find_the_space_of_principal_components():
    X = StandardScaler().fit_transform(load_wine().data)
    linear = AutoencoderTransformer(latent_dim=3, hidden=(), epochs=3000, learning_rate=0.02, random_state=0).fit(X)
    pca = PCA(3).fit(X)
    weights = dict(zip(linear.backbone_.paths, linear.backbone_.weights, strict=True))
    decoder = dict(zip(linear.backbone_.decoder.paths, linear.backbone_.decoder.weights, strict=True))
    assert subspace_angles(weights["latent/kernel"], pca.components_.T).max() < 1e-2
    assert subspace_angles(decoder["row/kernel"].T, pca.components_.T).max() < 1e-2
    error = np.mean((X - linear.reconstruct(X)) ** 2)
    best = np.mean((X - pca.inverse_transform(pca.transform(X))) ** 2)
    assert best <= error < 1.01 * best


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("corruption", [None, "gaussian", "mask", "dropout"])
def test_training_lowers_every_loss_under_every_corruption(sample, loss, corruption):
    fitted = small(loss=loss, corruption=corruption, epochs=8).fit(sample.images)
    assert fitted.history_["loss"][-1] < fitted.history_["loss"][0]
    assert fitted.score(sample.images_test) > clone(fitted).set_params(epochs=1, learning_rate=0.0).fit(
        sample.images
    ).score(sample.images_test)


@pytest.mark.backends
def test_layers_that_xla_does_not_compile_are_trained(sample):
    fitted = small(corruption="flip_shift", epochs=2, batch_size=8).fit(sample.images[:8])
    assert fitted.history_["loss"][1] < fitted.history_["loss"][0]


def test_distorted_images_are_restored(sample):
    import keras

    distortion = keras.layers.RandomTranslation(0.2, 0.2, fill_mode="constant", seed=0)
    fitted = small(corruption=distortion, epochs=8).fit(sample.images)
    assert fitted.history_["loss"][-1] < fitted.history_["loss"][0]
    layer = json.loads(augmentation_json("flip_shift"))
    named, given = (
        small(corruption=corruption, epochs=2).fit(sample.images).history_["loss"]
        for corruption in ("flip_shift", keras.saving.deserialize_keras_object(layer))
    )
    assert named == given
    with pytest.raises(ValueError, match=r"corruption: layers change images. Got a table"):
        small(corruption="flip").fit(load_wine().data)


@pytest.mark.parametrize("loss", ["mse", "mae", "bce"])
def test_evidence_bound_rises_with_training_and_is_a_density(sample, loss):
    fitted = small(loss=loss, variational=True, epochs=10).fit(sample.images)
    still = small(loss=loss, variational=True, learning_rate=0.0).fit(sample.images)
    assert fitted.score(sample.images_test) > still.score(sample.images_test)
    drawn = fitted.sample(5, random_state=0)
    assert drawn.shape == (5, 28, 28)
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn, fitted.sample(5, random_state=0))


@pytest.mark.backends
def test_evidence_bound_is_exact_where_it_is_known():
    """A model that ignores its latent values has the density of its decoder alone."""
    X = np.random.default_rng(0).normal(size=(40, 3))
    fitted = AutoencoderTransformer(
        latent_dim=2, hidden=(), variational=1e6, epochs=300, learning_rate=0.05, random_state=0
    ).fit(X)
    scaled = StandardScaler().fit_transform(X)
    expected = -0.5 * np.sum(scaled**2, axis=1) - 1.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(fitted.score_samples(X), expected, atol=0.05)


def test_only_a_variational_one_can_be_sampled(source):
    assert not hasattr(source, "sample")


@pytest.mark.parametrize(
    ("shape", "dtype", "high"), [((17, 23), "uint8", 255), ((9, 30, 3), "float32", 1), ((8, 8), "float64", 16)]
)
def test_samples_come_back_in_their_shape_dtype_and_range(shape, dtype, high):
    X = (np.random.default_rng(0).random((12, *shape)) * high).astype(dtype)
    X = np.rint(X) if high == 16 else X  # as scikit-learn's digits
    fitted = small(epochs=1).fit(X)
    back = fitted.inverse_transform(fitted.transform(X))
    assert back.shape == X.shape
    assert back.dtype == X.dtype
    assert back.min() >= 0
    assert back.max() <= high
    np.testing.assert_array_equal(back, fitted.reconstruct(X))


@given(columns=st.integers(1, 9), rows=st.integers(2, 12), dtype=st.sampled_from(["float32", "float64"]))
def test_tables_come_back_in_their_shape_and_dtype(columns, rows, dtype):
    X = np.random.default_rng(columns).normal(size=(rows, columns)).astype(dtype)
    fitted = AutoencoderTransformer(epochs=1, hidden=(), random_state=0).fit(X)
    latent = fitted.transform(X)
    back = fitted.inverse_transform(latent)
    assert (back.shape, back.dtype, latent.dtype) == (X.shape, X.dtype, X.dtype)


@given(seed=st.integers(0, 1000))
def test_order_of_samples_is_irrelevant_once_fitted(source, sample, seed):
    order = np.random.default_rng(seed).permutation(len(sample.images))
    np.testing.assert_allclose(
        source.transform(sample.images)[order], source.transform(sample.images[order]), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        source.score_samples(sample.images)[order], source.score_samples(sample.images[order]), rtol=1e-4
    )


@given(seed=st.integers(0, 3), corruption=st.sampled_from([None, "gaussian", "mask"]), variational=st.booleans())
def test_same_seed_gives_the_same_bits(wine, seed, corruption, variational):
    options = {"corruption": corruption, "variational": variational, "epochs": 3, "random_state": seed}
    one, other = (AutoencoderTransformer(latent_dim=2, hidden=(4,), **options).fit(wine) for _ in range(2))
    np.testing.assert_array_equal(one.transform(wine), other.transform(wine))
    np.testing.assert_array_equal(one.score_samples(wine), other.score_samples(wine))


def test_sequences(sample):
    X = np.random.default_rng(0).normal(3.0, 5.0, size=(30, 21, 2))
    fitted = small(backbone="conv1d").fit(X)
    assert fitted.reconstruct(X).shape == X.shape
    tuned = AutoencoderTransformer(fitted.backbone_, trainable="all", epochs=4, random_state=0).fit(X)
    assert tuned.score(X) > fitted.score(X)
    with pytest.raises(ValueError, match=r"expected sequences of shape \(21, 2\), as in fit. Got sequences of shape"):
        fitted.transform(X[:, :20])


def test_image_files_come_back_as_bytes(sample, tmp_path):
    from PIL import Image

    for i in range(4):
        Image.fromarray(sample.images[i]).save(tmp_path / f"{i}.png")
    paths = sorted(map(str, tmp_path.iterdir()))
    fitted = small(image_size=20).fit(paths)
    assert fitted.reconstruct(paths).shape == (4, 20, 20, 3)
    assert fitted.reconstruct(paths).dtype == np.uint8
    assert fitted.score_samples(paths).shape == (4,)


def test_flattened_images_come_back_flat(sample):
    fitted = small(input_shape=(28, 28)).fit(sample.data)
    assert fitted.reconstruct(sample.data).shape == sample.data.shape


@pytest.mark.backends
def test_fine_tuning_starts_from_the_source_with_its_decoder(source, sample):
    still = AutoencoderTransformer(source.backbone_, learning_rate=0.0, epochs=1, random_state=0).fit(sample.images)
    np.testing.assert_array_equal(still.reconstruct(sample.images), source.reconstruct(sample.images))
    tuned = AutoencoderTransformer(
        source.backbone_, trainable="all", learning_rate=0.01, epochs=10, random_state=0
    ).fit(sample.images)  # fmt: skip
    fresh = small(epochs=10).fit(sample.images)
    assert tuned.score(sample.images) > max(source.score(sample.images), fresh.score(sample.images))
    assert source.backbone_ == still.backbone_


@pytest.mark.parametrize("trainable", ["head", 1, "all", pytest.param(LoRA(rank=2), marks=pytest.mark.backends)])
def test_which_layers_are_fine_tuned(source, sample, trainable):
    tuned = AutoencoderTransformer(source.backbone_, trainable=trainable, epochs=1, random_state=0).fit(sample.images)
    changed = {
        path
        for path, old, new in zip(
            source.backbone_.paths, source.backbone_.weights, tuned.backbone_.weights, strict=True
        )
        if not np.array_equal(old, new)
    }
    moving = {
        "head": {"latent"},
        1: {"latent", "conv1"},
        "all": {"latent", "conv1", "conv0"},
    }
    layers = {path.partition("/")[0] for path in changed}
    assert layers == moving.get(trainable if isinstance(trainable, str | int) else "all")
    assert tuned.backbone_.decoder != source.backbone_.decoder


def test_frozen_part_runs_once_per_sample(sample, empty_store):
    before = features.n_computed
    AutoencoderTransformer("efficientnet_lite0", image_size=32, epochs=3, random_state=0).fit(sample.images)
    assert features.n_computed - before <= len(sample.images) + 1


@pytest.mark.backends
def test_split_and_whole_network_train_alike(source, sample, monkeypatch):
    from skltransfer._features import split as features_split

    options = {"trainable": 1, "epochs": 2, "learning_rate": 0.01, "random_state": 0}
    split = AutoencoderTransformer(source.backbone_, **options).fit(sample.images)
    monkeypatch.setattr(features_split, "FROZEN_BYTES", 0)
    whole = AutoencoderTransformer(source.backbone_, **options).fit(sample.images)
    np.testing.assert_allclose(split.history_["loss"], whole.history_["loss"], rtol=1e-4)
    np.testing.assert_allclose(split.transform(sample.images), whole.transform(sample.images), rtol=1e-2, atol=1e-2)


def test_pretrained_classifier_as_encoder_gets_a_fresh_decoder(sample):
    network = load_backbone("small_cnn", input_shape=(32, 32, 3), random_state=0)
    fitted = small(backbone=network.with_weights(network.weights)).fit(sample.images)
    assert fitted.backbone_.pretrained
    assert fitted.reconstruct(sample.images).shape == sample.images.shape


def test_masked_autoencoder_with_a_transformer(sample):
    fitted = small(backbone="small_transformer", corruption="mask", corruption_level=0.5, epochs=6).fit(sample.images)
    assert fitted.history_["loss"][-1] < fitted.history_["loss"][0]
    assert fitted.reconstruct(sample.images).shape == sample.images.shape


def test_source_of_another_size_and_colour_is_fine_tuned(sample):
    colour = np.random.default_rng(0).integers(0, 256, size=(20, 32, 32, 3), dtype=np.uint8)
    source = small(epochs=1).fit(colour)
    tuned = AutoencoderTransformer(source.backbone_, trainable="all", epochs=2, random_state=0).fit(sample.images)
    assert tuned.reconstruct(sample.images).shape == (100, 28, 28)
    assert tuned.score_samples(sample.images).shape == (100,)


def test_missing_values_are_imputed(wine):
    full = StandardScaler().fit_transform(wine)
    missing = np.random.default_rng(0).random(full.shape) < 0.2
    holes = np.where(missing, np.nan, full)
    fitted = AutoencoderTransformer(latent_dim=6, corruption="mask", epochs=400, random_state=0).fit(holes)
    filled = fitted.reconstruct(holes)
    assert np.isfinite(filled).all()
    assert np.isfinite(fitted.score_samples(holes)).all()
    by_model, by_mean = np.mean((filled - full)[missing] ** 2), np.mean(full[missing] ** 2)
    assert by_model < 0.8 * by_mean
    with pytest.raises(ValueError, match="contains NaN"):
        AutoencoderTransformer().fit(holes)


def test_outliers_have_low_scores(sample):
    normal = load_digits().images[:300]
    fitted = small(epochs=30).fit(normal[:200])
    strange = np.random.default_rng(0).permuted(normal[200:].reshape(100, -1), axis=1).reshape(-1, 8, 8)
    scores = np.r_[fitted.score_samples(normal[200:]), fitted.score_samples(strange)]
    assert roc_auc_score(np.repeat([1, 0], 100), scores) > 0.95


def test_absent_samples_have_weight_zero_and_integer_weights_repeat(wine):
    options = {"latent_dim": 2, "hidden": (4,), "epochs": 20, "random_state": 0}
    weights = np.arange(len(wine)) % 3
    weighted = AutoencoderTransformer(**options).fit(wine, sample_weight=weights)
    repeated = AutoencoderTransformer(**options).fit(np.repeat(wine, weights, axis=0))
    np.testing.assert_allclose(weighted.transform(wine), repeated.transform(wine), rtol=1e-6, atol=1e-8)


def test_warm_start_and_partial_fit_go_on(sample):
    fitted = small(warm_start=True).fit(sample.images)
    first = fitted.history_["loss"][0]
    fitted.fit(sample.images)
    assert fitted.history_["loss"][0] < first
    parts = small()
    for _ in range(3):
        parts.partial_fit(sample.images)
    assert parts.history_["loss"][2] < first


def test_early_stopping_holds_samples_out(sample):
    fitted = small(epochs=40, early_stopping=True, n_iter_no_change=2, tol=0.01).fit(sample.images)
    assert fitted.n_iter_ < 40
    assert len(fitted.history_["val_loss"]) == fitted.n_iter_


def test_backbone_with_its_decoder_is_saved_pickled_and_classified(source, sample, tmp_path):
    source.backbone_.save(tmp_path / "ae.safetensors")
    loaded = load_backbone(tmp_path / "ae.safetensors")
    assert (loaded, loaded.decoder) == (source.backbone_, source.backbone_.decoder)
    again = AutoencoderTransformer(str(tmp_path / "ae.safetensors"), learning_rate=0, epochs=1).fit(sample.images)
    np.testing.assert_array_equal(again.reconstruct(sample.images), source.reconstruct(sample.images))
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(source)).transform(sample.images), source.transform(sample.images)
    )
    classifier = TransferClassifier(source.backbone_).fit(sample.images, sample.target)
    assert classifier.score(sample.images, sample.target) > 0.3
    assert classifier.backbone_.decoder == source.backbone_.decoder


def test_search_over_latent_values_in_a_pipeline(sample):
    pipeline = make_pipeline(small(), LogisticRegression(max_iter=500))
    grid = {"autoencodertransformer__latent_dim": [2, 4], "autoencodertransformer__learning_rate": [0.01, 0.003]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(sample.images, sample.target)
    assert search.best_estimator_[:-1].get_feature_names_out().tolist()[0] == "autoencodertransformer0"


def test_frames_out(sample):
    out = small(input_shape=(28, 28)).set_output(transform="pandas").fit_transform(sample.data)
    assert list(out.columns) == [f"autoencodertransformer{i}" for i in range(6)]


def test_checkpoint_gives_the_same_bits(sample, tmp_path):
    plain = small(corruption="gaussian", variational=0.1).fit(sample.images)
    stopped = small(corruption="gaussian", variational=0.1, checkpoint=str(tmp_path))
    from keras.callbacks import Callback

    class Stop(Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt("stopped by hand")

    with pytest.raises(KeyboardInterrupt, match="stopped by hand"):
        clone(stopped).set_params(callbacks=[Stop()]).fit(sample.images)
    again = stopped.fit(sample.images)
    np.testing.assert_array_equal(plain.transform(sample.images), again.transform(sample.images))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "dense"}, "backbone='dense' takes table. Got image arrays"),
        ({"hidden": (8, 0)}, r"The 'hidden' parameter must be 'auto' or whole numbers of at least 1. Got \(8, 0\)"),
        ({"loss": "ssim", "variational": True}, "loss='ssim' compares images and is no likelihood"),
        ({"corruption": "mask", "corruption_level": 1.0}, "expected a share from 0 to below 1 for corruption='mask'"),
        ({"trainable": 9}, "trainable: expected 'all' or a number of stages from 1 to 2"),
        ({"backbone": "small_cn"}, "Got backbone='small_cn'; known: .* Did you mean 'small_cnn'?"),
        ({"corruption": "gausian"}, "Got corruption='gausian'; known: .* Did you mean 'gaussian'?"),
        ({"augmentation": "flop"}, "Got augmentation='flop'; known: 'flip'"),
        ({"checkpoint": "x", "random_state": None}, "checkpoint: expected an int as random_state"),
    ],
)
def test_bad_parameters(sample, changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes).fit(sample.images)


def test_bad_samples(source, sample, wine):
    with pytest.raises(ValueError, match=r"expected 6 latent values a sample, as transform gives them. Got 5 columns"):
        source.inverse_transform(np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"the backbone brings 6 latent values along. Got latent_dim=7"):
        AutoencoderTransformer(source.backbone_, latent_dim=7).fit(sample.images)
    with pytest.raises(ValueError, match=r"loss='bce' needs values from 0 to 1. Got values from"):
        AutoencoderTransformer(loss="bce").fit(wine)
    with pytest.raises(ValueError, match="expected pixel values from 0 to 255, as in fit"):
        source.transform(sample.images / 255.0)
    AutoencoderTransformer(loss="bce", epochs=1).fit(MinMaxScaler().fit_transform(wine))


def test_layout_of_lists_and_frames(sample):
    format = source_format(sample)
    assert Layout.of(list(sample.images), format) == Layout((28, 28), "uint8")


def source_format(sample):
    return small(epochs=1).fit(sample.images[:3]).model_.format
