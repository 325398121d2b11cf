"""Keras networks in the formats that Keras writes itself, and what runs them; on TensorFlow."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from skltransfer._keras.backend import own_settings
from skltransfer._keras.onnx import Compute, check_traceable
from skltransfer._keras.optional import import_optional


def write(network: Any, folder: Path, format: str) -> Compute:
    """Write a Keras network of one input, and outputs by name.

    Parameters
    ----------
    network : keras.Model
        Its outputs are a dict.
    folder : Path
        An empty folder.
    format : {"openvino", "litert", "saved_model"}
        Of the files.

    Returns
    -------
    callable
        What the files compute, from a batch to outputs by name.

    Raises
    ------
    RuntimeError
        If Keras does not run on TensorFlow.
    ValueError
        If the network has operations that the format does not have.
    ImportError
        If OpenVINO is not installed.
    """
    check_traceable()
    name, keras_format, reader = FORMATS[format]
    with own_settings(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        network.export(str(folder / name), format=keras_format, verbose=False)
        try:
            return reader(folder / name)
        except RuntimeError as error:
            raise ValueError(
                f"format={format!r}: the network has operations that this format does not have: "
                f"{' '.join(str(error).split())[:200]} Expected format='onnx', 'openvino' or 'saved_model', which "
                "have them."
            ) from error


def read_saved_model(path: Path) -> Compute:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda batch: {key: value.numpy() for key, value in loaded.serve(tf.constant(batch)).items()}


def read_litert(path: Path) -> Compute:
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_content=path.read_bytes())
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner()
    return lambda batch: dict(runner(samples=batch))


def read_openvino(path: Path) -> Compute:
    openvino = import_optional("openvino", extra="openvino", purpose="format='openvino'")
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = [output.get_any_name() for output in compiled.outputs]
    return lambda batch: {name: compiled(batch)[number].copy() for number, name in enumerate(names)}


FORMATS: dict[str, tuple[str, str, Callable[[Path], Compute]]] = {
    "openvino": ("model.xml", "openvino", read_openvino),
    "litert": ("model.tflite", "litert", read_litert),
    "saved_model": (".", "tf_saved_model", read_saved_model),
}
"""Name of the file, the format as Keras calls it, and what reads it."""
