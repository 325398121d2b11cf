"""Features of frozen networks by ONNX Runtime and OpenVINO beside those by Keras' backend."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skltransfer import BackboneTransformer, TransferClassifier, TransferRegressor
from skltransfer._features import cache, extraction
from skltransfer._keras import backend as _backend
from skltransfer._keras import runtime as runtimes

on_tensorflow = pytest.mark.skipif(_backend.name() != "tensorflow", reason="networks are converted from TensorFlow")
OTHERS = ("onnxruntime", "openvino")


def _waves(random):
    return [random.standard_normal(length).astype(np.float32) / 9 for length in (4000, 8000, 6000)]


SAMPLES = {
    "images": (lambda images: images[:7], {"backbone": "small_cnn", "random_state": 0}),
    "sounds": (
        lambda _: _waves(np.random.default_rng(0)),
        {"backbone": "small_cnn", "random_state": 0, "sample_rate": 8000.0},
    ),
    "texts": (
        lambda _: ["a short text", "words", "a text of some more words than the others have"],
        {"backbone": "small_transformer", "random_state": 0},
    ),
    "table": (lambda _: np.random.default_rng(0).standard_normal((9, 5)), {"backbone": "mlp", "random_state": 0}),
    "sequences": (
        lambda _: np.random.default_rng(0).standard_normal((5, 6, 3)),
        {"backbone": "small_transformer", "random_state": 0, "sample_kind": "sequences"},
    ),
}


@on_tensorflow
@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("runtime", OTHERS)
def test_features_agree_with_those_of_keras(runtime, kind, images, empty_store):
    make, options = SAMPLES[kind]
    X = make(images)
    plain = BackboneTransformer(**options).fit(X)
    other = BackboneTransformer(**options, runtime=runtime).fit(X)
    known, found = plain.transform(X), other.transform(X)
    assert found.dtype == known.dtype
    assert np.ptp(known) > 0
    np.testing.assert_allclose(found, known, rtol=0, atol=1e-5 * np.abs(known).max())


@on_tensorflow
@pytest.mark.parametrize("runtime", OTHERS)
def test_features_do_not_depend_on_what_is_computed_together(runtime, images, empty_store):
    extractor = BackboneTransformer("small_resnet", runtime=runtime, random_state=0).fit(images)
    together = extractor.transform(images[:31])
    cache.process_store.clear()
    np.testing.assert_array_equal(
        np.concatenate([extractor.transform(images[i : i + 1]) for i in (3, 30)]), together[[3, 30]]
    )
    cache.process_store.clear()
    again = pickle.loads(pickle.dumps(extractor))
    np.testing.assert_array_equal(again.transform(images[5:12]), together[5:12])


@on_tensorflow
def test_runtimes_do_not_share_features(images, tmp_path):
    before = extraction.n_computed
    for runtime in ("keras", "onnxruntime", "onnxruntime"):
        extractor = BackboneTransformer("small_cnn", memory=tmp_path, runtime=runtime, random_state=0).fit(images)
        cache.process_store.clear()
        extractor.transform(images[:6])
    assert extraction.n_computed - before == 2 * 6


@on_tensorflow
def test_a_search_computes_each_sample_once(images, labels, empty_store):
    clf = TransferClassifier("efficientnet_lite0", image_size=32, runtime="onnxruntime")  # several blocks
    before = extraction.n_computed
    search = GridSearchCV(clf, {"C": [0.1, 1.0]}, cv=2).fit(images, labels)
    assert extraction.n_computed - before == len(images)
    plain = clone(search.best_estimator_).set_params(runtime="keras").fit(images, labels)
    np.testing.assert_allclose(search.predict_proba(images), plain.predict_proba(images), atol=1e-4)


@on_tensorflow
@pytest.mark.parametrize(
    "options", [{"head": "attention", "epochs": 1}, {"trainable": 1, "epochs": 1}, {"head": "mlp", "epochs": 1}]
)
def test_a_frozen_part_below_trained_layers(options, images, labels, empty_store):
    start = BackboneTransformer("small_resnet", random_state=0).fit(images).backbone_
    clf = TransferClassifier(start, runtime="onnxruntime", random_state=0, **options)
    plain = clone(clf).set_params(runtime="keras")
    one, other = (estimator.fit(images[:20], labels[:20]).predict_proba(images[:20]) for estimator in (clf, plain))
    np.testing.assert_allclose(one, other, atol=1e-3)


@on_tensorflow
def test_auto_is_the_same_on_one_machine(images, empty_store):
    runtime = runtimes.resolved("auto")
    assert runtime == ("keras" if runtimes._has_avx512() else "onnxruntime")
    own, named = (
        TransferRegressor("small_cnn", trainable="head", runtime=name, random_state=0).fit(images[:20], np.arange(20.0))
        for name in ("auto", runtime)
    )
    np.testing.assert_array_equal(own.predict(images), named.predict(images))


@on_tensorflow
def test_a_preparation_without_an_onnx_form_is_refused():
    extractor = BackboneTransformer("small_cnn", image_size=(32, 48), sample_rate=8000.0, runtime="onnxruntime")
    with pytest.raises(ValueError, match=r"runtime='onnxruntime': .*ScaleAndTranslate.*Or pass runtime='keras'"):
        extractor.fit(_waves(np.random.default_rng(0)))


@pytest.mark.skipif(_backend.name() == "tensorflow", reason="networks are converted from TensorFlow")
def test_other_backends_refuse_other_runtimes(images):
    assert runtimes.resolved("auto") == "keras"
    with pytest.raises(
        RuntimeError, match=r"runtime='onnxruntime': .* Expected KERAS_BACKEND=tensorflow, or runtime='k"
    ):
        BackboneTransformer("small_cnn", runtime="onnxruntime").fit(images)


def test_a_runtime_that_is_not_installed_is_named(images, monkeypatch):
    import sys

    runtimes.resolved.cache_clear()
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ImportError, match=r"runtime='openvino' needs 'openvino'.*skltransfer\[openvino\]"):
        BackboneTransformer("small_cnn", runtime="openvino").fit(images)
