"""What a user reads after a mistake, before any work starts."""

import re
from numbers import Real

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.base import clone

from skltransfer import (
    AttentionHead,
    AttentionTransfer,
    AutoencoderTransformer,
    BackboneTransformer,
    DomainAdaptationClassifier,
    DomainAdaptationRegressor,
    LoRA,
    MLPHead,
    TransferClassifier,
    TransferRegressor,
)
from skltransfer._features import extraction as features

MIXED = r"Sample 0 is a path .*, and sample 1 is a number \(float\), taken as a table"
ESTIMATORS = [TransferClassifier(image_size=32), BackboneTransformer(image_size=32)]


def told(estimator, X, y, message, error=(ValueError, TypeError)):
    before = features.n_computed
    with pytest.raises(error, match=message):
        estimator.fit(X, y)
    assert features.n_computed == before


def with_value(images, value):
    spoiled = images.astype(np.float32)
    spoiled[3, 2, 2] = value
    return spoiled


BAD = {
    "empty": (lambda i: i[:0], r"Found array with 0 sample\(s\) .*minimum of 1 is required"),
    "nan": (lambda i: with_value(i, np.nan), "sample 3 contains NaN or infinity"),
    "inf": (lambda i: with_value(i, np.inf), "sample 3 contains NaN or infinity"),
    "five dimensions": (lambda i: i[:, :, :, None, None], r"expected images of shape \(n, height, width, channels\)"),
    "one dimension": (lambda i: i[:, 0, 0], "Expected 2D array, got 1D array instead"),
    "channels first": (lambda i: np.repeat(i[:, None], 3, axis=1), r"channels-first, so pass np\.moveaxis\(X, 1, -1\)"),
    "four channels": (lambda i: np.repeat(i[..., None], 4, axis=-1), r"drop the transparency with X\[\.\.\., :3\]"),
    "mixed sizes": (
        lambda i: [*i[:5], i[5][:20]],
        r"expected images of one size\. Sample 0 .* sample 5 has \(20, 28\)",
    ),
    "standardised": (lambda i: i / 64.0 - 2, "pass the images before standardization"),
    "missing file": (lambda i: ["nowhere.png"] * len(i), r"sample 0, 'nowhere\.png', is missing"),
    "no image": (lambda i: [__file__] * len(i), r"sample 0, '.*test_bad_input\.py', is not an image"),
    "words": (lambda i: np.array([["a", "b"]] * len(i)), "dtype='numeric' is not compatible|could not convert|missing"),
    "objects": (lambda i: np.array([{}] * len(i), dtype=object), r"sample 0 is an object \(dict\)"),
}


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("case", BAD)
def test_bad_samples_are_refused_before_work_starts(estimator, case, images, labels):
    spoil, message = BAD[case]
    X = spoil(images)
    told(estimator, X, labels[: len(X)], message)


def test_object_arrays_of_another_kind(images, labels, tmp_path):
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    told(
        ESTIMATORS[0],
        np.array([tmp_path / "a.png", 3.5], dtype=object),
        labels[:2],
        MIXED,
    )


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (lambda y: y[:-1], r"expected 40 entries, one for each sample of X\. Got 39"),
        (lambda y: np.full(len(y), "cat"), r"expected at least 2 classes .* Got 1 class: \['cat'\]; add samples"),
        (lambda y: np.where(y == y[0], np.nan, 1.0), "y contains NaN"),
        (lambda y: np.linspace(0, 1, len(y)), "Unknown label type: continuous"),
        (lambda y: None, "TransferClassifier requires y to be passed, but the target y is None"),
        (lambda y: np.stack([y, y], axis=1)[..., None], "Found array with dim 3"),
    ],
)
def test_bad_labels_are_refused(quick, flat, labels, y, message):
    told(quick, flat, y(labels), message)


def test_weights_that_leave_one_class(quick, flat, labels):
    with pytest.raises(ValueError, match="at least 2 classes among the samples of positive weight"):
        quick.fit(flat, labels, sample_weight=(labels == labels[0]).astype(float))


