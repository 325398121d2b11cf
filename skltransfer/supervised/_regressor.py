"""`TransferRegressor`: a pretrained network as a regressor."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skltransfer._estimators.base import BackboneEstimator
from skltransfer._estimators.documentation import documented
from skltransfer._estimators.progress import FitMonitor
from skltransfer._estimators.reading import keeps_earlier_fit, labeled, read_known, read_new
from skltransfer._targets.reading import read_values
from skltransfer._targets.values import ValueEncoding
from skltransfer._utils.types import Array
from skltransfer.supervised._budget import fit_head
from skltransfer.supervised._fitting import SupervisedParameters, inverse_strength
from skltransfer.supervised._mixin import SUPERVISED_CONSTRAINTS, SupervisedMixin


@documented()
class TransferRegressor(RegressorMixin, SupervisedMixin, BackboneEstimator):
    """Predict numbers from images, texts, audio, or samples of a table, with a pretrained network.

    On a pretrained backbone, the default is a ridge regression on its standardized
    features, solved exactly. ``trainable`` fine-tunes layers of the backbone as well, from that
    solution on. Targets are standardized in `fit`, and brought back in `predict`.

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
    alpha : float or "auto", default="auto"
        Strength of the L2 penalty of the head that is solved. "auto" is the best of four by
        the error of each sample, or group, when it is held out.
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
    {augmentation}
    {n_views}
    {solve_head}
    {batch_norm}
    {early_stopping}
    {validation_fraction}
    {n_iter_no_change}
    {tol}
    {warm_start}
    {checkpoint}
    {callbacks}
    {metrics}
    {verbose}
    {random_state}

    Attributes
    ----------
    {selection_}
    {model_}
    {backbone_}
    {n_features_in_}
    {feature_names_in_}
    n_iter_ : int
        1, or epochs.
    history_ : dict of str to list of float
        Losses and learning rate of each epoch; empty if the head was solved.

    See Also
    --------
    TransferClassifier : The same for labels.

    References
    ----------
    Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform
    Out-of-Distribution", ICLR 2022 (why training starts from the solved head).

    Examples
    --------
    >>> from skltransfer import TransferRegressor
    >>> from skltransfer.datasets import load_fashion_sample
    >>> images = load_fashion_sample().images
    >>> ink = images.mean(axis=(1, 2))
    >>> TransferRegressor().fit(images[:80], ink[:80]).score(images[80:], ink[80:]) > 0.5
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SUPERVISED_CONSTRAINTS,
        "alpha": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
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
        alpha: float | str = "auto",
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
        augmentation: Any = None,
        n_views: int = 4,
        solve_head: bool = True,
        batch_norm: str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
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
        self.alpha = alpha
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
        self.augmentation = augmentation
        self.n_views = n_views
        self.solve_head = solve_head
        self.batch_norm = batch_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
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
    ) -> TransferRegressor:
        """Fit to samples with known values.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            The samples: images of shape (n, height, width[, channels]), flattened samples with
            ``input_shape``, image files, texts, waveforms or audio files, or a table.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Numbers. With several columns, NaN marks a value that is missing.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights; 0 leaves a sample out.
        X_val, y_val : like X and y, default=None
            Samples whose loss is in ``history_`` and, with ``early_stopping``, decides when to
            stop, instead of samples held out. Not used where the head is solved.
        groups : array-like of shape (n_samples,), default=None
            Samples of one group are held out together.

        Returns
        -------
        self : TransferRegressor
            The fitted regressor.

        Raises
        ------
        ValueError
            If samples, values or parameters do not fit together, or the loss is no longer
            finite.
        """
        monitor = FitMonitor(self, X, y, sample_weight)
        samples, format = read_new(self, X)
        known = labeled(self, samples, y, read_values, sample_weight, groups)
        earlier = getattr(self, "model_", None)
        if self.warm_start and earlier is not None:
            encoding = earlier.encoding
        else:
            encoding = ValueEncoding.learn(known.y, known.weights)
        held_out = None
        if X_val is not None:
            seen = labeled(self, read_known(self, X_val, format), y_val, read_values)
            held_out = seen.samples, encoding.targets(seen.y, seen.weights)
        targets = encoding.targets(known.y, known.weights)
        own = SupervisedParameters.of(self, C=inverse_strength(self.alpha))
        self.model_ = fit_head(own, format, encoding, known, targets, monitor, earlier=earlier, held_out=held_out)
        monitor.end()
        return self

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_earlier_fit
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> TransferRegressor:
        """Continue training for one more epoch, over these samples.

        Calls with the same samples are the epochs of one fit with ``schedule="constant"`` and
        ``warmup=0``, as in `TransferClassifier.partial_fit`.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their values. Those of the first call decide how values are standardized.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights; 0 leaves a sample out.

        Returns
        -------
        self : TransferRegressor
            The regressor.
        """
        earlier = getattr(self, "model_", None)
        if earlier is None:
            samples, format = read_new(self, X)
            known = labeled(self, samples, y, read_values, sample_weight)
            encoding = ValueEncoding.learn(known.y, known.weights)
        else:
            format, encoding = earlier.format, earlier.encoding
            known = labeled(self, self._read_known(X), y, read_values, sample_weight)
        targets = encoding.targets(known.y, known.weights)
        own = SupervisedParameters.of(self, once=True, C=inverse_strength(self.alpha))
        monitor = FitMonitor(self, X, y, sample_weight)
        self.model_ = fit_head(own, format, encoding, known, targets, monitor, earlier=earlier)
        monitor.end()
        return self

    def predict(self, X: Any) -> Array:
        """Predict values.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            In the units of ``y``.
        """
        check_is_fitted(self)
        return self.model_.encoding.predictions(self._decide(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _directions(self, targets: Any, n_samples: int) -> Callable[[Array, slice], Array]:
        if targets is not None:
            raise ValueError(f"targets: a regressor has no classes to choose. Got {targets!r}; pass None.")
        return lambda decisions, some: np.ones_like(decisions)
