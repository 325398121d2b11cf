"""`DomainAdaptationRegressor`: values of one domain, predictions in another."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.base import RegressorMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils.validation import check_is_fitted

from skltransfer._estimators.base import BackboneEstimator, keeps_earlier_fit
from skltransfer._estimators.progress import FitMonitor
from skltransfer._targets.values import ValueEncoding, read_values
from skltransfer._utils.types import Array
from skltransfer.adaptation._mixin import ADAPTATION_CONSTRAINTS, AdaptationMixin
from skltransfer.adaptation._source import read_source


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
    method : str or callable, default="coral"
        How the domains are brought together: "source_only" (not at all), "adabn", "coral",
        "mmd", "dann", or "adda"; see `DomainAdaptationClassifier`. A function of two
        `skltransfer.adaptation.Side`, of the source and the target, is a distance of your own.
    weight : float or "auto", default="auto"
        How much the method counts beside the loss of the source. "auto" is 10 for
        "mmd", and 1 for the others.
    ramp : {"sigmoid", "linear", "constant"}, default="sigmoid"
        How the weight rises from 0 in the epochs that adapt: fast at first, as in DANN, or
        along a line, or not at all.
    aligned : {"embedding", "backbone"}, default="embedding"
        Which features are brought together, by methods that work by features: what the last
        layer decides on, or what the backbone gives, below the hidden layers of the head (the
        place in the paper of DANN; some of its stages have to move).
    trainable : {"auto", "head", "all", "norm", "lora"}, int, LoRA or GradualUnfreezing, \
            default="auto"
        What moves besides the head, as in `TransferRegressor`. "head" makes any method a
        shallow one, on features that are computed once and remembered.
    head : {"linear", "mlp"} or MLPHead, default="mlp"
        What turns features into decisions. Its last hidden layer is the embedding; without
        one, features of the backbone are.
    epochs : int or "auto", default="auto"
        Passes over the larger of the two domains, in all. "auto" is at least 10, and as many
        as make 300 steps.
    source_epochs : int or "auto", default="auto"
        How many of them, at first, see the source alone. "auto" is a third, and three quarters
        for "adda", which learns from no values afterwards.
    batch_size : int or "auto", default="auto"
        Samples of all sources in a step, and of all targets as well. "auto" is all samples of a
        table up to 1024 samples, else 32.
    learning_rate : float or "auto", default="auto"
        Largest step size of AdamW, as in `TransferRegressor`; "auto" is at most 0.001 where a
        second network learns against the first. "adda" adapts at 0.01 of it.
    schedule : {"cosine", "constant"}, default="cosine"
        How the learning rate goes, in each of the two parts of the training.
    warmup : float, default=0.1
        Share of the epochs on the source alone in which the learning rate rises.
    layer_decay : float, default=1.0
        Factor of the learning rate from one stage to the one before it.
    weight_decay : float, default=0.0
        Decoupled weight decay of AdamW, as a share of the learning rate.
    batch_norm : {"auto", "inference", "train"}, default="auto"
        Whether batch normalisations that move use the statistics of batches, in which both
        domains are mixed. "auto" is "inference" on a pretrained backbone and "train" on an
        untrained one.
    input_shape : tuple of (height, width[, channels]), default=None
        Shape of one image, if each is a flattened sample.
    pixel_range : tuple of (black, white), default=None
        Pixel values of black and white; None learns them in `fit`. Values beyond by up to 5 %
        of the range are clipped, others are an error. uint8 arrays and files of 8 bits are
        from 0 to 255, unless ``pixel_range`` says less. See "Pixel values" in the design notes.
    image_size : "auto", int or tuple of (height, width), default="auto"
        Size at which the network sees images, as in `TransferRegressor`.
    sample_rate : float, default=None
        Sample rate of waveforms, in Hz, as in `TransferRegressor`.
    sample_kind : {"table", "sequences", "image_arrays", "image_files", "texts", "audio"}, default=None
        What samples are. None recognises it in `fit`, and raises where that is open, as for texts
        that look like paths. `predict` takes samples of the kind that `fit` saw.
    memory : path-like, default=None
        Folder in which features are remembered for other processes and later runs.
    verbose : int, default=0
        Whether to draw a progress bar.
    random_state : int, RandomState instance or None, default=None
        Draws first weights and the order of the samples.

    Attributes
    ----------
    backbone_ : Backbone
        The adapted network, ready to start another estimator.
    domain_score_ : float
        See `DomainAdaptationClassifier`.
    history_ : dict of str to list of float
        Of each epoch: the loss, the terms that it is the sum of (NaN where a term was not
        part of it) and the learning rate.
    n_features_in_ : int
        Values in one sample; 1 for image and sound files and for waveforms.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if `fit` saw a frame.
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
        trainable: Any = "auto",
        head: Any = "mlp",
        epochs: int | str = "auto",
        source_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        schedule: str = "cosine",
        warmup: float = 0.1,
        layer_decay: float = 1.0,
        weight_decay: float = 0.0,
        batch_norm: str = "auto",
        input_shape: Any = None,
        pixel_range: Any = None,
        image_size: Any = "auto",
        sample_rate: float | None = None,
        sample_kind: str | None = None,
        memory: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.backbone = backbone
        self.method = method
        self.weight = weight
        self.ramp = ramp
        self.aligned = aligned
        self.trainable = trainable
        self.head = head
        self.epochs = epochs
        self.source_epochs = source_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
        self.layer_decay = layer_decay
        self.weight_decay = weight_decay
        self.batch_norm = batch_norm
        self.input_shape = input_shape
        self.pixel_range = pixel_range
        self.image_size = image_size
        self.sample_rate = sample_rate
        self.sample_kind = sample_kind
        self.memory = memory
        self.verbose = verbose
        self.random_state = random_state

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_earlier_fit
    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, sample_domain: Any = None
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
            How often each sample of the source counts; 0 leaves any sample out.
        sample_domain : array-like of int, shape (n_samples,), default=None
            The domain of each sample: positive for a source, negative for a target, one number a
            domain. Without it, samples whose value is NaN are the target; if none is, all samples are
            of the source, and nothing is adapted.

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
        samples, format = self._read_new(X)
        known = read_source(
            samples, y, sample_weight, sample_domain, needs=self._needs(sample_domain), name=type(self).__name__
        )
        start, values = self._source_model(), known.y[:, None]
        if start is None:
            values = read_values(known.y)
            encoding = ValueEncoding.learn(values, known.weights)
        else:
            encoding = start.encoding
        return self._fit(
            known, encoding.targets(values, known.weights), format, encoding, FitMonitor(self, X, y, sample_weight)
        )

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
