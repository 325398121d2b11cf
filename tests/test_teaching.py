"""Attention transfer from another network: where it is active, the student becomes active."""

import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skltransfer import AttentionTransfer, TransferClassifier, TransferRegressor, load_backbone
from skltransfer._engine.penalties import attention_transfer
from skltransfer._features import extraction as features
from skltransfer._inputs.image_arrays import ImageArrays
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import ArraySamples
from skltransfer.backbones._builders import small_transformer
from skltransfer.backbones._cutting import last_places
from skltransfer.supervised._attention_transfer import interpolated

STRONG = 30.0
one_block = partial(small_transformer, depth=1)  # fewer compile sooner


@pytest.fixture(scope="module")
def teacher(sample):
    """A small network that was taught other kinds of clothes."""
    chosen = np.isin(sample.target, sorted(set(sample.target))[4:])
    fitted = TransferClassifier("small_resnet", epochs=10, random_state=0)
    return fitted.fit(sample.images[chosen], sample.target[chosen]).backbone_


def student(teacher, strength=STRONG, **options):
    pull = AttentionTransfer(strength, teacher=teacher)
    options = {"epochs": 8, "batch_size": 16, "random_state": 0, **options}
    return TransferClassifier(options.pop("backbone", "small_cnn"), attention_transfer=pull, **options)


def grids(backbone, images):
    """Last feature maps."""
    plan = features.plan_extraction(backbone, InputFormat(ImageArrays(), (28, 28, 1), 0, 255))
    plan = replace(plan, stage=last_places(backbone.architecture), pooling="none")
    return features.extract(plan, ArraySamples(images))


def distance(backbone, teacher, images):
    return float(attention_transfer(grids(backbone, images), grids(teacher, images)))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_interpolation_is_that_of_pillow(old, height, width):
    maps = np.random.default_rng(0).random((2, old, 5))
    pictures = [Image.fromarray(row.astype(np.float32)) for row in maps]
    slow = [np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR)) for picture in pictures]
    np.testing.assert_allclose(interpolated(maps, (height, width)), slow, atol=1e-5)


def test_last_places_are_the_last_before_vectors(teacher):
    cnn, mlp = (load_backbone(name, input_shape=shape) for name, shape in (("small_cnn", (28, 28, 1)), ("mlp", (9,))))
    assert last_places(cnn.architecture) == "conv2"
    assert last_places(mlp.architecture) is None
    assert last_places(teacher.architecture) == teacher.stages[-1]


def test_attention_of_student_and_teacher_agrees_on_new_samples(teacher, sample, images, labels):
    apart = [
        distance(student(teacher, strength).fit(images, labels).backbone_, teacher, sample.images_test)
        for strength in (0.0, STRONG)
    ]
    assert apart[1] < 0.7 * apart[0]


def test_attention_transfer_loss_is_the_one_written_by_hand(teacher, images, labels):
    still = {"learning_rate": 0.0, "epochs": 1, "batch_size": 40}
    fitted, plain = (student(teacher, strength, **still).fit(images, labels) for strength in (STRONG, 0.0))
    pull = fitted.history_["loss"][0] - plain.history_["loss"][0]
    assert pull == pytest.approx(STRONG * distance(fitted.backbone_, teacher, images), rel=1e-3)


@pytest.mark.backends
def test_loss_falls_and_the_same_fit_twice_is_bit_identical(images, labels):
    fitted = student("efficientnet_lite0").fit(images, labels)
    assert fitted.history_["loss"][-1] < 0.8 * fitted.history_["loss"][0]
    again = clone(fitted).fit(images, labels)
    np.testing.assert_array_equal(again.predict_proba(images), fitted.predict_proba(images))
    kept = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(kept.predict_proba(images), fitted.predict_proba(images))
    assert kept.get_params()["attention_transfer__strength"] == STRONG


