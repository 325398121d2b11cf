"""The networks of `keras.applications`: their names and the input that each expects."""

from __future__ import annotations

import os
import warnings
from typing import Any

from skltransfer._keras.backend import import_keras
from skltransfer._validation import unknown_name
from skltransfer.backbones._backbone import Backbone, building
from skltransfer.backbones._conversion import from_keras

CAFFE: dict[str, Any] = {"mean": (103.939, 116.779, 123.68), "std": (1.0, 1.0, 1.0), "bgr": True}
SYMMETRIC: dict[str, Any] = {"mean": (127.5, 127.5, 127.5), "std": (127.5, 127.5, 127.5)}
IMAGENET: dict[str, Any] = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
INSIDE: dict[str, Any] = {}

FAMILIES: dict[tuple[str, ...], tuple[dict[str, Any], int]] = {
    ("VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152"): (CAFFE, 224),
    ("ResNet50V2", "ResNet101V2", "ResNet152V2", "MobileNet", "MobileNetV2"): (SYMMETRIC, 224),
    ("Xception", "InceptionV3", "InceptionResNetV2"): (SYMMETRIC, 299),
    ("DenseNet121", "DenseNet169", "DenseNet201"): (IMAGENET, 224),
    ("MobileNetV3Small", "MobileNetV3Large"): (INSIDE, 224),
    ("ConvNeXtTiny", "ConvNeXtSmall", "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge"): (INSIDE, 224),
    ("EfficientNetB0", "EfficientNetV2B0"): (INSIDE, 224),
    ("EfficientNetB1", "EfficientNetV2B1"): (INSIDE, 240),
    ("EfficientNetB2", "EfficientNetV2B2"): (INSIDE, 260),
    ("EfficientNetB3", "EfficientNetV2B3"): (INSIDE, 300),
    ("EfficientNetV2S",): (INSIDE, 384),
    ("EfficientNetV2M", "EfficientNetV2L"): (INSIDE, 480),
    ("EfficientNetB4",): (INSIDE, 380),
    ("EfficientNetB5",): (INSIDE, 456),
    ("EfficientNetB6",): (INSIDE, 528),
    ("EfficientNetB7",): (INSIDE, 600),
}
EXPECTS = {name: expects for names, expects in FAMILIES.items() for name in names}


def load_application(name: str, weights: str | os.PathLike[str] | None, seed: int | None = None) -> Backbone:
    """Load a network of `keras.applications`, without its classifier.

    Parameters
    ----------
    name : str
        Such as ``"MobileNetV2"``.
    weights : "pretrained", path-like or None
        ImageNet weights from Keras' own cache or, failing that, its server; a
        ``.weights.h5`` file; or none, for an untrained network.
    seed : int, optional
        Draws the weights of an untrained network.

    Raises
    ------
    OSError
        If the weights are not in the cache and cannot be downloaded, or if the file
        cannot be read.
    ValueError
        If the file holds other weights.
    """
    if name not in EXPECTS:
        raise unknown_name("backbone", name, EXPECTS)
    keras = import_keras()
    expects, side = EXPECTS[name]
    builder = getattr(keras.applications, name)
    origin = "imagenet" if weights == "pretrained" else None
    with building(seed or 0):
        try:
            model = builder(include_top=False, weights=origin, input_shape=(None, None, 3))
        except Exception as error:
            if origin is None:
                raise
            raise OSError(
                f"The ImageNet weights of {name!r} are not in Keras' cache (models in ~/.keras or $KERAS_HOME) and "
                f"could not be downloaded: {error}. Connect once, pass weights= a file to load_backbone, or use "
                "'efficientnet_lite0', which needs no download."
            ) from error
    if weights is not None and origin is None:
        _load_file(model, name, weights)
    return from_keras(model, name=name, size=(side, side), pretrained=weights is not None, **expects)


def _load_file(model: Any, name: str, path: str | os.PathLike[str]) -> None:
    if not os.path.isfile(path):
        raise OSError(f"weights={str(path)!r} of {name!r} is not a file. Expected a .weights.h5 file of this network.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras only warns of layers that it leaves as they were
            model.load_weights(path)
    except OSError as error:
        raise OSError(f"weights={str(path)!r} of {name!r} cannot be read ({error}); fetch the file again.") from error
    except (ValueError, KeyError, UserWarning) as error:
        raise ValueError(f"weights={str(path)!r} do not fit {name!r} without its classifier: {error}") from error
