"""`DomainAdaptationRegressor`: values of one domain, predictions in another."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.base import RegressorMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils.validation import check_is_fitted

from skltransfer._estimators.base import BackboneEstimator
from skltransfer._estimators.documentation import documented
from skltransfer._estimators.progress import FitMonitor
from skltransfer._estimators.reading import keeps_earlier_fit, read_new
from skltransfer._targets.reading import read_values
from skltransfer._targets.values import ValueEncoding
from skltransfer._utils.types import Array
from skltransfer.adaptation._documentation import REGRESSOR_TEXTS
from skltransfer.adaptation._mixin import ADAPTATION_CONSTRAINTS, AdaptationMixin
from skltransfer.adaptation._source import read_source


@documented(REGRESSOR_TEXTS)
class DomainAdaptationRegressor(RegressorMixin, AdaptationMixin, BackboneEstimator):
    """Predict numbers in a target domain, of which none are known, by a source domain where they are.

    As `DomainAdaptationClassifier`, with the methods that need no classes.

    Parameters
    ----------
    backbone : str, path-like, Backbone, keras.Model, callable or FrozenEstimator, default="auto"
        Whatever `load_backbone` takes; "auto" as in `TransferRegressor`. A fitted
        `TransferRegressor` or `DomainAdaptationRegressor` in scikit-learn's
        ``FrozenEstimator`` gives its head as well, to start from: methods that need
        no source samples then adapt it to target samples alone.
    {method}
    weight : float or "auto", default="auto"
        How much the method counts beside the loss of the source. "auto" is 10 for
        "mmd", and 1 for the others, times how much the domains differ before training: 0 where a classifier
        does not tell them apart, and 1 from where it is plainly better than chance. 0 is ``method="source_only"``.
    {ramp}
    {aligned}
    {input_shape}
    {pixel_range}
    {image_size}
    {sample_rate}
    {sample_kind}
    {memory}
    {trainable}
    {head}
    {features}
    {epochs}
    {source_epochs}
    {batch_size}
    {learning_rate}
    {schedule}
    {warmup}
    {layer_decay}
    {weight_decay}
    {batch_norm}
    {early_stopping}
    {validation_fraction}
    {n_iter_no_change}
    {tol}
    {callbacks}
    {verbose}
    {random_state}

    Attributes
    ----------
    {model_}
    backbone_ : Backbone
        The adapted network, ready to start another estimator.
    adaptation_strength_ : float
        Share of its weight that the method had; see `DomainAdaptationClassifier`.
    domain_score_ : float
        See `DomainAdaptationClassifier`.
    history_ : dict of str to list of float
        Of each epoch: the loss, the terms that it is the sum of (NaN where a term was not
        part of it) and the learning rate.
    {n_features_in_}
    {feature_names_in_}
    n_iter_ : int
        Epochs.

    Examples
    --------
    >>> import numpy as np
    >>> from skltransfer import DomainAdaptationRegressor
    >>> random = np.random.default_rng(0)
    >>> X = random.normal(size=(200, 2))
    >>> y = X[:, 0] - X[:, 1]
    >>> X[100:, 1] += 2  # the target lies elsewhere
    >>> y[100:] = np.nan
    >>> DomainAdaptationRegressor(random_state=0).fit(X, y).predict(X[100:]).shape
    (100,)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = ADAPTATION_CONSTRAINTS

    def __init__(
        self,
        backbone: Any = "auto",
        *,
        method: Any = "coral",
        weight: float | str = "auto",
        ramp: str = "sigmoid",
        aligned: str = "embedding",
        input_shape: Any = None,
        pixel_range: Any = None,
        image_size: Any = "auto",
        sample_rate: float | None = None,
        sample_kind: str | None = None,
        memory: Any = None,
        trainable: Any = "auto",
        head: Any = "auto",
        features: str = "auto",
        epochs: int | str = "auto",
        source_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        schedule: str = "cosine",
        warmup: float = 0.1,
        layer_decay: float = 1.0,
        weight_decay: float = 0.0,
        batch_norm: str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        callbacks: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.backbone = backbone
        self.method = method
        self.weight = weight
        self.ramp = ramp
        self.aligned = aligned
        self.input_shape = input_shape
        self.pixel_range = pixel_range
        self.image_size = image_size
        self.sample_rate = sample_rate
        self.sample_kind = sample_kind
        self.memory = memory
        self.trainable = trainable
        self.head = head
        self.features = features
        self.epochs = epochs
        self.source_epochs = source_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
        self.layer_decay = layer_decay
        self.weight_decay = weight_decay
        self.batch_norm = batch_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_earlier_fit
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        sample_domain: Any = None,
        X_val: Any = None,
        y_val: Any = None,
    ) -> DomainAdaptationRegressor:
        """Learn from the samples of the source, and adapt to those of the target.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples of all domains.
        y : array-like of shape (n_samples,), default=None
            Numbers. Those of target samples are not read. May be left out if there are target
            samples only, for a network that is trained already.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples of the source; 0 leaves any sample out.
        sample_domain : array-like of int, shape (n_samples,), default=None
            The domain of each sample: positive for a source, negative for a target, one number a
            domain. Without it, samples whose value is NaN are the target; if none is, all samples are
            of the source, and nothing is adapted.
        X_val, y_val : like X and y, default=None
            Samples with values, whose loss is in ``history_`` and, with ``early_stopping``, decides when to
            stop training on the source, instead of samples held out.

        Returns
        -------
        self : DomainAdaptationRegressor
            The fitted regressor.

        Raises
        ------
        ValueError
            If samples, values, domains or parameters do not fit together, or the loss is no
            longer finite.
        """
        samples, format = read_new(self, X)
        known = read_source(
            samples, y, sample_weight, sample_domain, needs=self._needs(sample_domain), name=type(self).__name__
        )
        start, values = self._source_model(), known.y[:, None]
        if start is None:
            values = read_values(known.y)
            encoding = ValueEncoding.learn(values, known.weights)
        else:
            encoding = start.encoding
        held_out = None
        if X_val is not None:
            seen = self._validation(X_val, y_val, format)
            held_out = seen.samples, encoding.targets(read_values(seen.y), seen.weights)
        targets = encoding.targets(values, known.weights)
        return self._fit(known, targets, format, encoding, FitMonitor(self, X, y, sample_weight), held_out)

    def predict(self, X: Any, sample_domain: Any = None, allow_source: bool = False) -> Array:
        """Predict values.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.
        sample_domain, allow_source
            Not used, as all samples are predicted alike; skada's scorers pass them.

        Returns
        -------
        ndarray of shape (n_samples,)
            In the units of ``y``.
        """
        check_is_fitted(self)
        return self.model_.encoding.predictions(self._decide(X))
