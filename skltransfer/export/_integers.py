"""Graphs that compute in integers of 8 bits, by ranges of activations that were measured before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from skltransfer._estimators.fitted import FittedModel
from skltransfer._inputs.samples import Samples
from skltransfer._keras.backend import own_settings
from skltransfer._keras.onnx import quiet, to_onnx
from skltransfer._keras.optional import import_optional
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.types import Array

BODY = re.compile(r"/backbone(_\d+)?/")
"""In the names of what a backbone computes, beside the preparation of samples and the head."""
UNNAMED = re.compile(r"\w+__\d+")
"""Names of nodes that the converter made of several."""
PRODUCTS = ("Gemm", "MatMul")
"""Operations with weights whose outputs stay in float32: what follows them computes so, and rounding costs a pass."""
WEIGHTED, BETWEEN = ("Conv", *PRODUCTS), ("Add", "Clip", "Relu", "MaxPool")
WHOLE = 1e-3
"""How near to a whole number a rounded weight is, by its scale."""
SINGLE = 1
"""Number of float32 among the types of ONNX."""
LARGE = 2**12
"""Weights of a matrix beyond the network from which on it lies in 8 bits."""
TAILS = (0.01, 99.99)
"""Percentiles of the values of a tensor in one sample; the outermost of all samples bound its range."""

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
        By a digest of all that a tensor is computed from, as names differ from one conversion to the next.

    Raises
    ------
    ValueError
        If the network has no layer that computes in integers.
    """
    onnx = import_optional("onnx", extra="export", purpose="quantize(calibration=…)")
    runtime = import_optional("onnxruntime", extra="export", purpose="quantize(calibration=…)")
    with own_settings():
        network = model.all_answers()
    graph, _ = to_onnx(network)
    tensors, known = _tensors(graph), {output.name for output in graph.graph.output}
    graph.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in tensors if name not in known)
    session = runtime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    read, dtype = model.extraction.preparation, str(network.inputs[0].dtype)
    each = (samples.read([position], read).astype(dtype, copy=False) for position in range(len(samples)))
    bounds = np.array([_bounds(session, list(tensors), sample) for sample in each])
    low, high = np.minimum(bounds[..., 0].min(axis=0), 0.0), np.maximum(bounds[..., 1].max(axis=0), 0.0)
    return {key: (float(least), float(most)) for key, least, most in zip(tensors.values(), low, high, strict=True)}


