"""Keras networks as ONNX graphs, by way of TensorFlow's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np

from skltransfer._keras import backend as _backend
from skltransfer._keras.fusion import fuse
from skltransfer._keras.optional import import_optional

OPSET = 18
"""Version of ONNX' operators, which ONNX Runtime reads from 1.14 on; the newest that tf2onnx writes."""

MATRIX = 2**14
"""Entries from which on a matrix stays outside of a graph during conversion, which copies the graph dozens of times."""

Compute = Callable[[np.ndarray], dict[str, np.ndarray]]


def check_traceable() -> None:
    """Raise RuntimeError on a backend on which nothing is converted."""
    if _backend.name() != "tensorflow":
        raise RuntimeError(
            f"export runs on TensorFlow, and Keras runs on {_backend.name()} here. Expected KERAS_BACKEND=tensorflow; "
            "fitted estimators are the same on all backends, so keep this one with joblib.dump and export it in a "
            "process with that setting."
        )


def to_onnx(network: Any) -> tuple[Any, Compute]:
    """Convert a Keras network of one input, and outputs by name.

    Parameters
    ----------
    network : keras.Model
        Its outputs are a dict.

    Returns
    -------
    model : onnx.ModelProto
        With "samples" as its input, and outputs of the same names.
    compute : callable
        The network itself: from a batch to outputs by name.

    Raises
    ------
    ImportError
        If onnx or tf2onnx is not installed.
    RuntimeError
        If Keras does not run on TensorFlow.
    ValueError
        If the network has an operation without an ONNX form; the message names it.
    """
    onnx = import_optional("onnx", extra="export", purpose="export.save")
    convert = import_optional("tf2onnx.convert", extra="export", purpose="export.save")
    with _backend.own_settings(), quiet():
        graph, given, matrices, outputs, compute = _frozen_graph(network)
        names = {given: "samples"} | {tensor: key for key, tensor in outputs.items()}
        model, _ = convert.from_graph_def(
            graph,
            name="skltransfer",
            input_names=[given, *matrices],
            output_names=list(outputs.values()),
            opset=OPSET,
            tensors_to_rename=names,
            custom_op_handlers=dict(HANDLERS),
        )
    _put_in(onnx, model.graph, matrices)
    fuse(onnx, model.graph)
    _check_known(onnx, model)
    onnx.checker.check_model(model)
    return model, compute


def _put_in(onnx: Any, graph: Any, matrices: Mapping[str, np.ndarray]) -> None:
    """Put matrices, which stayed outside of a graph while it was converted, into it."""
    for value in [value for value in graph.input if value.name in matrices]:
        graph.initializer.append(onnx.numpy_helper.from_array(matrices[value.name], value.name))
        graph.input.remove(value)


def _check_known(onnx: Any, model: Any) -> None:
    """Refuse a graph in which an operation of TensorFlow is left."""
    left = sorted(
        {node.op_type for node in model.graph.node if not node.domain and not onnx.defs.has(node.op_type, OPSET, "")}
    )
    extra = [value.name for value in model.graph.input if value.name != "samples"]
    if left or extra:
        raise ValueError(
            f"The network has operations without an ONNX form: {', '.join(left or extra)} in TensorFlow's names. "
            "Expected layers that tf2onnx converts; replace those layers, or keep the estimator with joblib.dump."
        )


def _replace(ctx: Any, node: Any, name: str, operation: str, inputs: list[str]) -> None:
    shapes, dtypes, outputs = node.output_shapes, node.output_dtypes, node.output
    ctx.remove_node(node.name)
    ctx.make_node(operation, inputs, name=name, outputs=outputs, shapes=shapes, dtypes=dtypes)


def _erfc(ctx: Any, node: Any, name: str, args: Any) -> None:
    one = ctx.make_const(f"{name}__one", np.ones((), _dtype(node.output_dtypes[0])))
    erf = ctx.make_node("Erf", node.input, shapes=node.output_shapes, dtypes=node.output_dtypes)
    _replace(ctx, node, name, "Sub", [one.output[0], erf.output[0]])