def test_negative_weights(quick, flat, labels):
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        quick.fit(flat, labels, sample_weight=-np.ones(len(flat)))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.nan, "sample_weight: expected finite numbers. Got nan"),
        (np.inf, "sample_weight: expected finite numbers. Got inf"),
        (np.r_[np.nan, np.ones(39)], "Input sample_weight contains NaN"),
        (np.r_[np.inf, np.ones(39)], "Input sample_weight contains infinity"),
        (np.zeros(40), "Sample weights must contain at least one non-zero number"),
        (np.ones(39), r"sample_weight.shape == \(39,\), expected \(40,\)"),
        (-1.0, "Negative values in data passed to `sample_weight`"),
    ],
)
@pytest.mark.parametrize(
    "estimator",
    [
        TransferClassifier("mlp"),
        TransferRegressor("mlp"),
        AutoencoderTransformer(),
        DomainAdaptationClassifier("mlp"),
        DomainAdaptationRegressor("mlp"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_weights_that_are_none(estimator, weights, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit(np.arange(80.0).reshape(40, 2), np.arange(40) % 2, sample_weight=weights)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({0: np.nan}, "expected a finite number of at least 0 for each class. Got nan for 0"),
        ({0: np.inf, 1: 1}, "Got inf for 0"),
        ({0: -1}, "Got -1 for 0"),
        ({0: "1"}, "Got '1' for 0"),
        ({0: None}, "Got None for 0"),
        ({0: 0, 1: 0, 2: 0}, r"at least 2 classes of positive weight among \[0, 1, 2\]. Got \[\]"),
        ({0: 0, 1: 0}, r"at least 2 classes of positive weight among \[0, 1, 2\]. Got \[2\]"),
        ({3: 1}, r"class_weight: expected classes .*\[0, 1, 2\]. Got \[3\] as well"),
        ({0: 1, 1: 1, 2: 1, "x": 1}, r"Got \['x'\] as well"),
    ],
)
@pytest.mark.parametrize("estimator", [TransferClassifier("mlp"), DomainAdaptationClassifier("mlp")])
def test_bad_weights_of_classes_are_refused(estimator, class_weight, message):
    told(estimator.set_params(class_weight=class_weight), np.arange(24.0).reshape(12, 2), np.arange(12) % 3, message)


def test_a_class_of_no_weight_is_left_out_of_what_is_learned():
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 3
    X[:, 0] += 3 * y
    clf = TransferClassifier("mlp", trainable="head", class_weight={1: 0}).fit(X, y)
    assert set(clf.predict(X)) == {0, 2}
    assert clf.classes_.tolist() == [0, 1, 2]
    without = TransferClassifier("mlp", trainable="head", random_state=0).fit(X[y != 1], y[y != 1])
    assert (clf.predict(X[y != 1]) == without.predict(X[y != 1])).mean() > 0.9


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    "estimator",
    [
        TransferClassifier("mlp"),
        TransferRegressor("mlp"),
        AutoencoderTransformer(),
        DomainAdaptationClassifier("mlp"),
        DomainAdaptationRegressor("mlp"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_parameters_that_are_no_finite_numbers(estimator, value):
    X, y, numbers = np.arange(24.0).reshape(12, 2), np.arange(12) % 2, 0
    for name, allowed in estimator._parameter_constraints.items():
        if name in estimator.get_params() and any(getattr(one, "type", None) is Real for one in allowed):
            numbers += 1
            with pytest.raises(ValueError, match=f"The '{name}' parameter of {type(estimator).__name__} must be"):
                clone(estimator).set_params(**{name: value}).fit(X, y)
    assert numbers >= 4


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize(
    ("parameter", "make"),
    [
        (r"LoRA\(alpha=…\)", lambda value: {"trainable": LoRA(alpha=value)}),
        (r"MLPHead\(dropout=…\)", lambda value: {"head": MLPHead(dropout=value)}),
        (r"AttentionHead\(dropout=…\)", lambda value: {"head": AttentionHead(dropout=value)}),
        (
            r"AttentionTransfer\(strength=…\)",
            lambda value: {"trainable": 1, "attention_transfer": AttentionTransfer(value)},
        ),
    ],
)
def test_values_that_are_no_finite_numbers(parameter, make, value):
    with pytest.raises(ValueError, match=parameter):
        TransferClassifier("mlp", **make(value)).fit(np.arange(24.0).reshape(12, 2), np.arange(12) % 2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"C": 0},
            r"The 'C' parameter of TransferClassifier must be a float in the range .* Got 0 instead",
        ),
        ({"trainable": "heads"}, r"Got trainable='heads'; known: 'auto', 'head', .* Did you mean 'head'\?"),
        ({"epochs": 0}, "The 'epochs' parameter"),
        ({"batch_size": 0.5}, "The 'batch_size' parameter"),
        ({"learning_rate": -1}, "The 'learning_rate' parameter"),
        ({"class_weight": "equal"}, "The 'class_weight' parameter"),
        ({"image_size": 0}, "The 'image_size' parameter"),
        ({"image_size": "large"}, "The 'image_size' parameter"),
        ({"image_size": (32, 32, 3)}, "The 'image_size' parameter"),
        ({"input_shape": (28, 29)}, r"input_shape=\(28, 29\) needs 812 columns\. Got 784"),
        ({"backbone": "efficientnet_lite"}, r"Did you mean 'efficientnet_lite0'\?"),
        ({"backbone": 3.5}, "expected a name"),
        ({"backbone": None}, "expected a name"),
    ],
)
def test_bad_parameters_are_refused(quick, flat, labels, parameters, message):
    told(quick.set_params(**parameters), flat, labels, message)


@pytest.fixture
def fitted(images, labels):
    return TransferClassifier(image_size=32).fit(images, labels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda i: i / 255,
            r"values from 0 to 255, as in fit\. Got float64 values from 0 to 1; bring them",
        ),
        (
            lambda i: i[:, :20],
            r"shape \(28, 28, 1\), as in fit\. Got images of shape \(20, 28, 1\)",
        ),
        (lambda i: np.repeat(i[..., None], 3, axis=-1), r"Got images of shape \(28, 28, 3\)"),
        (
            lambda i: i.reshape(len(i), -1)[:, 1:],
            r"as in fit, or flattened to 784 values\. Got an array of shape \(40, 783\)",
        ),
        (
            lambda i: [Image.fromarray(p) for p in i],
            r"expected images of .*, as in fit\. Sample 0 is a PIL image",
        ),
        (lambda i: i[:0], "minimum of 1 is required"),
        (lambda i: with_value(i, np.nan), "sample 3 contains NaN"),
    ],
)
def test_samples_unlike_those_of_fit_are_refused(fitted, images, change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fitted.predict(change(images))


def test_bytes_after_fractions_are_refused(images, labels):
    fitted = TransferClassifier(image_size=32).fit(images / 255, labels)
    with pytest.raises(ValueError, match=r"values from 0 to 1, as in fit\. Got uint8 values from 0 to 255"):
        fitted.predict(images)


def test_one_image_alone_is_refused(fitted, images):
    with pytest.raises(ValueError, match=r"^X: expected images of shape \(28, 28, 1\), as in fit"):
        fitted.predict(images[0])


def test_wrong_number_of_columns_is_refused_as_scikit_learn_does(quick, flat, labels):
    with pytest.raises(ValueError, match="X has 700 features, but TransferClassifier is expecting 784 features"):
        quick.fit(flat, labels).predict(flat[:, :700])


def test_renamed_columns_are_refused(quick, flat, labels):
    frame = pd.DataFrame(flat, columns=[f"p{i}" for i in range(784)])
    with pytest.raises(ValueError, match="feature names should match those that were passed during fit"):
        quick.fit(frame, labels).predict(frame.rename(columns={"p3": "q"}))


@given(
    st.sampled_from(["uint8", "int32", "float32", "float64", "float16", "uint16", "bool"]),
    st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3])),
)
def test_any_shape_and_dtype_gives_finite_features(dtype, shape):
    pixels = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    seen = BackboneTransformer(image_size=32, pixel_range=(0, 1)).fit_transform(pixels)
    assert seen.shape == (shape[0], 1280)
    assert np.isfinite(seen).all()


@given(st.sampled_from(["U3", "O", "i8", "f8", "?"]), st.integers(2, 4))
def test_any_type_of_label_round_trips(flat, dtype, n_classes):
    codes = np.arange(len(flat)) % n_classes % (2 if dtype == "?" else n_classes)
    y = np.array([f"c{c}" for c in codes], dtype=dtype) if dtype in ("U3", "O") else codes.astype(dtype)
    clf = TransferClassifier(input_shape=(28, 28), image_size=32, C=100).fit(flat, y)
    assert set(clf.predict(flat).tolist()) <= set(y.tolist())
    assert clf.classes_.dtype == y.dtype


def test_cache_folder_that_cannot_be_written_warns_once_and_loses_nothing(quick, flat, labels, tmp_path, empty_store):
    (tmp_path / "file").write_text("in the way")
    quick.set_params(memory=tmp_path / "file")
    with pytest.warns(UserWarning, match=re.escape("cannot be written")) as caught:
        quick.fit(flat, labels).predict(flat)
    assert len(caught) == 1
    assert quick.score(flat, labels) > 0.9
