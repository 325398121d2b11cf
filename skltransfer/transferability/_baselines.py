"""Models without a pretrained network, and the numbers that they see of samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, SVR

from skltransfer._inputs.audio import HOP, LogMelSpectrogram
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import Samples
from skltransfer._utils.types import Array, Floats

LARGEST_IMAGE = 32
"""Height and width up to which images keep their pixels, so that a sample has at most some thousands of numbers."""
BATCH = 256
MAX_STEPS = 2000
SVM_STRENGTH = 10.0
WHAT = {
    "table": "columns", "sequences": "values", "image_arrays": "pixels", "image_files": "pixels", "texts": "words",
    "audio": "spectrograms",
}  # fmt: skip


def baselines(format: InputFormat, *, classifier: bool, seed: int) -> dict[str, Any]:
    """Return estimators by their names, which take what `numbers_of` gives.

    Parameters
    ----------
    format : InputFormat
        What a sample is.
    classifier : bool
        Whether they classify, or predict values.
    seed : int
        Of those that draw random numbers.
    """
    kind = format.kind
    linear = LogisticRegression(max_iter=MAX_STEPS) if classifier else _in_units(Ridge())
    name, what = "logistic regression" if classifier else "ridge regression", WHAT[kind.name]
    if kind.is_text:
        words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), strip_accents="unicode")
        strong = LogisticRegression(C=SVM_STRENGTH, max_iter=MAX_STEPS) if classifier else linear
        return {f"{name} on words": make_pipeline(words, strong)}
    machine = SVC(C=SVM_STRENGTH) if classifier else _in_units(SVR(C=SVM_STRENGTH))
    scaled: list[Any] = [FunctionTransformer()] if kind.is_image else [StandardScaler()]
    if kind.is_table:
        scaled = [SimpleImputer(keep_empty_features=True), *scaled]
    found = {f"{name} on {what}": make_pipeline(*scaled, linear), f"RBF SVM on {what}": make_pipeline(*scaled, machine)}
    if kind.is_table:
        trees = HistGradientBoostingClassifier if classifier else HistGradientBoostingRegressor
        found[f"gradient boosting on {what}"] = make_pipeline(FunctionTransformer(), trees(random_state=seed))
    return found


def numbers_of(samples: Samples, format: InputFormat) -> Any:
    """Return what baselines see: a table of numbers, or texts.

    Pixels are from 0 to 1, of images that are resized to at most 32 by 32; spectrograms have the mean and the standard
    deviation of each band over time. Each is a function of its sample alone.
    """
    readers: dict[str, Callable[[Any, InputFormat], Any]] = {
        "texts": lambda texts, _: list(texts.texts), "image_arrays": _pixels, "image_files": _pixels_of_files,
        "audio": _bands,
    }  # fmt: skip
    return readers.get(format.kind.name, _flat)(samples, format)


def _in_units(regressor: Any) -> Any:
    """Let a regressor see values of mean 0 and variance 1."""
    return TransformedTargetRegressor(regressor, transformer=StandardScaler())


def _flat(samples: Samples, format: InputFormat) -> Array:
    return samples.read(range(len(samples))).reshape(len(samples), -1)


def _pixels(samples: Samples, format: InputFormat) -> Floats:
    height, width, channels = format.shape
    size = min(height, LARGEST_IMAGE), min(width, LARGEST_IMAGE)
    resized = Preparation(format.low, format.high, size, channels, (0.0,) * channels, (255.0,) * channels)
    return _in_batches(samples, lambda batch: _numpy(resized(batch.astype(np.float32))))


def _pixels_of_files(samples: Any, format: InputFormat) -> Floats:
    size = LARGEST_IMAGE, LARGEST_IMAGE
    return samples.resized(range(len(samples)), size).reshape(len(samples), -1).astype(np.float32) / 255


def _bands(samples: Samples, format: InputFormat) -> Floats:
    length = (format.shape[1] - 1) * HOP
    spectrogram = LogMelSpectrogram(length, Preparation(0.0, 255.0, None, 1, (0.0,), (255.0,)))

    def averaged(waves: Array) -> Array:
        levels = _numpy(spectrogram(waves))[..., 0]
        return np.concatenate([levels.mean(axis=2), levels.std(axis=2)], axis=1)

    return _in_batches(samples, averaged, spectrogram)


def _in_batches(samples: Samples, change: Callable[[Array], Array], preparation: Any = None) -> Floats:
    starts = range(0, len(samples), BATCH)
    batches = [range(start, min(start + BATCH, len(samples))) for start in starts]
    return np.concatenate([change(samples.read(batch, preparation)).reshape(len(batch), -1) for batch in batches])


def _numpy(values: Any) -> Array:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(values))