def in_integers(graph: Any, ranges: Mapping[str, tuple[float, float]]) -> Any:
    """Let the layers of a network compute in integers, with a scale for each channel of weights.

    Weights stay as `skltransfer.compression.quantize` rounded them. The layer that takes the prepared samples computes
    in float32: it has few weights, and a step of 8 bits is a gray level. So does the head, whose matrix is rounded.

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

    nodes, tensors = _nodes(graph), _tensors(graph)
    if missing := set(tensors.values()) - set(ranges):
        raise ValueError(
            f"The activations of this estimator were measured on another network, or with another version of tf2onnx: "
            f"expected ranges of {len(tensors)} tensors, and {len(missing)} are missing. Quantize again."
        )
    bounds = {name: np.array(ranges[key], np.float32) for name, key in tensors.items()}
    quantizer = QDQQuantizer(
        graph, per_channel=True, reduce_range=True, weight_qType=QuantType.QInt8, activation_qType=QuantType.QUInt8,
        tensors_range={name: TensorData(lowest=low, highest=high) for name, (low, high) in bounds.items()},
        nodes_to_quantize=[node.name for node in nodes], nodes_to_exclude=[],
        op_types_to_quantize=[*WEIGHTED, *BETWEEN],
        extra_options={
            "TensorQuantOverrides": dict(_known_scales(graph, nodes, bounds)),
            "OpTypesToExcludeOutputQuantization": [*PRODUCTS],
        },
    )  # fmt: skip
    with quiet():
        found = quantizer.quantize_model()
    _round_matrices(found.graph)
    _shrink_embeddings(found.graph)
    return found


def _round_matrices(graph: Any) -> None:
    """Let other large matrices, such as that of a head on many features, lie in 8 bits; they compute in float32."""
    from onnx import helper, numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    for number, node in enumerate(_after_body(graph)):
        tensor = constants.pop(node.input[1], None)
        if tensor is None or tensor.data_type != SINGLE or np.prod(tensor.dims) < LARGE:
            continue
        matrix, axis = numpy_helper.to_array(tensor), _channels(node)
        scale = np.maximum(np.abs(matrix).max(axis=1 - axis, keepdims=True) / 127, np.finfo(np.float32).tiny)
        name = f"skltransfer.matrix{number}"
        parts = {"codes": np.rint(matrix / scale).astype(np.int8), "scale": scale.ravel().astype(np.float32)}
        graph.initializer.extend(numpy_helper.from_array(part, f"{name}.{key}") for key, part in parts.items())
        graph.initializer.remove(tensor)
        inputs = [f"{name}.{key}" for key in parts]
        graph.node.insert(0, helper.make_node("DequantizeLinear", inputs, [node.input[1]], name=name, axis=axis))


def _shrink_embeddings(graph: Any) -> None:
    """Let embeddings that were rounded, and are used once, lie in 8 bits; what is looked up computes in float32."""
    from onnx import helper, numpy_helper

    uses = Counter(name for node in graph.node for name in node.input)
    constants = {
        tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2 and uses[tensor.name] == 1
    }
    for node in [node for node in graph.node if node.op_type == "Gather" and node.input[0] in constants]:
        tensor = constants[node.input[0]]
        matrix = numpy_helper.to_array(tensor)
        scale = rounded_by(matrix) if tensor.data_type == SINGLE and matrix.size >= LARGE else None
        if scale is None:
            continue
        name, (output,), codes = tensor.name, node.output, np.rint(matrix / scale[:, None]).astype(np.int8)
        tensor.CopyFrom(numpy_helper.from_array(codes, name))
        graph.initializer.append(numpy_helper.from_array(scale[:, None].astype(np.float32), f"{name}.scale"))
        steps = [
            helper.make_node("Gather", [f"{name}.scale", node.input[1]], [f"{output}.scale"], axis=0),
            helper.make_node("Cast", [f"{output}.codes"], [f"{output}.cast"], to=SINGLE),
            helper.make_node("Mul", [f"{output}.cast", f"{output}.scale"], [output]),
        ]
        node.output[0] = f"{output}.codes"
        position = list(graph.node).index(node)
        for step in reversed(steps):
            graph.node.insert(position + 1, step)


def _after_body(graph: Any) -> list[Any]:
    """List the products of matrices of what a backbone gives, which come after it."""
    given, found = set[str](), []
    for node in graph.node:
        if _is_of_body(node) or given & set(node.input):
            given |= set(node.output)
            found += [node] if node.op_type in PRODUCTS else []
    return found


def _channels(node: Any) -> int:
    """Return the axis of the weights of a node along which its outputs lie."""
    facts = {attribute.name: attribute.i for attribute in node.attribute}
    return 0 if node.op_type == "Conv" or facts.get("transB") else 1


def _known_scales(
    graph: Any, nodes: list[Any], bounds: Mapping[str, Array]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the scales of weights that were rounded before, so that they stay as they are."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    for node in (node for node in nodes if node.op_type in WEIGHTED):
        axis = _channels(node)
        kernel = np.moveaxis(numpy_helper.to_array(constants[node.input[1]]), axis, 0)
        scales = rounded_by(kernel.reshape(len(kernel), -1))
        if scales is None:
            continue
        if len(node.input) > 2:  # a channel without weights has a bias nevertheless, which lies in 32 bits
            bias, (low, high) = numpy_helper.to_array(constants[node.input[2]]), bounds[node.input[0]]
            scales = np.maximum(scales, np.abs(bias) * 255 / (high - low) / 2**30)
        own = [{"scale": np.float32(scale), "zero_point": np.int8(0)} for scale in scales]
        yield node.input[1], [{"axis": axis, **own[0]}, *own[1:]]


def rounded_by(lines: Array) -> Array | None:
    """Find the scale of each line of weights that were rounded to whole numbers up to 127.

    Parameters
    ----------
    lines : ndarray of shape (n_channels, n_weights)
        Weights.

    Returns
    -------
    ndarray of shape (n_channels,) or None
        None if they were not rounded.

    Examples
    --------
    >>> rounded_by(np.array([[0.5, -1.5, 0.0], [0.0, 0.0, 0.0]]))
    array([0.5, 1. ])
    """
    largest = np.abs(lines).max(axis=1)
    found = np.where(largest > 0, np.nan, 1.0)
    for steps in (127, *range(1, 127)):
        rest = np.flatnonzero(np.isnan(found))
        if not rest.size:
            break
        scale = largest[rest] / steps
        codes = lines[rest] / scale[:, None]
        whole = np.abs(codes - np.rint(codes)).max(axis=1) < WHOLE
        found[rest[whole]] = scale[whole]
    return None if np.isnan(found).any() else found


def _nodes(graph: Any) -> list[Any]:
    """List the nodes of the backbone that compute in integers: those with weights, and what takes their outputs."""
    weights = {tensor.name for tensor in graph.graph.initializer if tensor.data_type == SINGLE}
    found, given = list[Any](), set[str]()
    for node in graph.graph.node:
        weighted = node.op_type in WEIGHTED and node.input[1] in weights and _is_of_body(node)
        if (weighted and BODY.search(node.input[0])) or (
            node.op_type in BETWEEN and given.issuperset(set(node.input) - weights)
        ):
            found.append(node)
            given |= set(_rounded_outputs(node))
    if not found:
        raise ValueError(
            "calibration: expected a network with convolutions or dense layers in single precision. Got none; pass "
            "calibration=None."
        )
    return found


def _rounded_outputs(node: Any) -> list[str]:
    return [] if node.op_type in PRODUCTS else list(node.output)


def _is_of_body(node: Any) -> bool:
    return bool(BODY.search(node.name) or (UNNAMED.fullmatch(node.name) and any(map(BODY.search, node.input))))


def _tensors(graph: Any) -> dict[str, str]:
    """Return what the layers that compute in integers take and give: names, and digests of how it is computed."""
    from onnx import numpy_helper

    constants = {tensor.name for tensor in graph.graph.initializer}
    keys = {tensor.name: _digest(numpy_helper.to_array(tensor)) for tensor in graph.graph.initializer}
    keys |= {value.name: value.name for value in graph.graph.input}
    for node in graph.graph.node:
        attributes = sorted(attribute.SerializeToString(deterministic=True).hex() for attribute in node.attribute)
        own = [node.op_type, *attributes, *(keys.get(name, "") for name in node.input)]
        keys |= {name: _digest(",".join([*own, str(number)])) for number, name in enumerate(node.output)}
    taken = (name for node in _nodes(graph) for name in (*node.input, *_rounded_outputs(node)))
    return {name: keys[name] for name in taken if name and name not in constants}


def _digest(content: Any) -> str:
    return content_hash(np.ascontiguousarray(content) if isinstance(content, np.ndarray) else content).hex()


def _bounds(session: Any, tensors: list[str], sample: Any) -> Any:
    return [np.percentile(values, TAILS) for values in session.run(tensors, {"samples": sample})]
