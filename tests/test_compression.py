"""Fitted estimators in, smaller ones out."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skltransfer import (
    AutoencoderTransformer,
    BackboneTransformer,
    DomainAdaptationClassifier,
    TransferClassifier,
    TransferRegressor,
    export,
    load_backbone,
    serve,
)
from skltransfer._keras import backend as _backend
from skltransfer.backbones._small import FORMS, SmallArray, small
from skltransfer.compression import quantize

on_tensorflow = pytest.mark.skipif(_backend.name() != "tensorflow", reason="files are written on TensorFlow")
STEPS = {"int8": 1 / 127, "int4": 1 / 7, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""Of each type, the distance of two numbers next to each other, by the largest."""


@pytest.fixture(scope="module")
def clf(images, labels):
    return TransferClassifier("small_resnet", epochs=3, random_state=0).fit(images, labels)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_arrays_are_rounded_by_channel_and_come_back_as_they_are(form, dtype):
    values = np.random.default_rng(0).normal(size=(3, 3, 5, 7)).astype(dtype) * np.logspace(-3, 3, 7).astype(dtype)
    values[..., 2] = 0
    found = small(values, form, axes=(0, 1, 2))
    assert found.dtype == dtype
    largest = np.abs(values).max(axis=(0, 1, 2))
    assert (np.abs(found - values) <= 0.5001 * STEPS[form] * largest).all()
    for protocol in (2, 5):
        again = pickle.loads(pickle.dumps(found, protocol=protocol))
        assert (type(again), again.form, again.shape) == (SmallArray, form, values.shape)
        np.testing.assert_array_equal(again, found)
    np.testing.assert_array_equal(small(np.asarray(found), form, axes=(0, 1, 2)), found)
    size = len(pickle.dumps(small(np.zeros((64, 64), "float32") + values[0, 0, 0, 0], form, axes=(0,))))
    assert size < 64 * 64 * {"int8": 1, "int4": 0.5, "float16": 2, "bfloat16": 2}[form] + 900


def test_what_is_computed_of_a_small_array_is_an_array():
    found = small(np.eye(3, dtype="float32"), "int8", axes=(0,))
    assert (found[:2].form, (2 * found).form, found.copy().form) == (None, None, None)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(found[:2])), np.eye(3)[:2])
    assert type(np.asarray(found)) is np.ndarray


@pytest.mark.backends
@pytest.mark.parametrize("dtype", ["int8", "float16"])
def test_a_quantized_classifier_is_one_with_rounded_weights(clf, images, dtype):
    before = pickle.dumps(clf)
    found = quantize(clf, dtype)
    assert pickle.dumps(clf) == before
    assert len(pickle.dumps(found)) < len(before) / (3.5 if dtype == "int8" else 1.9)
    expected, answers = clf.predict_proba(images), found.predict_proba(images)
    assert 0 < np.abs(answers - expected).max() < 0.1
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict_proba(images), answers)
    assert again.backbone_ == found.backbone_
    np.testing.assert_allclose(found.model_.to_keras().predict(images[..., None], verbose=0), answers, atol=1e-5)


@pytest.mark.filterwarnings("ignore::skltransfer.adaptation.AdaptationWarning")  # fits are short here
def test_every_estimator_can_be_quantized(images, labels):
    table = np.random.default_rng(0).normal(size=(40, 3))
    domain = np.repeat([1, -1], 20)
    adapted = DomainAdaptationClassifier(method="mcc", epochs=2).fit(table, labels, sample_domain=domain)
    fitted = [
        (TransferClassifier("small_resnet", trainable=1, epochs=1).fit(images, labels), images, "predict_proba"),
        (TransferClassifier("small_cnn", head="attention", epochs=1).fit(images, labels), images, "predict_proba"),
        (TransferRegressor(random_state=0).fit(table, table[:, 0]), table, "predict"),
        (BackboneTransformer("small_transformer").fit(table[..., None]), table[..., None], "transform"),
        (AutoencoderTransformer(latent_dim=4, epochs=1).fit(images), images, "reconstruct"),
        (AutoencoderTransformer(latent_dim=2, epochs=1).fit(table), table, "score_samples"),
        (adapted, table, "predict_proba"),
    ]
    for estimator, X, method in fitted:
        expected = np.asarray(getattr(estimator, method)(X), float)
        found = quantize(estimator, "bfloat16")
        assert type(found) is type(estimator)
        answers = getattr(pickle.loads(pickle.dumps(found)), method)(X)
        assert answers.shape == expected.shape
        np.testing.assert_allclose(answers, expected, atol=0.03 * np.abs(expected).max())
        clone(found).fit(X, labels if method == "predict_proba" else X[:, 0] if method == "predict" else None)


