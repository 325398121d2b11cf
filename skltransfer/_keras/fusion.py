"""Operations of ONNX graphs that TensorFlow's graphs have in pieces, put together again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

Form = Any
"""Name of a tensor, or a tuple of an operation and the forms of its inputs."""

NORMALIZATION: dict[str, Form] = {
    "y": ("Add", ("Mul", "x", "factor"), ("Add", ("Mul", ("Neg", "mean"), "factor"), "beta")),
    "factor": ("Mul", ("Reciprocal", ("Sqrt", ("Add", "variance", "epsilon"))), "gamma"),
    "variance": ("ReduceMean", ("Mul", "deviation", "deviation"), "axes"),
    "deviation": ("Sub", "x", "mean"),
    "mean": ("ReduceMean", "x", "axes"),
}
GELU: dict[str, Form] = {
    "y": ("Mul", ("Mul", "half", "x"), ("Sub", "one", ("Erf", ("Mul", ("Neg", "x"), "root")))),
}
DENSE: dict[str, Form] = {
    "y": ("Add", "places", "bias"),
    "places": ("Reshape", "product", "shape"),
    "product": ("MatMul", "rows", "matrix"),
    "rows": ("Reshape", "x", "row_shape"),
}


def fuse(onnx: Any, graph: Any) -> None:
    """Put layer normalization, GELU, and products with a bias together, in place.

    A runtime then takes one pass for what is a dozen otherwise. GELU stays in pieces, as ONNX has it only in later
    versions, but in those that ONNX Runtime knows.

    Parameters
    ----------
    onnx : module
        The package.
    graph : onnx.GraphProto
        As tf2onnx writes it.
    """
    helper, known = onnx.helper, _Known(onnx, graph)
    made = [node for old in graph.node for node in known.replaced(helper, old)]
    del graph.node[:]
    graph.node.extend(_used(made, [value.name for value in graph.output]))
    taken = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in (*graph.initializer, *known.added) if tensor.name in taken]
    del graph.initializer[:]
    graph.initializer.extend(kept)


class _Known:
    """What a graph computes from what."""

    def __init__(self, onnx: Any, graph: Any) -> None:
        self.numpy_helper = onnx.numpy_helper
        self.makers = {output: node for node in graph.node for output in node.output}
        self.uses = Counter(name for node in graph.node for name in node.input)
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.added: list[Any] = []

    def replaced(self, helper: Any, node: Any) -> list[Any]:
        """Return what stands for a node: itself, if it is the end of none of the forms."""
        for form, change in ((NORMALIZATION, self._normalization), (GELU, self._gelu), (DENSE, self._dense)):
            if (found := self._match(form, node)) is not None and (nodes := change(helper, node.name, found)):
                return nodes
        return [node]

    def _match(self, form: Mapping[str, Form], node: Any) -> dict[str, str] | None:
        found = {"y": node.output[0]}
        matches = all(self._bind(found[name], part, found) for name, part in form.items())
        return found if matches else None

    def _bind(self, tensor: str, form: Form, found: dict[str, str]) -> bool:
        if isinstance(form, str):
            return found.setdefault(form, tensor) == tensor
        operation, *inputs = form
        node = self.makers.get(tensor)
        if node is None or node.op_type != operation or len(node.input) != len(inputs):
            return False
        return all(self._bind(name, part, found) for name, part in zip(node.input, inputs, strict=True))

    def _value(self, name: str) -> Any:
        """Return a constant, or None."""
        return self.numpy_helper.to_array(self.constants[name]) if name in self.constants else None

    def _constant(self, name: str, value: Any) -> str:
        self.added.append(self.numpy_helper.from_array(value, name))
        return name

    def _normalization(self, helper: Any, name: str, found: Mapping[str, str]) -> list[Any]:
        gamma, beta, epsilon, axes = (self._value(found[key]) for key in ("gamma", "beta", "epsilon", "axes"))
        if gamma is None or beta is None or epsilon is None or axes is None:
            return []
        along_last = axes.tolist() == [-1] or (gamma.ndim > 1 and axes.tolist() == [gamma.ndim - 1])
        if gamma.shape != beta.shape or gamma.size != gamma.shape[-1] or not along_last:
            return []
        scale = [self._constant(f"{name}/{key}", value.ravel()) for key, value in (("gamma", gamma), ("beta", beta))]
        inputs, epsilon = [found["x"], *scale], float(epsilon.item())
        return [helper.make_node("LayerNormalization", inputs, [found["y"]], name=name, axis=-1, epsilon=epsilon)]

    def _gelu(self, helper: Any, name: str, found: Mapping[str, str]) -> list[Any]:
        values = [self._value(found[key]) for key in ("half", "one", "root")]
        if any(value is None or value.size != 1 for value in values):
            return []
        if not np.allclose([value.item() for value in values], [0.5, 1.0, np.sqrt(0.5)], rtol=1e-6):
            return []
        root = self._constant(f"{name}/root", np.sqrt(2.0).astype(values[-1].dtype))
        y = found["y"]
        steps = [
            ("Div", [found["x"], root]), ("Erf", [f"{y}/1"]), ("Add", [f"{y}/2", found["one"]]),
            ("Mul", [found["x"], f"{y}/3"]), ("Mul", [f"{y}/4", found["half"]]),
        ]  # fmt: skip
        outputs = [*(f"{y}/{number}" for number in range(1, len(steps))), y]
        return [
            helper.make_node(operation, inputs, [output], name=f"{name}/{operation}{number}")
            for number, ((operation, inputs), output) in enumerate(zip(steps, outputs, strict=True))
        ]

    def _dense(self, helper: Any, name: str, found: Mapping[str, str]) -> list[Any]:
        matrix, bias, row_shape = (self._value(found[key]) for key in ("matrix", "bias", "row_shape"))
        alone = self.uses[found["product"]] == self.uses[found["places"]] == 1
        if not alone or matrix is None or bias is None or row_shape is None:
            return []
        if matrix.ndim != 2 or bias.shape != matrix.shape[1:] or row_shape.size != 2:
            return []
        rows, places = f"{found['y']}/rows", self.makers[found["places"]].name
        inputs, product = [found["rows"], found["matrix"], found["bias"]], self.makers[found["product"]].name
        return [
            helper.make_node("Gemm", inputs, [rows], name=product),
            helper.make_node("Reshape", [rows, found["shape"]], [found["y"]], name=places),
        ]


def _used(nodes: Iterable[Any], outputs: Iterable[str]) -> list[Any]:
    """Leave out nodes on which no output depends."""
    wanted, found = set(outputs), []
    for node in reversed(list(nodes)):
        if wanted & set(node.output):
            wanted |= set(node.input)
            found.append(node)
    return found[::-1]
