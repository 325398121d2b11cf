"""Pipelines of scikit-learn around an estimator of this package, joined into one ONNX graph."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.pipeline import Pipeline

from skltransfer._estimators.base import BackboneEstimator
from skltransfer._keras.onnx import OPSET
from skltransfer._keras.optional import import_optional
from skltransfer._utils.types import Array

OPSETS = {"": OPSET, "ai.onnx.ml": 3}
"""Versions of ONNX' operators, those of scikit-learn's models among them."""


@dataclass(frozen=True)
class Step:
    """A step of scikit-learn, and how errors call it."""

    name: str
    estimator: Any

    @property
    def kind(self) -> str:
        """Whether it ends with "labels", "values" or "features"."""
        if not hasattr(self.estimator, "predict"):
            return "features"
        return "labels" if hasattr(self.estimator, "classes_") else "values"

    def __str__(self) -> str:
        return f"{self.name!r} ({type(self.estimator).__name__})"


@dataclass(frozen=True)
class Parts:
    """An estimator of this package, and the steps of a pipeline around it, if it is in one.

    Parameters
    ----------
    whole : estimator
        What the user passed.
    own : BackboneEstimator
        The estimator of this package.
    before, after : tuple of Step
        What comes before and after it.
    """

    whole: Any
    own: Any
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()

    @classmethod
    def of(cls, estimator: Any) -> Parts:
        """Take a pipeline apart.

        Raises
        ------
        TypeError
            If there is not exactly one estimator of this package in it.
        ValueError
            If that one does not take the numbers that steps before it give.
        """
        if isinstance(estimator, BackboneEstimator):
            return cls(estimator, estimator)
        if not isinstance(estimator, Pipeline):
            raise TypeError(
                f"estimator: expected a fitted estimator of skltransfer, or a Pipeline with one. Got a "
                f"{type(estimator).__name__}; of a search, pass the estimator inside, search.best_estimator_."
            )
        steps = [Step(name, step) for name, step in estimator.steps if step not in (None, "passthrough")]
        places = [place for place, step in enumerate(steps) if isinstance(step.estimator, BackboneEstimator)]
        if len(places) != 1:
            raise TypeError(
                f"estimator: expected a Pipeline with one estimator of skltransfer. Got one with {len(places)} among "
                f"{', '.join(map(str, steps))}; export the steps apart."
            )
        place = places[0]
        return cls(estimator, steps[place].estimator, tuple(steps[:place]), tuple(steps[place + 1 :]))

    def check(self) -> None:
        """Raise ValueError if steps around the estimator cannot stand there."""
        if self.before and not (self.own.model_.format.kind.is_table and hasattr(self.whole, "n_features_in_")):
            raise ValueError(
                f"estimator: expected steps from numbers to a table before a {type(self.own).__name__}. Got "
                f"{', '.join(map(str, self.before))} before {self.own.model_.format.describe()}; export the last step "
                "alone."
            )
        for step in (*self.before, *self.after):
            own, last = step.estimator, step is (self.after or (None,))[-1]
            known = hasattr(own, "transform") and not hasattr(own, "predict")
            if not known and not (last and (is_classifier(own) or is_regressor(own))):
                raise ValueError(
                    f"estimator: step {step} has no ONNX form here. Expected transformers, and a classifier or a "
                    "regressor at the end; keep the pipeline with joblib.dump."
                )
            if isinstance(getattr(own, "classes_", None), list):
                raise ValueError(f"estimator: step {step} has several tasks. Expected one; fit a pipeline for each.")

    def prepared(self, X: Array) -> Array:
        """Return what steps before the estimator make of samples."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # columns have no names here
            for step in self.before:
                X = step.estimator.transform(X)
        return np.asarray(X)

    def answers(self, features: Array) -> dict[str, Array]:
        """Return what steps after the estimator answer to its features, by the name of the graph's output."""
        for step in self.after[:-1]:
            features = step.estimator.transform(features)
        last = self.after[-1]
        if last.kind == "features":
            return {"features": np.asarray(last.estimator.transform(features))}
        found = np.asarray(last.estimator.predict(features))
        if last.kind == "values":
            return {"values": found.reshape(len(found), -1)}
        answers = {"chosen": np.searchsorted(last.estimator.classes_, found)}
        if hasattr(last.estimator, "predict_proba"):
            answers["probabilities"] = last.estimator.predict_proba(features)
        return answers


def converted(parts: Parts, dtype: str) -> tuple[list[Any], list[Any]]:
    """Convert the steps before and after an estimator.

    Parameters
    ----------
    parts : Parts
        The pipeline.
    dtype : str
        Of the features of the estimator.

    Returns
    -------
    before, after : list of onnx.ModelProto
        A graph for each step.

    Raises
    ------
    ValueError
        If a step has no ONNX form; the message names it.
    ImportError
        If skl2onnx is not installed.
    """
    if parts.before or parts.after:
        for module in ("onnx", "onnxruntime", "skl2onnx"):
            import_optional(module, extra="export", purpose="export.save of a pipeline")
    return _chain(parts.before, "float64", "before"), _chain(parts.after, dtype, "after")


