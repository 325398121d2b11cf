import numpy as np
import pytest

from skltransfer import load_backbone


def cut(backbone, stage):
    import keras

    model = backbone.to_keras()
    middle = model.get_layer(stage).output
    return model, keras.Model(model.inputs[0], middle), keras.Model(middle, model.outputs[0])


def test_embedded_network_has_a_stage_for_each_block():
    stages = load_backbone("efficientnet_lite0").stages
    assert len(stages) == 17
    assert stages[0] == "stem_relu"
    assert stages[1:4] == ("block0_project_norm", "block1_project_norm", "block2_add")
    assert stages[-1] == "head_relu"


@pytest.mark.parametrize(
    "name", ["efficientnet_lite0", "efficientnet_lite2", "MobileNetV2", "ResNet50V2", "VGG16", "DenseNet121"]
)
def test_every_stage_cuts_the_network_in_two(name):
    backbone = load_backbone(name, weights=None) if name != "efficientnet_lite0" else load_backbone(name)
    assert 5 < len(backbone.stages) < 70
    x = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype("float32")
    stage = backbone.stages[len(backbone.stages) // 2]
    whole, prefix, suffix = cut(backbone, stage)
    split = suffix.predict_on_batch(prefix.predict_on_batch(x))
    np.testing.assert_allclose(split, whole.predict_on_batch(x), atol=1e-5)


def test_transformer_block_is_one_stage():
    import keras

    inputs = keras.Input((10, 8))
    x = inputs
    for i in range(3):
        x = keras.layers.Add(name=f"attended{i}")([x, keras.layers.MultiHeadAttention(2, 4)(x, x)])
        y = keras.layers.Dense(16, activation="relu")(x)
        x = keras.layers.Add(name=f"block{i}")([x, keras.layers.Dense(8)(y)])
    assert load_backbone(keras.Model(inputs, x)).stages == ("block0", "block1", "block2")


def test_dense_layers_of_a_table_are_stages():
    assert load_backbone("mlp", input_shape=(4,)).stages == ("dense0",)


def test_branches_without_a_common_tensor_are_one_stage():
    import keras

    inputs = keras.Input((8, 8, 3))
    a = keras.layers.Conv2D(4, 3)(keras.layers.Conv2D(4, 3)(inputs))
    b = keras.layers.Conv2D(4, 5)(inputs)
    x = keras.layers.Concatenate(name="joined")([a, b])
    assert load_backbone(keras.Model(inputs, x)).stages == ("joined",)
