"""`AutoencoderTransformer`: a network that learns from samples without labels."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skltransfer._estimators.base import BackboneEstimator, TrainedMixin
from skltransfer._estimators.documentation import documented
from skltransfer._estimators.fit import fit
from skltransfer._estimators.parameters import REGULARIZED_CONSTRAINTS, TRAINING_CONSTRAINTS
from skltransfer._estimators.progress import FitMonitor
from skltransfer._estimators.reading import allows_nan, keeps_earlier_fit, read_known, read_new
from skltransfer._inputs.formats import Layout
from skltransfer._targets.reading import read_weights
from skltransfer._targets.targets import Targets
from skltransfer._utils.progress import showing
from skltransfer._utils.types import Array
from skltransfer.autoencoder._documentation import AUTOENCODER_TEXTS
from skltransfer.autoencoder._fitted import BLOCK_SAMPLES
from skltransfer.autoencoder._fitting import AutoencoderParameters, AutoencoderRecipe, check_samples
from skltransfer.autoencoder._losses import RECONSTRUCTION_LOSSES


@documented(AUTOENCODER_TEXTS)
class AutoencoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TrainedMixin, BackboneEstimator):
    """Learn a few values that describe a sample, from samples without labels.

    An encoder turns each sample into ``latent_dim`` values, a decoder turns them back, and both
    are trained until the reconstruction loss is low. Train on a large set, take ``backbone_`` to start another
    `AutoencoderTransformer` on a small set, or a `TransferClassifier` on a few labels.

    Parameters
    ----------
    backbone : {"auto", "dense", "conv", "conv1d"}, or whatever `load_backbone` takes, \
            default="auto"
        The encoder; texts and audio have no decoder. "dense" is for tables, "conv" for images
        of any size and "conv1d" for arrays of sequences (n, steps, channels); "auto" is one of
        the first two. The ``backbone_`` of another fitted autoencoder brings its latent layer and its decoder
        along; any other network, such as ``"efficientnet_lite0"`` or
        ``"small_transformer"``, gets new ones.
    latent_dim : int or "auto", default="auto"
        Latent values of a sample. "auto" is that of a decoder that is brought along, else 32,
        but at most half the columns of a table.
    hidden : tuple of int or "auto", default="auto"
        Units of dense layers, or filters of convolutions that halve the size, of the encoder
        and, in reverse, of a new decoder. ``()`` is linear.
    {input_shape}
    {pixel_range}
    {image_size}
    {sample_kind}
    {memory}
    {trainable}
    loss : {"mse", "mae", "bce", "ssim"}, default="mse"
        Reconstruction loss: squared or absolute differences (columns of a table are brought to
        unit deviation, pixels to 0 to 1), binary cross-entropy (samples from 0 to 1), or structural
        similarity (images).
    {corruption}
    corruption_level : float, default=0.3
        Deviation of the noise (in deviations of a column, or of the range of pixels), or share
        of what is dropped or masked.
    variational : bool or float, default=False
        Whether latent values are drawn from a normal distribution whose divergence from the
        standard one is part of the loss. A number is its weight, beta; True is 1.
    {epochs}
    {batch_size}
    {learning_rate}
    {schedule}
    {warmup}
    {layer_decay}
    {weight_decay}
    {l2_sp}
    delta : float, default=0.0
        Strength of the DELTA penalty: half the squared distance of the latent values from those
        of the network that training starts from.
    {augmentation}
    {batch_norm}
    {early_stopping}
    {validation_fraction}
    {n_iter_no_change}
    {tol}
    {warm_start}
    {checkpoint}
    {callbacks}
    {verbose}
    {random_state}

    Attributes
    ----------
    {model_}
    backbone_ : Backbone
        The encoder; its ``decoder`` comes along.
    {n_features_in_}
    {feature_names_in_}
    n_iter_ : int
        Epochs.
    history_ : dict of str to list of float
        Losses and learning rate of each epoch.

    See Also
    --------
    TransferClassifier : Takes ``backbone_``, and labels.
    ReconstructionDisplay : Images beside their reconstructions.

    References
    ----------
    Hinton & Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks",
    Science 2006.

    Vincent et al., "Stacked Denoising Autoencoders", JMLR 2010 (``corruption``).

    Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014; Higgins et al.,
    "beta-VAE", ICLR 2017 (``variational``).

    He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022 (hidden patches).

    Examples
    --------
    >>> from skltransfer import AutoencoderTransformer
    >>> from skltransfer.datasets import load_fashion_sample
    >>> images = load_fashion_sample().images
    >>> autoencoder = AutoencoderTransformer(latent_dim=8, random_state=0).fit(images)
    >>> autoencoder.transform(images).shape
    (100, 8)
    >>> autoencoder.reconstruct(images).shape
    (100, 28, 28)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BackboneEstimator._parameter_constraints,
        **TRAINING_CONSTRAINTS,
        **REGULARIZED_CONSTRAINTS,
        "latent_dim": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "hidden": [tuple, list, StrOptions({"auto"})],
        "loss": [StrOptions(set(RECONSTRUCTION_LOSSES))],
        "corruption": "no_validation",
        "corruption_level": [Interval(Real, 0, None, closed="left")],
        "variational": ["boolean", Interval(Real, 0, None, closed="neither")],
    }

    _series_backbones: ClassVar[tuple[str, ...]] = ("conv1d",)
    _nan_allowed_by: ClassVar[dict[str, str]] = {"corruption": "mask"}

    def __init__(
        self,
        backbone: Any = "auto",
        *,
        latent_dim: int | str = "auto",
        hidden: Any = "auto",
        input_shape: Any = None,
        pixel_range: Any = None,
        image_size: Any = "auto",
        sample_kind: str | None = None,
        memory: Any = None,
        trainable: Any = "auto",
        loss: str = "mse",
        corruption: Any = None,
        corruption_level: float = 0.3,
        variational: bool | float = False,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        schedule: str = "cosine",
        warmup: float = 0.1,
        layer_decay: float = 1.0,
        weight_decay: float = 0.0,
        l2_sp: float = 0.0,
        delta: float = 0.0,
        augmentation: Any = None,
        batch_norm: str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        checkpoint: Any = None,
        callbacks: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.backbone = backbone
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.input_shape = input_shape
        self.pixel_range = pixel_range
        self.image_size = image_size
        self.sample_kind = sample_kind
        self.memory = memory
        self.trainable = trainable
        self.loss = loss
        self.corruption = corruption
        self.corruption_level = corruption_level
        self.variational = variational
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
        self.layer_decay = layer_decay
        self.weight_decay = weight_decay
        self.l2_sp = l2_sp
        self.delta = delta
        self.augmentation = augmentation
        self.batch_norm = batch_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_earlier_fit
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> AutoencoderTransformer:
        """Learn from samples without labels.

        Parameters
        ----------
        X : array-like, frame, or sequence of paths or PIL images
            The samples: images of shape (n, height, width[, channels]), flattened samples with
            ``input_shape``, image files, sequences of shape (n, steps, channels), or a table.
        y : None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights; 0 leaves a sample out.

        Returns
        -------
        self : AutoencoderTransformer
            The fitted transformer.

        Raises
        ------
        ValueError
            If samples and parameters do not fit together, or the loss is no longer finite.
        """
        return self._fit(X, sample_weight, once=False)

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_earlier_fit
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> AutoencoderTransformer:
        """Continue training for one more epoch, over these samples.

        Calls with the same samples are the epochs of one fit with ``schedule="constant"`` and
        ``warmup=0``, as in `TransferClassifier.partial_fit`.

        Parameters
        ----------
        X : array-like, frame, or sequence of paths or PIL images
            The samples. Those of the first call decide how columns are brought to one unit.
        y : None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights; 0 leaves a sample out.

        Returns
        -------
        self : AutoencoderTransformer
            The transformer.

        Raises
        ------
        ValueError
            If the samples are not like those of the first call.
        """
        return self._fit(X, sample_weight, once=True)

    def transform(self, X: Any) -> Array:
        """Encode samples.

        Parameters
        ----------
        X : array-like, frame, or sequence of paths or PIL images
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples, latent_dim)
            float32, or of the dtype of a table. For a variational autoencoder, the means.
        """
        check_is_fitted(self)
        with showing(type(self).__name__, int(self.verbose)):
            return self.model_.features(self._read_known(X))

    def inverse_transform(self, X: Any) -> Array:
        """Decode latent values.

        Parameters
        ----------
        X : array-like of shape (n_samples, latent_dim)
            Latent values, as `transform` gives them.

        Returns
        -------
        ndarray
            Samples of the shape, the dtype and the range of those that `fit` saw; for image files,
            of shape (n_samples, height, width, 3) and bytes.
        """
        check_is_fitted(self)
        latent = check_array(X, dtype=[np.float64, np.float32])
        if latent.shape[1] != self._n_features_out:
            raise ValueError(
                f"X: expected {self._n_features_out} latent values a sample, as transform gives them. Got "
                f"{latent.shape[1]} columns."
            )
        return self.model_.reconstructed(latent)

    def reconstruct(self, X: Any) -> Array:
        """Encode samples and decode them again.

        Parameters
        ----------
        X : array-like, frame, or sequence of paths or PIL images
            Samples like those that `fit` saw. With ``corruption="mask"``, values of a table may
            be missing.

        Returns
        -------
        ndarray
            Like ``inverse_transform(transform(X))``: complete samples.
        """
        return self.inverse_transform(self.transform(X))

    def score_samples(self, X: Any) -> Array:
        """Compute how well each sample is reconstructed; outliers have low values.

        Parameters
        ----------
        X : array-like, frame, or sequence of paths or PIL images
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples,)
            The negative loss of each sample, a mean over its values. For a variational
            autoencoder, the evidence bound in nats: of normal distributions of unit variance
            around the reconstruction for "mse" (in the units that the loss is in), Laplace
            distributions of unit scale for "mae", Bernoulli distributions for "bce".
        """
        check_is_fitted(self)
        samples, model = self._read_known(X), self.model_
        score = model.reconstruction_scores if model.backbone.log_variance is None else model.evidence_bounds
        everything = np.arange(len(samples))
        parts = [(everything >= i) & (everything < i + BLOCK_SAMPLES) for i in range(0, len(samples), BLOCK_SAMPLES)]
        return np.concatenate([score(samples.take(part)) for part in parts])

    def score(self, X: Any, y: Any = None) -> float:
        """Compute the mean of `score_samples`.

        Parameters
        ----------
        X : array-like, frame, or sequence of paths or PIL images
            Samples like those that `fit` saw.
        y : None
            Not used.

        Returns
        -------
        float
            Higher is better.
        """
        return float(np.mean(self.score_samples(X)))

    @available_if(lambda self: bool(self.variational))
    def sample(self, n_samples: int = 1, *, random_state: Any = None) -> Array:
        """Draw new samples; of a variational autoencoder only.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        random_state : int, RandomState instance or None, default=None
            Draws latent values.

        Returns
        -------
        ndarray
            Samples like those that `inverse_transform` gives.
        """
        check_is_fitted(self)
        draws = check_random_state(random_state).standard_normal((n_samples, self._n_features_out))
        return self.inverse_transform(draws)

    @property
    def _n_features_out(self) -> int:
        return self.model_.n_features

    def _fit(self, X: Any, sample_weight: Any, *, once: bool) -> AutoencoderTransformer:
        """Fit, and keep the model."""
        own, earlier = AutoencoderParameters.of(self, once=once), getattr(self, "model_", None)
        if once and earlier is not None:
            samples, format, layout = read_known(self, X, earlier.format), earlier.format, earlier.layout
        else:
            samples, format = read_new(self, X)
            format.kind.check_restorable()
            layout = Layout.of(X, format)
        check_samples(own, format, samples)
        weights = read_weights(sample_weight, samples)
        kept = weights > 0
        targets = Targets((), np.empty((int(kept.sum()), 0)), weights[kept, None])
        monitor = FitMonitor(self, X, None, sample_weight)
        self.model_ = fit(AutoencoderRecipe(own, format, layout, earlier), samples.take(kept), targets, monitor)
        monitor.end()
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = allows_nan(self)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
