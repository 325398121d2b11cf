"""Fitted estimators in, smaller ones out."""

import pickle
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from skltransfer import (
    AttentionHead,
    AutoencoderTransformer,
    BackboneTransformer,
    DomainAdaptationClassifier,
    MLPHead,
    TransferClassifier,
    TransferRegressor,
    export,
    load_backbone,
    serve,
)
from skltransfer._keras import backend as _backend
from skltransfer.backbones._small import FORMS, SmallArray, small
from skltransfer.compression import DistillationClassifier, compression_report, low_rank, prune, quantize
from skltransfer.compression._low_rank import factors

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
    assert (np.abs(found - values) <= 1.0001 * STEPS[form] * largest).all()
    if form in ("int8", "int4"):  # what a filter gives of a constant stays
        sums = np.abs((np.asarray(found) - values).sum(axis=(0, 1, 2)))
        assert (sums <= 0.5001 * STEPS[form] * largest).all()
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
    domain, series = np.repeat([1, -1], 20), table[..., None]
    adapted = DomainAdaptationClassifier(method="mcc", epochs=2).fit(table, labels, sample_domain=domain)
    fitted = [
        (TransferClassifier("small_resnet", trainable=1, epochs=1).fit(images, labels), images, "predict_proba"),
        (TransferClassifier("small_resnet", head="attention", epochs=1).fit(images, labels), images, "predict_proba"),
        (TransferRegressor(random_state=0).fit(table, table[:, 0]), table, "predict"),
        (BackboneTransformer(load_backbone("small_transformer", input_shape=(3, 1))).fit(series), series, "transform"),
        (AutoencoderTransformer(latent_dim=4, epochs=1).fit(images), images, "score_samples"),
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


def two_layers(input_shape):
    import keras

    layers, double = keras.layers, {"dtype": "float64"}
    dense = [layers.Dense(width, activation="relu", **double) for width in (32, 16)]
    return keras.Sequential([layers.Input(input_shape, **double), *dense])


@pytest.mark.parametrize("smaller", [quantize, prune])
def test_scikit_learn_checks_of_what_is_smaller(smaller):
    random = np.random.default_rng(0)
    X = random.standard_normal((60, 5))
    fitted = TransferClassifier(two_layers, epochs=50, random_state=0).fit(X, X[:, 0] > 0)
    found = smaller(fitted) if smaller is quantize else prune(fitted, X, X[:, 0] > 0, sparsity=0.5)
    assert found.backbone_ != fitted.backbone_
    assert (found.predict(X) == fitted.predict(X)).mean() > 0.9
    check_estimator(found)


def optimized(path):
    """Operations that ONNX Runtime makes of a file."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path.with_suffix(".optimized"))
    options.log_severity_level = 3
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(path.with_suffix(".optimized")).graph.node]


@on_tensorflow
def test_calibrated_files_compute_in_integers(clf, images, labels, tmp_path):
    found = pickle.loads(pickle.dumps(quantize(clf, calibration=images)))
    export.save(clf, tmp_path / "floats.onnx")
    export.save(found, tmp_path / "integers.onnx")
    assert (tmp_path / "integers.onnx").stat().st_size < (tmp_path / "floats.onnx").stat().st_size / 3
    predictor = serve.load(tmp_path / "integers.onnx")
    assert np.abs(predictor.predict_proba(images) - clf.predict_proba(images)).max() < 0.1
    kinds = optimized(tmp_path / "integers.onnx")
    assert "QLinearConv" in kinds
    assert not {"Conv", "FusedConv"} & set(kinds)


@on_tensorflow
def test_files_of_texts_compute_in_integers_and_look_up_bytes(tmp_path):
    import onnx

    texts = [f"{mood} film number {number}" for number in range(20) for mood in ("a fine", "no good")]
    fitted = TransferClassifier("small_transformer", epochs=3, random_state=0).fit(texts, [1, 0] * 20)
    found = quantize(fitted, calibration=texts)
    export.save(fitted, tmp_path / "floats.onnx")
    export.save(found, tmp_path / "integers.onnx")
    floats, integers = optimized(tmp_path / "floats.onnx"), optimized(tmp_path / "integers.onnx")
    for kinds, product in ((floats, "Gemm"), (integers, "QGemm")):
        assert {"LayerNormalization", product} <= set(kinds)
        assert {"Gelu", "BiasGelu"} & set(kinds)
        assert not {"Erf", "Reciprocal"} & set(kinds)
    embeddings = found.backbone_.weights[0].shape
    large = [
        tensor.data_type
        for tensor in onnx.load(tmp_path / "integers.onnx").graph.initializer
        if tuple(tensor.dims) == embeddings
    ]
    assert set(large) == {onnx.TensorProto.INT8}
    assert (tmp_path / "integers.onnx").stat().st_size < (tmp_path / "floats.onnx").stat().st_size / 2
    served = serve.load(tmp_path / "integers.onnx")
    assert np.abs(served.predict_proba(texts) - fitted.predict_proba(texts)).max() < 0.05


@on_tensorflow
def test_large_matrices_of_heads_lie_in_small_numbers_and_filters_of_sounds_do_not(clf, images, labels, tmp_path):
    import onnx

    random = np.random.default_rng(0)
    clips = [random.standard_normal(4000).astype("float32") / 9 for _ in range(8)]
    cases = {
        "images": (TransferClassifier(clf.backbone_, trainable="head"), images, labels),
        "sounds": (TransferClassifier("small_resnet", head="mlp", epochs=1, sample_rate=8000.0), clips, [0, 1] * 4),
    }
    for kind, (estimator, X, y) in cases.items():
        fitted = estimator.set_params(random_state=0).fit(X, y)
        path = tmp_path / f"{kind}.onnx"
        export.save(quantize(fitted, calibration=X), path)
        constants = onnx.load(path).graph.initializer
        rounded = [tensor.name for tensor in constants if tensor.name.startswith("skltransfer.matrix")]
        large = [tensor.name for tensor in constants if tensor.data_type == 1 and np.prod(tensor.dims) >= 2**14]
        assert rounded
        assert bool(large) == (kind == "sounds")
        assert np.abs(serve.load(path).predict_proba(X) - fitted.predict_proba(X)).max() < 0.1


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


def test_factors_are_the_best_of_their_rank():
    random = np.random.default_rng(0)
    kernel = (random.normal(size=(40, 5)) @ random.normal(size=(5, 30))).astype("float32")
    first, second = factors(kernel.reshape(1, 1, 40, 30), 0.999999)
    assert (first.shape, second.shape, first.dtype) == ((1, 1, 40, 5), (1, 1, 5, 30), np.float32)
    np.testing.assert_allclose(first[0, 0] @ second[0, 0], kernel, atol=1e-4)
    first, second = factors(kernel, 0.5)
    values = np.linalg.svd(kernel, compute_uv=False) ** 2
    error, rank = np.square(first @ second - kernel).sum(), first.shape[1]
    np.testing.assert_allclose(error, values[rank:].sum(), rtol=1e-3)
    assert values[rank:].sum() <= 0.5 * values.sum() < values[rank - 1 :].sum()
    assert factors(random.normal(size=(40, 30)), 0.95) is None


@pytest.mark.backends
def test_low_rank_keeps_answers_of_a_network_of_low_rank(images, labels):
    import keras

    layers = keras.layers
    network = keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(16, 3, activation="relu", name="wide"),
            layers.Conv2D(24, 1, strides=2, activation="relu", name="pointwise"),
            layers.BatchNormalization(name="norm"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(20, activation="tanh", name="dense"),
        ]
    )
    random = np.random.default_rng(0)
    for name, shape in (("pointwise", (1, 1, 16, 24)), ("dense", (24, 20))):
        bias = network.get_layer(name).get_weights()[1]
        flat = random.normal(size=(shape[-2], 3)) @ random.normal(size=(3, shape[-1]))
        network.get_layer(name).set_weights([flat.reshape(shape) / 9, random.normal(size=bias.shape)])
    clf = TransferClassifier(network, trainable="head", image_size=28).fit(images, labels)
    found = low_rank(clf, energy=0.99999)
    assert found.backbone_.n_parameters < clf.backbone_.n_parameters
    np.testing.assert_allclose(found.predict_proba(images), clf.predict_proba(images), atol=1e-3)
    again = TransferClassifier(found.backbone_, trainable="all", epochs=1, image_size=28).fit(images, labels)
    assert again.backbone_.n_parameters == found.backbone_.n_parameters


def test_low_rank_refuses_what_is_no_share(clf):
    for energy in (0, 1.0, "half"):
        with pytest.raises(ValueError, match="energy: expected a number above 0 and below 1"):
            low_rank(clf, energy)
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        low_rank(TransferClassifier())


def inverted_residual(dead):
    """Make a network with a depthwise layer and a sum, in which every second channel between is zero."""
    import keras

    layers, random = keras.layers, np.random.default_rng(0)
    samples = layers.Input((12, 12, 3), name="image")
    short = layers.Conv2D(16, 1, name="short")(samples)
    x = layers.Conv2D(32, 3, padding="same", use_bias=False, name="wide")(samples)
    x = layers.BatchNormalization(name="wide_norm")(x)
    x = layers.ReLU(6, name="wide_relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="by_channel")(x)
    x = layers.BatchNormalization(name="by_channel_norm")(x)
    x = layers.ReLU(6, name="by_channel_relu")(x)
    x = layers.Add(name="sum")([short, layers.Conv2D(16, 1, name="narrow")(x)])
    x = layers.GlobalAveragePooling2D(name="pool")(layers.Activation("relu", name="sum_relu")(x))
    network = keras.Model(samples, layers.Dense(6, name="last")(x))
    for layer in network.layers:
        arrays = [
            random.uniform(0.5, 1.5, array.shape) * random.choice([-1, 1], array.shape) for array in layer.get_weights()
        ]
        if layer.name.endswith("norm"):
            arrays[3] = np.abs(arrays[3])
        if layer.name in dead:
            arrays = [_zeroed(layer.name, array) for array in arrays]
        layer.set_weights(arrays)
    return network


def _zeroed(name, array):
    if name.endswith("norm"):
        return np.where(np.arange(len(array)) % 2, 0.0, array)
    if name == "by_channel" and array.ndim > 1:
        return np.where(np.arange(array.shape[-2])[:, None] % 2, 0.0, array)
    return np.where(np.arange(array.shape[-1]) % 2, 0.0, array)


@pytest.mark.backends
def test_channels_without_weights_are_removed_and_nothing_changes():
    from skltransfer._inputs.samples import ArraySamples
    from skltransfer.compression._pruning import narrowed
    from skltransfer.compression._reconstruction import channel_products

    dead = {"short", "narrow", "wide", "wide_norm", "by_channel", "by_channel_norm"}
    backbone = load_backbone(inverted_residual(dead))
    X = np.random.default_rng(0).normal(size=(4, 12, 12, 3)).astype("float32")
    found = narrowed(backbone, 0.5, partial(channel_products, backbone, ArraySamples(X), None))
    answers = [one.to_keras().predict(X, verbose=0) for one in (found, backbone)]
    np.testing.assert_allclose(*answers, rtol=1e-4, atol=1e-4)
    shapes = dict(zip(found.paths, (array.shape for array in found.weights), strict=True))
    assert shapes["wide/kernel"] == (3, 3, 3, 16)
    assert shapes["by_channel/kernel"] == (3, 3, 16, 1)
    assert shapes["narrow/kernel"] == (1, 1, 16, 16)
    assert shapes["short/kernel"] == (1, 1, 3, 16)


def test_layers_that_are_added_up_lose_the_same_channels_if_there_are_no_others():
    import keras

    from skltransfer._inputs.samples import ArraySamples
    from skltransfer.compression._pruning import narrowed
    from skltransfer.compression._reconstruction import channel_products

    layers, random = keras.layers, np.random.default_rng(0)
    given = layers.Input((6, 6, 2))
    branches = [layers.Conv2D(32, 1, name=name)(given) for name in ("one", "other")]  # of 2 channels, so of rank 3
    network = keras.Model(given, layers.Conv2D(4, 3, name="last")(layers.Add()(branches)))
    for layer in network.layers:
        layer.set_weights([random.normal(size=array.shape) for array in layer.get_weights()])
    backbone, X = load_backbone(network), random.normal(size=(9, 6, 6, 2)).astype("float32")
    found = narrowed(backbone, 0.5, partial(channel_products, backbone, ArraySamples(X), None))
    shapes = dict(zip(found.paths, (array.shape for array in found.weights), strict=True))
    assert shapes["one/kernel"] == shapes["other/kernel"] == (1, 1, 2, 16)
    assert shapes["last/kernel"] == (3, 3, 16, 4)
    answers = [one.to_keras().predict(X, verbose=0) for one in (found, backbone)]
    np.testing.assert_allclose(*answers, rtol=1e-3, atol=1e-2)


def test_channels_of_which_others_tell_all_are_removed_and_nothing_changes():
    import keras

    from skltransfer._inputs.samples import ArraySamples
    from skltransfer.compression._pruning import narrowed
    from skltransfer.compression._reconstruction import channel_products

    random = np.random.default_rng(0)
    network = keras.Sequential(
        [
            keras.layers.Input((8, 8, 3)),
            keras.layers.Conv2D(32, 3, activation="relu", name="twice"),
            keras.layers.Conv2D(6, 3, name="last"),
        ]
    )
    for layer in network.layers:
        layer.set_weights([random.normal(size=array.shape) for array in layer.get_weights()])
    kernel, bias = network.get_layer("twice").get_weights()
    kernel[..., 16:], bias[16:] = 3 * kernel[..., :16], 3 * bias[:16]
    network.get_layer("twice").set_weights([kernel, bias])
    backbone, X = load_backbone(network), random.normal(size=(20, 8, 8, 3)).astype("float32")
    found = narrowed(backbone, 0.5, partial(channel_products, backbone, ArraySamples(X), None))
    assert dict(zip(found.paths, (array.shape for array in found.weights), strict=True))["last/kernel"] == (3, 3, 16, 6)
    new = random.normal(size=(4, 8, 8, 3)).astype("float32")
    answers = [one.to_keras().predict(new, verbose=0) for one in (found, backbone)]
    np.testing.assert_allclose(*answers, rtol=1e-3, atol=1e-2)


def test_a_pruned_classifier_has_fewer_channels_and_learns_on(clf, images, labels):
    clf.predict(images)  # digests that it computes are remembered
    before = pickle.dumps(clf)
    found = prune(clf, images, labels, sparsity=0.7, epochs=2)
    assert pickle.dumps(clf) == before
    assert found.backbone_.n_parameters < 0.4 * clf.backbone_.n_parameters
    assert found.get_params() == clf.get_params()
    assert found.n_iter_ == 2
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(found)).predict(images), found.predict(images))


def test_pruned_networks_answer_as_before_without_a_label(images, labels):
    fitted = TransferClassifier("small_resnet", epochs=40, random_state=0).fit(images, labels)
    found = prune(fitted, images, np.full(len(labels), None), epochs=20)
    assert np.mean(found.predict(images) == fitted.predict(images)) > 0.9


@pytest.mark.parametrize(
    ("backbone", "kind", "head", "trainable"),
    [
        ("small_cnn", "tasks", MLPHead((8,)), "all"), ("small_resnet", "labels", AttentionHead(), "all"),
        ("small_cnn", "values", "linear", "head"), ("small_cnn", "labels", "linear", "head"),
        ("small_cnn", "tasks", "linear", "head"),
    ],
)  # fmt: skip
def test_networks_of_each_head_and_several_tasks_are_pruned(images, labels, backbone, kind, head, trainable):
    codes = np.unique(labels, return_inverse=True)[1]
    y = {
        "tasks": np.column_stack([labels, codes % 2]),
        "labels": np.column_stack([codes % 2, codes // 2]),
        "values": np.column_stack([codes, codes**2]).astype(float),
    }[kind]
    estimator = TransferRegressor if kind == "values" else TransferClassifier
    fitted = estimator(backbone, head=head, trainable=trainable, epochs=1, random_state=0).fit(images, y)
    if kind == "values":
        y[::3] = np.nan
    found = prune(fitted, images, y, epochs=1)
    assert found.predict(images).shape == y.shape
    assert found.backbone_.n_parameters < 0.9 * fitted.backbone_.n_parameters


def test_blocks_lose_channels_inside_and_keep_those_in_which_they_are_added_up(clf, images, labels):
    found, before = (
        dict(zip(one.paths, (array.shape for array in one.weights), strict=True))
        for one in (prune(clf, images, labels, sparsity=0.5, epochs=1).backbone_, clf.backbone_)
    )
    inside, outside = {"block0_conv_a", "block3_conv_a"}, {"stem", "block0_conv_b", "block3_shortcut", "block3_conv_b"}
    for name in inside | outside:
        width = before[f"{name}/kernel"][-1]
        assert found[f"{name}/kernel"][-1] == (width // 2 if name in inside else width)


def test_networks_of_texts_and_sounds_lose_channels():
    random = np.random.default_rng(0)
    texts = [f"{mood} film {'very ' * (number % 5)}{number}" for number in range(10) for mood in ("a fine", "no good")]
    clips = [random.standard_normal(4000 + 100 * number).astype("float32") / 9 for number in range(8)]
    cases = [
        (TransferClassifier("small_transformer", epochs=1, random_state=0), texts, [1, 0] * 10),
        (TransferRegressor("small_resnet", epochs=1, sample_rate=8000.0, random_state=0), clips, np.arange(8.0)),
    ]
    for estimator, X, y in cases:
        fitted = estimator.fit(X, y)
        found = prune(fitted, X, y, epochs=1)
        assert found.backbone_.n_parameters < 0.8 * fitted.backbone_.n_parameters
        assert len(found.predict(X)) == len(X)
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            prune(fitted, X, y[:-1])


@on_tensorflow
def test_a_table_of_embeddings_that_is_used_twice_stays_as_it_is():
    from onnx import TensorProto, helper, numpy_helper

    from skltransfer.export._integers import _shrink_embeddings

    table = np.random.default_rng(0).integers(-127, 128, (128, 64)).astype("float32")
    for n_uses in (1, 2):
        nodes = [helper.make_node("Gather", ["table", f"ids{i}"], [f"y{i}"]) for i in range(n_uses)]
        graph = helper.make_graph(nodes, "g", [], [], [numpy_helper.from_array(table, "table")])
        _shrink_embeddings(graph)
        assert graph.initializer[0].data_type == (TensorProto.INT8 if n_uses == 1 else TensorProto.FLOAT)


def test_what_cannot_be_pruned_is_refused(clf, images, labels):
    import keras

    for options in ({"sparsity": 1.0}, {"epochs": 0}):
        with pytest.raises(ValueError, match=rf"{next(iter(options))}: expected"):
            prune(clf, images, labels, **options)
    with pytest.raises(
        TypeError, match=r"expected a TransferClassifier or TransferRegressor\. Got a BackboneTransformer"
    ):
        prune(BackboneTransformer("small_cnn").fit(images), images, labels)
    table = np.random.default_rng(0).normal(size=(40, 3))
    one_layer = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(4)])
    with pytest.raises(ValueError, match="expected a network with channels between its layers"):
        prune(TransferClassifier(one_layer, trainable="head").fit(table, labels), table, labels)


def test_a_report_compares_both(clf, images, labels):
    report = compression_report(clf, quantize(clf, "int4"), images, labels)
    frame = report.to_frame()
    assert frame.loc["before", "score"] == clf.score(images, labels)
    assert frame.loc["after", "megabytes"] < frame.loc["before", "megabytes"] / 4
    assert ((frame.low <= frame.score) & (frame.score <= frame.high)).all()
    assert (frame[["ms_one", "ms_batch"]] > 0).all(axis=None)
    change, low, high = report.difference
    assert low <= change <= high
    assert change == pytest.approx(report.after.score - report.before.score)
    assert "confidence interval" in str(report)
    assert "<td>megabytes</td>" in report._repr_html_()
    same = compression_report(clf, clf, images, labels)
    assert same.difference == (0.0, 0.0, 0.0)


@on_tensorflow
def test_a_report_compares_files(clf, images, labels, tmp_path):
    export.save(clf, tmp_path / "before.onnx")
    export.save(quantize(clf, calibration=images), tmp_path / "after.onnx")
    report = compression_report(tmp_path / "before.onnx", str(tmp_path / "after.onnx"), images, labels)
    assert report.before.score == clf.score(images, labels)
    assert report.after.megabytes == (tmp_path / "after.onnx").stat().st_size / 1e6 < report.before.megabytes
    assert report.before.n_parameters == clf.backbone_.n_parameters
    assert min(report.after.ms_one, report.after.ms_batch) > 0
    both = compression_report(clf, tmp_path / "before.onnx", images, labels)
    assert both.difference == (0.0, 0.0, 0.0)
    export.save(BackboneTransformer("small_cnn").fit(images), tmp_path / "features.onnx")
    with pytest.raises(TypeError, match=r"which have a score\. Got a file of a BackboneTransformer"):
        compression_report(tmp_path / "before.onnx", tmp_path / "features.onnx", images, labels)


def test_a_report_of_values_is_drawn(images):
    from matplotlib.figure import Figure

    values = images.reshape(len(images), -1).mean(axis=1)
    reg = TransferRegressor("small_cnn", epochs=2, random_state=0).fit(images, values)
    report = compression_report(reg, low_rank(reg, 0.5), images, values)
    assert report.before.score == pytest.approx(reg.score(images, values))
    ax = report.plot(ax=Figure().subplots())
    np.testing.assert_allclose(
        np.asarray(ax.lines[0].get_xdata(), float), [report.before.megabytes, report.after.megabytes]
    )
    transformer = BackboneTransformer("small_cnn").fit(images)
    with pytest.raises(TypeError, match="expected classifiers or regressors"):
        compression_report(transformer, transformer, images, values)


@on_tensorflow
def test_steps_go_together(images, labels, tmp_path):
    teacher = TransferClassifier("small_resnet", epochs=3, random_state=0)
    student = TransferClassifier("small_cnn", epochs=3, random_state=0)
    distilled = DistillationClassifier(teacher, student).fit(images, labels).student_
    pruned = prune(low_rank(distilled, 0.7), images, labels, sparsity=0.3, epochs=1)
    small = quantize(pruned, calibration=images)
    export.save(small, tmp_path / "small.onnx")
    predictor = serve.load(tmp_path / "small.onnx")
    assert np.abs(predictor.predict_proba(images) - small.predict_proba(images)).max() < 0.15
    with pytest.raises(TypeError, match=r"pass the estimator inside, such as .* or clf\.student_"):
        quantize(DistillationClassifier(teacher, student))


@on_tensorflow
def test_sums_of_two_products_of_bytes_do_not_overflow(images, labels, tmp_path):
    import onnx

    from skltransfer.export._integers import rounded_by

    random = np.random.default_rng(0)
    network = load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0)
    wide = [
        np.sign(array) * random.uniform(0.9, 1, array.shape) if array.ndim > 1 else array for array in network.weights
    ]
    clf = TransferClassifier(network.with_weights(wide), trainable="head", image_size=28).fit(images, labels)
    found = quantize(clf, calibration=images[:4])
    for array in found.backbone_.weights:
        if isinstance(array, SmallArray):
            codes = np.rint(array / array.scale).reshape(-1, array.shape[-1])
            assert np.abs(codes[1:] + codes[:-1]).max() <= 128
            line = np.asarray(array).reshape(-1, array.shape[-1]).T
            np.testing.assert_allclose(np.rint(line / rounded_by(line)[:, None]) * array.scale.reshape(-1, 1), line)
    export.save(found, tmp_path / "wide.onnx")
    constants = {tensor.name: tensor for tensor in onnx.load(tmp_path / "wide.onnx").graph.initializer}
    kernels = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in constants.values()
        if tensor.data_type == 3 and len(tensor.dims) == 4
    ]
    assert kernels
    assert all(np.abs(kernel.astype(int)).max() < 127 for kernel in kernels)