def test_a_network_that_was_passed_is_rounded_and_saved_small(images, labels, tmp_path):
    network = load_backbone("small_resnet", input_shape=(28, 28, 1), random_state=0)
    frozen = TransferClassifier(network, trainable="head", image_size=28).fit(images, labels)
    found = quantize(frozen, "int4")
    assert found.get_params()["backbone"] is found.backbone_
    assert frozen.get_params()["backbone"] is network
    assert len(pickle.dumps(found)) < len(pickle.dumps(frozen)) / 5
    found.backbone_.save(tmp_path / "small.safetensors")
    again = load_backbone(tmp_path / "small.safetensors")
    assert again == found.backbone_
    network.save(tmp_path / "large.safetensors")
    assert 5 * (tmp_path / "small.safetensors").stat().st_size < (tmp_path / "large.safetensors").stat().st_size


@on_tensorflow
def test_calibrated_files_compute_in_integers(clf, images, labels, tmp_path):
    import onnx
    import onnxruntime

    found = pickle.loads(pickle.dumps(quantize(clf, calibration=images)))
    export.save(clf, tmp_path / "floats.onnx")
    export.save(found, tmp_path / "integers.onnx")
    assert (tmp_path / "integers.onnx").stat().st_size < (tmp_path / "floats.onnx").stat().st_size / 3
    predictor = serve.load(tmp_path / "integers.onnx")
    assert np.abs(predictor.predict_proba(images) - clf.predict_proba(images)).max() < 0.1
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(tmp_path / "integers.onnx", options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert "QLinearConv" in kinds
    assert not {"Conv", "FusedConv"} & set(kinds)


@on_tensorflow
def test_ranges_of_another_network_are_refused(clf, images, labels, tmp_path):
    from dataclasses import replace

    found, other = quantize(clf, calibration=images[:4]), quantize(clf, "int4")
    other.model_ = replace(other.model_, activation_ranges=found.model_.activation_ranges)
    with pytest.raises(ValueError, match="activations of this estimator were measured on another network"):
        export.save(other, tmp_path / "wrong.onnx")


def test_what_cannot_be_quantized_is_refused(clf, images, labels):
    huge = TransferClassifier("small_cnn", trainable="head").fit(images, labels)
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        quantize(TransferClassifier())
    with pytest.raises(TypeError, match=r"expected a fitted estimator of skltransfer\. Got a Pipeline"):
        quantize(make_pipeline(clf))
    with pytest.raises(ValueError, match="Got dtype='int7'; known: 'int8', 'int4', 'float16', 'bfloat16'"):
        quantize(clf, "int7")
    with pytest.raises(ValueError, match="calibration is for files that compute in integers of 8 bits"):
        quantize(clf, "int4", calibration=images)
    backbone = huge.backbone_
    large = TransferClassifier(backbone.with_weights([1e6 * array for array in backbone.weights]), trainable="head")
    with pytest.raises(ValueError, match="has a weight that it cannot hold: expected numbers up to 65504"):
        quantize(large.fit(images, labels), "float16")


@on_tensorflow
def test_networks_in_double_precision_have_no_integers():
    table = np.random.default_rng(0).normal(size=(20, 3))
    clf = TransferClassifier("mlp", epochs=1).fit(table, table[:, 0] > 0)
    with pytest.raises(ValueError, match="expected a network with convolutions or dense layers in single precision"):
        quantize(clf, calibration=table)
