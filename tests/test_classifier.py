import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skltransfer import BackboneTransformer, TransferClassifier, load_backbone


def test_is_logistic_regression_on_standardised_frozen_features(images, labels):
    ours = TransferClassifier(image_size=64, features="last", C=0.03).fit(images, labels)
    seen = BackboneTransformer(image_size=64).fit_transform(images).astype(np.float64)
    scaled = (seen - seen.mean(axis=0)) / np.sqrt(seen.var(axis=0).mean())
    by_hand = LogisticRegression(C=0.03, tol=1e-10, max_iter=5000).fit(scaled, labels)
    np.testing.assert_allclose(ours.predict_proba(images), by_hand.predict_proba(scaled), atol=1e-6)


def test_better_than_chance_on_other_images(sample):
    clf = TransferClassifier(image_size=64).fit(sample.images, sample.target)
    assert clf.score(sample.images_test, sample.target_test) > 0.6


def test_methods_agree(quick, flat, labels):
    clf = quick.fit(flat, labels)
    proba = clf.predict_proba(flat)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_allclose(np.log(proba), clf.predict_log_proba(flat), atol=1e-9)
    np.testing.assert_array_equal(clf.classes_[proba.argmax(axis=1)], clf.predict(flat))
    np.testing.assert_array_equal(clf.decision_function(flat).argmax(axis=1), proba.argmax(axis=1))
    assert clf.decision_function(flat).shape == (40, 4)


@pytest.mark.parametrize("options", [{}, {"backbone": "small_cnn", "epochs": 2}])
def test_two_classes_have_one_decision_value(flat, labels, options):
    two = np.isin(labels, labels[:2])
    clf = TransferClassifier(**{"input_shape": (28, 28), "image_size": 28, **options}).fit(flat[two], labels[two])
    decisions, proba = clf.decision_function(flat[two]), clf.predict_proba(flat[two])
    assert decisions.shape == (two.sum(),)
    np.testing.assert_array_equal(decisions > 0, clf.predict(flat[two]) == clf.classes_[1])
    np.testing.assert_allclose(proba[:, 1], 1 / (1 + np.exp(-decisions)), atol=1e-6)


@pytest.mark.parametrize(
    "rename",
    [lambda n: n, lambda n: n.astype(object), lambda n: np.unique(n, return_inverse=True)[1] * 10 - 5,
     lambda n: np.unique(n, return_inverse=True)[1].astype(float), lambda n: n == n[0],
     lambda n: pd.Series(pd.Categorical(n)), lambda n: pl.Series(list(n)), list],
)  # fmt: skip
def test_labels_come_back_as_they_came(quick, flat, labels, rename):
    y = rename(labels)
    clf = quick.fit(flat, y)
    predicted = clf.predict(flat)
    assert (predicted == np.asarray(y)).mean() > 0.9
    assert set(clf.classes_) == set(np.asarray(y))
    assert predicted.dtype == clf.classes_.dtype


@given(st.lists(st.integers(0, 3), min_size=40, max_size=40).filter(lambda w: all(sum(w[i::4]) for i in range(4))))
def test_weights_mean_repeated_and_absent_samples(flat, labels, weights):
    weights = np.array(weights)
    base = TransferClassifier(input_shape=(28, 28), image_size=32)
    weighted = clone(base).fit(flat, labels, sample_weight=weights)
    repeated = clone(base).fit(flat.repeat(weights, axis=0), labels.repeat(weights))
    assert weighted.classes_.tolist() == repeated.classes_.tolist()
    np.testing.assert_allclose(weighted.predict_proba(flat), repeated.predict_proba(flat), atol=1e-6)


def test_class_weight_is_sample_weight(quick, flat, labels):
    chosen = np.r_[0:20, np.flatnonzero(labels[20:] == labels[0]) + 20]
    X, y = flat[chosen], labels[chosen]
    by_class = {label: len(y) / (4 * (y == label).sum()) for label in set(y)}
    balanced = clone(quick).set_params(class_weight="balanced").fit(X, y)
    by_dict = clone(quick).set_params(class_weight=by_class).fit(X, y)
    by_row = clone(quick).fit(X, y, sample_weight=[by_class[label] for label in y])
    for other in (by_dict, by_row):
        np.testing.assert_allclose(balanced.predict_proba(flat), other.predict_proba(flat), atol=1e-7)


def pictures(images, tmp_path):
    colour = np.repeat(images[..., None], 3, axis=-1)
    paths = [str(tmp_path / f"{i}.png") for i in range(len(images))]
    for path, picture in zip(paths, colour, strict=True):
        Image.fromarray(picture).save(path)
    return colour, paths