def test_clone_keeps_the_teacher(teacher):
    cloned = clone(student(teacher))
    assert cloned.attention_transfer.teacher == teacher
    assert cloned.set_params(attention_transfer__strength=2.0).attention_transfer.strength == 2.0


def test_teacher_computes_each_sample_once(teacher, images, labels, empty_store):
    before = features.n_computed
    grid = {"attention_transfer__strength": [1.0, 10.0], "learning_rate": [1e-4, 1e-3]}
    GridSearchCV(student(teacher, epochs=2), grid, cv=2, scoring=lambda *_: 0.0).fit(images, labels)
    fits = 2 * 2 * 2 + 1
    assert features.n_computed - before == len(images) + fits  # each fit asks one row how large the grid is


def test_starting_network_as_teacher_is_the_same_as_a_number(teacher, images, labels):
    number, value = (
        TransferClassifier(teacher, trainable=1, attention_transfer=pull, epochs=2, random_state=0).fit(images, labels)
        for pull in (10.0, AttentionTransfer(10.0))
    )
    assert number.history_ == value.history_
    itself = student(teacher, 10.0, backbone=teacher, trainable=1, epochs=2, batch_size="auto").fit(images, labels)
    np.testing.assert_allclose(itself.history_["loss"], number.history_["loss"], rtol=1e-3)


def test_attention_transfer_to_a_network_of_vectors_is_at_its_last_grid(images, labels):
    source = TransferClassifier("small_cnn", epochs=2, random_state=0).fit(images, labels).backbone_
    options = {"trainable": "all", "epochs": 4, "learning_rate": 3e-3, "random_state": 0}
    moved = [
        distance(
            TransferClassifier(source, attention_transfer=pull, **options).fit(images, labels).backbone_, source, images
        )
        for pull in (0.0, 100.0)
    ]
    assert moved[1] < 0.5 * moved[0]


@pytest.mark.parametrize(
    "options",
    [
        {"mixup": 0.3},
        {"augmentation": "flip_shift"},
        {"trainable": 3, "augmentation": "flip", "n_views": 2},
        {"early_stopping": True, "validation_fraction": 0.2},
        {"l2_sp": 0.1, "delta": 0.1, "trainable": "all"},
        {"trainable": "lora"},
        {"head": "mlp"},
    ],
    ids=str,
)
def test_attention_transfer_goes_with_other_options(teacher, images, labels, options):
    source = load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0)
    fitted = student(teacher, backbone=source, learning_rate=3e-3, **options).fit(images, labels)
    assert fitted.history_["loss"][-1] < fitted.history_["loss"][0]
    assert fitted.predict(images).shape == labels.shape


def test_teacher_computes_the_views_of_a_sample(teacher, images, labels, empty_store):
    before = features.n_computed
    student(teacher, augmentation="flip_shift", n_views=3, epochs=4).fit(images, labels)
    assert features.n_computed - before == 3 * len(images) + 1


def test_checkpoint_is_that_of_one_teacher(teacher, images, labels, tmp_path):
    options = {"checkpoint": tmp_path, "epochs": 2}
    first = student(teacher, **options).fit(images, labels)
    other = student("efficientnet_lite0", **options).fit(images, labels)
    assert other.history_["loss"] != first.history_["loss"]
    files = sorted(tmp_path.iterdir())
    resumed = student(teacher, **options).fit(images, labels)
    assert sorted(tmp_path.iterdir()) == files
    np.testing.assert_array_equal(resumed.predict_proba(images), first.predict_proba(images))


def test_patches_of_a_transformer_lie_in_the_image(teacher, images, labels):
    fitted = student(teacher, backbone=one_block, epochs=3).fit(images, labels)
    assert fitted.history_["loss"][-1] < fitted.history_["loss"][0]


