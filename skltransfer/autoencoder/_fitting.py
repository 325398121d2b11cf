"""How an autoencoder is fitted."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skltransfer._engine.augmentation import augmentation_json
from skltransfer._engine.loop import TrainingData
from skltransfer._engine.trainable import TrainableLayers, resolve_trainable
from skltransfer._estimators.fit import TrainedEstimator
from skltransfer._estimators.progress import FitWatcher
from skltransfer._features.extraction import Extraction, extract, plan_extraction
from skltransfer._features.split import SplitNetwork, split_network
from skltransfer._inputs.formats import Layout
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.samples import ArraySamples, JoinedSamples, Samples
from skltransfer._targets.targets import Targets
from skltransfer._targets.weights import read_weights
from skltransfer._utils.types import Array
from skltransfer.autoencoder._builders import LATENT, autoencoder, encode, with_log_variance
from skltransfer.autoencoder._coder import Coder, pixel_target
from skltransfer.autoencoder._goal import Reconstruction
from skltransfer.autoencoder._losses import RECONSTRUCTION_LOSSES
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._builders import patch_side

KINDS = {"dense": ("table",), "conv": ("image_arrays", "image_files"), "conv1d": ("sequences",)}
CORRUPTIONS = ("gaussian", "mask", "dropout")
BOUNDED = ("bce", "ssim")


class AutoencoderEstimator(TrainedEstimator):
    """Base of `AutoencoderTransformer`: all that `fit` does."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TrainedEstimator._parameter_constraints,
        "latent_dim": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "hidden": [tuple, list, StrOptions({"auto"})],
        "loss": [StrOptions(set(RECONSTRUCTION_LOSSES))],
        "corruption": "no_validation",
        "corruption_level": [Interval(Real, 0, None, closed="left")],
        "variational": ["boolean", Interval(Real, 0, None, closed="neither")],
    }

    _coder: Coder

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_coder")

    def _takes_sequences(self) -> bool:
        return super()._takes_sequences() or (isinstance(self.backbone, str) and self.backbone == "conv1d")

    def _fit(self, X: Any, sample_weight: Any, *, once: bool) -> Self:
        first = not (once and hasattr(self, "_coder"))
        samples = self._read(X, reset=first)
        if self._format.kind == "audio":
            raise ValueError(
                "X: expected a table, images or sequences. Got sounds, which a decoder does not give back; "
                "BackboneTransformer and TransferClassifier take them."
            )
        if first:
            self._layout = Layout.of(X, self._format)
        weights = read_weights(sample_weight, samples)
        self._check(samples)
        kept = weights > 0
        self._fit_samples(samples.take(kept), weights[kept], once)
        return self

    def _is_noise(self) -> bool:
        return isinstance(self.corruption, str) and self.corruption in CORRUPTIONS

    def _distortion(self) -> str | None:
        """Layer that spoils images, serialised."""
        if self.corruption is None or self._is_noise():
            return None
        return augmentation_json(self.corruption, parameter="corruption", others=CORRUPTIONS)

    def _check(self, samples: Samples) -> None:
        """Refuse parameters that cannot mean anything together, or on these samples."""
        kind = self._format.kind
        if kind == "texts":
            raise ValueError(
                "X: expected numbers or images. Got texts, which have no values to restore; encode them first, as in "
                "make_pipeline(BackboneTransformer(), AutoencoderTransformer())."
            )
        if not isinstance(self.hidden, str) and any(not isinstance(n, Integral) or n < 1 for n in self.hidden):
            raise ValueError(
                f"The 'hidden' parameter must be 'auto' or whole numbers of at least 1. Got {self.hidden!r}."
            )
        if self.loss == "ssim" and (kind not in ("image_arrays", "image_files") or self.variational):
            raise ValueError(
                f"loss='ssim' compares images and is no likelihood. Got {kind} and variational={self.variational!r}; "
                "pass another loss."
            )
        if self._is_noise() and self.corruption != "gaussian" and not 0 <= self.corruption_level < 1:
            raise ValueError(
                f"corruption_level: expected a share from 0 to below 1 for corruption={self.corruption!r}. Got "
                f"{self.corruption_level!r}."
            )
        if self._distortion() is not None and kind not in ("image_arrays", "image_files"):
            raise ValueError(f"corruption: layers change images. Got {kind}; pass one of {CORRUPTIONS}, or None.")
        if self.loss == "bce" and isinstance(samples, ArraySamples) and kind in ("table", "sequences"):
            low, high = float(np.nanmin(samples.values)), float(np.nanmax(samples.values))
            if low < 0 or high > 1:
                raise ValueError(
                    f"loss='bce' needs values from 0 to 1. Got values from {low:g} to {high:g}; scale the columns, or "
                    "pass loss='mse'."
                )

    def _fit_samples(self, samples: Samples, weights: Array, once: bool) -> None:
        was = self.__dict__.pop("_coder", None)  # from here on, until all is done, this is not fitted
        proceed = was is not None and (once or self.warm_start)
        backbone = self.backbone_ if proceed else self._starting_backbone(samples)
        self._pretrained = self._pretrained if proceed else backbone.pretrained
        self._parts = self._parts + 1 if proceed and once else 0
        moves = resolve_trainable(self.trainable, pretrained=self._pretrained, n_stages=len(backbone.stages) - 1)
        self._check_together(moves)
        targets, held = Targets((), np.empty((len(samples), 0)), weights[:, None]), None
        if self.early_stopping and not once:
            samples, targets, held = self._hold_out(samples, targets, None)
        if not proceed:
            backbone = self._standardized(backbone, samples, targets.weights[:, 0])
        backbone = with_log_variance(backbone) if self.variational else replace(backbone, log_variance=None)
        whole = plan_extraction(backbone, self._format, image_size=self.image_size)
        split = self._split(whole, moves, samples)
        seen = self._seen(split, whole, samples)
        training = self._training(
            len(samples),
            moves,
            once,
            {"level": float(self.corruption_level), "beta": float(self.variational)},
            **self._stopping(),
        )
        goal = self._goal(split, whole, samples)
        sample = self._sample(split, samples) if goal.beside is None else seen.layout(None)
        outside = None if self.augmentation is None else augmentation_json(self.augmentation)
        design = self._design(split, moves, sample, goal, augmentation=outside)
        context = self._init_callback_context(max_subtasks=training.epochs)
        context.call_on_fit_task_begin(estimator=self)
        assert backbone.decoder is not None
        held_out = None if held is None else (self._seen(split, whole, held[0]), held[1].normalised())
        head = [*(backbone.log_variance or ()), *backbone.decoder.weights]
        watcher = FitWatcher(self, context, verbose=int(self.verbose))
        trained = self._train(
            design, training, split, watcher, TrainingData([seen], targets.normalised(), held_out), head
        )
        self._take(split.with_weights(trained.weights).joined(backbone), backbone.decoder, trained.head)
        self.history_, self.n_iter_ = trained.history, trained.epochs
        context.call_on_fit_task_end(estimator=self)

    def _take(self, encoder: Backbone, decoder: Backbone, head: list[Array]) -> None:
        """Take trained weights over."""
        n_own = 2 if self.variational else 0
        log_variance = (head[0], head[1]) if n_own else None
        self.backbone_ = replace(encoder, decoder=decoder.with_weights(head[n_own:]), log_variance=log_variance)
        plan = plan_extraction(self.backbone_, self._format, image_size=self.image_size)
        self._coder = Coder(replace(plan, stage=LATENT, pooling="none"), self._format, self._layout, self.loss)
        self._n_features_out = decoder.input_shape[0]

    def _starting_backbone(self, samples: Samples) -> Backbone:
        """Build, or load, an encoder that has a decoder."""
        name, kind = self.backbone, self._format.kind
        options: dict[str, Any] = {
            "hidden": None if isinstance(self.hidden, str) else tuple(self.hidden),
            "bounded": self.loss in BOUNDED,
            "seed": self._seed(),
        }
        if isinstance(name, str) and name in ("auto", *KINDS):
            if name != "auto" and kind not in KINDS[name]:
                raise ValueError(f"backbone={name!r} takes {' or '.join(KINDS[name])}. Got {kind}; pass 'auto'.")
            return autoencoder(self._builder_shape(), self._n_latent(), **options)
        backbone = super()._starting_backbone(samples)
        if backbone.decoder is None:
            extraction = plan_extraction(backbone, self._format, image_size=self.image_size)
            return encode(backbone, self._own_shape(extraction), self._n_latent(), **options)
        n_latent = backbone.decoder.input_shape[0]
        if self.latent_dim not in ("auto", n_latent):
            raise ValueError(
                f"latent_dim: the backbone brings {n_latent} latent values along. Got latent_dim={self.latent_dim!r}; "
                "pass 'auto'."
            )
        return backbone

    def _n_latent(self) -> int:
        if self.latent_dim != "auto":
            return int(self.latent_dim)
        return min(32, -(-self._format.shape[0] // 2)) if self._format.kind == "table" else 32

    def _own_shape(self, extraction: Extraction) -> tuple[int, ...]:
        """Shape of a sample as it is read."""
        if self._format.kind != "image_files" or not isinstance(extraction.preparation, Preparation):
            return self._format.shape
        assert extraction.preparation.size is not None, "plan_extraction settles a size for images"
        return (*extraction.preparation.size, 3)

    def _split(self, whole: Extraction, moves: TrainableLayers, samples: Samples) -> SplitNetwork:
        """SplitNetwork off what stays as it is, unless it sees each sample in another form at each step."""
        stages = whole.backbone.stages
        if self.corruption is not None or self.augmentation is not None:
            return SplitNetwork(None, whole, len(stages))
        return split_network(whole, moves.stages + 1, samples, self.memory)

    def _seen(self, split: SplitNetwork, whole: Extraction, samples: Samples) -> Samples:
        """Samples as the moving part takes them, with the samples themselves beside features."""
        if split.below is None:
            return samples
        features = ArraySamples(extract(split.below, samples, memory=self.memory))
        return JoinedSamples(features, samples, whole.preparation)

    def _goal(self, split: SplitNetwork, whole: Extraction, samples: Samples) -> Reconstruction:
        """Settle what is reconstructed, from what."""
        backbone = whole.backbone
        assert backbone.decoder is not None
        shape, aside = self._own_shape(whole), split.below is not None
        return Reconstruction(
            decoder=backbone.decoder.architecture,
            loss=self.loss,
            target=pixel_target(backbone, self._format),
            corruption=self.corruption if self._is_noise() else None,
            distortion=self._distortion(),
            patch=1 if self._format.kind == "table" else patch_side(shape),
            variational=bool(self.variational),
            beside=self._sample(split, samples)[0] if aside else None,
            raw=shape if aside else None,
        )
