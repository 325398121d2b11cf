import json
from dataclasses import fields, replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from skltransfer import Backbone, load_backbone
from skltransfer.backbones._backbone import FORMAT, as_json, digest, take_apart


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


@pytest.mark.backends
def test_loaded_network_computes_the_same(network, tmp_path):
    network.save(tmp_path / "n.safetensors")
    x = np.random.default_rng(0).normal(size=(2, 9, 9, 1)).astype("float32")
    again = load_backbone(tmp_path / "n.safetensors").to_keras()
    np.testing.assert_array_equal(again.predict_on_batch(x), network.to_keras().predict_on_batch(x))


def test_another_ending_is_refused(network, tmp_path):
    with pytest.raises(ValueError, match=r"expected a name that ends in \.safetensors\. Got 'n\.pkl'"):
        network.save(tmp_path / "n.pkl")
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_leaves_nothing(network, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"n\.safetensors' cannot be written: expected a folder that exists"):
        network.save(tmp_path / "nowhere" / "n.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_file_may_be_read_by_whom_other_files_may(network, tmp_path):
    network.save(tmp_path / "n.safetensors")
    (tmp_path / "other").touch()
    assert (tmp_path / "n.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(OSError, match=r"backbone='.*n\.safetensors' is missing"):
        load_backbone(tmp_path / "n.safetensors")


def test_truncated_file_is_refused(network, tmp_path):
    path = tmp_path / "n.safetensors"
    network.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(OSError, match=r"is damaged .* Write it again with Backbone\.save"):
        load_backbone(path)


def test_changed_weights_are_refused(network, tmp_path):
    path = tmp_path / "n.safetensors"
    network.save(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"was changed: expected the checksum [0-9a-f]{32}, got [0-9a-f]{32}"):
        load_backbone(path)


def rewritten(path, change):
    """Change header or arrays, and write the checksum that was there."""
    from safetensors.numpy import load, save

    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    arrays = load(content)
    change(header, arrays)
    path.write_bytes(save(arrays, header))


@pytest.fixture(scope="module")
def coder(tmp_path_factory):
    """A file with arrays and facts of all kinds."""
    network = load_backbone("small_cnn", input_shape=(9, 9, 1), random_state=0)
    layer = (np.ones((64, 3), "float32"), np.zeros(3, "float32"))
    decoder = load_backbone("mlp", input_shape=(64,), random_state=0)
    whole = replace(network, classifier=layer, log_variance=layer, decoder=decoder, size=(9, 9))
    path = tmp_path_factory.mktemp("coder") / "n.safetensors"
    whole.save(path)
    return path.read_bytes(), whole


def test_all_that_it_holds_comes_back(coder, tmp_path):
    (tmp_path / "n.safetensors").write_bytes(coder[0])
    again = load_backbone(tmp_path / "n.safetensors")
    assert again == coder[1]
    assert again.fingerprint == coder[1].fingerprint


@pytest.mark.parametrize("field", [field.name for field in fields(Backbone)])
def test_a_changed_field_is_refused(coder, tmp_path, field):
    path = tmp_path / "n.safetensors"
    path.write_bytes(coder[0])

    def change(header, arrays):
        facts = json.loads(header["facts"])
        facts[field] = ["other"] if facts[field] is None else None
        header["facts"] = json.dumps(facts)

    rewritten(path, change)
    with pytest.raises(OSError, match=r"was changed: expected the checksum [0-9a-f]{32}, got [0-9a-f]{32}"):
        load_backbone(path)


def test_a_changed_array_of_any_part_is_refused(coder, tmp_path):
    path = tmp_path / "n.safetensors"
    names = {"weights/3", "classifier/1", "log_variance/0", "decoder/weights/2"}
    for name in names:
        path.write_bytes(coder[0])
        rewritten(path, lambda header, arrays, name=name: arrays.update({name: arrays[name] + 1}))
        with pytest.raises(OSError, match="was changed: expected the checksum"):
            load_backbone(path)


def test_another_format_is_refused(coder, tmp_path):
    path = tmp_path / "n.safetensors"
    path.write_bytes(coder[0])
    rewritten(path, lambda header, arrays: header.update(format="skltransfer.Backbone/1"))
    with pytest.raises(OSError, match=r"by another version of skltransfer: .*'skltransfer.Backbone/1'.*save it again"):
        load_backbone(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(network, tmp_path, bad):
    import keras

    model = network.to_keras()
    model.weights[1].assign(np.full(model.weights[1].shape, bad))
    model.save(tmp_path / "n.keras")
    for source in (model, tmp_path / "n.keras"):
        with pytest.raises(ValueError, match=r"expected finite weights\. Got NaN or infinity in conv0/bias"):
            load_backbone(source)
    broken = network.with_weights([keras.ops.convert_to_numpy(weight) for weight in model.weights])
    with pytest.raises(ValueError, match=r"expected finite weights\. Got NaN or infinity in weights/1"):
        broken.save(tmp_path / "n.safetensors")
    parts = take_apart(broken)
    facts = as_json(parts.facts)
    header = {"format": FORMAT, "facts": facts, "checksum": digest(parts.arrays, facts)}
    save_file(parts.arrays, tmp_path / "n.safetensors", header)
    with pytest.raises(OSError, match=r"expected finite weights\. Got NaN or infinity in weights/1"):
        load_backbone(tmp_path / "n.safetensors")


def test_arrays_without_a_network_are_refused(tmp_path):
    save_file({"a": np.zeros(2)}, tmp_path / "a.safetensors", {"note": json.dumps({})})
    with pytest.raises(OSError, match=r"holds arrays, but no network\. Expected a file that Backbone\.save wrote"):
        load_backbone(tmp_path / "a.safetensors")
