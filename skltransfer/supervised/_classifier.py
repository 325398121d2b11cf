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

from skltransfer._estimators.fit import Held
from skltransfer._inputs.samples import Samples
from skltransfer._targets.labels import LabelEncoding, read_labels
from skltransfer._targets.weights import read_weights
from skltransfer._utils.types import Array
from skltransfer.supervised._fitting import TunedEstimator


class TransferClassifier(ClassifierMixin, TunedEstimator):
    """Classify images, texts, sounds, or samples of a table, with a pretrained network.

    On a pretrained backbone, the default is an L2-penalised logistic regression on its
    standardised features, solved to convergence. Features of a sample are computed once and
    remembered, however many folds and candidates of a search ask for them. ``trainable``
    lets the backbone move as well, from that solution on.

    Parameters
    ----------
    backbone : str, path-like, Backbone, keras.Model or callable, default="auto"
        Whatever `load_backbone` takes. "auto" is ``"efficientnet_lite0"`` for images and
        sounds, and ``"minilm_l6"`` for texts. No pretrained network can know the columns of
        a table: there, "auto" is the untrained ``"mlp"``, trained from scratch.
    input_shape : tuple of (height, width[, channels]), default=None
        Shape of one image, if each is a flattened sample.
    image_size : "auto", int or tuple of (height, width), default="auto"
        Size at which the network sees images. "auto" is the network's own fixed size, or,
        for a pretrained one that takes any size, 160 for arrays of images up to 160
        pixels, and the size it was trained at for larger ones and for image files. An
        untrained network sees arrays as they are and files at 160. The image of a sound has
        64 samples and a column each 10 ms; a pretrained network that takes any size sees it
        half as high again and twice as wide.
    sample_rate : float, default=None
        Samples a second of waveforms, in Hz; needed for arrays, while sound files (WAV, FLAC,
        OGG, …) know their own. With it, a list of 1-d arrays and an array of shape (n, samples)
        are sounds, not a table. A sound is seen as a image of loudness by time and pitch, as
        long as the longest of `fit`, in half seconds up to 10 s: shorter ones end in silence,
        longer ones are cut. A backbone made for images of 64 samples keeps its own length.
    memory : path-like, default=None
        Folder in which features are remembered for other processes and later runs. None
        remembers them in this process, up to 512 MiB.
    trainable : {"auto", "head", "all", "norm", "lora"}, int, LoRA or GradualUnfreezing, \
            default="auto"
        What moves in `fit` besides the head: nothing, everything, the scales and shifts of
        normalisations, changes of low rank, the last so many stages, or one stage after the
        other. "auto" is the head on a pretrained backbone and everything on an untrained
        one.
    head : {"linear", "mlp", "attention"}, MLPHead or AttentionHead, default="linear"
        What turns features into decisions. "attention" learns how much each place of a grid
        or sequence counts, where the others average.
    C : float, default=0.1
        Inverse strength of the L2 penalty of the head that is solved.
    epochs : int or "auto", default="auto"
        Passes over the samples. "auto" is at least 10, and as many as make 300 steps.
    batch_size : int or "auto", default="auto"
        Samples a step. "auto" is all samples of a table up to 1024 samples, else 32.
    learning_rate : float or "auto", default="auto"
        Largest step size of AdamW. "auto" is 0.01 for steps over all samples (0.003 for LoRA),
        0.0001 for the weights of a pretrained backbone, 0.03 for an attention head on a frozen
        one, and 0.001 else.
    schedule : {"cosine", "constant"}, default="cosine"
        How the learning rate goes after the warm-up: down to 0, or not at all.
    warmup : float, default=0.1
        Share of all steps in which the learning rate rises to its largest value. (0.3 with
        "cosine" is known as one-cycle.)
    layer_decay : float, default=1.0
        Factor of the learning rate from one stage to the one before it.
    weight_decay : float, default=0.0
        Decoupled weight decay of AdamW, as a share of the learning rate; vectors do not
        decay.
    l2_sp : float, default=0.0
        Strength of the pull of the moving weights to where they start (L2-SP).
    delta : float, default=0.0
        Strength of the pull of the last feature maps to those of the starting network
        (DELTA). Channels count as much as the solved head loses without them.
    attention_transfer : float or AttentionTransfer, default=0.0
        Strength of the pull of where the last feature maps are active to where those of the
        starting network are, or of another one (attention transfer). With another one,
        images that are changed at random have ``n_views`` views.
    mixup : float, default=0.0
        Parameter of the Beta distribution by which pairs of samples are mixed in training.
    label_smoothing : float, default=0.0
        Share of each target that goes to all classes alike in training.
    augmentation : {"flip", "flip_shift", "rand_augment"}, keras.layers.Layer or None, \
            default=None
        How images are changed at random in training: mirrored; also shifted by an eighth
        at most; RandAugment; or a layer that takes and gives images from 0 to 255. Where
        a part of the network stays as it is, each sample has ``n_views`` views, computed once
        and remembered; else each epoch draws anew.
    n_views : int, default=4
        Views of each sample for a part that stays as it is: the sample itself, and the others
        changed at random.
    solve_head : bool, default=True
        Whether training starts from the solved head, on a pretrained backbone.
    batch_norm : {"auto", "inference", "train"}, default="auto"
        Whether batch normalisations that move use the statistics of batches. "auto" is
        "inference" on a pretrained backbone and "train" on an untrained one.
    early_stopping : bool, default=False
        Whether to hold out samples, stop when their loss falls no more, and keep the weights
        of the best epoch. Where the head is solved, all samples are used.
    validation_fraction : float, default=0.1
        Share of the samples, of each class alike, that are held out. Groups stay whole if they
        are given.
    n_iter_no_change : int, default=10
        Epochs without a better validation loss after which to stop.
    tol : float, default=0.0001
        By how much a validation loss has to be lower to be better.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class; "balanced" gives all classes the same total. As in scikit-learn, a class
        that a dict does not name weighs 1, and nothing is learned from samples of one that weighs 0.
    warm_start : bool, default=False
        Whether another `fit` starts from the weights of the last one.
    checkpoint : path-like, default=None
        Folder in which training is saved after each epoch. The same fit called again takes
        up what it finds there; this needs an int as ``random_state``.
    callbacks : list of keras.callbacks.Callback, default=None
        They are copied for each fit.
    verbose : int, default=0
        Whether to draw a progress bar.
    random_state : int, RandomState instance or None, default=None
        Draws the weights of an untrained network, the order of the samples, and what is held
        out.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or list of ndarray
        The labels, as they came, sorted; a list for several tasks, unless all are 0 or 1.
    backbone_ : Backbone
        The network, ready to start another estimator.
    n_features_in_ : int
        Values in one sample; 1 for image and sound files and for waveforms.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if `fit` saw a frame.
    n_iter_ : int
        Iterations of the head's solver, or epochs.
    history_ : dict of str to list of float
        Losses and learning rate of each epoch; empty if the head was solved.

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
        **TunedEstimator._parameter_constraints,
        "C": [Interval(Real, 0, None, closed="neither")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        backbone: Any = "auto",
        *,
        input_shape: Any = None,
        image_size: Any = "auto",
        sample_rate: float | None = None,
        memory: Any = None,
        trainable: Any = "auto",
        head: Any = "linear",
        C: float = 0.1,
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
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.backbone = backbone
        self.input_shape = input_shape
        self.image_size = image_size
        self.sample_rate = sample_rate
        self.memory = memory
        self.trainable = trainable
        self.head = head
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
        self.verbose = verbose
        self.random_state = random_state

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None, groups: Any = None
    ) -> TransferClassifier:
        """Fit to labelled samples.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            The samples: images of shape (n, height, width[, channels]), flattened samples with
            ``input_shape``, image files, texts, waveforms or sound files, or a table.
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            Labels of any type that can be sorted. With several columns, each is a task of
            its own; NaN or None marks a label that is missing.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each sample counts; 0 leaves it out.
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
        samples = self._read(X, reset=True)
        samples, y, weights, groups = self._count(samples, y, sample_weight, groups)
        if not (self.warm_start and hasattr(self, "_labels")):
            self._learn(LabelEncoding.learn(y))
        targets = self._labels.targets(y, weights, self.class_weight)
        held: Held = None
        if X_val is not None:
            seen, y_seen, weights, _ = self._count(self._read(X_val, reset=False), y_val, None, None)
            held = seen, self._labels.targets(y_seen, weights, None)
        smoothing = self.label_smoothing
        self._fit_samples(samples, targets, held=held, groups=groups, C=self.C, label_smoothing=smoothing)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> TransferClassifier:
        """Take one more epoch over these samples, from where the fit stands.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            The samples.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed at the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each sample counts; 0 leaves it out.

        Returns
        -------
        self : TransferClassifier
            The classifier.

        Raises
        ------
        ValueError
            If ``classes`` is not given at the first call, or a label is not among them.
        """
        first = not hasattr(self, "_head")
        samples = self._read(X, reset=first)
        samples, y, weights, _ = self._count(samples, y, sample_weight, None)
        if first:
            if classes is None:
                raise ValueError("classes: expected all labels at the first call of partial_fit. Got None.")
            self._learn(LabelEncoding.learn(read_labels(classes)))
        targets = self._labels.targets(y, weights, self.class_weight)
        self._fit_samples(samples, targets, C=self.C, label_smoothing=self.label_smoothing, once=True)
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
        return self._labels.predictions(self._decide(X))

    def predict_proba(self, X: Any) -> Any:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Samples sum to 1; columns are in the order of ``classes_``. For tasks of 0 and 1, one
            column a task with the probability of 1; for other tasks, a list of arrays.
        """
        check_is_fitted(self)
        return self._labels.probabilities(self._decide(X))

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
        return self._labels.log_probabilities(self._decide(X))

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
        return self._labels.decisions(self._decide(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy: the share of samples whose labels are all right.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each sample counts.

        Returns
        -------
        float
            From 0 to 1.
        """
        if np.ndim(y) == 1 or np.shape(y)[1] == 1:
            return float(super().score(X, y, sample_weight))
        return float(np.average(np.all(np.asarray(y) == self.predict(X), axis=1), weights=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags

    def _directions(self, targets: Any, n_samples: int) -> Callable[[Array, slice], Array]:
        if targets is None:
            return lambda decisions, some: self._labels.directions(self._labels.predictions(decisions))
        y = read_labels(targets)
        if len(y) != n_samples:
            raise ValueError(f"targets: expected {n_samples} labels, one for each sample of X. Got {len(y)}.")
        return lambda decisions, some: self._labels.directions(y[some])

    def _learn(self, labels: LabelEncoding) -> None:
        self._labels = labels
        self.classes_ = list(labels.classes) if labels.several and not labels.binary else labels.classes[0]

    def _count(self, samples: Samples, y: Any, sample_weight: Any, groups: Any) -> tuple[Samples, Array, Array, Any]:
        """Return the samples that count, with their labels, weights and groups."""
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        y = read_labels(y)
        if len(y) != len(samples):
            raise ValueError(f"y: expected {len(samples)} labels, one for each sample of X. Got {len(y)}.")
        weights = read_weights(sample_weight, y)
        kept = weights > 0
        return samples.take(kept), y[kept], weights[kept], None if groups is None else np.asarray(groups)[kept]
