"""What `AutoencoderTransformer.fit` makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skltransfer._estimators.fitted import FittedModel
from skltransfer._features.extraction import Extraction, compute
from skltransfer._inputs.formats import Layout
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import ArraySamples, Samples
from skltransfer._keras.backend import import_keras
from skltransfer._utils.progress import counted
from skltransfer._utils.types import Array
from skltransfer.autoencoder._builders import decoded_shape, log_variances, statistics
from skltransfer.autoencoder._losses import NATS, NATS_CONSTANT, gaussian_divergence, reconstruction_loss
from skltransfer.backbones._backbone import Backbone, assign, build, building

RAW = Layout((), "float32")
BLOCK_SAMPLES = 512
WIDEST = 16
"""Numbers that the widest vector instructions take; others are rounded in another way."""

N_DRAWS = 8
"""Draws, the same for all samples, over which an evidence bound is a mean."""


@dataclass(frozen=True, eq=False)
class FittedAutoencoder(FittedModel):
    """A fitted autoencoder: from samples to latent values, and back.

    Parameters
    ----------
    layout : Layout
        How samples lay in what `fit` saw.
    loss : str
        See `reconstruction_loss`.
    """

    layout: Layout = RAW
    loss: str = "mse"

    @property
    def encoding_network(self) -> Extraction:
        """From samples to latent values."""
        assert self.network.below is not None
        return self.network.below

    @property
    def decoder(self) -> Backbone:
        """From latent values to samples."""
        assert self.backbone.decoder is not None
        return self.backbone.decoder

    def features(self, samples: Samples, memory: Any = None) -> Array:
        """Compute latent values, in the precision of a table."""
        latent = self._latent(self.encoding_network, samples)
        return latent.astype(self.layout.dtype, copy=False) if self.format.kind.is_table else latent

    def reconstructed(self, latent: Array) -> Array:
        """Decode into samples like those that `fit` saw."""
        if self.format.kind.is_image:
            return np.concatenate([self.layout.pixels(part, self.format) for part in self._decoded(latent)])
        return np.concatenate(list(self._decoded(latent))).astype(self.layout.dtype, copy=False)

    def all_answers(self) -> Any:
        """Build one Keras network from raw samples to all answers; see `FittedModel.all_answers`.

        Beside "features", it gives "reconstruction", in the units of samples, and "scores" if it is not variational.
        """
        encoder, ops = super().all_answers(), import_keras().ops
        mean = statistics(self.encoding_network.backbone).get("moving_mean", 0.0)
        with building(0):
            samples = import_keras().Input(encoder.inputs[0].shape[1:], dtype=encoder.inputs[0].dtype, name="samples")
            filled = ops.where(ops.isnan(samples), mean, samples) if self.format.kind.is_table else samples
            decoder = build(self.decoder.architecture)
            assign(decoder, self.decoder.weights)
            found = encoder(filled)
            decoded = decoder(found["features"])
            shown = self.layout.in_range(decoded, self.format) if self.format.kind.is_image else decoded
            found = {**found, "reconstruction": shown}
            if self.backbone.log_variance is None:
                target = pixel_target(self.encoding_network.backbone, self.format)
                seen = self._in_units(samples, decoded, ops) if target is None else (target(samples), decoded, None)
                found["scores"] = -reconstruction_loss(self.loss, *seen)
            return import_keras().Model(samples, found, name="model")

    def reconstruction_scores(self, samples: Samples) -> Array:
        """Negative loss of each sample."""
        return -self._sample_losses(samples, self._latent(self.encoding_network, samples))

    def evidence_bounds(self, samples: Samples) -> Array:
        """Evidence bound of each sample, in nats."""
        mean = self._latent(self.encoding_network, samples)
        spread = self._latent(
            replace(self.encoding_network, backbone=log_variances(self.encoding_network.backbone)), samples
        )
        half = np.random.default_rng(0).standard_normal((N_DRAWS // 2, mean.shape[1]))
        losses = [self._sample_losses(samples, mean + np.exp(0.5 * spread) * noise) for noise in (*half, *-half)]
        average = sum(losses) / N_DRAWS  # np.mean adds up a single sample in another order
        nats = NATS[self.loss] * average + NATS_CONSTANT[self.loss]
        divergence = _each(gaussian_divergence, mean, spread)
        return -(math.prod(decoded_shape(self.decoder.architecture)) * nats + divergence)

    def _latent(self, encoding: Extraction, samples: Samples) -> Array:
        """Run an encoder; missing values of a table are those in the middle."""
        if self.format.kind.is_table and isinstance(samples, ArraySamples) and np.isnan(samples.values).any():
            mean = statistics(encoding.backbone).get("moving_mean", 0.0)
            samples = ArraySamples(np.where(np.isnan(samples.values), mean, samples.values))
        latent = compute(encoding, samples, range(len(samples)))
        return np.stack(list(counted(latent, len(samples))))

    def _decoded(self, latent: Array) -> Iterator[Array]:
        """Run the decoder on a part of the samples after the other."""
        plan = Extraction(self.decoder, self.decoder.stages[-1], "none", None)
        largest = 16 * math.prod(decoded_shape(self.decoder.architecture))
        for start in range(0, len(latent), BLOCK_SAMPLES):
            part = latent[start : start + BLOCK_SAMPLES]
            yield np.stack(list(compute(plan, ArraySamples(part), range(len(part)), values=largest)))

    def _sample_losses(self, samples: Samples, latent: Array) -> Array:
        """Loss of each sample under these latent values; columns are brought to one unit."""
        decoded = np.concatenate(list(self._decoded(latent)))
        values: Any = samples.read(np.arange(len(samples)), self.encoding_network.preparation)
        target = pixel_target(self.encoding_network.backbone, self.format)
        if target is not None:
            return _each(lambda x, y: reconstruction_loss(self.loss, target(x), y, None), values.astype("f4"), decoded)
        return _each(lambda *parts: reconstruction_loss(self.loss, *parts), *self._in_units(values, decoded, np))

    def _in_units(self, values: Any, decoded: Any, module: Any) -> tuple[Any, Any, Any]:
        """Bring columns to one unit, with NumPy or Keras' operations; tell which values are there."""
        known = statistics(self.encoding_network.backbone)
        present = module.logical_not(module.isnan(values))
        values = module.where(present, values, 0.0)
        if known and self.loss != "bce":
            mean, unit = known["moving_mean"], np.sqrt(known["moving_variance"])
            values, decoded = (values - mean) / unit, (decoded - mean) / unit
        return values, decoded, present


def _each(function: Callable[..., Any], *arrays: Array) -> Array:
    """Compute a number for each sample; the last one repeated, so that vector instructions reach all of them."""
    n_samples = len(arrays[0])
    filled = np.minimum(np.arange(-(-n_samples // WIDEST) * WIDEST), n_samples - 1)
    ops = import_keras().ops
    return ops.convert_to_numpy(function(*(ops.convert_to_tensor(array[filled]) for array in arrays)))[:n_samples]


def pixel_target(backbone: Backbone, format: InputFormat) -> Preparation | None:
    """How pixels become what a backbone's decoder gives; None for samples of numbers."""
    if not format.kind.is_image:
        return None
    assert backbone.decoder is not None
    height, width, channels = decoded_shape(backbone.decoder.architecture)
    return Preparation(format.low, format.high, (height, width), channels, (0.0,), (255.0,))
