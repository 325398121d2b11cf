import numpy as np
import pytest

from skltransfer import load_backbone
from skltransfer.backbones._cutting import cut, join, weight_depths


@pytest.fixture(scope="module")
def lite0():
    return load_backbone("efficientnet_lite0")


@pytest.mark.parametrize("n_stages", [1, 2, 9])
def test_last_stages_after_the_others_compute_what_the_whole_does(lite0, n_stages):
    import keras

    x = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")
    whole = lite0.to_keras()
    below = keras.Model(whole.inputs[0], whole.get_layer(lite0.stages[-n_stages - 1]).output)
    above = cut(lite0, n_stages).to_keras()
    split = above.predict_on_batch(below.predict_on_batch(x))
    np.testing.assert_allclose(split, whole.predict_on_batch(x), atol=1e-5)


@pytest.mark.backends
def test_joined_again_it_is_the_same_network(lite0):
    again = join(lite0, cut(lite0, 3), 3)
    assert again.function_fingerprint == lite0.function_fingerprint
    assert again.classifier is None


def test_only_the_weights_of_the_last_stages_are_taken_over(lite0):
    suffix = cut(lite0, 2)
    moved = join(lite0, suffix.with_weights([w + 1 for w in suffix.weights]), 2)
    depths = weight_depths(lite0)
    for old, new, depth in zip(lite0.weights, moved.weights, depths, strict=True):
        np.testing.assert_array_equal(new, old + 1 if depth < 2 else old)


@pytest.mark.parametrize("n_stages", [1, 4, 16])
def test_stages_of_the_part_are_those_of_the_whole(lite0, n_stages):
    assert cut(lite0, n_stages).stages == lite0.stages[-n_stages:]


def test_depth_of_a_weight_counts_stages_up_to_the_head():
    network = load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0)
    depth = dict(zip(network.paths, weight_depths(network), strict=True))
    assert depth["dense/kernel"] == 0
    assert depth["conv0/kernel"] == len(network.stages) - 1
