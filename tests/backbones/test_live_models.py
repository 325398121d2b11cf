"""Keras networks and layers that are passed in: shared, never changed, or refused by a sentence."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skltransfer import AttentionTransfer, BackboneTransformer, TransferClassifier, load_backbone
from skltransfer._features import extraction

layers = keras.layers


@pytest.fixture
def model():
    return load_backbone("small_resnet", input_shape=(28, 28, 1), random_state=0).to_keras()


def test_clones_share_live_networks_and_layers(model):
    estimator = TransferClassifier(
        model, augmentation=layers.RandomFlip(), attention_transfer=AttentionTransfer(2.0, teacher=model), C=0.5
    )
    twin = clone(estimator)
    assert twin.backbone is estimator.backbone is model
    assert twin.augmentation is estimator.augmentation
    assert twin.attention_transfer is not estimator.attention_transfer
    assert twin.attention_transfer.teacher is model
    assert (twin.C, twin.attention_transfer.strength) == (0.5, 2.0)
    assert estimator.set_params(C=3.0).C != twin.C


def test_clones_keep_output_settings_and_routing(model):
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = TransferClassifier(model).set_fit_request(sample_weight=True)
    assert clone(estimator).get_metadata_routing().fit.requests["sample_weight"] is True
    transformer = BackboneTransformer(model).set_output(transform="pandas")
    assert clone(transformer)._sklearn_output_config == {"transform": "pandas"}


def test_a_grid_over_a_live_network_costs_one_forward_pass_and_leaves_it_alone(model, images, labels, empty_store):
    weights, config = [np.array(weight) for weight in model.weights], model.get_config()
    before = extraction.n_computed
    search = GridSearchCV(TransferClassifier(model), {"C": [0.1, 1, 10]}, cv=3).fit(images, labels)
    assert extraction.n_computed - before <= 1.5 * len(images)
    assert search.best_estimator_.backbone is model
    assert model.get_config() == config
    for old, new in zip(weights, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_network_that_was_trained_in_between_is_read_again(model, images):
    first = BackboneTransformer(model).fit_transform(images)
    model.weights[0].assign(np.array(model.weights[0]) * 2)
    assert (BackboneTransformer(model).fit_transform(images) != first).any()


NOTEBOOK = """
import keras
from skltransfer import load_backbone
DECORATOR
class Twice(keras.layers.Layer):
    def call(self, x):
        return x * 2
inputs = keras.Input((3,))
backbone = load_backbone(keras.Model(inputs, Twice(name="own")(keras.layers.Dense(2)(inputs))))
print(backbone.to_keras().output.shape)
"""


def run(decorator):
    code = NOTEBOOK.replace("DECORATOR", decorator)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_layers_of_a_notebook_are_refused_or_built_when_registered():
    assert (
        "Got 'own' of the class 'Twice', which is defined in this script or notebook; put @keras.saving"
        in run("").stderr
    )
    assert run("@keras.saving.register_keras_serializable()").stdout.strip() == "(None, 2)"


def test_a_lambda_is_refused():
    inputs = keras.Input((3,))
    wrapped = keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x + 1, name="plus")])
    for output in (layers.Lambda(lambda x: x + 1, name="plus")(inputs), wrapped(inputs)):
        with pytest.raises(
            ValueError, match=r"without code of their own\. Got the Lambda 'plus' with a lambda; write it"
        ):
            load_backbone(keras.Model(inputs, output))


def test_mappings_of_one_tensor_will_do():
    inputs = keras.Input((3,), name="a")
    model = keras.Model({"a": inputs}, {"b": layers.Dense(2)(inputs)})
    x = np.ones((2, 3), "float32")
    backbone = load_backbone(model)
    assert len(backbone.stages) == 1
    np.testing.assert_array_equal(backbone.to_keras().predict_on_batch(x), model.predict_on_batch({"a": x})["b"])


def shared():
    """A convolution that is called twice, among others."""
    convolution = layers.Conv2D(3, 3, padding="same", name="shared", kernel_initializer=keras.initializers.HeNormal(0))
    inputs = keras.Input((8, 8, 3))
    x = convolution(layers.Conv2D(3, 3, padding="same", name="before")(inputs))
    x = convolution(layers.ReLU(name="relu")(x))
    x = layers.Conv2D(4, 3, name="after")(layers.ReLU(name="last_relu")(x))
    return keras.Model(inputs, layers.Conv2D(4, 3, name="last")(x))


def test_no_cut_tears_a_shared_layer():
    assert load_backbone(shared()).stages == ("before", "last_relu", "after", "last")


def test_a_shared_activation_does_not_hinder_cuts():
    relu, inputs = layers.ReLU(name="relu"), keras.Input((8, 8, 3))
    x = relu(layers.Conv2D(3, 3, name="a")(inputs))
    x = layers.Conv2D(3, 3, name="b")(x)
    assert load_backbone(keras.Model(inputs, relu(x))).stages[0] == "a"


@pytest.mark.parametrize("trainable", [1, 3, "all"])
def test_a_network_with_a_shared_layer_is_fine_tuned(trainable):
    random = np.random.default_rng(0)
    X, y = random.integers(0, 255, (12, 8, 8, 3), dtype=np.uint8), np.arange(12) % 2
    clf = TransferClassifier(shared(), trainable=trainable, epochs=1, random_state=0).fit(X, y)
    changed = {
        path.split("/")[0]
        for path, a, b in zip(
            clf.backbone_.paths, load_backbone(clf.backbone).weights, clf.backbone_.weights, strict=True
        )
        if (a != b).any()
    }
    assert (
        changed
        == {1: {"last"}, 3: {"shared", "after", "last"}, "all": {"before", "shared", "after", "last"}}[trainable]
    )
    again = TransferClassifier(clf.backbone_, trainable="head").fit(X, y)
    assert again.predict_proba(X).shape == (12, 2)


def test_a_last_layer_that_is_called_twice_gives_its_last_output():
    dense, inputs = layers.Dense(3, name="dense"), keras.Input((3,))
    model, x = keras.Model(inputs, dense(dense(inputs))), np.ones((2, 3), "float32")
    np.testing.assert_allclose(BackboneTransformer(model).fit_transform(x), model.predict_on_batch(x), rtol=1e-5)


@pytest.mark.parametrize(
    "policy", [pytest.param("mixed_bfloat16", marks=pytest.mark.backends), "mixed_float16", "bfloat16"]
)
def test_networks_in_half_precision_give_float32_and_are_saved(policy, tmp_path):
    dtype = {"dtype": keras.DTypePolicy(policy)}
    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(3, 3, **dtype), layers.BatchNormalization(**dtype),
        layers.GlobalAveragePooling2D(**dtype), layers.Dense(4, **dtype),
    ])  # fmt: skip
    random = np.random.default_rng(0)
    X, y = random.integers(0, 255, (12, 8, 8), dtype=np.uint8), np.arange(12) % 2
    features = BackboneTransformer(model).fit_transform(X)
    assert features.dtype == np.float32
    theirs = keras.ops.convert_to_numpy(keras.ops.cast(model(X[..., None].astype("float32")), "float32"))
    np.testing.assert_allclose(features, theirs, atol=0.02 * np.abs(theirs).max())
    clf = TransferClassifier(model, trainable="all", epochs=1, random_state=0).fit(X, y)
    clf.backbone_.save(tmp_path / "n.safetensors")
    assert load_backbone(tmp_path / "n.safetensors") == clf.backbone_