def test_every_kind_of_input_gives_the_same_answer(images, labels, tmp_path):
    colour, paths = pictures(images, tmp_path)
    flat = images.reshape(len(images), -1)
    frame = pd.DataFrame(flat, columns=[f"p{i}" for i in range(784)])
    kinds = [
        (images, {}),
        (images[..., None], {}),
        (colour, {}),
        (list(images), {}),
        (images / 255, {}),
        ((images / 255).astype(np.float32), {}),
        (images.astype(np.uint16) * 257, {}),
        (flat, {"input_shape": (28, 28)}),
        (colour.reshape(len(images), -1), {"input_shape": (28, 28, 3)}),
        (frame, {"input_shape": (28, 28)}),
        (pl.DataFrame(frame.to_dict("series")), {"input_shape": (28, 28)}),
        (paths, {}),
        (pd.Series(paths), {}),
        ([Image.fromarray(picture) for picture in colour], {}),
    ]
    first = None
    for X, options in kinds:
        clf = TransferClassifier(image_size=28, **options).fit(X, labels)
        proba = clf.predict_proba(X)
        first = proba if first is None else first
        np.testing.assert_allclose(proba, first, atol=1e-3)


def test_n_features_in(images, labels, tmp_path):
    colour, paths = pictures(images, tmp_path)
    assert TransferClassifier(image_size=32).fit(colour, labels).n_features_in_ == 28 * 28 * 3
    assert TransferClassifier(image_size=32).fit(paths, labels).n_features_in_ == 1
    frame = pd.DataFrame({"path": paths})
    fitted = TransferClassifier(image_size=32).fit(frame, labels)
    assert fitted.feature_names_in_.tolist() == ["path"]
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(frame.rename(columns={"path": "file"}))


def test_source_to_target_the_three_steps(images, labels):
    source = TransferClassifier("small_cnn", trainable="all", epochs=40, random_state=0).fit(images, labels)
    assert source.backbone_.pretrained
    target = TransferClassifier(source.backbone_, random_state=0).fit(images[:20], labels[:20])
    assert target.backbone_ is source.backbone_
    assert target.score(images, labels) > 0.7
    tuned = TransferClassifier(source.backbone_, trainable="all", epochs=2, random_state=0).fit(images, labels)
    assert tuned.backbone_ != source.backbone_


def test_a_real_backbone_of_another_family(images, labels):
    backbone = load_backbone("MobileNetV2", weights=None)
    clf = TransferClassifier(backbone, trainable="head", image_size=32).fit(images, labels)
    assert clf.backbone_ == backbone
    assert clf.score(images, labels) > 0.5


def test_builder_function_and_keras_model_as_backbones(images, labels):
    import keras

    def builder(input_shape):
        inputs = keras.Input(input_shape)
        return keras.Model(inputs, keras.layers.Conv2D(8, 3, strides=4, activation="relu")(inputs))

    fitted = TransferClassifier(builder, epochs=3, random_state=0).fit(images, labels)
    assert fitted.backbone_.name == "builder"
    model = builder((28, 28, 1))
    before = [np.array(w) for w in model.weights]
    assert TransferClassifier(model, trainable="all", epochs=1, random_state=0).fit(images, labels).n_iter_ == 1
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "kernels"),
        ({"callbacks": [], "warm_start": True}, "kernels"),
        ({"trainable": "all"}, "mlp"),
        ({"features": "last"}, "mlp"),
        ({"weight_decay": 0.01}, "mlp"),
        ({"solve_head": False}, "mlp"),
    ],
)
def test_table_without_input_shape(options, name):
    from sklearn.datasets import load_wine

    X, y = load_wine(return_X_y=True)
    clf = TransferClassifier(random_state=0, **options).fit(X[::2], y[::2])
    assert clf.backbone_.name == name
    assert clf.score(X[1::2], y[1::2]) > 0.93


def test_table_in_mini_batches():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    clf = TransferClassifier("mlp", random_state=0, epochs=5).fit(X[:1300], y[:1300])
    assert clf.n_iter_ == 5
    assert clf.score(X[1300:], y[1300:]) > 0.85


def test_unfitted_says_so(quick, flat):
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(quick, method)(flat)


def test_column_vector_of_labels_is_taken_with_a_warning(quick, flat, labels):
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        quick.fit(flat, labels[:, None])


def test_nothing_is_warned_of_in_ordinary_use(images, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TransferClassifier(image_size=32).fit(images, labels).predict(images)
