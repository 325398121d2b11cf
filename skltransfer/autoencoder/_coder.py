"""A fitted autoencoder: from rows to latent values, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer import losses
from skltransfer._validation import import_keras
from skltransfer.backbones import Backbone, decoded_shape, log_variances, statistics
from skltransfer.features import Extraction, compute
from skltransfer.inputs import ArrayRows, InputFormat, Layout, Preparation, Rows

Array = NDArray[Any]

TOGETHER = 512
N_DRAWS = 8
"""Draws, the same for all rows, over which an evidence bound is a mean."""


@dataclass(frozen=True, eq=False)
class Coder:
    """An encoder with its decoder, and what rows are.

    Parameters
    ----------
    encoding : Extraction
        From rows to latent values.
    format : InputFormat
        What one row is.
    layout : Layout
        How rows lay in what `fit` saw.
    loss : str
        See `losses.reconstruction_loss`.
    """

    encoding: Extraction
    format: InputFormat
    layout: Layout
    loss: str

    @property
    def decoder(self) -> Backbone:
        """From latent values to rows."""
        assert self.encoding.backbone.decoder is not None
        return self.encoding.backbone.decoder

    def encode(self, rows: Rows) -> Array:
        """Compute latent values, in the precision of a table."""
        latent = self._latent(self.encoding, rows)
        return latent.astype(self.layout.dtype, copy=False) if self.format.kind == "table" else latent

    def restore(self, latent: Array) -> Array:
        """Decode into rows like those that `fit` saw."""
        if self.format.kind in ("images", "pictures"):
            return np.concatenate([self.layout.pixels(part, self.format) for part in self._decoded(latent)])
        return np.concatenate(list(self._decoded(latent))).astype(self.layout.dtype, copy=False)

    def fidelity(self, rows: Rows) -> Array:
        """Negative loss of each row."""
        return -self._row_losses(rows, self._latent(self.encoding, rows))

    def evidence(self, rows: Rows) -> Array:
        """Evidence bound of each row, in nats."""
        mean = self._latent(self.encoding, rows)
        spread = self._latent(replace(self.encoding, backbone=log_variances(self.encoding.backbone)), rows)
        half = np.random.default_rng(0).standard_normal((N_DRAWS // 2, mean.shape[1]))
        lost = [self._row_losses(rows, mean + np.exp(0.5 * spread) * noise) for noise in (*half, *-half)]
        nats = losses.NATS[self.loss] * np.mean(lost, axis=0) + losses.NATS_CONSTANT[self.loss]
        divergence = import_keras().ops.convert_to_numpy(losses.gaussian_divergence(mean, spread))
        return -(math.prod(decoded_shape(self.decoder.architecture)) * nats + divergence)

    def _latent(self, encoding: Extraction, rows: Rows) -> Array:
        """Run an encoder; missing values of a table are those in the middle."""
        if self.format.kind == "table" and isinstance(rows, ArrayRows) and np.isnan(rows.values).any():
            mean = statistics(encoding.backbone).get("moving_mean", 0.0)
            rows = ArrayRows(np.where(np.isnan(rows.values), mean, rows.values))
        return np.stack(list(compute(encoding, rows, range(len(rows)))))

    def _decoded(self, latent: Array) -> Iterator[Array]:
        """Run the decoder on a part of the rows after the other."""
        plan = Extraction(self.decoder, self.decoder.stages[-1], "none", None)
        largest = 16 * math.prod(decoded_shape(self.decoder.architecture))
        for start in range(0, len(latent), TOGETHER):
            part = latent[start : start + TOGETHER]
            yield np.stack(list(compute(plan, ArrayRows(part), range(len(part)), values=largest)))

    def _row_losses(self, rows: Rows, latent: Array) -> Array:
        """Loss of each row under these latent values; columns are brought to one unit."""
        decoded, present = np.concatenate(list(self._decoded(latent))), None
        values: Any = rows.read(np.arange(len(rows)), self.encoding.preparation)
        target, known = pixel_target(self.encoding.backbone, self.format), statistics(self.encoding.backbone)
        if target is not None:
            values = target(import_keras().ops.cast(values, "float32"))
        else:
            present = ~np.isnan(values)
            values = np.where(present, values, 0.0)
            if known and self.loss != "bce":
                unit = np.sqrt(known["moving_variance"])
                values, decoded = (values - known["moving_mean"]) / unit, (decoded - known["moving_mean"]) / unit
        return import_keras().ops.convert_to_numpy(losses.reconstruction_loss(self.loss, values, decoded, present))


def pixel_target(backbone: Backbone, format: InputFormat) -> Preparation | None:
    """How pixels become what a backbone's decoder gives; None for rows of numbers."""
    if format.kind not in ("images", "pictures"):
        return None
    assert backbone.decoder is not None
    height, width, channels = decoded_shape(backbone.decoder.architecture)
    return Preparation(format.low, format.high, (height, width), channels, (0.0,), (255.0,))
