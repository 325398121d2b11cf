"""Predictors with scikit-learn's face, on ONNX Runtime."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from skltransfer._inputs.containers import gathered
from skltransfer._inputs.formats import Layout
from skltransfer._inputs.kind import InputFormat, ReadOptions
from skltransfer._inputs.preparation import AnyPreparation
from skltransfer._inputs.samples import ArraySamples, Positions, RaggedSamples, Samples, filled_length
from skltransfer._inputs.texts import Tokenization
from skltransfer._targets.answers import Labels
from skltransfer._utils.types import Array
from skltransfer.serve._columns import Columns

DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int32)": np.int32}
BATCH_VALUES, MOST = 2**21, 1024
"""Values, and samples, that go through the network together."""


@dataclass(frozen=True, eq=False)
class Served:
    """A network in ONNX Runtime, and how samples get there.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        From "samples" to answers by name.
    format, options, preparation
        What a sample is, how it is read, and how the network takes it.
    columns : Columns
        What is known of the columns of samples.
    dtype : str or None
        Of answers; None is that of the network.
    labels : Labels or None
        From decision values to labels.
    layout : Layout or None
        How samples that are reconstructed lie in an array.
    """

    session: Any
    format: InputFormat
    options: ReadOptions
    preparation: AnyPreparation | None
    columns: Columns
    dtype: str | None
    labels: Labels | None
    layout: Layout | None

    def read(self, X: Any) -> Samples:
        """Check samples as the estimator does."""
        values = gathered(X)
        if hasattr(X, "columns"):
            self.columns.check_names(X)
        return self.format.kind.read(values, self.options, self.columns, self.format)[0]

    def prepared(self, X: Any) -> list[Array]:
        """Check samples, and return each as the network takes it."""
        samples = self.read(X)
        if None not in samples.layout(self.preparation)[0]:
            return list(samples.read(range(len(samples)), self.preparation))
        return [samples.read([position], self.preparation)[0] for position in range(len(samples))]

    def run(self, X: Any, names: Sequence[str]) -> list[Array]:
        """Compute answers for samples."""
        found = self.compute(self.read(X), names)
        check_answers(found)
        return found

    def run_prepared(self, samples: Sequence[Array], names: Sequence[str]) -> list[Array]:
        """Compute answers, which may not be finite, for what `prepared` gave, of any number of calls."""
        if isinstance(self.preparation, Tokenization):
            return self.compute(RaggedSamples(samples), names)
        return self.compute(ArraySamples(np.stack(samples)), names)

    def compute(self, samples: Samples, names: Sequence[str]) -> list[Array]:
        """Compute answers in batches."""
        batches = self._batches(samples)
        found = [self._run(samples.read(positions, self.preparation), names) for positions in batches]
        if len(found) == 1:
            return found[0]
        back = np.argsort(np.concatenate(batches))
        return [np.concatenate(parts)[back] for parts in zip(*found, strict=True)]

    def _run(self, batch: Array, names: Sequence[str]) -> list[Array]:
        return self.session.run(names, {"samples": batch.astype(self._input_dtype, copy=False)})

    @cached_property
    def outputs(self) -> list[str]:
        """Names of all answers."""
        return [output.name for output in self.session.get_outputs()]

    @cached_property
    def _input_dtype(self) -> Any:
        return DTYPES[self.session.get_inputs()[0].type]

    def cast(self, answers: Array) -> Array:
        """Return answers in the dtype that the estimator gives."""
        return answers if self.dtype is None else answers.astype(self.dtype, copy=False)

    def _batches(self, samples: Samples) -> list[Positions]:
        """Cut samples into batches; those that are filled up to one length come together."""
        shape = samples.layout(self.preparation)[0]
        if None not in shape:
            pixels = 3 * math.prod(getattr(self.preparation, "size", None) or (1,))
            return _cut(range(len(samples)), max(math.prod(shape), pixels))
        groups: dict[int, list[int]] = defaultdict(list)
        lengths = samples.lengths(range(len(samples)), self.preparation)  # type: ignore[attr-defined]
        for position, length in enumerate(lengths.tolist()):
            groups[filled_length(length)].append(position)
        return [batch for length, positions in sorted(groups.items()) for batch in _cut(positions, 384 * length)]


def _cut(positions: Sequence[int], values: int) -> list[Positions]:
    """Cut samples of so many values into batches."""
    room = min(max(BATCH_VALUES // values, 1), MOST)
    return [positions[start : start + room] for start in range(0, len(positions), room)]


def check_answers(found: Sequence[Array]) -> None:
    """Raise ValueError if the network has computed NaN or infinity."""
    for answers in found:
        if math.isfinite(np.vdot(answers, answers)):  # one pass; what overflows is looked at again
            continue
        bad = ~np.isfinite(answers.reshape(len(answers), -1)).all(axis=1)
        if bad.any():
            raise ValueError(
                f"X: sample {bad.argmax()} has answers that are NaN or infinite. Expected values that the network can "
                "compute with; scale the samples as those of fit were."
            )


class Predictor:
    """What `load` gives: a fitted estimator, for predictions alone.

    Attributes
    ----------
    n_features_in_ : int
        Columns that `fit` saw.
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        Their names, if they had names.
    about : dict
        What the file says: the class of the estimator, versions of libraries, what samples and labels are.
    """

    def __init__(self, served: Served, about: dict[str, Any]) -> None:
        self._served, self.about = served, about
        self.n_features_in_ = int(about["n_features_in"])
        if about["feature_names_in"] is not None:
            self.feature_names_in_ = np.array(about["feature_names_in"], dtype=object)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.about['estimator']})"

    def transform(self, X: Any) -> Array:
        """Compute features: what a transformer gives, and what the last layer of a head decides on.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images, bytes or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples, n_features)

        Raises
        ------
        AttributeError
            If it is a pipeline that ends with a classifier or a regressor of scikit-learn.
        """
        if "features" not in self._served.outputs:
            raise AttributeError(f"This {self.about['estimator']} has no transform; see predict.")
        return self._features(self._served.run(X, ["features"])[0])

    def _features(self, found: Array) -> Array:
        return found if self._served.labels is not None else self._served.cast(found)

    @property
    def _outputs(self) -> list[str]:
        """Outputs of the network from which `_answers` are."""
        return ["features"]

    def _answers(self, found: Sequence[Array]) -> dict[str, Any]:
        """Return all that a server answers, by name, from outputs of one run of the network."""
        return {"features": self._features(found[0])}


class ServedClassifier(Predictor):
    """A fitted classifier."""

    @property
    def classes_(self) -> Any:
        """The labels, as they came, sorted: numbers of columns of 0 and 1, a list for other tasks."""
        return self._labels.classes_

    def predict(self, X: Any) -> Array:
        """Predict labels.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images, bytes or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_tasks)
            Labels, as they came.

        Raises
        ------
        ValueError, TypeError
            If samples are damaged, or unlike those of `fit`.
        """
        return self._labels.predictions(self._served.run(X, ["decisions"])[0])

    def predict_proba(self, X: Any) -> Any:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images, bytes or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns are in the order of ``classes_``. For tasks of 0 and 1, one column a task with the probability of
            1; for other tasks, a list of arrays.
        """
        return self._probabilities(self._served.run(X, self._outputs[1:]))

    def decision_function(self, X: Any) -> Any:
        """Compute decision values.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images, bytes or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log-odds of ``classes_[1]`` for two classes, else a value for each class, the largest of which is
            predicted. For several tasks as in `predict_proba`.
        """
        return self._labels.decisions(self._served.cast(self._served.run(X, ["decisions"])[0]))

    @property
    def _labels(self) -> Labels:
        assert self._served.labels is not None
        return self._served.labels

    @property
    def _outputs(self) -> list[str]:
        each = self._labels.several and not self._labels.binary and len(self._labels.classes) > 1
        numbers = range(len(self._labels.classes))
        return ["decisions", *([f"probabilities_{number}" for number in numbers] if each else ["probabilities"])]

    def _answers(self, found: Sequence[Array]) -> dict[str, Any]:
        return {"predictions": self._labels.predictions(found[0]), "probabilities": self._probabilities(found[1:])}

    def _probabilities(self, found: Sequence[Array]) -> Any:
        parts = [self._served.cast(part) for part in found]
        return parts if self._labels.several and not self._labels.binary else parts[0]