def _choice(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Choose; tf2onnx multiplies by 0 and adds, which makes NaN of NaN and infinity that are not chosen."""
    chosen, one, other = node.input
    if _dtype(node.output_dtypes[0]) != np.bool_:
        _replace(ctx, node, name, "Where", [chosen, one, other])
        return
    rest = ctx.make_node("Not", [chosen]).output[0]
    parts = [ctx.make_node("And", list(pair)).output[0] for pair in ((chosen, one), (rest, other))]
    _replace(ctx, node, name, "Or", parts)


def _spectrum(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Leave a Fourier transform to what reads it; without readers it is dropped."""


def _spectrum_part(wave: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Return a conversion of one part of a spectrum to a product of the signal with a matrix."""

    def convert(ctx: Any, node: Any, name: str, args: Any) -> None:
        transform = node.inputs[0]
        length = int(transform.inputs[1].get_tensor_value(as_list=False).ravel()[0])
        turns = np.outer(np.arange(length), np.arange(length // 2 + 1)) % length * (2 * np.pi / length)
        kernel = ctx.make_const(f"{name}__waves", wave(turns).astype(_dtype(ctx.get_dtype(transform.input[0]))))
        _replace(ctx, node, name, "MatMul", [transform.input[0], kernel.output[0]])

    return convert


def _dtype(number: int) -> Any:
    return import_module("onnx").helper.tensor_dtype_to_np_dtype(number)


HANDLERS: dict[str, Any] = {
    "Erfc": (_erfc, []),
    "SelectV2": (_choice, []),
    "RFFT": (_spectrum, []),
    "Real": (_spectrum_part(np.cos), []),
    "Imag": (_spectrum_part(lambda turns: -np.sin(turns)), []),
}
"""Conversions of operations of TensorFlow for which tf2onnx has none, or a wrong one."""


def _stays_outside(array: np.ndarray) -> bool:
    return array.ndim == 2 and array.size >= MATRIX


@contextmanager
def quiet() -> Iterator[None]:
    """Keep libraries from writing what they are doing; what failed is in the error."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    logging.root.addFilter(_nothing)  # tf2onnx writes some of it without a logger of its own
    try:
        yield
    finally:
        logging.root.removeFilter(_nothing)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _nothing(record: logging.LogRecord) -> bool:
    return False


def _frozen_graph(network: Any) -> tuple[Any, str, dict[str, np.ndarray], dict[str, str], Compute]:
    """Trace a Keras network with its weights compiled in, but for large matrices; on TensorFlow only.

    Parameters
    ----------
    network : keras.Model
        Of one input; its outputs are a dict.

    Returns
    -------
    graph : tensorflow GraphDef
        The network, in which weights are constants.
    input : str
        The tensor that is its input.
    matrices : dict of str to ndarray
        Further inputs, and what they hold.
    outputs : dict of str to str
        The tensor that is each output.
    compute : callable
        From a batch to outputs by name.

    Raises
    ------
    RuntimeError
        If Keras runs on another backend.
    """
    check_traceable()
    import tensorflow as tf
    from keras import StatelessScope

    arrays = ((variable, variable.value.numpy()) for variable in network.variables)
    values = [(variable, tf.constant(array) if _stays_outside(array) else array) for variable, array in arrays]

    def traced(batch: Any) -> Any:
        own = [(variable, tf.convert_to_tensor(value)) for variable, value in values]
        with StatelessScope(state_mapping=own):
            return {key: tf.identity(value) for key, value in network(batch, training=False).items()}

    spec = network.inputs[0]
    signature = [tf.TensorSpec(spec.shape, spec.dtype)]
    concrete = tf.function(traced, signature, autograph=False, jit_compile=False).get_concrete_function()
    graph = concrete.graph.as_graph_def()
    nodes = {node.name: node for node in graph.node}
    matrices, outside = {}, {id(value) for _, value in values if tf.is_tensor(value)}
    for outer, inner in concrete.graph.captures:  # constants of Keras' operations lie outside of the function
        if id(outer) in outside:
            matrices[inner.name] = outer.numpy()
            continue
        node = nodes[inner.op.name]
        node.Clear()
        node.name, node.op = inner.op.name, "Const"
        node.attr["dtype"].type = outer.dtype.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(outer.numpy()))

    def compute(batch: np.ndarray) -> dict[str, np.ndarray]:
        return {key: value.numpy() for key, value in concrete(tf.constant(batch)).items()}

    outputs = {key: tensor.name for key, tensor in concrete.structured_outputs.items()}
    return graph, concrete.inputs[0].name, matrices, outputs, compute