def _chain(steps: tuple[Step, ...], dtype: str, prefix: str) -> list[Any]:
    graphs: list[Any] = []
    for number, step in enumerate(steps):
        given = _given(graphs[-1]) if graphs else _element(dtype)
        graphs.append(_converted(step, given, f"{prefix}{number}_"))
    return graphs


def joined(graph: Any, before: list[Any], after: list[Any]) -> Any:
    """Put the graphs of all steps behind one another.

    Parameters
    ----------
    graph : onnx.ModelProto
        Of the estimator of this package, from "samples" to answers that have "features" among them.
    before, after : list of onnx.ModelProto
        What `converted` gave.

    Returns
    -------
    onnx.ModelProto
        From "samples" to answers.
    """
    if before:
        _cast_input(graph, _given(before[-1]))
        graph = reduce(_behind, [*before, graph])
    for output in graph.graph.output if after else ():
        _rename(graph, output.name, f"inner_{output.name}")
    graph = reduce(_behind, [graph, *after])
    _rename(graph, graph.graph.input[0].name, "samples")
    for output in graph.graph.output if after else ():
        _rename(graph, output.name, output.name.rpartition("_")[2])
    return graph


def _element(dtype: str) -> int:
    return int(import_module("onnx").helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def _given(graph: Any) -> int:
    return int(graph.graph.output[0].type.tensor_type.elem_type)


def _converted(step: Step, dtype: int, prefix: str) -> Any:
    """Convert a step; in single precision where double has no form that runs."""
    onnx, runtime = import_module("onnx"), import_module("onnxruntime")
    for computed in dict.fromkeys((dtype, onnx.TensorProto.FLOAT)):
        try:
            graph = _convert(step, computed)
            runtime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
            break
        except Exception as error:  # converters, and ONNX Runtime, have errors of their own
            why = error
    else:
        raise ValueError(
            f"estimator: step {step} has no ONNX form: {' '.join(str(why).split())[:200]} Expected steps that skl2onnx "
            "converts; replace it, or keep the pipeline with joblib.dump."
        ) from why
    names = {"labels": ("chosen", "probabilities"), "values": ("values",), "features": ("features",)}[step.kind]
    for output, name in zip(graph.graph.output, names, strict=False):
        _rename(graph, output.name, name)
    if step.kind == "labels" and not hasattr(step.estimator, "predict_proba"):
        del graph.graph.output[1:]
    _cast_input(graph, dtype)
    return onnx.compose.add_prefix(graph, prefix)


def _convert(step: Step, dtype: int) -> Any:
    onnx, skl2onnx = import_module("onnx"), import_module("skl2onnx")
    types = import_module("skl2onnx.common.data_types")
    estimator, options = step.estimator, None
    if step.kind == "labels":  # which label is chosen is a number in the graph, and the file says what it stands for
        estimator, options = copy.copy(estimator), {"zipmap": False}
        estimator.classes_ = np.arange(len(estimator.classes_))
    kind = types.DoubleTensorType if dtype == onnx.TensorProto.DOUBLE else types.FloatTensorType
    wanted: dict[str, Any] = {
        "initial_types": [("x", kind([None, step.estimator.n_features_in_]))],
        "target_opset": OPSETS,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of attributes of estimators that are deprecated
        try:
            return skl2onnx.convert_sklearn(estimator, options=options, **wanted)
        except NameError:  # it knows no such option, and needs none
            return skl2onnx.convert_sklearn(estimator, **wanted)


def _cast_input(graph: Any, dtype: int) -> None:
    """Let a graph take another precision than it computes with."""
    onnx = import_module("onnx")
    taken = graph.graph.input[0]
    own, name = taken.type.tensor_type.elem_type, f"{taken.name}_cast"
    if own == dtype:
        return
    for node in graph.graph.node:
        node.input[:] = [name if each == taken.name else each for each in node.input]
    graph.graph.node.insert(0, onnx.helper.make_node("Cast", [taken.name], [name], to=own))
    taken.type.tensor_type.elem_type = dtype


def _behind(first: Any, second: Any) -> Any:
    """Put one graph behind the features of another; its answers are those of the second."""
    onnx = import_module("onnx")
    second.ir_version = first.ir_version = max(first.ir_version, second.ir_version)
    for graph in (first, second):  # skl2onnx names the oldest versions that would do, and some twice
        del graph.opset_import[:]
        graph.opset_import.extend(onnx.helper.make_opsetid(*each) for each in OPSETS.items())
    (link,) = [output.name for output in first.graph.output if output.name.endswith("features")]
    return onnx.compose.merge_models(
        first,
        second,
        io_map=[(link, second.graph.input[0].name)],
        outputs=[output.name for output in second.graph.output],
    )


def _rename(graph: Any, old: str, new: str) -> None:
    """Rename an input or an output."""
    for node in graph.graph.node:
        node.input[:] = [new if each == old else each for each in node.input]
        node.output[:] = [new if each == old else each for each in node.output]
    for value in (*graph.graph.input, *graph.graph.output):
        if value.name == old:
            value.name = new
