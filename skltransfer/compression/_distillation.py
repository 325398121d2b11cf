"""`DistillationClassifier` and `DistillationRegressor`: a small network learns from a large one."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin, _fit_context, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from skltransfer._estimators.fit import fit
from skltransfer._estimators.fitted import FittedModel
from skltransfer._estimators.progress import Unwatched
from skltransfer._estimators.reading import read_new
from skltransfer._heads.parameters import head_layers
from skltransfer._targets.labels import LabelEncoding
from skltransfer._targets.reading import read_weights
from skltransfer._targets.values import ValueEncoding
from skltransfer._utils.progress import showing
from skltransfer._utils.types import Array, Floats
from skltransfer.compression._imitation import (
    LABEL_SHARE,
    TEMPERATURE,
    Imitated,
    ImitationRecipe,
    softened,
    some_labels,
    some_values,
)
from skltransfer.supervised._classifier import TransferClassifier
from skltransfer.supervised._fitting import SupervisedParameters
from skltransfer.supervised._regressor import TransferRegressor

NOT_FOR_STUDENTS = ("budget", "metrics", "warm_start")
"""Parameters of a student that mean nothing while it imitates."""


class Distillation(MetaEstimatorMixin, BaseEstimator):
    """Base of both: the teacher is any estimator, the student one of this package."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "teacher": [HasMethods(["fit", "predict"])],
        "student": "no_validation",
        "student_loss_weight": [Interval(Real, 0, 1, closed="both")],
        "random_state": ["random_state"],
    }
    _student_class: ClassVar[type]

    teacher: Any
    student: Any
    student_loss_weight: float
    random_state: Any
    teacher_: Any
    student_: Any

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the teacher to samples with labels, and the student to the teacher and to labels.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples with labels and without.
        y : array-like of shape (n_samples,), or (n_samples, n_targets) for values
            Labels, of which -1 among integers, NaN among floats, and None among others mark one that is missing; or
            values, of which NaN does.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, also of samples without a label; 0 leaves a sample out. A teacher that is fitted has to
            take them.

        Returns
        -------
        self : estimator
            With a fitted student.

        Raises
        ------
        TypeError
            If the student is no estimator of this package for the task.
        ValueError
            If samples, labels and parameters do not fit together, or there are no labels for a teacher that is not
            fitted.
        """
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        student = self._new_student(seed)
        samples, format = read_new(student, X)
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        y, labeled = self._read(y)
        if len(y) != len(samples):
            raise ValueError(f"y: expected {len(samples)} entries, one for each sample of X. Got {len(y)}.")
        weights = read_weights(sample_weight, y)
        kept = weights > 0
        X, y, labeled, weights = _taken(X, kept), y[kept], labeled[kept], weights[kept]
        teacher = self._fitted_teacher(X, y, labeled, seed, None if sample_weight is None else weights)
        own = SupervisedParameters.of(student, solve_head=False)
        imitated = self._imitated(teacher, X, y, labeled, weights, student)
        recipe = ImitationRecipe(own, format, imitated.encoding, head_layers(own.head), None, imitated)
        with showing(type(self).__name__, int(student.verbose)):
            student.model_ = fit(recipe, samples.take(kept), imitated.targets(), Unwatched())
        self.teacher_, self.student_ = teacher, student
        return self

    def predict(self, X: Any) -> Array:
        """Predict as the student does.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Labels, or values.
        """
        check_is_fitted(self)
        answers: Array = self.student_.predict(X)
        return answers

    @property
    def model_(self) -> FittedModel:
        """The student as a value."""
        model: FittedModel = self.student_.model_
        return model

    @property
    def n_features_in_(self) -> int:
        """Features of a sample in `fit`."""
        return int(self.student_.n_features_in_)

    @property
    def feature_names_in_(self) -> Array:
        """Names of the columns in `fit`."""
        names: Array = self.student_.feature_names_in_
        return names

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "student_")

    @abstractmethod
    def _read(self, y: Any) -> tuple[Array, NDArray[np.bool_]]:
        """Check labels or values, and tell which samples have them."""

    @abstractmethod
    def _imitated(
        self, teacher: Any, X: Any, y: Array, labeled: NDArray[np.bool_], weights: Floats, student: Any
    ) -> Imitated:
        """Ask the teacher about all samples."""

    def _new_student(self, seed: int) -> Any:
        student = clone(self.student) if hasattr(self.student, "get_params") else self._student_class(self.student)
        if not isinstance(student, self._student_class):
            raise TypeError(
                f"student: expected a {self._student_class.__name__}, or what load_backbone takes. Got a "
                f"{type(student).__name__}; pass one of these, or fit other estimators to the answers of the teacher."
            )
        for name in NOT_FOR_STUDENTS:
            if value := getattr(student, name):
                raise ValueError(
                    f"student: {name} is of no use where a teacher is imitated. Expected {name} to be left out. Got "
                    f"{name}={value!r}."
                )
        return _seeded(student, seed)

    def _fitted_teacher(self, X: Any, y: Array, labeled: NDArray[np.bool_], seed: int, weights: Floats | None) -> Any:
        """Fit the teacher to samples with labels; a frozen one stays as it is."""
        if isinstance(self.teacher, FrozenEstimator):
            return self.teacher
        if not labeled.any():
            raise ValueError(
                "y: expected some labels, to fit the teacher to. Got none; label some samples, or pass a fitted "
                "teacher as sklearn.frozen.FrozenEstimator(teacher)."
            )
        own = {} if weights is None else {"sample_weight": weights[labeled]}
        return _seeded(clone(self.teacher), seed).fit(_taken(X, labeled), y[labeled], **own)


class DistillationClassifier(ClassifierMixin, Distillation):
    """Let a small network learn the answers of a large one.

    The student learns the probabilities of the teacher, softened by a temperature, on samples with labels and
    without, and the labels where they are known.

    Parameters
    ----------
    teacher : estimator
        Any classifier with ``predict_proba``. A clone of it is fitted to the samples with labels; one that is fitted
        already is passed as ``sklearn.frozen.FrozenEstimator(teacher)``.
    student : TransferClassifier, or str, path-like, Backbone, keras.Model or callable
        What learns, not fitted, or its backbone as `load_backbone` takes it. Its layers are trained as its own
        parameters say.
    temperature : float, default=3.0
        What decision values of both are divided by before they are compared; from 1 on, more of what the teacher
        says of unlikely classes counts.
    student_loss_weight : float, default=0.1
        Share of the loss of the labels, from 0 to 1; the rest is that of the teacher's answers, times the square of
        the temperature, so that their gradients stay as large.
    random_state : int, RandomState instance or None, default=None
        Seeds the teacher and the student where they have none.

    Attributes
    ----------
    teacher_ : estimator
        The fitted teacher.
    student_ : TransferClassifier
        The fitted student, for `skltransfer.export.save` and further compression; it knows nothing of the teacher.
    classes_ : ndarray of shape (n_classes,)
        The labels of the teacher.
    model_ : FittedModel
        The student as a value.
    n_features_in_ : int
        Features of a sample.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of columns, if samples had them.

    See Also
    --------
    AttentionTransfer : Transfers where a teacher is active, not what it answers.

    References
    ----------
    Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network", 2015.

    Examples
    --------
    >>> from skltransfer import TransferClassifier
    >>> from skltransfer.compression import DistillationClassifier
    >>> from skltransfer.datasets import load_fashion_sample
    >>> sample = load_fashion_sample()
    >>> student = TransferClassifier("small_cnn", epochs=2, random_state=0)
    >>> clf = DistillationClassifier(TransferClassifier(image_size=64), student).fit(sample.images, sample.target)
    >>> clf.student_.backbone_.n_parameters < clf.teacher_.backbone_.n_parameters / 10
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Distillation._parameter_constraints,
        "teacher": [HasMethods(["fit", "predict_proba"])],
        "temperature": [Interval(Real, 0, None, closed="neither")],
    }
    _student_class = TransferClassifier

    def __init__(
        self,
        teacher: Any,
        student: Any,
        *,
        temperature: float = TEMPERATURE,
        student_loss_weight: float = LABEL_SHARE,
        random_state: Any = None,
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.temperature = temperature
        self.student_loss_weight = student_loss_weight
        self.random_state = random_state

    @property
    def classes_(self) -> Array:
        """The labels of the teacher, sorted."""
        classes: Array = self.student_.classes_
        return classes

    def predict_proba(self, X: Any) -> Floats:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            By the student, at a temperature of 1.
        """
        check_is_fitted(self)
        probabilities: Floats = self.student_.predict_proba(X)
        return probabilities

    def decision_function(self, X: Any) -> Floats:
        """Compute decision values.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Of the student.
        """
        check_is_fitted(self)
        decisions: Floats = self.student_.decision_function(X)
        return decisions

    def _read(self, y: Any) -> tuple[Array, NDArray[np.bool_]]:
        return some_labels(y)

    def _imitated(
        self, teacher: Any, X: Any, y: Array, labeled: NDArray[np.bool_], weights: Floats, student: Any
    ) -> Imitated:
        if isinstance(teacher.classes_, list):
            raise ValueError("teacher: expected a classifier of one task. Got one of several; distill each task.")
        encoding = LabelEncoding((np.asarray(teacher.classes_),), several=False, binary=False)
        answers = softened(teacher.predict_proba(X), self.temperature)
        labels = encoding.targets(y[labeled], weights[labeled], student.class_weight)
        return Imitated(
            encoding, labels, labeled, answers, weights, float(self.temperature), float(self.student_loss_weight)
        )


class DistillationRegressor(RegressorMixin, Distillation):
    """Let a small network learn the values that a large one predicts.

    The student learns what the teacher predicts, on samples with values and without, and the values where they are
    known.

    Parameters
    ----------
    teacher : estimator
        Any regressor. A clone of it is fitted to the samples with values; one that is fitted already is passed as
        ``sklearn.frozen.FrozenEstimator(teacher)``.
    student : TransferRegressor, or str, path-like, Backbone, keras.Model or callable
        What learns, not fitted, or its backbone as `load_backbone` takes it. Its layers are trained as its own
        parameters say.
    student_loss_weight : float, default=0.1
        Share of the loss of known values, from 0 to 1; the rest is that of the teacher's predictions.
    random_state : int, RandomState instance or None, default=None
        Seeds the teacher and the student where they have none.

    Attributes
    ----------
    teacher_ : estimator
        The fitted teacher.
    student_ : TransferRegressor
        The fitted student, for `skltransfer.export.save` and further compression; it knows nothing of the teacher.
    model_ : FittedModel
        The student as a value.
    n_features_in_ : int
        Features of a sample.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of columns, if samples had them.

    References
    ----------
    Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network", 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from skltransfer import TransferRegressor
    >>> from skltransfer.compression import DistillationRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> y[200:] = float("nan")  # not known
    >>> reg = DistillationRegressor(RandomForestRegressor(random_state=0), TransferRegressor(random_state=0)).fit(X, y)
    >>> reg.predict(X[:2]).shape
    (2,)
    """

    _student_class = TransferRegressor

    def __init__(
        self, teacher: Any, student: Any, *, student_loss_weight: float = LABEL_SHARE, random_state: Any = None
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.student_loss_weight = student_loss_weight
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _read(self, y: Any) -> tuple[Array, NDArray[np.bool_]]:
        return some_values(y)

    def _imitated(
        self, teacher: Any, X: Any, y: Array, labeled: NDArray[np.bool_], weights: Floats, student: Any
    ) -> Imitated:
        answers = np.asarray(teacher.predict(X), np.float64).reshape(len(y), -1)
        encoding = ValueEncoding.learn(answers, weights)
        values = y[labeled].reshape(-1, answers.shape[1]).astype(np.float64)
        labels = encoding.targets(values, weights[labeled])
        scaled = encoding.targets(answers, weights).values
        return Imitated(encoding, labels, labeled, scaled, weights, 1.0, float(self.student_loss_weight))


def _taken(X: Any, mask: NDArray[np.bool_]) -> Any:
    return X if mask.all() else _safe_indexing(X, np.flatnonzero(mask))


def _seeded(estimator: Any, seed: int) -> Any:
    """Give an estimator a seed, if it has none."""
    if estimator.get_params(deep=False).get("random_state", seed) is None:
        estimator.set_params(random_state=seed)
    return estimator
