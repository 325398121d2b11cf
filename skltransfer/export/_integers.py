"""Graphs that compute in integers of 8 bits, by ranges of activations that were measured before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from skltransfer._estimators.fitted import FittedModel
from skltransfer._inputs.samples import Samples
from skltransfer._keras.backend import own_settings
from skltransfer._keras.onnx import to_onnx
from skltransfer._keras.optional import import_optional

BODY = re.compile(r"/backbone(_\d+)?/")
"""In the names of what a backbone computes, beside its preparation and the head."""
UNNAMED = re.compile(r"\w+__\d+")
"""Names of nodes that a converter made of several."""
IN_INTEGERS = ("Conv", "Gemm", "MatMul", "Add", "Clip", "Relu", "MaxPool")
TAILS = (0.01, 99.99)
"""Percentiles of the values of a tensor in one sample, of which the outermost bound the range over all samples."""

Ranges = dict[str, tuple[float, float]]


def activation_ranges(model: FittedModel, samples: Samples) -> Ranges:
    """Measure between which values the tensors of a network lie, as it will be exported.

    Parameters
    ----------
    model : FittedModel
        The model.
    samples : Samples
        Samples like those that it will see.

    Returns
    -------
    dict of str to tuple of (float, float)
        By the names of tensors, which are the same whenever the model is converted.

    Raises
    ------
    ValueError
        If the network has no layer that computes in integers.
    """
    onnx = import_optional("onnx", extra="export", purpose="quantize(calibration=…)")
    runtime = import_optional("onnxruntime", extra="export", purpose="quantize(calibration=…)")
    with own_settings():
        graph, _ = to_onnx(model.all_answers())
    known = {output.name for output in graph.graph.output}
    tensors = list(dict.fromkeys(tensor for node in _nodes(graph) for tensor in _activations(graph, node)))
    graph.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in tensors if name not in known)
    session = runtime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    bounds = np.array([_bounds(session, tensors, sample) for sample in _each(model, samples, session)])
    low, high = np.minimum(bounds[..., 0].min(axis=0), 0.0), np.maximum(bounds[..., 1].max(axis=0), 0.0)
    return {name: (float(least), float(most)) for name, least, most in zip(tensors, low, high, strict=True)}


def in_integers(graph: Any, ranges: Mapping[str, tuple[float, float]]) -> Any:
    """Let the layers of a network compute in integers, with a scale for each channel of weights.

    Weights have 7 bits: on processors without instructions for products of bytes, sums of two products of 8 and 8 bits
    overflow.

    Parameters
    ----------
    graph : onnx.ModelProto
        As `skltransfer._keras.onnx.to_onnx` gives it; it is changed.
    ranges : mapping of str to tuple of (float, float)
        As `activation_ranges` gives them.

    Returns
    -------
    onnx.ModelProto
        With pairs of QuantizeLinear and DequantizeLinear, which ONNX Runtime fuses with the layers between them.

    Raises
    ------
    ValueError
        If ranges are of another network.
    """
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import TensorData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    nodes = _nodes(graph)
    needed = {tensor for node in nodes for tensor in _activations(graph, node)}
    if needed - set(ranges):
        raise ValueError(
            "The activations of this estimator were measured on another network, or by another version of tf2onnx. "
            f"Expected ranges of {len(needed)} tensors. Got {len(needed & set(ranges))} of them; quantize again."
        )
    found = {name: TensorData(lowest=np.float32(low), highest=np.float32(high)) for name, (low, high) in ranges.items()}
    quantizer = QDQQuantizer(
        graph, per_channel=True, reduce_range=True, weight_qType=QuantType.QInt8, activation_qType=QuantType.QUInt8,
        tensors_range=found, nodes_to_quantize=[node.name for node in nodes], nodes_to_exclude=[],
        op_types_to_quantize=IN_INTEGERS, extra_options={},
    )  # fmt: skip
    return quantizer.quantize_model()


def _nodes(graph: Any) -> list[Any]:
    """List the nodes of the backbone that compute in integers."""
    found = [
        node
        for node in graph.graph.node
        if node.op_type in IN_INTEGERS
        and (BODY.search(node.name) or (UNNAMED.fullmatch(node.name) and any(map(BODY.search, node.input))))
    ]
    if not any(node.op_type in ("Conv", "Gemm", "MatMul") for node in found):
        raise ValueError("calibration: expected a network with layers that compute in integers. Got none; leave it out.")
    return found


def _activations(graph: Any, node: Any) -> list[str]:
    constants = {initializer.name for initializer in graph.graph.initializer}
    return [name for name in (*node.input, *node.output) if name and name not in constants]


def _each(model: FittedModel, samples: Samples, session: Any) -> Iterator[Any]:
    """Yield samples one after the other, as the network takes them."""
    spec = model.format.kind.raw_spec
    for position in range(len(samples)):
        yield samples.read([position], model.extraction.preparation)


def _bounds(session: Any, tensors: list[str], sample: Any) -> list[tuple[float, float]]:
    return [tuple(np.percentile(values, TAILS)) for values in session.run(tensors, {"samples": sample})]
