"""A fitted model is a value, and one Keras network from raw samples to answers."""

import copy
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from skltransfer import (
    AutoencoderTransformer,
    BackboneTransformer,
    DomainAdaptationClassifier,
    DomainAdaptationRegressor,
    LoRA,
    TransferClassifier,
    TransferRegressor,
)
from skltransfer._keras import backend as _backend

DOUBLE = 1e-12 if _backend.name() == "tensorflow" else 1e-6
"""On torch and JAX, Keras multiplies matrices in single precision."""

TRAINED = {"epochs": 1, "random_state": 0}
SMALL = {"backbone": "small_resnet", **TRAINED}
TEXTS = ["good film", "a bad and long film about nothing", "fine", "poor thing", "very good", "bad"] * 2
RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(12, 3))
TONES = RANDOM.normal(size=(6, 8000)).astype("float32")


def asked(estimator, raw):
    """What the Keras network of an estimator gives for raw samples."""
    import keras

    with _backend.double_precision():
        found = estimator.model_.to_keras()(raw)  # `predict` would bring tables to single precision
    several = isinstance(found, list | tuple)
    return [keras.ops.convert_to_numpy(part) for part in found] if several else keras.ops.convert_to_numpy(found)


def pixels(images):
    return images[..., None].astype("float32")


CLASSIFIERS = {
    "frozen": TransferClassifier(image_size=32),
    "two classes": TransferClassifier(image_size=32, class_weight="balanced"),
    "a hidden layer": TransferClassifier(image_size=32, head="mlp", **TRAINED),
    "attention": TransferClassifier(head="attention", **SMALL),
    "last stage": TransferClassifier(image_size=32, trainable=1, **TRAINED),
    "LoRA": TransferClassifier(trainable=LoRA(rank=2), **SMALL),
    "adapted": DomainAdaptationClassifier(method="mcc", image_size=32, **TRAINED),
}
ONE_OF_A_KIND = ("frozen", "attention", "LoRA")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.backends) if name in ONE_OF_A_KIND else name for name in CLASSIFIERS]
)
def test_images(name, images, labels):
    X, y = images[:16], (labels[:16] == labels[0]).astype(int) if name == "two classes" else labels[:16]
    fitted = CLASSIFIERS[name].fit(X, y)
    np.testing.assert_allclose(asked(fitted, pixels(X)), fitted.predict_proba(X), atol=1e-5)
    decisions = fitted.model_.to_keras("decisions").predict(pixels(X), verbose=0)
    np.testing.assert_allclose(decisions, fitted.decision_function(X), atol=1e-4)


def test_image_files_at_the_size_that_the_network_sees(tmp_path, images, labels):
    from PIL import Image

    paths = [tmp_path / f"{number}.png" for number in range(8)]
    for path, image in zip(paths, images, strict=False):
        Image.fromarray(image).save(path)
    fitted = TransferClassifier(image_size=28).fit(paths, labels[:8])
    raw = np.repeat(pixels(images[:8]), 3, axis=-1)
    np.testing.assert_allclose(asked(fitted, raw), fitted.predict_proba(paths), atol=1e-5)


def test_pixels_in_the_range_of_fit(images, labels):
    X = images[:8] / 255.0
    fitted = TransferClassifier(image_size=32).fit(X, labels[:8])
    np.testing.assert_allclose(asked(fitted, pixels(X)), fitted.predict_proba(X), atol=1e-5)


@pytest.mark.backends
def test_tables_in_double_precision():
    fitted = TransferClassifier(**TRAINED).fit(TABLE, np.arange(12) % 3)
    np.testing.assert_allclose(asked(fitted, TABLE), fitted.predict_proba(TABLE), rtol=DOUBLE)


@pytest.mark.backends
def test_token_ids():
    fitted = TransferClassifier("small_transformer", **TRAINED).fit(TEXTS, np.arange(12) % 2)
    tokens = fitted.backbone_.tokenization.encode(TEXTS)
    padded = np.zeros((12, max(map(len, tokens))), "int32")
    for place, own in zip(padded, tokens, strict=True):
        place[: len(own)] = own
    np.testing.assert_allclose(asked(fitted, padded), fitted.predict_proba(TEXTS), atol=1e-5)


