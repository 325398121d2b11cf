"""What a file says of the estimator in it, beside the network."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from skltransfer._estimators.reading import read_options
from skltransfer._inputs.described import describe as describe_input
from skltransfer._inputs.kind import InputFormat, ReadOptions
from skltransfer._inputs.recognition import SAMPLE_KINDS
from skltransfer._keras import backend as _backend
from skltransfer._keras.optional import version
from skltransfer._targets.answers import Labels
from skltransfer._utils.types import Array
from skltransfer._version import __version__
from skltransfer.export._pipeline import Parts

REVISION = 1
"""Of what a file says; counts up when older readers would take it for something else."""

LIBRARIES = ("numpy", "scikit-learn", "onnx", "onnxruntime", "skl2onnx", "tf2onnx")
PLAIN = (bool, int, float, str)


def describe(parts: Parts) -> dict[str, Any]:
    """Return all that a predictor has to know of a fitted estimator or pipeline, in values that JSON can hold.

    Raises
    ------
    TypeError
        If labels are of a type that JSON does not have.
    """
    estimator = parts.own
    model = estimator.model_
    names = getattr(parts.whole, "feature_names_in_", None)
    about = {
        "revision": REVISION,
        "estimator": type(parts.whole).__name__,
        "reader": type(parts.before[0].estimator if parts.before else estimator).__name__,
        "versions": {"skltransfer": __version__, "python": platform.python_version(), "keras": _backend.version()}
        | {library: version(library) for library in LIBRARIES},
        "n_parameters": estimator.backbone_.n_parameters,
        "input": describe_input(model.format, read_options(estimator), model.extraction.preparation),
        "n_features_in": int(parts.whole.n_features_in_),
        "feature_names_in": None if names is None else [str(name) for name in names],
        "answers": {"kind": "features", "dtype": None},
    }
    if model.head is not None:
        labels = isinstance(model.encoding, Labels)
        about["answers"] = {"kind": "labels" if labels else "values", "dtype": str(model.head.coef.dtype)}
        if labels:
            about["labels"] = _labels(model.encoding)
    elif (layout := getattr(model, "layout", None)) is not None:
        dtype = layout.dtype if model.format.kind.is_table else None
        about["answers"] = {"kind": "reconstruction", "dtype": dtype}
        about["layout"] = {"shape": list(layout.shape), "dtype": layout.dtype}
    if parts.before:
        about["input"] = _table(parts)
    return _after(about, parts) if parts.after else about


def _table(parts: Parts) -> dict[str, Any]:
    """Say that samples are numbers, some of which may be missing if steps fill them."""
    n_columns = int(parts.whole.n_features_in_)
    try:
        filled = bool(np.isfinite(parts.prepared(np.full((1, n_columns), np.nan))).all())
    except ValueError:
        filled = False
    options = ReadOptions(allow_nan=filled or read_options(parts.own).allow_nan)
    return describe_input(InputFormat(SAMPLE_KINDS["table"], (n_columns,)), options, None)


def _after(about: dict[str, Any], parts: Parts) -> dict[str, Any]:
    """Say what the last step answers."""
    about = {key: value for key, value in about.items() if key not in ("labels", "layout")}
    last = parts.after[-1]
    about["answers"] = {"kind": "chosen" if last.kind == "labels" else last.kind, "dtype": None}
    if last.kind == "labels":
        about["labels"] = {"classes": [_classes(np.asarray(last.estimator.classes_), 0)], "several": False}
        about["labels"]["binary"] = False
    return about


def _labels(encoding: Labels) -> dict[str, Any]:
    return {
        "classes": [_classes(labels, number) for number, labels in enumerate(encoding.classes)],
        "several": bool(encoding.several),
        "binary": bool(encoding.binary),
    }


def _classes(labels: Array, number: int) -> dict[str, Any]:
    """Return labels of one task with their dtype, from which they are the same again."""
    values = labels.tolist()
    for label in values:
        if type(label) not in PLAIN or not _finite(label):
            raise TypeError(
                f"classes_: expected labels that are strings, whole or finite real numbers, or booleans. Got {label!r} "
                f"({type(label).__name__}) in task {number}; fit on such labels, for instance y.astype(str)."
            )
    return {"dtype": labels.dtype.str if labels.dtype != object else "object", "values": values}


def _finite(label: Any) -> bool:
    return not isinstance(label, float) or bool(np.isfinite(label))
