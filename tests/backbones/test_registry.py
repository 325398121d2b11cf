import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from skltransfer import list_backbones, load_backbone, register_backbone
from skltransfer.backbones import _registry
from skltransfer.backbones._embedded import EMBEDDED
from skltransfer.backbones.efficientnet_lite import LITE0_DIGEST, LITE0_FILE, read_weights


def test_shipped_weights_are_small_and_the_pinned_ones():
    content = LITE0_FILE.read_bytes()
    assert len(content) < 10_000_000
    assert hashlib.sha256(content).hexdigest() == LITE0_DIGEST
    assert all(array.dtype == np.float32 for array in read_weights(LITE0_FILE, LITE0_DIGEST).values())


@pytest.mark.parametrize("damage", ["truncated", "tampered"])
def test_damaged_weights_are_refused_with_their_checksum(tmp_path, damage):
    content = bytearray(LITE0_FILE.read_bytes())
    content[5_000_000] ^= 1
    file = tmp_path / "w.safetensors"
    file.write_bytes(content[:-1000] if damage == "truncated" else content)
    with pytest.raises(OSError, match=rf"w\.safetensors is damaged .* SHA-256 {LITE0_DIGEST}, got"):
        read_weights(file, LITE0_DIGEST)


def test_missing_weights_are_refused(tmp_path):
    with pytest.raises(OSError, match=r"missing from the installed package\. Reinstall"):
        read_weights(tmp_path / "none.safetensors", LITE0_DIGEST)


def test_embedded_networks_are_listed_first_under_licenses_of_the_package():
    assert list_backbones()[: len(EMBEDDED)] == list(EMBEDDED)
    license = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["license"]
    assert {row.license for row in EMBEDDED.values()} <= set(license.split(" AND "))


def test_list_by_pattern():
    assert list_backbones("MOBILE*V2") == ["MobileNetV2"]
    assert {"mlp", "small_cnn", "ResNet50"} <= set(list_backbones())
    assert list_backbones("nothing") == []


def test_every_listed_application_exists():
    import keras

    assert [name for name in _registry.EXPECTS if not hasattr(keras.applications, name)] == []


@pytest.mark.parametrize(("got", "meant"), [("resnt50", "ResNet50"), ("efficientnet_lite", "efficientnet_lite0")])
def test_unknown_name_gets_did_you_mean(got, meant):
    with pytest.raises(ValueError, match=rf"Got backbone='{got}'; known: .* Did you mean '{meant}'\?"):
        load_backbone(got)


def test_register_and_load(monkeypatch):
    monkeypatch.setattr(_registry, "_builders", dict(_registry._builders))

    @register_backbone("two_units")
    def two_units(input_shape):
        import keras

        inputs = keras.Input(input_shape)
        return keras.Model(inputs, keras.layers.Dense(2)(inputs))

    assert "two_units" in list_backbones()
    assert load_backbone("two_units", input_shape=(3,)).n_parameters == 8
    with pytest.raises(ValueError, match="'two_units' is taken already"):
        register_backbone("two_units")
    with pytest.raises(ValueError, match="the builder 'two_units' needs the shape of one sample"):
        load_backbone("two_units")


SHAPE = (12, 12, 1)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    value = load_backbone("small_cnn", input_shape=SHAPE, random_state=0)
    value.save(folder / "n.safetensors")
    value.to_keras().save(folder / "n.keras")

    def own(input_shape):
        import keras

        inputs = keras.Input(input_shape)
        return keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs))

    return {
        "value": value, "model": value.to_keras(), "safetensors": folder / "n.safetensors", "keras": folder / "n.keras",
        "function": own, "builder": "small_cnn", "lite0": "efficientnet_lite0", "lite1": "efficientnet_lite1",
        "minilm": "minilm_l6", "application": "MobileNetV2", "hub": "hub:nothing",
    }  # fmt: skip


OPTIONS = {"no weights": {"weights": None}, "file": {"weights": "w.weights.h5"}, "input_shape": {"input_shape": SHAPE},
           "mean": {"mean": 3.0}, "std": {"std": (2.0,)}}  # fmt: skip
APPLIED = {
    ("value", "mean"), ("value", "std"), ("model", "mean"), ("model", "std"), ("safetensors", "mean"),
    ("safetensors", "std"), ("keras", "mean"), ("keras", "std"), ("lite0", "no weights"),
    ("lite1", "no weights"), ("lite1", "file"), ("minilm", "file"),
    ("application", "no weights"), ("application", "file"),
    *((source, option) for source in ("function", "builder") for option in OPTIONS if option != "file"),
}  # fmt: skip


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize(
    "source",
    ["value", "model", "safetensors", "keras", "function", "builder", "lite0", "lite1", "minilm", "application", "hub"],
)
def test_every_option_is_applied_or_refused(sources, source, option):
    given = dict(OPTIONS[option])
    if source in ("function", "builder"):
        given.setdefault("input_shape", SHAPE)
    if (source, option) not in APPLIED:
        with pytest.raises(ValueError, match=rf"^{next(iter(OPTIONS[option]))}=.* does not go with "):
            load_backbone(sources[source], **given)
    elif option == "file":
        with pytest.raises(OSError, match=r"weights='w\.weights\.h5' of"):
            load_backbone(sources[source], **given)
    else:
        backbone = load_backbone(sources[source], random_state=0, **given)
        wanted = {"no weights": ("pretrained", False), "input_shape": ("input_shape", SHAPE), "mean": ("mean", (3.0,)),
                  "std": ("std", (2.0,))}[option]  # fmt: skip
        assert getattr(backbone, wanted[0]) == wanted[1]


