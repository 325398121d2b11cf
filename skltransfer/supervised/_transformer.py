"""`BackboneTransformer`: a frozen network as a feature extractor."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, _fit_context
from sklearn.utils.validation import check_is_fitted

from skltransfer._estimators.base import AUDIO_PARAMETERS, RUNTIME_PARAMETERS, BackboneEstimator
from skltransfer._estimators.documentation import documented
from skltransfer._estimators.fitted import FittedModel
from skltransfer._estimators.parameters import FitParameters, starting_backbone
from skltransfer._estimators.reading import keeps_earlier_fit, read_new
from skltransfer._features.blocks import block_names, block_widths, with_blocks
from skltransfer._features.cache import Features
from skltransfer._features.extraction import extract, plan_extraction
from skltransfer._features.split import SplitNetwork, first


@documented()
class BackboneTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BackboneEstimator):
    """Turn samples into the features that a pretrained network sees in them.

    `fit` learns nothing but the format of a sample. The features of a sample are computed once
    and cached, so cross-validation and searches around this transformer run the network
    once per sample.

    Parameters
    ----------
    backbone : str, path-like, Backbone, keras.Model or callable, default="auto"
        Whatever `load_backbone` takes. "auto" is ``"efficientnet_lite0"`` for images and
        audio, and ``"minilm_l6"`` for texts. No pretrained network can know the columns of
        a table: there, "auto" is the untrained ``"mlp"``, a random non-linear projection drawn from ``random_state``.
    {input_shape}
    {pixel_range}
    {image_size}
    {sample_rate}
    {sample_kind}
    stage : str or int, default="last"
        Which of ``backbone_.stages`` to take features from, by name or position. "auto" gives the
        blocks that `TransferClassifier` chooses from, beside each other, under their names: the last stage,
        grids of late stages and of small pixels, or averages of earlier stages and a bag of words.
    pooling : {"avg", "max", "flatten"}, default="avg"
        How a grid of features becomes one vector.
    {memory}
    {runtime}
    random_state : int, RandomState instance or None, default=None
        Draws the weights of an untrained network.

    Attributes
    ----------
    {model_}
    {backbone_}
    {n_features_in_}
    {feature_names_in_}

    See Also
    --------
    TransferClassifier : The same features with a classifier on top.

    References
    ----------
    Donahue et al., "DeCAF: A Deep Convolutional Activation Feature for Generic Visual
    Recognition", ICML 2014.

    Examples
    --------
    >>> from skltransfer import BackboneTransformer
    >>> from skltransfer.datasets import load_fashion_sample
    >>> images = load_fashion_sample().images[:4]
    >>> BackboneTransformer().fit_transform(images).shape
    (4, 1280)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BackboneEstimator._parameter_constraints,
        **AUDIO_PARAMETERS,
        "stage": [str, Integral],
        "pooling": [str],
        **RUNTIME_PARAMETERS,
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
        stage: str | int = "last",
        pooling: str = "avg",
        memory: Any = None,
        runtime: str = "keras",
        random_state: Any = None,
    ) -> None:
        self.backbone = backbone
        self.input_shape = input_shape
        self.pixel_range = pixel_range
        self.image_size = image_size
        self.sample_rate = sample_rate
        self.sample_kind = sample_kind
        self.stage = stage
        self.pooling = pooling
        self.memory = memory
        self.runtime = runtime
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_earlier_fit
    def fit(self, X: Any, y: Any = None) -> BackboneTransformer:
        """Learn the format of a sample.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            The samples: images of shape (n, height, width[, channels]), flattened samples with
            ``input_shape``, image files, texts, waveforms or audio files, or a table.
        y : None
            Not used.

        Returns
        -------
        self : BackboneTransformer
            The fitted transformer.

        Raises
        ------
        ValueError
            If the samples cannot go through the backbone.
        """
        samples, format = read_new(self, X)
        own = FitParameters.of(self)
        backbone = starting_backbone(own, format, samples)
        blocks = self.stage == "auto"
        if blocks and self.pooling != "avg":
            raise ValueError(
                f"stage='auto' has poolings of its own. Got pooling={self.pooling!r}; pass pooling='avg', or one stage."
            )
        extraction = plan_extraction(
            backbone, format, image_size=self.image_size, stage="last" if blocks else self.stage, pooling=self.pooling,
            runtime=self.runtime,
        )  # fmt: skip
        extraction = with_blocks(extraction) if blocks else extraction
        width = extract(extraction, first(samples), memory=self.memory).shape[1]
        network = SplitNetwork(extraction, None, 0)
        self.model_ = FittedModel(format, network, backbone, n_features=width, n_samples=len(samples))
        return self

    def transform(self, X: Any) -> Features:
        """Compute features.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            float32, or the network's own precision.
        """
        check_is_fitted(self)
        samples = self._read_known(X)
        return self.model_.features(samples, self.memory)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Name the features.

        Parameters
        ----------
        input_features : None
            Not used.

        Returns
        -------
        ndarray of str, shape (n_features,)
            Numbers behind the name of the class, or behind the stage and the pooling of their block.
        """
        check_is_fitted(self)
        extraction = self.model_.extraction
        if not extraction.beside:
            return super().get_feature_names_out(input_features)
        blocks = zip(block_names(extraction.outputs), block_widths(extraction, self.model_.n_features), strict=True)
        return np.array([f"{name}_{i}" for name, width in blocks for i in range(width)], dtype=object)

    @property
    def _n_features_out(self) -> int:
        return self.model_.n_features
