"""Frozen networks on other runtimes than Keras' backend, by way of their ONNX form."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from skltransfer._keras import backend as _backend
from skltransfer._keras.backend import import_keras
from skltransfer._keras.onnx import to_onnx
from skltransfer._keras.optional import import_optional, version

EXTRAS = {"onnxruntime": "export", "openvino": "openvino"}
"""Runtimes beside Keras' backend, and the extras of this package that bring them."""

RUNTIMES = ("auto", "keras", *EXTRAS)

NEEDED = ("onnx", "tf2onnx")
"""What a conversion needs beside the runtime."""


@lru_cache
def resolved(runtime: str) -> str:
    """Settle "auto", which gives the same answer on the same machine, and check that the others can run here.

    Raises
    ------
    ImportError
        If a runtime is not installed.
    RuntimeError
        If Keras runs on another backend than TensorFlow.
    """
    if runtime == "auto":
        return "onnxruntime" if _pays() else "keras"
    if runtime == "keras":
        return runtime
    purpose = f"runtime={runtime!r}"
    import_optional(runtime, extra=EXTRAS[runtime], purpose=purpose)
    for module in NEEDED:
        import_optional(module, extra="export", purpose=purpose)
    if _backend.name() != "tensorflow":
        raise RuntimeError(
            f"{purpose}: networks are converted from TensorFlow, and Keras runs on {_backend.name()} here. Expected "
            "KERAS_BACKEND=tensorflow, or runtime='keras'."
        )
    return runtime


def _pays() -> bool:
    """Whether ONNX Runtime is there, and faster than TensorFlow: it is where convolutions have no AVX-512."""
    if any(find_spec(module) is None for module in ("onnxruntime", *NEEDED)):
        return False
    return _backend.name() == "tensorflow" and not _backend.on_accelerator() and not _has_avx512()


def _has_avx512() -> bool:
    found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return any(name == "X86_V4" or name.startswith("AVX512") for name in found)


def named(runtime: str) -> str:
    """Tell on what the last bits of features depend, behind the version of the backend."""
    return "" if runtime == "keras" else f", {runtime} {version(runtime)}"


def compiled_by(
    runtime: str, function: Callable[[Any], Any], shape: tuple[int | None, ...], dtype: str
) -> Callable[[np.ndarray], np.ndarray]:
    """Compile a function of a batch for another runtime, with the weights that it reads as they are now.

    Parameters
    ----------
    runtime : {"onnxruntime", "openvino"}
        What computes.
    function : callable
        From a Keras tensor of shape ``(samples, *shape)`` to a tensor.
    shape : tuple of int or None
        Shape of one sample.
    dtype : str
        Of the batches.

    Returns
    -------
    callable
        From an ndarray to an ndarray.

    Raises
    ------
    ValueError
        If the network has an operation without an ONNX form.
    """
    keras = import_keras()
    samples = keras.Input(shape, dtype=dtype)
    try:
        graph, _ = to_onnx(keras.Model(samples, {"features": function(samples)}))
    except ValueError as error:
        raise ValueError(f"runtime={runtime!r}: {error} Or pass runtime='keras'.") from error
    return {"onnxruntime": _onnxruntime, "openvino": _openvino}[runtime](graph.SerializeToString())


def concurrent_batches(runtime: str) -> int:
    """How many batches to run at once: ONNX Runtime takes one thread for each, and waits for no other."""
    return (_threads() or os.cpu_count() or 1) if runtime == "onnxruntime" else 1


def _threads() -> int | None:
    """How many threads a worker process may take, as loky sets it; None for as many as there are cores."""
    limit = os.environ.get("OMP_NUM_THREADS") if multiprocessing.parent_process() is not None else None
    return None if limit is None else int(limit)


def _onnxruntime(model: bytes) -> Callable[[np.ndarray], np.ndarray]:
    runtime: Any = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"samples": np.ascontiguousarray(batch)})[0]


def _openvino(model: bytes) -> Callable[[np.ndarray], np.ndarray]:
    core: Any = import_module("openvino").Core()
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32"}  # else bfloat16, where the processor has it
    if (threads := _threads()) is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    network = core.compile_model(core.read_model(model), "CPU", settings)
    return lambda batch: np.array(network(np.ascontiguousarray(batch))[0])
