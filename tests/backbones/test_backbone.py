import copy
import pickle
import random
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
from sklearn.base import clone

from skltransfer import Backbone, BackboneTransformer, TransferClassifier, load_backbone
from skltransfer._features import extraction
from skltransfer._inputs.texts import Tokenization
from skltransfer.backbones._folding import fold


@pytest.fixture(scope="module")
def lite0():
    return load_backbone("efficientnet_lite0")


def tiny(seed=0, units=4):
    import keras

    keras.utils.clear_session()
    inputs = keras.Input((8, 8, 3), name="x")
    x = keras.layers.Conv2D(units, 3, padding="same", name="a", kernel_initializer=keras.initializers.HeNormal(seed))(
        inputs
    )
    x = keras.layers.BatchNormalization(name="b")(x)
    x = keras.layers.ReLU(name="c")(x)
    return keras.Model(inputs, x, name="tiny")


def test_embedded_network(lite0):
    assert lite0.input_shape == (None, None, 3)
    assert lite0.size == (224, 224)
    assert lite0.classifier[0].shape == (1280, 1000)
    assert sum(array.size for array in lite0.classifier) + lite0.n_parameters == 4_694_024
    assert lite0.pretrained


@pytest.mark.backends
def test_rebuilt_network_computes_the_same():
    model = tiny()
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    rebuilt = load_backbone(model).to_keras()
    np.testing.assert_array_equal(model.predict_on_batch(x), rebuilt.predict_on_batch(x))


def test_network_passed_in_stays_as_it_was_and_later_changes_do_not_reach_the_backbone():
    model = tiny()
    before = [np.array(w) for w in model.weights]
    backbone = load_backbone(model)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    model.weights[0].assign(before[0] + 1)
    np.testing.assert_array_equal(backbone.weights[0], before[0])


def test_sequential_model_will_do():
    import keras

    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    assert load_backbone(model).input_shape == (5,)


def test_sequential_model_with_normalizations_predicts_as_keras_does(images):
    import keras

    layers = keras.layers
    model = keras.Sequential([
        keras.Input((28, 28, 1)), layers.Conv2D(4, 5), layers.BatchNormalization(), layers.Conv2D(6, 5),
        layers.BatchNormalization(), layers.ReLU(), layers.Flatten(),
    ])  # fmt: skip
    x = images[:8, ..., None].astype("float32")
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.uniform(0.1, 1, weight.shape))
    assert load_backbone(model).paths[0] == f"{model.layers[0].name}/kernel"
    found = BackboneTransformer(model).fit_transform(images[:8])
    np.testing.assert_allclose(found, model.predict_on_batch(x), rtol=1e-4)


def test_fingerprint_is_of_the_content():
    assert load_backbone(tiny()) == load_backbone(tiny())
    assert hash(load_backbone(tiny())) == hash(load_backbone(tiny()))
    assert load_backbone(tiny()) != load_backbone(tiny(seed=1))
    assert load_backbone(tiny()) != load_backbone(tiny(), mean=3.0)


OTHER = {
    "name": "other", "architecture": "{}", "weights": (np.ones(2),), "paths": ("a/kernel",), "input_shape": (3,),
    "size": (5, 5), "mean": (1.0,), "std": (2.0,), "bgr": True, "pretrained": True,
    "classifier": (np.ones((4, 2)), np.ones(2)), "log_variance": (np.ones((4, 2)), np.ones(2)),
    "tokenization": Tokenization("{}", 8), "padded": True,
}  # fmt: skip
OF_FEATURES = {"architecture", "weights", "input_shape", "mean", "std", "bgr", "tokenization", "padded"}


@pytest.mark.parametrize("field", [field.name for field in fields(Backbone)])
def test_equality_covers_each_field_and_the_fingerprint_of_features_what_they_depend_on(field):
    one = load_backbone("mlp", input_shape=(4,), random_state=0)
    other = replace(one, **{field: {**OTHER, "decoder": one}[field]})
    assert one != other
    assert one.fingerprint != other.fingerprint
    assert (one.function_fingerprint != other.function_fingerprint) == (field in OF_FEATURES)


def test_a_decoder_of_other_weights_is_another_backbone():
    one, decoder = (load_backbone("mlp", input_shape=(4,), random_state=seed) for seed in (0, 1))
    assert replace(one, decoder=one) != replace(one, decoder=decoder)
    assert replace(one, decoder=decoder) == replace(one, decoder=decoder)


def test_features_are_found_again_under_another_decoder(empty_store):
    X = np.random.default_rng(0).normal(size=(7, 4))
    one = load_backbone("mlp", input_shape=(4,), random_state=0)
    BackboneTransformer(one).fit_transform(X)
    before = extraction.n_computed
    BackboneTransformer(replace(one, decoder=one, name="other")).fit_transform(X)
    assert extraction.n_computed == before


