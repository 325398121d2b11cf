"""Which pixel values are black and white: learned once, kept, and the same for an image alone and among others."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import clone
from sklearn.datasets import load_digits

from skltransfer import (
    AutoencoderTransformer,
    BackboneTransformer,
    DomainAdaptationClassifier,
    DomainAdaptationRegressor,
    TransferClassifier,
    TransferRegressor,
)
from skltransfer._inputs.image_arrays import OVERSHOOT, ImageArrays, check_pixel_range, check_range, learn_range
from skltransfer._inputs.kind import InputFormat

ESTIMATORS = (
    TransferClassifier, TransferRegressor, BackboneTransformer, AutoencoderTransformer, DomainAdaptationClassifier,
    DomainAdaptationRegressor,
)  # fmt: skip


def learned(pixels, said=None):
    return InputFormat(ImageArrays(), pixels.shape[1:], *learn_range(pixels, said), said)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 255], "uint8"), (0, 255)), (np.array([0, 17], "uint8"), (0, 255)),
        (np.array([0], "uint8"), (0, 255)),
        (np.array([-128, 127], "int8"), (-128, 127)), (np.array([-9, 9], "int8"), (-128, 127)),
        (np.array([True, False]), (0, 1)), (np.array([False, False]), (0, 1)),
        (np.array([0, 1]), (0, 1)), (np.array([0, 12]), (0, 16)), (np.array([0, 200]), (0, 255)),
        (np.array([-1, 1]), (-1, 1)),
        (np.array([0, 40_000], "uint16"), (0, 65535)), (np.array([0, 40_000]), (0, 65535)),
        (np.array([0, 1.0]), (0, 1)), (np.array([0.2, 0.7], "float16"), (0, 1)), (np.array([0.0, 0.0]), (0, 1)),
        (np.array([0, 1.02]), (0, 1)), (np.array([-0.02, 1]), (0, 1)), (np.array([-0.05, 1.05], "float32"), (0, 1)),
        (np.array([-1, 1.0]), (-1, 1)), (np.array([-1.08, 1.08]), (-1, 1)), (np.array([-0.5, 0.9]), (-1, 1)),
        (np.array([0, 16.0]), (0, 16)), (np.array([0, 13.0]), (0, 16)), (np.array([0, 17.0]), (0, 255)),
        (np.array([0, 254.7]), (0, 255)), (np.array([0, 257.0]), (0, 255)), (np.array([-9.5, 260.2]), (0, 255)),
        (np.array([0, 60_000.0]), (0, 65535)), (np.array([0, 66_000.5]), (0, 65535)),
    ],
    ids=str,
)  # fmt: skip
def test_learned_range(values, expected):
    assert learn_range(values) == expected
    assert learn_range(values, (-3, 7)) == (-3, 7)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 1000], "uint16"), 1023), (np.array([0, 1023], "uint16"), 1023),
        (np.array([0, 1024], "uint16"), 4095),
        (np.array([0, 4095], "uint16"), 4095), (np.array([0, 9000], "uint16"), 16383),
        (np.array([0, 200], "uint16"), 255),
        (np.array([0, 1], "uint16"), 1), (np.array([0, 4000]), 4095), (np.array([0, 256], "int16"), 1023),
        (np.array([0, 3000], "uint32"), 4095), (np.array([0, 3000.5]), 4095), (np.array([0, 10_000], "float32"), 16383),
        (np.array([0, 10], "uint8"), 255), (np.array([0, 1], "uint8"), 255),
    ],
    ids=str,
)  # fmt: skip
def test_doubtful_range_warns_and_names_the_remedy(values, expected):
    said = rf"{values.dtype} pixels from 0 to .* on the scale from 0 to {expected}, .* pixel_range=\(0, {expected}\)"
    with pytest.warns(UserWarning, match=said):
        assert learn_range(values) == (0, expected)


def test_signed_bytes_without_negative_values_warn():
    with pytest.warns(UserWarning, match=r"int8 pixels .* from -128 to 127, that is what int8 holds"):
        assert learn_range(np.array([0, 100], "int8")) == (-128, 127)


@pytest.mark.parametrize(
    "values",
    [
        [-2.1, 2.6],
        [0, 70_000],
        [-1, 200],
        [-5, 5],
        [0, 1.3],
        [0, 7.5],
        [0, 20.5],
        [-3.0, 12.0],
        [-30.0, 255.0],
        [0, 69_000.0],
    ],
    ids=str,
)
def test_values_of_no_one_scale_are_refused(values):
    with pytest.raises(ValueError, match=r"Got values from .* before standardization, or pixel_range=\(low, high\)"):
        learn_range(np.array(values))


@pytest.mark.parametrize(
    "given_range",
    [(1, 0), (0, 0), (0,), (0, 1, 2), (0, np.nan), (0, np.inf), ("0", "1"), (False, True), (0, None), [], (0, 1 + 1j)],
    ids=str,
)
def test_pixel_range_is_two_finite_numbers(given_range, images, labels):
    for estimator in (BackboneTransformer(pixel_range=given_range), TransferClassifier(pixel_range=given_range)):
        with pytest.raises(ValueError, match=r"The 'pixel_range' parameter must be two finite numbers"):
            estimator.fit(images, labels)


def test_pixel_range_of_another_type(images):
    with pytest.raises(ValueError, match="The 'pixel_range' parameter of BackboneTransformer must be"):
        BackboneTransformer(pixel_range=255).fit(images)
    assert check_pixel_range((np.float32(0), np.int64(3))) == (0, 3)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_pixel_range_follows_input_shape_everywhere(estimator):
    names = list(inspect.signature(estimator).parameters)
    assert names[names.index("input_shape") + 1] == "pixel_range"
    assert inspect.signature(estimator).parameters["pixel_range"].default is None
    assert "pixel_range" in estimator._parameter_constraints
    text = inspect.getdoc(estimator)
    assert text.index("\ninput_shape :") < text.index("\npixel_range :") < text.index("\nimage_size :")
    assert clone(estimator(pixel_range=(0, 9))).pixel_range == (0, 9)


@pytest.mark.parametrize(
    ("X", "what"),
    [(np.zeros((4, 5)), "a table"), (["some", "words", "as", "texts"], "texts")],
)
def test_pixel_range_without_pixels_is_refused(X, what):
    with pytest.raises(ValueError, match=rf"pixel_range is for images\. Got {what}; pass pixel_range=None"):
        TransferClassifier(pixel_range=(0, 255)).fit(X, [0, 1, 0, 1])


FLOATS = hnp.arrays("float64", (3, 2, 2, 1), elements=st.floats(-0.05, 1.05))


@given(FLOATS, st.sampled_from([(0, 1), (0, 255), (-1, 1), (-5, 20)]), st.sampled_from(["float32", "float64"]))
def test_overshoot_is_clipped_and_nothing_else_changes(shares, said, dtype):
    low, high = said
    pixels = (low + shares * (high - low)).astype(dtype)
    before = pixels.copy()
    read = check_range(pixels, learned(pixels, said))
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(read, before.clip(low, high))
    assert read.dtype == dtype
    assert (read is pixels) == bool((before >= low).all() and (before <= high).all())


@given(
    hnp.arrays("float64", (4, 2, 2, 1), elements=st.one_of(st.floats(-20, 300), st.floats(0, 1), st.integers(0, 2))),
    st.sampled_from([(0, 1), (0, 16), (0, 255), (-1, 1), (0, 65535)]),
    st.booleans(),
)
def test_an_image_alone_is_judged_as_among_others(pixels, scale, said):
    format = InputFormat(ImageArrays(), (2, 2, 1), *map(float, scale), scale if said else None)

    def refused(some):
        try:
            check_range(some, format)
        except ValueError:
            return True
        return False

    alone = [refused(pixels[i : i + 1]) for i in range(4)]
    assert refused(pixels) == any(alone)
    if any(alone):
        with pytest.raises(ValueError, match=rf"The first of {sum(alone)} such images is sample {alone.index(True)}\."):
            check_range(pixels, format)
    else:
        together = check_range(pixels, format)
        for i in range(4):
            np.testing.assert_array_equal(together[i], check_range(pixels[i : i + 1], format)[0])


@given(st.integers(0, 2**31 - 1), st.sampled_from([1, 255, 65535]), st.sampled_from(["float32", "float64"]))
def test_what_fit_accepts_is_accepted_alone(seed, high, dtype):
    random = np.random.default_rng(seed)
    pixels = (random.uniform(0, 1, (5, 4, 4, 1)) * random.uniform(0.3, 1.04, (5, 1, 1, 1)) * high).astype(dtype)
    format = learned(pixels)
    assert format.high == high
    for i in range(5):
        assert check_range(pixels[i : i + 1], format).max() <= high


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int16", "bool"])
@pytest.mark.parametrize("said", [(0, 1), (0.5, 255.5), (-10, 300)])
def test_any_dtype_is_clipped_without_overflow(dtype, said):
    pixels = np.array([0, 1], dtype).reshape(2, 1, 1, 1)
    read = check_range(pixels, learned(pixels, said))
    assert read.dtype == dtype
    assert dtype == "bool" or read.min() >= said[0]


def test_beyond_pixel_range_is_refused():
    pixels = np.array([0, 10, 106]).reshape(3, 1, 1, 1)
    with pytest.raises(ValueError, match=r"from 0 to 100, as pixel_range says\. Got int64 values from 106 .* sample 2"):
        check_range(pixels, learned(pixels, (0.0, 100.0)))


@pytest.mark.parametrize(
    ("fitted", "asked"),
    [
        (np.array([0.1, 1.0]), np.array([0, 1], "uint8")), (np.array([0, 255], "uint8"), np.array([True])),
        (np.array([0, 16.0]), np.array([3], "uint8")), (np.array([-1, 1.0]), np.array([3], "uint8")),
        (np.array([0, 60_000], "uint16"), np.array([200], "uint8")),
        (np.array([-9, 9], "int8"), np.array([7], "uint8")),
        (np.array([0, 255.0]), np.array([0.5, 1.02])), (np.array([0, 16.0]), np.array([0.5, 0.9])),
        (np.array([-128, 127], "int8"), np.array([-0.3, 1.0])), (np.array([0, 60_000.0]), np.array([0.5, 0.9])),
        (np.array([0.1, 1.0]), np.array([-1.0, 1.0])), (np.array([0.1, 1.0]), np.array([0, 200])),
        (np.array([0, 255], "uint8"), np.array([0, 4000], "uint16")),
    ],
    ids=str,
)  # fmt: skip
def test_another_scale_is_refused(fitted, asked):
    with pytest.raises(ValueError, match=r"as in fit\. Got .* values from .*, or fit with pixel_range=\(low, high\)"):
        check_range(asked.reshape(1, -1, 1, 1), learned(fitted.reshape(1, -1, 1, 1)))


def test_a_nearly_black_image_of_real_numbers_needs_pixel_range():
    pixels = np.full((2, 3, 3, 1), 200.5)
    pixels[1] = 0.5
    with pytest.raises(
        ValueError, match=r"Got float64 values from 0\.5 to 0\.5; .* The first of 1 such images is sample 1"
    ):
        check_range(pixels, learned(pixels))
    format = learned(pixels, (0.0, 255.0))
    np.testing.assert_array_equal(check_range(pixels, format), pixels)
    np.testing.assert_array_equal(check_range(pixels[1:], format), pixels[1:])
    pixels[1] = 0
    assert check_range(pixels[1:], learned(pixels)).max() == 0


@pytest.mark.filterwarnings("ignore:uint8 pixels from")
def test_dark_bytes_and_bright_ones_are_on_one_scale(images, labels):
    dark = (images // 25).astype(np.uint8)
    with pytest.warns(UserWarning, match=r"uint8 pixels from 0 to 10 are read on the scale from 0 to 255"):
        clf = TransferClassifier(image_size=32).fit(dark, labels)
    assert clf.predict(images).shape == labels.shape
    brighter = TransferClassifier(image_size=32, pixel_range=(0, 10.2)).fit(dark, labels)
    assert brighter.score(dark, labels) >= clf.score(dark, labels)


def test_overshoot_does_not_change_the_scale_of_clean_images(images, labels):
    shares = images / 255.0
    over = shares.copy()
    over[0, 0, :2] = 1.02, -0.02
    over_before = over.copy()
    clf = TransferClassifier(image_size=32).fit(over, labels)
    np.testing.assert_array_equal(over, over_before)
    clean = TransferClassifier(image_size=32).fit(over.clip(0, 1), labels)
    np.testing.assert_array_equal(clf.predict_proba(shares), clean.predict_proba(shares))
    np.testing.assert_allclose(clf.predict_proba(over[:1]), clf.predict_proba(over)[:1], rtol=1e-10)


@pytest.mark.parametrize("trainable", ["head", "all"])
def test_clipped_pixels_are_what_is_trained_on(images, labels, trainable):
    over = images.astype(np.float32)
    over[3, 4, :3] = 262, -5, 257
    options = {"image_size": 16, "trainable": trainable, "epochs": 2, "random_state": 0, "augmentation": "flip"}
    models = [TransferClassifier("small_cnn", **options).fit(x, labels) for x in (over, over.clip(0, 255))]
    np.testing.assert_array_equal(*(model.predict_proba(over) for model in models))


def test_twelve_bits_in_sixteen_give_the_features_of_eight_bits(images):
    twelve = images.astype(np.uint16) * 16
    with pytest.warns(UserWarning, match="0 to 4095"):
        learned_ = BackboneTransformer(image_size=32).fit(twelve)
    said = BackboneTransformer(image_size=32, pixel_range=(0, 255 * 16)).fit(twelve)
    eight = BackboneTransformer(image_size=32).fit_transform(images)
    np.testing.assert_allclose(said.transform(twelve), eight, atol=2e-3)
    np.testing.assert_allclose(learned_.transform(twelve), eight, atol=0.1)
    np.testing.assert_array_equal(learned_.transform(twelve[:1]), learned_.transform(twelve)[:1])


def test_digits_keep_their_scale():
    X, y = load_digits(return_X_y=True)
    clf = TransferClassifier(input_shape=(8, 8), image_size=32).fit(X[:60], y[:60])
    assert (clf.model_.format.low, clf.model_.format.high) == (0, 16)
    said = TransferClassifier(input_shape=(8, 8), image_size=32, pixel_range=[0, 16]).fit(
        X[:60].astype(np.uint8), y[:60]
    )
    np.testing.assert_array_equal(clf.predict(X[60:80]), said.predict(X[60:80]))


def test_reconstructions_are_on_the_scale_that_was_given(images):
    shifted = images.astype(np.int16) - 100
    fitted = AutoencoderTransformer(pixel_range=(-100, 155), epochs=1, latent_dim=4, random_state=0).fit(shifted)
    back = fitted.reconstruct(shifted[:3])
    assert back.dtype == np.int16
    assert back.min() >= -100
    assert back.max() <= 155


def test_tolerance_is_some_per_cent():
    assert 0.02 <= OVERSHOOT <= 0.1