def test_mean_alone_leaves_the_std_of_a_backbone(sources):
    backbone = load_backbone(sources["value"], mean=3.0)
    assert (backbone.mean, backbone.std) == ((3.0,), sources["value"].std)
    assert backbone.weights is sources["value"].weights


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"mean": (1.0, 2.0)}, r"mean: expected a number, or one for each of 1 channels\. Got \(1\.0, 2\.0\)"),
        ({"std": 0.0}, r"std: expected a positive number, or one for each of 1 channels\. Got 0\.0"),
        ({"mean": "grey"}, "mean: expected a number"),
        ({"mean": float("nan")}, "mean: expected a number"),
    ],
)
def test_pixels_that_cannot_be_expected(sources, option, message):
    with pytest.raises(ValueError, match=message):
        load_backbone(sources["value"], **option)


def test_numbers_have_no_mean_of_pixels():
    with pytest.raises(ValueError, match=r"mean: expected a network for images\. Got 'mlp'"):
        load_backbone("mlp", input_shape=(4,), mean=1.0)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "MobileNetV2"])
def test_untrained_networks_of_fixed_names_follow_their_seed(name):
    a, b, c = (load_backbone(name, weights=None, random_state=seed) for seed in (1, 1, 2))
    assert a == b != c
    assert not a.pretrained
    assert a.classifier is None


def test_keras_file_round_trip(tmp_path):
    model = load_backbone("small_cnn", input_shape=(12, 12, 1), random_state=0).to_keras()
    model.save(tmp_path / "net.keras")
    backbone = load_backbone(str(tmp_path / "net.keras"))
    assert backbone.name == "net"
    for array, weight in zip(backbone.weights, model.weights, strict=True):
        np.testing.assert_array_equal(array, weight)


def test_keras_file_with_code_is_refused(tmp_path):
    import keras

    inputs = keras.Input((3,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs)).save(tmp_path / "code.keras")
    with pytest.raises(OSError, match=r"code\.keras' cannot be loaded: .*Lambda"):
        load_backbone(tmp_path / "code.keras")


def test_damaged_and_missing_keras_files_are_refused(tmp_path):
    (tmp_path / "bad.keras").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(OSError, match=r"bad\.keras' cannot be loaded: .* save it again"):
        load_backbone(tmp_path / "bad.keras")
    with pytest.raises(OSError, match=r"none\.keras' is missing\. Expected a \.keras file"):
        load_backbone("none.keras")


def test_other_types_are_refused():
    with pytest.raises(TypeError, match=r"expected a name, a \.keras file, .* or a Backbone\. Got int"):
        load_backbone(7)


def test_application_without_weights_is_untrained_and_knows_its_input():
    backbone = load_backbone("MobileNetV2", weights=None)
    assert not backbone.pretrained
    assert (backbone.size, backbone.mean, backbone.std) == ((224, 224), (127.5,) * 3, (127.5,) * 3)
    assert load_backbone("ResNet50", weights=None).bgr


def test_application_with_a_file_of_weights(tmp_path):
    source = load_backbone("MobileNetV2", weights=None).to_keras()
    source.weights[0].assign(source.weights[0] + 1.0)
    source.save_weights(tmp_path / "m.weights.h5")
    loaded = load_backbone("MobileNetV2", weights=str(tmp_path / "m.weights.h5"))
    assert loaded.pretrained
    np.testing.assert_array_equal(loaded.weights[0], source.weights[0])
    with pytest.raises(ValueError, match="do not fit 'VGG16' without its classifier"):
        load_backbone("VGG16", weights=str(tmp_path / "m.weights.h5"))
    (tmp_path / "t.weights.h5").write_bytes((tmp_path / "m.weights.h5").read_bytes()[:100_000])
    with pytest.raises(OSError, match=r"t\.weights\.h5' of 'MobileNetV2' cannot be read"):
        load_backbone("MobileNetV2", weights=str(tmp_path / "t.weights.h5"))
    with pytest.raises(OSError, match=r"is not a file\. Expected a \.weights\.h5 file"):
        load_backbone("MobileNetV2", weights="nowhere.weights.h5")


def test_application_offline_is_refused(tmp_path):
    code = (
        "from skltransfer import load_backbone\n"
        "try:\n    load_backbone('MobileNetV2')\n"
        "except OSError as error:\n    print(error)\n"
    )
    environment = {
        **os.environ,
        "KERAS_HOME": str(tmp_path),
        "https_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert "ImageNet weights of 'MobileNetV2' are not in Keras' cache" in done.stdout
    assert "'efficientnet_lite0', which needs no download" in done.stdout
    shutil.rmtree(tmp_path)


def test_function_of_unnamed_layers_builds_one_network_however_often_it_is_called():
    import keras

    def builder(shape):
        inputs = keras.Input(shape)
        x = keras.layers.Dense(4, activation="relu", name="own")(inputs)
        x = keras.layers.Dense(3)(keras.layers.Dropout(0.1)(x))
        return keras.Model(inputs, keras.layers.Dense(2)(x))

    first, second = (load_backbone(builder, input_shape=(5,), random_state=seed) for seed in (0, 1))
    assert first.architecture == second.architecture
    assert first.paths == ("own/kernel", "own/bias", "dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias")
    assert first.stages == second.stages
    assert first != second
    x = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    a, b, c, d, e, f = second.weights
    wanted = ((np.maximum(x @ a + b, 0)) @ c + d) @ e + f
    np.testing.assert_allclose(second.to_keras().predict_on_batch(x), wanted, atol=1e-6)
