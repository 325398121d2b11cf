"""`BackboneTransformer`: a frozen network as a feature extractor."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, _fit_context
from sklearn.utils.validation import check_is_fitted

from skltransfer._estimators.base import AUDIO_PARAMETERS, BackboneEstimator, keeps_earlier_fit
from skltransfer._estimators.fitted import FittedModel
from skltransfer._estimators.parameters import FitParameters
from skltransfer._estimators.start import starting_backbone
from skltransfer._features.cache import Features
from skltransfer._features.extraction import extract, plan_extraction
from skltransfer._features.split import SplitNetwork, first


class BackboneTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BackboneEstimator):
    """Turn samples into the features that a pretrained network sees in them.

    `fit` learns nothing but the format of a sample. The features of a sample are computed once
    and remembered, so cross-validation and searches around this transformer run the network
    once per sample.

    Parameters
    ----------
    backbone : str, path-like, Backbone, keras.Model or callable, default="auto"
        Whatever `load_backbone` takes. "auto" is ``"efficientnet_lite0"`` for images and
        sounds, and ``"minilm_l6"`` for texts. No pretrained network can know the columns of
        a table: there, "auto" is the untrained ``"mlp"``, a random non-linear projection drawn from ``random_state``.
    input_shape : tuple of (height, width[, channels]), default=None
        Shape of one image, if each is a flattened sample.
    pixel_range : tuple of (black, white), default=None
        Pixel values of black and white; None learns them in `fit`. Values beyond by up to 5 %
        of the range are clipped, others are an error. uint8 arrays and files of 8 bits are
        from 0 to 255, unless ``pixel_range`` says less. See "Pixel values" in the design notes.
    image_size : "auto", int or tuple of (height, width), default="auto"
        Size at which the network sees images. "auto" is the network's own fixed size, or,
        for a pretrained one that takes any size, 160 for arrays of images up to 160
        pixels, and the size it was trained at for larger ones and for image files. An
        untrained network sees arrays as they are and files at 160. A log-mel
        spectrogram has 64 rows and a column each 10 ms; a pretrained network that takes any
        size sees it half as high again and twice as wide.
    stage : str or int, default="last"
        Which of ``backbone_.stages`` to take features from, by name or position.
    pooling : {"avg", "max", "flatten"}, default="avg"
        How a grid of features becomes one vector.
    sample_rate : float, default=None
        Sample rate of waveforms, in Hz; needed for arrays, while sound files (WAV, FLAC, OGG, …)
        know their own, and a tuple of (rate, waveform) brings it along: ``sample_rate`` has to be
        the same then, or None. With it, a list of 1-d arrays and an array of shape (n, samples)
        are audio, not a table. A clip of shape (channels, samples) or (samples, channels) is
        averaged over its channels, as files are; they are at most 8, and fewer than the samples.
        A clip is seen as a log-mel spectrogram, as long as the longest of `fit`, in half seconds
        up to 10 s: shorter ones end in silence, longer ones are cut. A backbone made for
        spectrograms (images 64 pixels high) keeps its own length.
    sample_kind : {"table", "sequences", "image_arrays", "image_files", "texts", "audio"}, default=None
        What samples are. None recognises it in `fit`, and raises where that is open, as for texts
        that look like paths. `transform` takes samples of the kind that `fit` saw.
    memory : path-like, default=None
        Folder in which features are remembered for other processes and later runs. None
        remembers them in this process, up to 512 MiB.
    random_state : int, RandomState instance or None, default=None
        Draws the weights of an untrained network.

    Attributes
    ----------
    backbone_ : Backbone
        The network.
    n_features_in_ : int
        Values in one sample; 1 for image and sound files and for waveforms.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if `fit` saw a frame.

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
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_earlier_fit
    def fit(self, X: Any, y: Any = None) -> BackboneTransformer:
        """Learn the format of a sample.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            The samples: images of shape (n, height, width[, channels]), flattened samples with
            ``input_shape``, image files, texts, waveforms or sound files, or a table.
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
        samples, format = self._read_new(X)
        own = FitParameters.of(self)
        backbone = starting_backbone(own, format, samples)
        extraction = plan_extraction(
            backbone, format, image_size=self.image_size, stage=self.stage, pooling=self.pooling
        )
        width = extract(extraction, first(samples), memory=self.memory).shape[1]
        self.model_ = FittedModel(format, SplitNetwork(extraction, None, 0), backbone, n_features=width)
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
        return self.model_.features(self._read_known(X), self.memory)

    @property
    def _n_features_out(self) -> int:
        return self.model_.n_features