def test_attention_transfer_to_regressors_in_partial_fit_and_for_files(teacher, images, tmp_path):
    pull = AttentionTransfer(STRONG, teacher=teacher)
    ink = images.mean(axis=(1, 2))
    reg = TransferRegressor("small_cnn", attention_transfer=pull, epochs=2, random_state=0)
    assert reg.fit(images, ink).history_["loss"][-1] < reg.history_["loss"][0]
    assert np.isfinite(reg.partial_fit(images, ink).predict(images)).all()
    files = [tmp_path / f"{number}.png" for number in range(8)]
    for file, image in zip(files, images, strict=False):
        Image.fromarray(image).resize((40, 32)).save(file)
    clf = TransferRegressor("small_cnn", attention_transfer=pull, epochs=1, image_size=32, random_state=0)
    assert clf.fit(files, ink[:8]).predict(files).shape == (8,)


def test_attention_transfer_for_sequences_and_audio():
    random = np.random.default_rng(0)
    X, y = random.normal(size=(24, 20, 2)), np.arange(24) % 2
    teacher, own = (load_backbone(one_block, input_shape=(20, 2), random_state=seed) for seed in (1, 0))
    taught = student(teacher, backbone=own, epochs=4).fit(X, y)
    assert taught.history_["loss"][-1] < taught.history_["loss"][0]
    clips = [random.normal(size=4000 + 100 * i) for i in range(8)]
    ear = student("efficientnet_lite0", epochs=1, sample_rate=16000).fit(clips, y[:8])
    assert ear.predict(clips).shape == (8,)


def _vectors():
    import keras

    inputs = keras.Input((28, 28, 1))
    return keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(inputs)), name="vectors")


def _sequence():
    import keras

    inputs = keras.Input((28, 28, 1))
    x = keras.layers.Dense(52)(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Reshape((13, 4))(x), name="sequence")


def _table():
    return load_backbone("mlp", input_shape=(9,), random_state=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": -1.0}, r"AttentionTransfer\(strength=…\): expected a number of at least 0\. Got -1\.0"),
        ({"strength": "big"}, r"AttentionTransfer\(strength=…\): expected a number of at least 0\. Got 'big'"),
        (
            {"trainable": "head"},
            r"only the head is trained\. Got trainable='head'; pass attention_transfer=0, or fine-tune some stages",
        ),
        ({"trainable": 1}, "attention_transfer needs the places of a grid or sequence"),
        ({"teacher": "mlp"}, r"AttentionTransfer\(teacher=…\): this teacher cannot take these samples\. input_shape"),
        (
            {"teacher": "minilm"},
            r"AttentionTransfer\(teacher=…\): this teacher cannot take these samples\. .* Did you mean",
        ),
        (
            {"teacher": _vectors},
            "expected a network with a grid or sequence. Got 'vectors', which gives vectors alone",
        ),
        ({"teacher": _sequence}, r"expected a map with as many axes as the student's, which is \(7, 7\)\. Got 'seq"),
        ({"teacher": _table}, r"this teacher cannot take these samples\. X: the backbone"),
    ],
)
def test_impossible_attention_transfer_is_refused_before_work_starts(teacher, images, labels, options, message):
    options = {"strength": STRONG, "teacher": teacher, **options}
    if callable(options["teacher"]):
        options["teacher"] = options["teacher"]()
    before = features.n_computed
    with pytest.raises(ValueError, match=message):
        student(options.pop("teacher"), **options).fit(images, labels)
    assert features.n_computed - before <= 2


def test_negative_numbers_and_texts_are_refused(teacher, images, labels):
    with pytest.raises(ValueError, match="The 'attention_transfer' parameter"):
        TransferClassifier("small_cnn", attention_transfer=-1.0).fit(images, labels)
    with pytest.raises(ValueError, match=r"only the head is trained\. Got trainable='auto'"):
        TransferClassifier(teacher, attention_transfer=1.0).fit(images, labels)
    with pytest.raises(ValueError, match=r"networks cut texts into different pieces\. Got texts; pass teacher=None"):
        student(teacher, backbone="small_transformer").fit(["one text", "and another"] * 6, [0, 1] * 6)
