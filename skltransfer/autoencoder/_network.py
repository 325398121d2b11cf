"""The network of an autoencoder; imported when it is compiled, as it needs Keras."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from skltransfer._engine.design import Design
from skltransfer._engine.network import Network, deserialized_layer
from skltransfer._inputs.image_arrays import Preparation
from skltransfer.autoencoder._builders import LATENT
from skltransfer.autoencoder._losses import NATS, gaussian_divergence, reconstruction_loss
from skltransfer.backbones._backbone import build
from skltransfer.backbones._builders import STANDARDIZE


class ReconstructingNetwork(Network):
    """A decoder after the latent layer that the body ends with: gives the loss of each sample."""

    def __init__(self, design: Design, body: Any, goal: Any) -> None:
        super().__init__(design, body)
        self.goal = goal
        latent = body.get_layer(LATENT)
        self.encoder = keras.Model(body.inputs, [latent.input, latent.output])
        self.decoder = build(self.goal.decoder)
        self.n_values = math.prod(self.decoder.outputs[0].shape[1:])
        self.log_variance = keras.layers.Dense(latent.units, dtype=design.dtype) if self.goal.variational else None
        self.level, self.beta = self.setting("level"), self.setting("beta")
        self.draws = keras.random.SeedGenerator(0)
        self.distort = None if self.goal.distortion is None else deserialized_layer(self.goal.distortion)
        norms = [layer for layer in body.layers if layer.name == STANDARDIZE]
        self.norm = norms[0] if norms else None
        self.add_anchors()

    @property
    def head_weights(self) -> list[Any]:
        """The layer of log-variances, if there is one, and the decoder."""
        return [*(self.log_variance.weights if self.log_variance is not None else ()), *self.decoder.weights]

    @property
    def anchored(self) -> list[Any]:
        """The weights whose start is kept for the L2-SP penalty."""
        return [*super().anchored, *self.decoder.trainable_variables] if self.design.l2_sp else []

    def call(self, batch: Any, training: bool = False) -> Any:
        """Compute the loss of each sample, shape (n_samples, 1)."""
        taken, samples = self._parts(batch, training)
        target = samples if self.goal.target is None else self.goal.target(samples)
        before, mean = self.encoder(taken, training=training)
        self.add_penalties(taken, mean, training)
        latent, divergence = mean, 0.0
        if self.log_variance is not None:
            log_variance = self.log_variance(before)
            divergence = gaussian_divergence(mean, log_variance)
            if training:
                noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.draws)
                latent = mean + ops.exp(0.5 * log_variance) * noise
        loss = self._difference(target, self.decoder(latent, training=training))
        if self.log_variance is not None:
            loss = NATS[self.goal.loss] * loss + self.beta * divergence / self.n_values
        return loss[:, None]

    def _parts(self, batch: Any, training: bool) -> tuple[Any, Any]:
        """Return what the encoder takes, and the samples before they are corrupted."""
        if self.goal.beside is not None and self.goal.raw is not None:
            x, width = ops.cast(batch, self.design.dtype), math.prod(self.goal.beside)
            return ops.reshape(x[:, :width], (-1, *self.goal.beside)), ops.reshape(x[:, width:], (-1, *self.goal.raw))
        samples = self.pixels(batch, training)
        return self.prepare(self._corrupted(samples, training)), samples

    def _units(self) -> tuple[Any, Any]:
        """Center and unit of the values of a sample: of columns, or half-way from black to white."""
        if isinstance(self.design.preparation, Preparation):
            low, high = self.design.preparation.low, self.design.preparation.high
            return (low + high) / 2, high - low
        if self.norm is None:
            return 0.0, 1.0
        return self.norm.moving_mean, ops.sqrt(self.norm.moving_variance)

    def _difference(self, target: Any, output: Any) -> Any:
        """Loss of each sample; columns are brought to one unit first, while probabilities and pixels have one."""
        present = ops.logical_not(ops.isnan(target)) if self._may_miss() else None
        if self.goal.target is None and self.goal.loss != "bce":
            center, unit = self._units()
            target, output = (target - center) / unit, (output - center) / unit
        return reconstruction_loss(self.goal.loss, target, output, present)

    def _may_miss(self) -> bool:
        """Whether values of a sample may be missing."""
        return self.goal.corruption == "mask" and self.goal.target is None

    def _corrupted(self, samples: Any, training: bool) -> Any:
        kind, (center, unit) = self.goal.corruption, self._units()
        if self._may_miss():
            samples = ops.where(ops.isnan(samples), center, samples)
        if training and self.distort is not None:
            return self.changed(samples, self.distort)
        if kind is None or not training:
            return samples
        level = ops.cast(self.level, samples.dtype)
        if kind == "gaussian":
            return samples + level * unit * keras.random.normal(
                ops.shape(samples), dtype=samples.dtype, seed=self.draws
            )
        kept = ops.cast(self._uniform(samples, kind == "mask") >= level, samples.dtype)
        return center + (samples - center) * (kept if kind == "mask" else kept / (1 - level))

    def _uniform(self, samples: Any, by_patch: bool) -> Any:
        """Draw a number for each value, or for each patch of pixels or steps."""
        shape, places = list(samples.shape[1:]), len(samples.shape) - 2
        patch = self.goal.patch if by_patch else 1
        if by_patch and places:
            shape = [-(-length // patch) for length in shape[:places]] + [1]
        draws = keras.random.uniform((ops.shape(samples)[0], *shape), dtype=samples.dtype, seed=self.draws)
        if by_patch:
            for axis in range(1, places + 1):
                draws = ops.repeat(draws, patch, axis=axis)
            draws = draws[(slice(None), *(slice(0, length) for length in samples.shape[1 : places + 1]))]
        return draws
