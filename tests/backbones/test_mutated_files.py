"""Files that were changed: an error that says so, or the same answers."""

import re
import time

import numpy as np
import psutil
import pytest
from _mutations import KINDS, mutated
from hypothesis import given, settings
from hypothesis import strategies as st

from skltransfer import load_backbone

X = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype("float32")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    import keras

    layers = keras.layers
    inputs = keras.Input((6, 6, 1), name="image")
    x = layers.Conv2D(2, 3, padding="same", use_bias=False, name="a")(inputs)
    x = layers.ReLU(name="c")(layers.BatchNormalization(name="b")(x))
    x = layers.Add(name="e")([x, layers.Conv2D(2, 1, name="d")(x)])
    x = layers.GlobalAveragePooling2D(name="f")(layers.ZeroPadding2D(1, name="p")(x))
    path = tmp_path_factory.mktemp("written") / "tiny.safetensors"
    backbone = load_backbone(keras.Model(inputs, layers.Dense(2, name="g")(x), name="tiny"))
    backbone.save(path)
    return path.read_bytes(), backbone, backbone.to_keras().predict_on_batch(X)


def loaded_or_refused(path, message):
    """Return the network, or None after an error of ours; any other error goes on."""
    try:
        return load_backbone(path)
    except (OSError, ValueError) as error:
        if re.search(message, str(error)) is None:
            raise
        return None


@pytest.mark.parametrize("kind", KINDS)
def test_changed_file_is_an_error_or_gives_the_same_answers(written, tmp_path_factory, kind):
    content, backbone, answers = written
    path = tmp_path_factory.mktemp(kind) / "n.safetensors"

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 10**6))
    def check(seed):
        changed = mutated(content, kind, seed)
        path.write_bytes(changed)
        loaded = loaded_or_refused(path, "n.safetensors")
        if loaded is None:
            return
        if kind in ("bits", "bytes", "cut"):
            assert loaded == backbone
        loaded.stages  # noqa: B018 (it reads the graph)
        found = loaded.to_keras().predict_on_batch(X)
        if loaded.architecture == backbone.architecture and kind != "arrays":
            np.testing.assert_array_equal(found, answers)

    check()


def lying(written, tmp_path, change):
    """Write a file whose network is another one, under a checksum that fits."""
    import json
    from dataclasses import replace

    network = json.loads(written[1].architecture)
    change({layer["config"]["name"]: layer for layer in network["config"]["layers"]})
    replace(written[1], architecture=json.dumps(network)).save(tmp_path / "n.safetensors")
    return tmp_path / "n.safetensors"


def loop(layers):
    layers["a"]["inbound_nodes"] = layers["g"]["inbound_nodes"]


def lost(layers):
    layers["b"]["config"]["name"] = "elsewhere"


def wide(layers):
    layers["g"]["config"]["units"] = 200_000_000


def many(layers):
    layers["a"]["config"]["filters"] = 10**9


def padded(layers):
    layers["p"]["config"]["padding"] = [[10**6, 10**6], [10**6, 10**6]]


def dilated(layers):
    layers["a"]["config"]["dilation_rate"] = [10**9, 1]


def unknown(layers):
    layers["g"]["class_name"] = "Denser"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (loop, "the graph of layers has no order: 'a' takes what no layer gives, or its own output"),
        (lost, "the graph of layers has no order: 'c' takes what no layer gives"),
        (wide, r"weights do not fit its network: expected \(\(2, 200000000\), 'float32'\)"),
        (many, "Input 0 .*is incompatible with the layer"),
        (padded, r"its network makes a sample an array of shape \(2000006, 2000006, 2\)"),
        (dilated, r"a layer has dilation_rate=\[1000000000, 1\], more than 1024"),
        (unknown, "Could not deserialize 'keras.layers.Denser'"),
    ],
)
def test_lying_networks_cost_nothing(written, tmp_path, change, message):
    path = lying(written, tmp_path, change)
    before, started = psutil.Process().memory_info().rss, time.perf_counter()
    with pytest.raises(OSError, match=rf"holds no network that can be built \(.*{message}"):
        load_backbone(path)
    assert time.perf_counter() - started < 20
    assert psutil.Process().memory_info().rss - before < 200e6


def test_keras_files_with_changed_bytes_are_one_error(written, tmp_path):
    written[1].to_keras().save(tmp_path / "n.keras")
    content = (tmp_path / "n.keras").read_bytes()
    random = np.random.default_rng(0)
    for _ in range(30):
        changed = bytearray(content)
        changed[random.integers(len(content))] ^= 1 << random.integers(8)
        (tmp_path / "n.keras").write_bytes(changed)
        loaded_or_refused(tmp_path / "n.keras", "cannot be loaded|expected finite weights")