def test_copies_are_the_same_object(lite0):
    assert copy.copy(lite0) is lite0
    assert copy.deepcopy(lite0) is lite0
    assert clone(TransferClassifier(lite0)).backbone is lite0


def test_arrays_cannot_be_written_even_after_pickling(lite0):
    for backbone in (lite0, pickle.loads(pickle.dumps(lite0))):
        with pytest.raises(ValueError, match="read-only"):
            backbone.weights[0][:] = 0
        with pytest.raises(AttributeError, match="cannot assign to field"):
            backbone.name = "other"


def test_pickle_carries_the_arrays_once(lite0):
    one, both = len(pickle.dumps(lite0)), len(pickle.dumps([lite0, clone(TransferClassifier(lite0))]))
    assert both < one + 2000
    assert pickle.loads(pickle.dumps(lite0)) == lite0


def test_pickle_is_read_in_a_process_that_never_saw_the_network(tmp_path):
    backbone = load_backbone(tiny())
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(backbone))
    code = f"import pickle; b = pickle.load(open({str(tmp_path / 'b.pkl')!r}, 'rb')); print(b.fingerprint)"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.strip() == backbone.fingerprint


def test_untrained_networks_follow_their_seed_and_leave_global_seeds_alone():
    random.seed(5)
    state, numpy_state = random.getstate(), np.random.get_state()[1].copy()
    a, b, c = (load_backbone("small_cnn", input_shape=(9, 9, 1), random_state=seed) for seed in (1, 1, 2))
    assert random.getstate() == state
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert a == b != c
    assert not a.pretrained


def test_with_weights_changes_a_copy(lite0):
    moved = lite0.with_weights([w * 0 for w in lite0.weights])
    assert moved != lite0
    assert moved.classifier is None
    assert lite0.weights[0].any()


def test_unbuilt_and_subclassed_models_are_refused():
    import keras

    class Own(keras.Model):
        def call(self, x):
            return x

    for model in (keras.Sequential([keras.layers.Dense(2)]), Own()):
        with pytest.raises(ValueError, match=r"expected a built functional or sequential keras\.Model"):
            load_backbone(model)


def test_two_outputs_are_refused():
    import keras

    inputs = keras.Input((3,))
    with pytest.raises(ValueError, match=r"expected one input and one output\. Got 1 inputs and 2 outputs"):
        load_backbone(keras.Model(inputs, [inputs * 1, inputs * 2]))


def test_repr_says_what_it_is(lite0):
    assert repr(lite0) == "<Backbone 'efficientnet_lite0', pretrained, input (None, None, 3), 3.41 M weights>"


@pytest.mark.backends
def test_folding_keeps_the_function_and_drops_the_norms(lite0, images):
    x = np.repeat(images[:4, ..., None], 3, axis=-1).astype("float32") / 64 - 1
    folded = fold(lite0)
    assert isinstance(folded, Backbone)
    assert not [path for path in folded.paths if "norm" in path]
    plain, quick = (b.to_keras().predict_on_batch(x) for b in (lite0, folded))
    np.testing.assert_allclose(quick, plain, atol=1e-4)


def test_folding_leaves_what_does_not_follow_a_linear_layer():
    import keras

    inputs = keras.Input((6,))
    x = keras.layers.BatchNormalization(name="first")(inputs)
    x = keras.layers.Dense(4, activation="relu", name="dense")(x)
    x = keras.layers.BatchNormalization(name="second")(x)
    x = keras.layers.Dense(4, use_bias=False, name="linear")(x)
    y = keras.layers.BatchNormalization(name="third", scale=False)(x)
    model = keras.Model(inputs, keras.layers.Add()([keras.layers.Activation("tanh")(y), y]))
    random_ = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random_.uniform(0.5, 2, weight.shape))
    backbone, x = load_backbone(model), random_.normal(size=(5, 6)).astype("float32")
    folded = fold(backbone)
    assert {path.split("/")[0] for path in folded.paths} == {"first", "dense", "second", "linear"}
    np.testing.assert_allclose(folded.to_keras().predict_on_batch(x), model.predict_on_batch(x), rtol=1e-4, atol=1e-4)


def test_folding_refuses_a_convolution_that_others_read():
    import keras

    inputs = keras.Input((6,))
    x = keras.layers.Dense(4, name="shared")(inputs)
    model = keras.Model(inputs, keras.layers.Add()([x, keras.layers.BatchNormalization()(x)]))
    assert fold(load_backbone(model)).paths == load_backbone(model).paths
