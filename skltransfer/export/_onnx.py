"""A fitted model as an ONNX graph from raw samples to answers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from skltransfer._estimators.fitted import FittedModel
from skltransfer._inputs.texts import Tokenization
from skltransfer._keras.backend import own_settings
from skltransfer._keras.onnx import Compute, to_onnx
from skltransfer._keras.optional import import_optional
from skltransfer._utils.types import Array
from skltransfer.export._integers import in_integers

LARGEST = 2**31 - 2**20
"""Bytes that a protocol buffer can have."""

OPEN_AXES = ("n_samples", "n_steps")
"""Names of axes whose lengths are open."""

N_SAMPLES, N_STEPS = 3, 9
"""How long they are in samples for a test."""

TOLERANCE = 1e-3
"""Difference of an answer from that of the network, by the largest answer, beyond which a file is wrong."""


def onnx_model(model: FittedModel, about: dict[str, Any]) -> bytes:
    """Convert a fitted model, and test the result; see `skltransfer.export.save`.

    Parameters
    ----------
    model : FittedModel
        The model.
    about : dict
        What the property "skltransfer" says.

    Returns
    -------
    bytes
        A serialized ``onnx.ModelProto``.
    """
    runtime = import_optional("onnxruntime", extra="export", purpose="export.save")
    size = sum(array.nbytes for array in model.arrays().values())
    if size > LARGEST:
        raise ValueError(
            f"The network has {size / 2**30:.1f} GiB of weights. Expected at most 2 GiB, as an ONNX file has."
        )
    with own_settings():
        network = model.all_answers()
    graph, compute = to_onnx(network)
    spec = network.inputs[0]
    allow_nan = about["input"]["options"]["allow_nan"]
    samples = _samples(model, tuple(spec.shape), str(spec.dtype), allow_nan=allow_nan)
    _check_answers(runtime, graph.SerializeToString(), compute, samples)
    if model.activation_ranges:
        graph = in_integers(graph, model.activation_ranges)
    _name_axes(graph)
    graph.producer_name, graph.producer_version = "skltransfer", about["versions"]["skltransfer"]
    graph.doc_string = f"{about['estimator']} of skltransfer"
    entry = graph.metadata_props.add()
    entry.key, entry.value = "skltransfer", json.dumps(about, allow_nan=False)
    content: bytes = graph.SerializeToString()
    _check_loads(runtime, content, samples)
    return content


def _name_axes(graph: Any) -> None:
    """Name open axes; shapes within the graph are found anew by whoever reads it."""
    del graph.graph.value_info[:]
    for value in (*graph.graph.input, *graph.graph.output):
        for axis, name in zip(value.type.tensor_type.shape.dim, OPEN_AXES, strict=False):
            if not axis.HasField("dim_value"):
                axis.dim_param = name


def _samples(model: FittedModel, shape: tuple[int | None, ...], dtype: str, *, allow_nan: bool) -> Array:
    """Draw random samples as the network takes them."""
    random, format = np.random.default_rng(0), model.format
    own = [N_SAMPLES, *(int(length or N_STEPS) for length in shape[1:])]
    preparation = model.extraction.preparation
    if isinstance(preparation, Tokenization):
        tokens = random.integers(1, preparation.n_tokens, own).astype(dtype)
        tokens[0, own[1] // 2 :] = 0  # the end of a shorter text
        return tokens
    if format.kind.is_image:
        return random.uniform(format.low, format.high, own).astype(dtype)
    numbers = random.uniform(-1, 1, own).astype(dtype)
    if allow_nan:
        numbers[1, 0] = np.nan
    return numbers


def _check_loads(runtime: Any, content: bytes, samples: Array) -> None:
    """Raise what ONNX Runtime raises if a file cannot be run as it is written."""
    runtime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, {"samples": samples[:1]})


def _check_answers(runtime: Any, content: bytes, compute: Compute, samples: Array) -> None:
    """Raise RuntimeError if a file does not answer as the network does."""
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for some in (samples, samples[:1]):
        expected = compute(some)
        for name, found in zip(names, session.run(names, {"samples": some}), strict=True):
            known = np.isfinite(expected[name])
            error = np.abs(found - expected[name])[known].max(initial=0.0)
            largest = np.abs(expected[name])[known].max(initial=0.0)
            if found.shape != expected[name].shape or not error <= TOLERANCE * max(largest, 1e-6):
                raise RuntimeError(
                    f"The ONNX graph does not give the {name} of the network: the largest difference is {error:g}, of "
                    f"values up to {largest:g}. Expected {TOLERANCE:g} of that at most; nothing was written. Please "
                    "report this with the backbone, or keep the estimator with joblib.dump."
                )
