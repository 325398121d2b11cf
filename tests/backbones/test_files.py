import json

import numpy as np
import pytest

from skltransfer import load_backbone


@pytest.fixture
def network():
    return load_backbone("small_cnn", input_shape=(9, 9, 1), random_state=0)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "mlp", "small_resnet", "small_transformer"])
def test_round_trip_through_one_file(name, tmp_path):
    shape = {"mlp": (5,), "efficientnet_lite0": None}.get(name, (9, 9, 3))
    backbone = load_backbone(name, input_shape=shape, random_state=0)
    backbone.save(tmp_path / "network.safetensors")
    again = load_backbone(str(tmp_path / "network.safetensors"))
    assert again == backbone
    assert again.stages == backbone.stages
    for field in ("name", "paths", "input_shape", "size", "mean", "std", "bgr", "pretrained"):
        assert getattr(again, field) == getattr(backbone, field)
    assert (again.classifier is None) == (backbone.classifier is None)
    assert [p.name for p in tmp_path.iterdir()] == ["network.safetensors"]


def test_loaded_network_computes_the_same(network, tmp_path):
    network.save(tmp_path / "n.safetensors")
    x = np.random.default_rng(0).normal(size=(2, 9, 9, 1)).astype("float32")
    again = load_backbone(tmp_path / "n.safetensors").to_keras()
    np.testing.assert_array_equal(again.predict_on_batch(x), network.to_keras().predict_on_batch(x))


def test_another_ending_is_told(network, tmp_path):
    with pytest.raises(ValueError, match=r"expected a name that ends in \.safetensors\. Got 'n\.pkl'"):
        network.save(tmp_path / "n.pkl")
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_leaves_nothing(network, tmp_path):
    with pytest.raises(OSError, match="No such file or directory"):
        network.save(tmp_path / "nowhere" / "n.safetensors")


def test_missing_file_is_told(tmp_path):
    with pytest.raises(OSError, match=r"backbone='.*n\.safetensors' is missing"):
        load_backbone(tmp_path / "n.safetensors")


def test_truncated_file_is_told(network, tmp_path):
    path = tmp_path / "n.safetensors"
    network.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(OSError, match=r"is damaged .* Write it again with Backbone\.save"):
        load_backbone(path)


def test_changed_weights_are_told(network, tmp_path):
    path = tmp_path / "n.safetensors"
    network.save(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"was changed: expected the checksum [0-9a-f]{32}, got [0-9a-f]{32}"):
        load_backbone(path)


def test_arrays_without_a_network_are_told(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(2)}, tmp_path / "a.safetensors", {"note": json.dumps({})})
    with pytest.raises(OSError, match=r"holds arrays, but no network\. Expected a file that Backbone\.save wrote"):
        load_backbone(tmp_path / "a.safetensors")
