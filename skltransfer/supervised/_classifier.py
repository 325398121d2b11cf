"""`TransferClassifier`: a pretrained network as a classifier."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skltransfer._estimators.base import BackboneEstimator
from skltransfer._estimators.documentation import documented
from skltransfer._estimators.progress import FitMonitor
from skltransfer._estimators.reading import keeps_earlier_fit, labeled, read_known, read_new
from skltransfer._targets.labels import LabelEncoding
from skltransfer._targets.reading import read_labels
from skltransfer._utils.types import Array
from skltransfer.supervised._budget import fit_head
from skltransfer.supervised._fitting import SupervisedParameters
from skltransfer.supervised._mixin import SUPERVISED_CONSTRAINTS, SupervisedMixin


@documented()
class TransferClassifier(ClassifierMixin, SupervisedMixin, BackboneEstimator):
    """Classify images, texts, audio, or samples of a table, with a pretrained network.

    On a pretrained backbone, the default is an L2-penalized logistic regression on its
    standardized features, solved to convergence. Features of a sample are computed once and
    cached, however many folds and candidates of a search ask for them. ``trainable`` fine-tunes
    layers of the backbone as well, from that solution on.

    Parameters
    ----------
    {backbone}
    {input_shape}
    {pixel_range}
    {image_size}
    {sample_rate}
    {sample_kind}
    {memory}
    {runtime}
    {trainable}
    {budget}
    {head}
    {features}
    C : float or "auto", default="auto"
        Inverse strength of the L2 penalty of the head that is solved. "auto" is the best of 0.01,
        0.1 and 1 by the log loss of five folds held out, and decision values are divided by the
        temperature that is best on them, so that probabilities are calibrated.
    {epochs}
    {batch_size}
    {learning_rate}
    {schedule}
    {warmup}
    {layer_decay}
    {weight_decay}
    {l2_sp}
    {delta}
    {attention_transfer}
    {mixup}
    label_smoothing : float, default=0.0
        Share of each target that goes to all classes alike in training.
    {augmentation}
    {n_views}
    {solve_head}
    {batch_norm}
    {early_stopping}
    {validation_fraction}
    {n_iter_no_change}
    {tol}
    class_weight : dict, "balanced" or None, default=None
        Weight of each class; "balanced" gives all classes the same total. As in scikit-learn, a class
        that a dict does not name weighs 1, and nothing is learned from samples of one that weighs 0.
    {warm_start}
    {checkpoint}
    {callbacks}
    {metrics}
    {verbose}
    {random_state}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,) or (n_labels,), or list of ndarray
        The labels, as they came, sorted; a list for several tasks. Where all are 0 or 1, so that
        each is a label that a sample has or has not, the numbers of their columns, as in
        scikit-learn's `MLPClassifier`.
    {selection_}
    {model_}
    {backbone_}
    {n_features_in_}
    {feature_names_in_}
    n_iter_ : int
        Iterations of the head's solver, or epochs.
    history_ : dict of str to list of float
        Loss, accuracy and learning rate of each epoch, and ``val_loss`` and ``val_accuracy`` where
        there are samples for validation; empty if the head was solved. Accuracy counts samples by
        their weights, and is a mean over the tasks, if there are several.

    See Also
    --------
    TransferRegressor : The same for numbers.
    BackboneTransformer : The features alone, for any classifier of scikit-learn.

    References
    ----------
    Kornblith, Shlens & Le, "Do Better ImageNet Models Transfer Better?", CVPR 2019.

    Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform
    Out-of-Distribution", ICLR 2022 (why training starts from the solved head).

    Examples
    --------
    >>> from skltransfer import TransferClassifier
    >>> from skltransfer.datasets import load_fashion_sample
    >>> sample = load_fashion_sample()
    >>> clf = TransferClassifier().fit(sample.images, sample.target)
    >>> clf.predict(sample.images_test[:2]).shape
    (2,)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SUPERVISED_CONSTRAINTS,
        "C": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        backbone: Any = "auto",
        *,
        input_shape: Any = None,
        pixel_range: Any = None,
        image_size: Any = "auto",
        sample_rate: float | None = None,
        sample_kind: str | None = None,
        memory: Any = None,
        runtime: str = "keras",
        trainable: Any = "auto",
        budget: float | None = None,
        head: Any = "linear",
        features: str = "auto",
        C: float | str = "auto",
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        schedule: str = "cosine",
        warmup: float = 0.1,
        layer_decay: float = 1.0,
        weight_decay: float = 0.0,
        l2_sp: float = 0.0,
        delta: float = 0.0,
        attention_transfer: Any = 0.0,
        mixup: float = 0.0,
        label_smoothing: float = 0.0,
        augmentation: Any = None,
        n_views: int = 4,
        solve_head: bool = True,
        batch_norm: str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        class_weight: Any = None,
        warm_start: bool = False,
        checkpoint: Any = None,
        callbacks: Any = None,
        metrics: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.backbone = backbone
        self.input_shape = input_shape
        self.pixel_range = pixel_range
        self.image_size = image_size
        self.sample_rate = sample_rate
        self.sample_kind = sample_kind
        self.memory = memory
        self.runtime = runtime
        self.trainable = trainable
        self.budget = budget
        self.head = head
        self.features = features
        self.C = C
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
        self.layer_decay = layer_decay
        self.weight_decay = weight_decay
        self.l2_sp = l2_sp
        self.delta = delta
        self.attention_transfer = attention_transfer
        self.mixup = mixup
        self.label_smoothing = label_smoothing
        self.augmentation = augmentation
        self.n_views = n_views
        self.solve_head = solve_head
        self.batch_norm = batch_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.callbacks = callbacks
        self.metrics = metrics
        self.verbose = verbose
        self.random_state = random_state

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_earlier_fit
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None, groups: Any = None
    ) -> TransferClassifier:
        """Fit to labeled samples.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            The samples: images of shape (n, height, width[, channels]), flattened samples with
            ``input_shape``, image files, texts, waveforms or audio files, or a table.
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            Labels of any type that can be sorted. With several columns, each is a task of
            its own; NaN or None marks a label that is missing. Columns of 0 and 1 are labels that a
            sample has or has not.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights; 0 leaves a sample out.
        X_val, y_val : like X and y, default=None
            Samples whose loss is in ``history_`` and, with ``early_stopping``, decides when to
            stop, instead of samples held out. Not used where the head is solved.
        groups : array-like of shape (n_samples,), default=None
            Samples of one group are held out together.

        Returns
        -------
        self : TransferClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If samples, labels or parameters do not fit together, there is only one class, or
            the loss is no longer finite.
        """
        monitor = FitMonitor(self, X, y, sample_weight)
        samples, format = read_new(self, X)
        known = labeled(self, samples, y, read_labels, sample_weight, groups)
        earlier = getattr(self, "model_", None)
        encoding = earlier.encoding if self.warm_start and earlier is not None else LabelEncoding.learn(known.y)
        held_out = None
        if X_val is not None:
            seen = labeled(self, read_known(self, X_val, format), y_val, read_labels)
            held_out = seen.samples, encoding.targets(seen.y, seen.weights, None)
        targets = encoding.targets(known.y, known.weights, self.class_weight)
        own = SupervisedParameters.of(self)
        self.model_ = fit_head(own, format, encoding, known, targets, monitor, earlier=earlier, held_out=held_out)
        monitor.end()
        return self

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_earlier_fit
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> TransferClassifier:
        """Continue training for one more epoch, over these samples.

        Calls with the same samples are the epochs of one fit with ``schedule="constant"`` and
        ``warmup=0``: the optimizer's moments and the random numbers go on. They start anew after
        `fit`, and where parameters change the network that is trained. ``delta`` weighs channels by
        the samples of each call.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            Their labels.
        classes : array-like of shape (n_classes,) or (n_samples, n_tasks), default=None
            All labels that will ever come; needed at the first call. With several tasks, a column
            holds those of each, in any order and any number of times.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights; 0 leaves a sample out.

        Returns
        -------
        self : TransferClassifier
            The classifier.

        Raises
        ------
        ValueError
            If ``classes`` is not given at the first call, a label is not among them, or there is
            another number of tasks.
        """
        earlier = getattr(self, "model_", None)
        if earlier is None:
            samples, format = read_new(self, X)
            if classes is None:
                raise ValueError("classes: expected all labels at the first call of partial_fit. Got None.")
            encoding = LabelEncoding.learn(read_labels(classes))
        else:
            samples, format, encoding = self._read_known(X), earlier.format, earlier.encoding
        known = labeled(self, samples, y, read_labels, sample_weight)
        targets = encoding.targets(known.y, known.weights, self.class_weight)
        own, monitor = SupervisedParameters.of(self, once=True), FitMonitor(self, X, y, sample_weight)
        self.model_ = fit_head(own, format, encoding, known, targets, monitor, earlier=earlier)
        monitor.end()
        return self

    def predict(self, X: Any) -> Array:
        """Predict labels.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_tasks)
            Labels, as they came.
        """
        check_is_fitted(self)
        return self.model_.encoding.predictions(self._decide(X))

    def predict_proba(self, X: Any) -> Any:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities of a sample sum to 1; columns are in the order of ``classes_``. For tasks of 0 and 1, one
            column a task with the probability of 1; for other tasks, a list of arrays.
        """
        check_is_fitted(self)
        return self.model_.encoding.probabilities(self._decide(X))

    def predict_log_proba(self, X: Any) -> Any:
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Natural logarithms, in the shape of `predict_proba`.
        """
        check_is_fitted(self)
        return self.model_.encoding.log_probabilities(self._decide(X))

    def decision_function(self, X: Any) -> Any:
        """Compute decision values.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log-odds of ``classes_[1]`` for two classes, else a value for each class, the
            largest of which is predicted. For several tasks as in `predict_proba`.
        """
        check_is_fitted(self)
        return self.model_.encoding.decisions(self._decide(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the accuracy: the share of samples whose labels are all right.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        float
            From 0 to 1.
        """
        if np.ndim(y) == 1 or np.shape(y)[1] == 1:
            return float(super().score(X, y, sample_weight))
        return float(np.average(np.all(np.asarray(y) == self.predict(X), axis=1), weights=sample_weight))

    @property
    def classes_(self) -> Any:
        """The labels, as they came, sorted: numbers of columns of 0 and 1, a list for other tasks."""
        return self.model_.encoding.classes_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags

    def _directions(self, targets: Any, n_samples: int) -> Callable[[Array, slice], Array]:
        encoding = self.model_.encoding
        if targets is None:
            return lambda decisions, some: encoding.directions(encoding.predictions(decisions))
        y = read_labels(targets)
        if len(y) != n_samples:
            raise ValueError(f"targets: expected {n_samples} labels, one for each sample of X. Got {len(y)}.")
        return lambda decisions, some: encoding.directions(y[some])
