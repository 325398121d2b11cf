"""Files of `skltransfer.export.save` to predictors."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skltransfer._inputs.described import restore
from skltransfer._inputs.formats import Layout
from skltransfer._keras.optional import import_optional
from skltransfer._targets.answers import Labels
from skltransfer._utils.sealed import is_sealed
from skltransfer.serve._columns import Columns
from skltransfer.serve._predictors import (
    Predictor,
    Served,
    ServedAutoencoder,
    ServedClassifier,
    ServedPipelineClassifier,
    ServedRegressor,
)

REVISION = 1
"""The newest that this reader knows of what a file says."""

PREDICTORS = {
    "labels": ServedClassifier,
    "chosen": ServedPipelineClassifier,
    "values": ServedRegressor,
    "features": Predictor,
    "reconstruction": ServedAutoencoder,
}


def load(
    path: str | os.PathLike[str], *, n_threads: int | None = None, providers: Sequence[str] = ("CPUExecutionProvider",)
) -> Any:
    """Read a file that `skltransfer.export.save` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.
    n_threads : int, default=None
        Threads that one call uses; None is one for each core.
    providers : sequence of str, default=("CPUExecutionProvider",)
        Of ONNX Runtime, in the order in which it tries them.

    Returns
    -------
    ServedClassifier, ServedPipelineClassifier, ServedRegressor, ServedAutoencoder or Predictor
        Takes the same samples as the estimator. Several threads may share it.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If the file is damaged, was written by another program, or by a newer version of skltransfer; the message
        names it.
    ImportError
        If onnxruntime is not installed.

    Notes
    -----
    Nothing in the file is run as Python code. Its digest finds damage; it does not say who wrote the file.

    Examples
    --------
    See `skltransfer.export.save`.
    """
    runtime = import_optional("onnxruntime", extra="serve", purpose="serve.load")
    with Path(path).open("rb") as file:
        whole = is_sealed(file)
    if not whole:
        raise ValueError(
            f"{os.fspath(path)!r} is damaged, or no file of skltransfer.export.save: its digest is not that of its "
            "content. Expected the file as it was written; copy it again, or export the estimator anew."
        )
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    if n_threads is not None:
        options.intra_op_num_threads = n_threads
    try:
        session = runtime.InferenceSession(os.fspath(path), options, providers=list(providers))
        about = json.loads(session.get_modelmeta().custom_metadata_map["skltransfer"])
        if about["revision"] <= REVISION:
            return _predictor(session, about)
    except Exception as error:  # ONNX Runtime has errors of its own
        raise ValueError(
            f"{os.fspath(path)!r} is whole, but cannot be read: {type(error).__name__}, {error}. Expected a file of "
            "skltransfer.export.save and an ONNX Runtime of its time or newer; update onnxruntime, or export anew."
        ) from error
    raise ValueError(
        f"{os.fspath(path)!r} was written by skltransfer {about['versions']['skltransfer']}. Expected a file of "
        f"revision {REVISION} at most, got {about['revision']}; update skltransfer."
    )


def _predictor(session: Any, about: dict[str, Any]) -> Predictor:
    format, options, preparation = restore(about["input"])
    names = about["feature_names_in"]
    columns = Columns(
        about.get("reader", about["estimator"]), about["n_features_in"], None if names is None else tuple(names)
    )
    labels, layout = about.get("labels"), about.get("layout")
    served = Served(
        session, format, options, preparation, columns, about["answers"]["dtype"],
        None if labels is None else _labels(labels),
        None if layout is None else Layout(tuple(layout["shape"]), layout["dtype"]),
    )  # fmt: skip
    return PREDICTORS[about["answers"]["kind"]](served, about)


def _labels(said: dict[str, Any]) -> Labels:
    classes = tuple(np.array(each["values"], dtype=np.dtype(each["dtype"])) for each in said["classes"])
    return Labels(classes, said["several"], said["binary"])
