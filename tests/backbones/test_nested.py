"""Networks in networks: laid open, with equal weights and equal outputs."""

import keras
import numpy as np
import pytest

from skltransfer import BackboneTransformer, TransferClassifier, load_backbone
from skltransfer.backbones._folding import fold

layers = keras.layers
X = np.random.default_rng(0).normal(size=(3, 12, 12, 3)).astype("float32")


@pytest.fixture
def inner():
    model = load_backbone("small_resnet", input_shape=(12, 12, 3), random_state=0).to_keras()
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.uniform(0.1, 0.5, weight.shape))
    return model


def around(inner, how):
    """Put a network into another one."""
    inputs = keras.Input((12, 12, 3))
    scaled, average = layers.Rescaling(0.1), layers.GlobalAveragePooling2D()
    if how == "sequential":
        return keras.Sequential([inputs, scaled, inner, average, layers.Dense(2)])
    if how == "twice deep":
        return keras.Sequential(
            [inputs, keras.Sequential([scaled, inner]), keras.Sequential([average, layers.Dense(2)])]
        )
    if how == "told not to train":
        return keras.Model(inputs, average(inner(scaled(inputs), training=False)))
    if how == "last":
        return keras.Model(inputs, inner(inputs))
    x = layers.Conv2D(3, 3, padding="same", name="stem")(inputs)  # a name that the inner network has, too
    return keras.Model(inputs, average(inner(x)))


@pytest.mark.filterwarnings("ignore:(?s).*structure of `inputs`:UserWarning")  # of Keras, for the nested model itself
@pytest.mark.parametrize("how", ["sequential", "twice deep", "told not to train", "last", "a name twice"])
def test_layers_of_inner_networks_are_seen(inner, how):
    model = around(inner, how)
    nodes = [len(layer._inbound_nodes) for layer in inner.layers]
    backbone = load_backbone(model)
    assert nodes == [len(layer._inbound_nodes) for layer in inner.layers]
    assert len(backbone.stages) >= len(load_backbone(inner).stages) == 5
    assert not any(hasattr(layer, "layers") for layer in backbone.to_keras().layers)
    assert len(set(backbone.paths)) == len(backbone.paths) == len(model.weights)
    np.testing.assert_array_equal(backbone.to_keras().predict_on_batch(X), model.predict_on_batch(X))
    assert load_backbone(backbone.to_keras()).architecture == backbone.architecture


@pytest.mark.parametrize("how", ["told not to train", "last"])
def test_training_is_passed_on_as_before(inner, how):
    model = around(inner, how)
    flat = load_backbone(model).to_keras()
    theirs, ours = (keras.ops.convert_to_numpy(network(X, training=True)) for network in (model, flat))
    np.testing.assert_array_equal(ours, theirs)
    assert (ours != flat.predict_on_batch(X)).any() == (model.predict_on_batch(X) != theirs).any()


def test_inner_normalizations_are_folded(inner):
    backbone = load_backbone(around(inner, "sequential"))
    assert len(fold(backbone).weights) < len(backbone.weights)
    found = BackboneTransformer(backbone).fit_transform(np.uint8(X * 20 + 128))
    assert found.shape == (3, 2)


def test_the_last_stages_of_a_nested_network_are_fine_tuned(inner):
    images, y = np.random.default_rng(0).integers(0, 255, (12, 12, 12, 3), dtype=np.uint8), np.arange(12) % 2
    source = load_backbone(around(inner, "sequential"))
    clf = TransferClassifier(source, trainable=2, epochs=1, random_state=0).fit(images, y)
    changed = {
        p.split("/")[0]
        for p, a, b in zip(source.paths, source.weights, clf.backbone_.weights, strict=True)
        if (a != b).any()
    }
    assert any(name.startswith("block3") for name in changed)
    assert not any(name.startswith(("stem", "block0")) for name in changed)


def test_a_network_that_is_called_twice_stays_closed(inner):
    inputs = keras.Input((12, 12, 3))
    model = keras.Model(inputs, layers.Add()([inner(inputs), inner(layers.Rescaling(0.5)(inputs))]))
    backbone = load_backbone(model)
    assert len(backbone.stages) == 1
    np.testing.assert_array_equal(backbone.to_keras().predict_on_batch(X), model.predict_on_batch(X))