@pytest.mark.backends
def test_waveforms():
    fitted = TransferClassifier(sample_rate=16000, **SMALL).fit(TONES, np.arange(6) % 2)
    raw = TONES / np.abs(TONES).max(axis=1, keepdims=True)
    np.testing.assert_allclose(asked(fitted, raw), fitted.predict_proba(TONES), atol=1e-5)


@pytest.mark.backends
def test_several_tasks_are_several_outputs(images, labels):
    y = np.column_stack([labels[:16], np.arange(16) % 2])
    fitted = TransferClassifier(image_size=32).fit(images[:16], y)
    for found, expected in zip(asked(fitted, pixels(images[:16])), fitted.predict_proba(images[:16]), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.backends
def test_labels_that_do_not_exclude_each_other(images):
    y = np.column_stack([np.arange(16) % 2, np.arange(16) % 3 == 0]).astype(int)
    fitted = TransferClassifier(image_size=32).fit(images[:16], y)
    np.testing.assert_allclose(asked(fitted, pixels(images[:16])), fitted.predict_proba(images[:16]), atol=1e-5)


@pytest.mark.backends
@pytest.mark.parametrize("estimator", [TransferRegressor(**TRAINED), DomainAdaptationRegressor(**TRAINED)])
def test_values_in_their_own_units(estimator):
    y = 100 + 10 * TABLE[:, 0]
    fitted = estimator.fit(TABLE, y)
    np.testing.assert_allclose(asked(fitted, TABLE)[:, 0], fitted.predict(TABLE), rtol=DOUBLE)


@pytest.mark.backends
@pytest.mark.parametrize("estimator", [BackboneTransformer(image_size=32), AutoencoderTransformer(**TRAINED)])
def test_features(estimator, images):
    X = images[:8]
    fitted = estimator.fit(X)
    expected = fitted.transform(X)
    np.testing.assert_allclose(asked(fitted, pixels(X)), expected, atol=1e-5 * np.abs(expected).max())
    with pytest.raises(ValueError, match="output='probabilities' needs a head"):
        fitted.model_.to_keras("probabilities")


def test_unknown_output():
    fitted = TransferClassifier(**TRAINED).fit(TABLE, np.arange(12) % 2)
    with pytest.raises(ValueError, match=r"Got output='probability'; known: .* Did you mean 'probabilities'"):
        fitted.model_.to_keras("probability")


@pytest.mark.parametrize("head", ["linear", pytest.param("attention", marks=pytest.mark.backends)])
def test_the_network_is_saved_as_any_other(head, tmp_path, images, labels):
    import keras

    fitted = TransferClassifier(head=head, **SMALL).fit(images[:16], labels[:16])
    fitted.model_.to_keras().save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(again.predict(pixels(images), verbose=0), fitted.predict_proba(images), atol=1e-5)


def test_it_is_a_value(images, labels):
    fitted = TransferClassifier(image_size=32).fit(images[:16], labels[:16])
    model = fitted.model_
    with pytest.raises(FrozenInstanceError, match="cannot assign"):
        model.head = None
    again = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    samples = fitted._read_known(images)
    np.testing.assert_array_equal(again.decisions(samples), model.decisions(samples))
    assert set(model.arrays()) >= {"head/0", "head/1", "backbone/stem/kernel"}
    assert fitted.backbone_ is model.backbone
    assert fitted.classes_ is model.encoding.classes[0]


def test_an_interrupted_refit_keeps_the_earlier_fit(images, labels):
    fitted = TransferClassifier(image_size=32).fit(images[:16], labels[:16])
    before, flat = fitted.predict_proba(images), images.reshape(40, -1)
    with pytest.raises(ValueError, match=r"y: expected 8 entries, one for each sample of X\. Got 7"):
        fitted.set_params(input_shape=(28, 28)).fit(flat[:8, :], labels[:7])
    with pytest.raises(ValueError, match="expected at least 2 classes"):
        fitted.set_params(input_shape=None).fit(flat[:8, :3], ["one"] * 8)
    assert fitted.n_features_in_ == 784
    np.testing.assert_array_equal(fitted.predict_proba(images), before)
