"""A fitted estimator as one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_is_fitted

from skltransfer._keras.onnx import check_traceable
from skltransfer._utils.files import check_folder, written_whole
from skltransfer._utils.sealed import sealed
from skltransfer._validation import unknown_name
from skltransfer.export._about import describe
from skltransfer.export._folder import write_folder
from skltransfer.export._onnx import onnx_model
from skltransfer.export._pipeline import Parts

FORMATS = ("onnx", "openvino", "litert", "saved_model")


def save(estimator: Any, path: str | os.PathLike[str], format: str = "onnx") -> None:
    """Write a fitted estimator to one file: how samples are prepared, the network, the head and the labels.

    `skltransfer.serve.load` gives a predictor of it, which needs neither Keras nor scikit-learn. Any other
    program with ONNX Runtime can read the file, too: its input "samples" takes what the method ``to_keras`` of
    ``estimator.model_`` describes, its outputs are "probabilities" and "decisions", or "values", and "features", and
    its metadata property "skltransfer" says in JSON what samples and labels are.

    Before it is written, the graph is run on random samples, and what it answers is compared with the network itself.
    An estimator that was quantized with samples for calibration (`skltransfer.compression.quantize`) gets a file that
    computes in integers of 8 bits, whose answers differ by their rounding.

    Parameters
    ----------
    estimator : TransferClassifier, TransferRegressor, BackboneTransformer, AutoencoderTransformer, \
DomainAdaptationClassifier, DomainAdaptationRegressor or Pipeline
        Fitted. A pipeline has one of these, and steps of scikit-learn before and after it, which skl2onnx converts:
        transformers, and a classifier or a regressor at the end. Steps before it take numbers.
    path : str or path-like
        The file, in a folder that exists; it appears when it is complete, and a file of this name is replaced. For
        other formats than "onnx", a new folder.
    format : {"onnx", "openvino", "litert", "saved_model"}, default="onnx"
        What is written. `skltransfer.serve.load` reads "onnx". The others are for programs with OpenVINO, LiteRT or
        TensorFlow: they have the same input and outputs, "skltransfer.json" beside the model says what samples and
        labels are, and pipelines are refused. LiteRT has no double precision, so that estimators of tables are refused,
        and lacks operations of networks for texts.

    Raises
    ------
    TypeError
        If this is no estimator of skltransfer, or no pipeline with one, or labels are of a type that JSON does not
        have.
    NotFittedError
        If it is not fitted.
    ValueError
        If ``format`` is unknown, predictions depend on which samples are predicted together
        (``method="tent"``), the network has a layer, or a pipeline a step, without an ONNX form, or is larger than a
        file can be.
    RuntimeError
        If Keras does not run on TensorFlow, or answers of the file are not those of the network.
    ImportError
        If onnx, onnxruntime, tf2onnx or, for a pipeline, skl2onnx is not installed; or openvino for that format.
    OSError
        If the file cannot be written, or there is a folder of this name already.

    Notes
    -----
    Answers agree with the estimator's up to rounding, about 1e-6 of their size in single precision. The digest in
    the file finds damage; it does not say who wrote the file. Decision values of a classifier of scikit-learn at the
    end of a pipeline are not in the file. What estimators of domain adaptation warn of at
    predictions, samples unlike those of `fit`, is not in the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from skltransfer import TransferClassifier
    >>> from skltransfer import export, serve
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = TransferClassifier(random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export.save(clf, Path(folder) / "iris.onnx")
    ...     predictor = serve.load(Path(folder) / "iris.onnx")
    >>> bool((predictor.predict(X) == clf.predict(X)).all())
    True
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    parts = Parts.of(estimator)
    for each in (estimator, parts.own):
        check_is_fitted(each)
    parts.check()
    check_folder(Path(path))
    if parts.own._adapts_to_samples:
        raise ValueError(
            f"method={parts.own.get_params()['method']!r} adapts the network to the samples that are predicted. "
            "Expected an estimator that answers for each sample alone; fit with another method, such as 'adabn'."
        )
    check_traceable()
    if format != "onnx":
        write_folder(parts, describe(parts), Path(path), format)
        return
    model = onnx_model(parts, describe(parts))
    with written_whole(Path(path)) as file:
        file.write(sealed(model))
