"""How an autoencoder is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np

from skltransfer._engine.augmentation import augmentation_json
from skltransfer._engine.design import Design
from skltransfer._engine.job import TrainingData, TrainingJob, TrainingSettings
from skltransfer._engine.trainable import TrainableLayers
from skltransfer._estimators.fit import Phase, Recipe, Setup, Start, State, design_for, settings_for, trainable_spec
from skltransfer._estimators.parameters import FitParameters, check_training, starting_backbone
from skltransfer._features.extraction import Extraction, extract, plan_extraction
from skltransfer._features.split import SplitNetwork, split_network
from skltransfer._inputs.formats import Layout
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import ArraySamples, JoinedSamples, Samples
from skltransfer._targets.targets import Targets
from skltransfer.autoencoder._builders import LATENT, autoencoder, encode, with_log_variance
from skltransfer.autoencoder._fitted import FittedAutoencoder, pixel_target
from skltransfer.autoencoder._goal import Reconstruction
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._builders import patch_side

KINDS = {"dense": ("table",), "conv": ("image_arrays", "image_files"), "conv1d": ("sequences",)}
CORRUPTIONS = ("gaussian", "mask", "dropout")
BOUNDED = ("bce", "ssim")


@dataclass(frozen=True, eq=False, kw_only=True)
class AutoencoderParameters(FitParameters):
    """The parameters of an autoencoder in one fit."""

    latent_dim: int | str
    hidden: Any
    loss: str
    corruption: Any
    corruption_level: float
    variational: bool | float

    @property
    def is_noise(self) -> bool:
        """Whether values are corrupted, rather than images distorted by a layer."""
        return isinstance(self.corruption, str) and self.corruption in CORRUPTIONS

    @property
    def distortion(self) -> str | None:
        """The layer that distorts images, serialized."""
        if self.corruption is None or self.is_noise:
            return None
        return augmentation_json(self.corruption, parameter="corruption", others=CORRUPTIONS)


@dataclass(frozen=True, eq=False)
class AutoencoderRecipe(Recipe):
    """A latent layer and a decoder, on an encoder that may be fine-tuned.

    Parameters
    ----------
    layout : Layout
        How samples lay in what `fit` saw.
    earlier : FittedAutoencoder or None
        Of an earlier fit that may be continued.
    """

    parameters: AutoencoderParameters
    layout: Layout
    earlier: FittedAutoencoder | None

    n_own_stages = 1

    def start(self, samples: Samples) -> Start:
        """Continue the earlier fit, or build or load an encoder that has a decoder."""
        own, earlier = self.parameters, self.earlier
        if earlier is not None and (own.once or own.warm_start):
            return self._with_head(Start.again(earlier, None, once=own.once))
        backbone = self._encoder(samples)
        return self._with_head(Start(backbone, backbone.pretrained))

    def check(self, trainable: TrainableLayers, targets: Targets) -> None:
        """Refuse training parameters that contradict each other, or the samples."""
        check_training(self.parameters, self.format, trainable)

    def holds_out(self, trainable: TrainableLayers) -> bool:
        """Whether samples are held out: not by `partial_fit`."""
        return self.parameters.early_stopping and not self.parameters.once

    def split(self, start: Start, trainable: TrainableLayers, samples: Samples) -> SplitNetwork:
        """Split off the frozen layers, unless training shows them each sample in another form at each step."""
        own, whole = self.parameters, self._whole(start)
        if own.corruption is not None or own.augmentation is not None:
            return SplitNetwork(None, whole, len(whole.backbone.stages))
        return split_network(whole, trainable.stages + 1, samples, own.memory)

    def phases(self, setup: Setup) -> list[Phase]:
        """Train the latent layer, the decoder, and the layers of the encoder that are fine-tuned."""
        own = self.parameters
        settings = settings_for(
            own, len(setup.samples), setup.start, setup.trainable, table=self.format.kind.is_table,
            values={"level": float(own.corruption_level), "beta": float(own.variational)},
        )  # fmt: skip
        goal = self._goal(setup)
        spec = trainable_spec(setup.network, setup.samples, own.memory)
        if goal.beside is not None:
            spec = self._seen(setup, setup.samples).layout(None)
        augmentation = None if own.augmentation is None else augmentation_json(own.augmentation)
        design = design_for(own, setup.network, setup.start, setup.trainable, spec, goal, augmentation=augmentation)
        return [Phase(design, settings, partial(self._job, setup, design, settings))]

    def finish(self, setup: Setup, states: Sequence[State], history: dict[str, list[float]]) -> FittedAutoencoder:
        """Take encoder, decoder and the layer of log-variances apart."""
        state, decoder = states[-1], setup.start.backbone.decoder
        assert state.head is not None
        assert decoder is not None
        n_own = 2 if self.parameters.variational else 0
        log_variance = (state.head[0], state.head[1]) if n_own else None
        encoder = state.network.joined(setup.start.backbone)
        backbone = replace(encoder, decoder=decoder.with_weights(state.head[n_own:]), log_variance=log_variance)
        plan = plan_extraction(backbone, self.format, image_size=self.parameters.image_size)
        network = SplitNetwork(replace(plan, stage=LATENT, pooling="none"), None, 0)
        return FittedAutoencoder(
            self.format, network, backbone, None, None, setup.start.pretrained, setup.n_epochs_after(history), history,
            decoder.input_shape[0] or 0, state.training, self.layout, self.parameters.loss,
        )  # fmt: skip

    def _with_head(self, start: Start) -> Start:
        """Add the weights of the decoder, and of the layer of log-variances, to start from."""
        backbone = start.backbone
        backbone = with_log_variance(backbone) if self.parameters.variational else replace(backbone, log_variance=None)
        return replace(start, backbone=backbone)

    def _whole(self, start: Start) -> Extraction:
        return plan_extraction(start.backbone, self.format, image_size=self.parameters.image_size)

    def _job(self, setup: Setup, design: Design, settings: TrainingSettings, state: State) -> TrainingJob:
        """Settle what is trained on, from which weights of the decoder."""
        backbone, above = setup.start.backbone, setup.network.above
        assert backbone.decoder is not None
        held_out = None
        if setup.held_out is not None:
            samples, targets = setup.held_out
            held_out = self._seen(setup, samples), targets.normalized()
        data = TrainingData([self._seen(setup, setup.samples)], setup.targets.normalized(), held_out)
        head = [*(backbone.log_variance or ()), *backbone.decoder.weights]
        return TrainingJob(
            design, settings, data, None if above is None else above.backbone, head, state=setup.start.training,
            keeps_state=self.parameters.once,
        )  # fmt: skip

    def _encoder(self, samples: Samples) -> Backbone:
        """Build, or load, an encoder that has a decoder."""
        own, name, kind = self.parameters, self.parameters.backbone, self.format.kind
        options: dict[str, Any] = {
            "hidden": None if isinstance(own.hidden, str) else tuple(own.hidden),
            "bounded": own.loss in BOUNDED,
            "seed": own.seed,
        }
        if isinstance(name, str) and name in ("auto", *KINDS):
            if name != "auto" and kind.name not in KINDS[name]:
                raise ValueError(f"backbone={name!r} takes {' or '.join(KINDS[name])}. Got {kind.noun}; pass 'auto'.")
            shape = kind.builder_shape(self.format, own.image_size)
            assert shape is not None, "texts are refused"
            return autoencoder(shape, self._n_latent(), **options)
        backbone = starting_backbone(own, self.format, samples)
        if backbone.decoder is None:
            extraction = plan_extraction(backbone, self.format, image_size=own.image_size)
            return encode(backbone, self._raw_shape(extraction), self._n_latent(), **options)
        n_latent = backbone.decoder.input_shape[0]
        if own.latent_dim not in ("auto", n_latent):
            raise ValueError(
                f"latent_dim: the backbone brings {n_latent} latent values along. Got latent_dim={own.latent_dim!r}; "
                "pass 'auto'."
            )
        return backbone

    def _n_latent(self) -> int:
        if self.parameters.latent_dim != "auto":
            return int(self.parameters.latent_dim)
        return min(32, -(-self.format.shape[0] // 2)) if self.format.kind.is_table else 32

    def _raw_shape(self, extraction: Extraction) -> tuple[int, ...]:
        """Shape of a sample as it is read."""
        if not self.format.kind.sizes_vary or not isinstance(extraction.preparation, Preparation):
            return self.format.shape
        assert extraction.preparation.size is not None, "plan_extraction settles a size for images"
        return (*extraction.preparation.size, 3)

    def _seen(self, setup: Setup, samples: Samples) -> Samples:
        """Return samples as the trainable part takes them, after the features of frozen layers if there are any."""
        below = setup.network.below
        if below is None:
            return samples
        features = ArraySamples(extract(below, samples, memory=self.parameters.memory))
        return JoinedSamples(features, samples, below.preparation)

    def _goal(self, setup: Setup) -> Reconstruction:
        """Settle what is reconstructed, from what."""
        own, backbone, whole = self.parameters, setup.start.backbone, self._whole(setup.start)
        assert backbone.decoder is not None
        shape, beside = self._raw_shape(whole), None
        if setup.network.below is not None:
            beside = trainable_spec(setup.network, setup.samples, own.memory)[0]
        return Reconstruction(
            decoder=backbone.decoder.architecture,
            loss=own.loss,
            target=pixel_target(backbone, self.format),
            corruption=own.corruption if own.is_noise else None,
            distortion=own.distortion,
            patch=1 if self.format.kind.is_table else patch_side(shape),
            variational=bool(own.variational),
            beside=beside,
            raw=None if beside is None else shape,
        )


def check_samples(own: AutoencoderParameters, format: InputFormat, samples: Samples) -> None:
    """Refuse parameters that contradict each other, or these samples."""
    kind = format.kind
    kind.check_restorable()
    if not isinstance(own.hidden, str) and any(not isinstance(n, Integral) or n < 1 for n in own.hidden):
        raise ValueError(f"The 'hidden' parameter must be 'auto' or whole numbers of at least 1. Got {own.hidden!r}.")
    if own.loss == "ssim" and (not kind.is_image or own.variational):
        raise ValueError(
            f"loss='ssim' compares images and is no likelihood. Got {kind.noun} and variational={own.variational!r}; "
            "pass another loss."
        )
    if own.is_noise and own.corruption != "gaussian" and not 0 <= own.corruption_level < 1:
        raise ValueError(
            f"corruption_level: expected a share from 0 to below 1 for corruption={own.corruption!r}. Got "
            f"{own.corruption_level!r}."
        )
    if own.distortion is not None and not kind.is_image:
        raise ValueError(f"corruption: layers change images. Got {kind.noun}; pass one of {CORRUPTIONS}, or None.")
    if own.loss == "bce" and isinstance(samples, ArraySamples) and kind.is_numeric:
        low, high = float(np.nanmin(samples.values)), float(np.nanmax(samples.values))
        if low < 0 or high > 1:
            raise ValueError(
                f"loss='bce' needs values from 0 to 1. Got values from {low:g} to {high:g}; scale the columns, or "
                "pass loss='mse'."
            )