class ServedPipelineClassifier(ServedClassifier):
    """A fitted pipeline that ends with a classifier of scikit-learn."""

    def predict(self, X: Any) -> Array:
        """Predict labels; see `ServedClassifier.predict`."""
        return self._chosen(self._served.run(X, ["chosen"])[0])

    def predict_proba(self, X: Any) -> Array:
        """Predict the probability of each class; see `ServedClassifier.predict_proba`.

        Raises
        ------
        AttributeError
            If the classifier has none.
        """
        if self._outputs == ["chosen"]:
            raise AttributeError(f"This {self.about['estimator']} has no predict_proba; see predict.")
        return super().predict_proba(X)

    def decision_function(self, X: Any) -> Any:
        """Raise AttributeError: decision values of such classifiers are not in the file."""
        raise AttributeError("Decision values of a classifier of scikit-learn are not in the file; see predict.")

    @property
    def _outputs(self) -> list[str]:
        return self._served.outputs

    def _answers(self, found: Sequence[Array]) -> dict[str, Any]:
        answers = {"predictions": self._chosen(found[0])}
        return answers | ({"probabilities": self._probabilities(found[1:])} if len(found) > 1 else {})

    def _chosen(self, found: Array) -> Array:
        return self._labels.classes[0][found]


class ServedRegressor(Predictor):
    """A fitted regressor."""

    def predict(self, X: Any) -> Array:
        """Predict values.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images, bytes or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            In the units of ``y``.
        """
        return self._values(self._served.run(X, ["values"])[0])

    @property
    def _outputs(self) -> list[str]:
        return ["values"]

    def _answers(self, found: Sequence[Array]) -> dict[str, Any]:
        return {"predictions": self._values(found[0])}

    def _values(self, found: Array) -> Array:
        values = self._served.cast(found)
        return values if values.shape[1] > 1 else values[:, 0]


