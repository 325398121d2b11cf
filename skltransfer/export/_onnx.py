"""A fitted model as an ONNX graph from raw samples to answers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from skltransfer._estimators.reading import read_options
from skltransfer._inputs.texts import Tokenization
from skltransfer._keras.backend import own_settings
from skltransfer._keras.onnx import Compute, to_onnx
from skltransfer._keras.optional import import_optional
from skltransfer._utils.types import Array
from skltransfer.export._integers import in_integers
from skltransfer.export._pipeline import Parts, converted, joined

LARGEST = 2**31 - 2**20
"""Bytes that a protocol buffer can have."""

OPEN_AXES = ("n_samples", "n_steps")
"""Names of axes whose lengths are open."""

N_SAMPLES, N_STEPS = 3, 9
"""How long they are in samples for a test."""

TOLERANCE = 1e-3
"""Difference of an answer from that of the network, by the largest answer, beyond which a file is wrong."""


def onnx_model(parts: Parts, about: dict[str, Any]) -> bytes:
    """Convert a fitted model, and steps around it, and test the result; see `skltransfer.export.save`.

    Parameters
    ----------
    parts : Parts
        The model, and steps around it.
    about : dict
        What the property "skltransfer" says, but for the dtype of what the last of several steps answers.

    Returns
    -------
    bytes
        A serialized ``onnx.ModelProto``.
    """
    model = parts.own.model_
    size = sum(array.nbytes for array in model.arrays().values())
    if size > LARGEST:
        raise ValueError(
            f"The network has {size / 2**30:.1f} GiB of weights. Expected at most 2 GiB, as an ONNX file has."
        )
    with own_settings():
        network = model.all_answers()
    steps = converted(parts, str(network.output["features"].dtype))  # before the network, which takes longer
    graph, compute = to_onnx(network)
    samples = random_samples(parts.own, network)
    content = _finished(graph, about)
    _check_file(content, compute, samples)
    if model.activation_ranges:
        graph = in_integers(graph, model.activation_ranges)
    elif not parts.before and not parts.after:
        return content
    if parts.before or parts.after:
        graph, (compute, samples) = joined(graph, *steps), _around(parts, compute, samples, about)
    content = _finished(graph, about)
    if model.activation_ranges:
        _check_runs(content, samples)
    else:
        _check_file(content, compute, samples)
    return content


def _finished(graph: Any, about: dict[str, Any]) -> bytes:
    """Say in a graph what it is."""
    _name_axes(graph)
    graph.producer_name, graph.producer_version = "skltransfer", about["versions"]["skltransfer"]
    graph.doc_string = f"{about['estimator']} of skltransfer"
    del graph.metadata_props[:]
    entry = graph.metadata_props.add()
    entry.key, entry.value = "skltransfer", json.dumps(about, allow_nan=False)
    content: bytes = graph.SerializeToString()
    return content


def _around(parts: Parts, compute: Compute, samples: Array, about: dict[str, Any]) -> tuple[Compute, Array]:
    """Return what a whole pipeline computes, and samples for it; say the dtype of its answers."""
    dtype = samples.dtype
    if parts.before:
        n_columns = about["n_features_in"]
        samples = np.random.default_rng(0).uniform(-1, 1, (N_SAMPLES, n_columns))
        if about["input"]["options"]["allow_nan"]:
            samples[1, 0] = np.nan

    def whole(some: Array) -> dict[str, Array]:
        answers = compute(parts.prepared(some).astype(dtype, copy=False) if parts.before else some)
        return parts.answers(answers["features"]) if parts.after else answers

    if parts.after:
        answers = whole(samples)
        about["answers"]["dtype"] = str(answers.get("probabilities", list(answers.values())[-1]).dtype)
    return whole, samples


def _name_axes(graph: Any) -> None:
    """Name open axes; shapes within the graph are found anew by whoever reads it."""
    del graph.graph.value_info[:]
    for value in (*graph.graph.input, *graph.graph.output):
        for axis, name in zip(value.type.tensor_type.shape.dim, OPEN_AXES, strict=False):
            if not axis.HasField("dim_value"):
                axis.dim_param = name


def random_samples(estimator: Any, network: Any) -> Array:
    """Draw samples as the network of an estimator takes them."""
    random, model, spec = np.random.default_rng(0), estimator.model_, network.inputs[0]
    own, dtype = [N_SAMPLES, *(int(length or N_STEPS) for length in spec.shape[1:])], str(spec.dtype)
    preparation, format = model.extraction.preparation, model.format
    if isinstance(preparation, Tokenization):
        tokens = random.integers(1, preparation.n_tokens, own).astype(dtype)
        tokens[0, own[1] // 2 :] = 0  # the end of a shorter text
        return tokens
    if format.kind.is_image:
        return random.uniform(format.low, format.high, own).astype(dtype)
    numbers = random.uniform(-1, 1, own).astype(dtype)
    if read_options(estimator).allow_nan:
        numbers[1, 0] = np.nan
    return numbers


def _check_runs(content: bytes, samples: Array) -> None:
    """Raise what ONNX Runtime raises if a file cannot be run as it is written."""
    _session(content).run(None, {"samples": samples[:1]})


def _session(content: bytes) -> Any:
    runtime = import_optional("onnxruntime", extra="export", purpose="export.save")
    return runtime.InferenceSession(content, providers=["CPUExecutionProvider"])


def _check_file(content: bytes, compute: Compute, samples: Array) -> None:
    """Raise RuntimeError if a file does not answer as the estimator does."""
    session = _session(content)
    names = [output.name for output in session.get_outputs()]
    for some in (samples, samples[:1]):
        check_answers(dict(zip(names, session.run(names, {"samples": some}), strict=True)), compute(some))


def check_answers(found: dict[str, Array], expected: dict[str, Array]) -> None:
    """Raise RuntimeError if answers are not those that are expected."""
    for name, answers in found.items():
        known = np.isfinite(expected[name])
        error = np.abs(answers - expected[name])[known].max(initial=0.0)
        largest = np.abs(expected[name])[known].max(initial=0.0)
        if answers.shape != expected[name].shape or not error <= TOLERANCE * max(largest, 1e-6):
            raise RuntimeError(
                f"The file does not give the {name} of the network: the largest difference is {error:g}, of values up "
                f"to {largest:g}. Expected {TOLERANCE:g} of that at most; nothing was written. Please report this with "
                "the backbone, or keep the estimator with joblib.dump."
            )