class ServedAutoencoder(Predictor):
    """A fitted autoencoder."""

    def reconstruct(self, X: Any) -> Array:
        """Encode samples and decode them again.

        Parameters
        ----------
        X : array-like, frame, or sequence of paths, PIL images or bytes
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray
            Samples of the shape, the dtype and the range of those that `fit` saw; for image files, bytes.
        """
        assert self._served.layout is not None
        return self._served.layout.stored(self._served.run(X, ["reconstruction"])[0], self._served.format)

    def score_samples(self, X: Any) -> Array:
        """Compute how well each sample is reconstructed; outliers have low values.

        Parameters
        ----------
        X : array-like, frame, or sequence of paths, PIL images or bytes
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples,)
            The negative loss of each sample.

        Raises
        ------
        ValueError
            If it is variational: its evidence bound needs draws, which a file does not have.
        """
        if "scores" not in self._outputs:
            raise ValueError(
                "score_samples: expected an autoencoder that is not variational. Got a variational one, whose evidence "
                "bound needs draws that the file does not have; compute it with the estimator."
            )
        return self._served.run(X, ["scores"])[0]

    @property
    def _outputs(self) -> list[str]:
        return [name for name in ("features", "scores") if name in self._served.outputs]

    def _answers(self, found: Sequence[Array]) -> dict[str, Any]:
        return super()._answers(found) | dict(zip(self._outputs[1:], found[1:], strict=True))
