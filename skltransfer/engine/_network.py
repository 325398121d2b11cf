"""What is compiled for training; imported when the first network is compiled, as it needs Keras."""

from __future__ import annotations

import json
import math
from typing import Any

import keras
import numpy as np
from keras import ops

from skltransfer import losses
from skltransfer.backbones import LATENT, STANDARDIZE, build, last_places
from skltransfer.engine._design import NO_PLACES, QUERIES, Decisions, Design, Reconstruction
from skltransfer.engine._forward import pool_features
from skltransfer.heads import SMALLEST_SQUARE, head_of_channels
from skltransfer.inputs import Preparation


class Network(keras.Model):
    """Augmentation, preparation, the body and how it is held; a subclass adds what is on top."""

    def __init__(self, design: Design, body: Any) -> None:
        super().__init__(dtype=design.dtype)
        self.design, self.body = design, body
        self.anchor = build(design.architecture) if design.keeps_start and design.architecture else None
        if self.anchor is not None:
            self.anchor.trainable = False
        self.augment = None if design.augmentation is None else _layer(design.augmentation)
        self.anchors: list[Any] = []
        self.rivals: list[Any] = []
        if design.matched:
            self.importance = self._setting((body.outputs[0].shape[-1],), "importance")
        if design.attended or design.taught:
            self.transfer = self._setting((), "attention_transfer")
        self.watched, self.watched_anchor = self._watched(body), self._watched(self.anchor)

    def build(self, input_shape: Any) -> None:
        """Each layer is built at its first call."""

    @property
    def anchored(self) -> list[Any]:
        """The weights whose start is kept, as L2-SP pulls them there."""
        return self.body.trainable_variables if self.design.pulled else []

    def add_anchors(self) -> None:
        """Make room for where these weights start."""
        if self.design.pulled:
            self.l2_sp = self._setting((), "l2_sp")
        self.anchors = [self._setting(v.shape, f"anchor{i}") for i, v in enumerate(self.anchored)]

    def pixels(self, batch: Any, training: bool) -> Any:
        """Cast rows, and change pictures at random."""
        x = ops.cast(batch, self.design.dtype)
        return x if self.augment is None or not training else self.changed(x, self.augment)

    def changed(self, x: Any, layer: Any) -> Any:
        """Change pictures by a layer that takes and gives values from 0 to 255."""
        preparation = self.design.preparation
        assert isinstance(preparation, Preparation), "only pictures are changed"
        low, span = preparation.low, preparation.high - preparation.low
        return ops.clip(layer((x - low) * (255.0 / span), training=True), 0.0, 255.0) * (span / 255.0) + low

    def prepare(self, x: Any) -> Any:
        """Turn rows into what the body takes."""
        return x if self.design.preparation is None else self.design.preparation(x)

    def apart(self, batch: Any) -> tuple[Any, Any]:
        """Return rows, and where a teacher is active in them, as feature maps of one channel."""
        if not self.design.taught:
            return batch, None
        assert self.design.raw is not None
        x, width = ops.cast(batch, self.design.dtype), self.design.taught
        return ops.reshape(x[:, width:], (-1, *self.design.raw)), x[:, :width, None]

    def hold(self, prepared: Any, features: Any, training: bool, places: Any = None, lesson: Any = None) -> None:
        """Add the pulls to the loss."""
        if training and self.design.pulled:
            self.add_loss(self.l2_sp * losses.l2_sp(self.anchored, self.anchors))
        if training and self.anchor is not None:
            start, where = _look(self.watched_anchor, prepared, training=False)
            if self.design.matched:
                self.add_loss(losses.delta(features, start, self.importance))
            if self.design.attended:
                self.add_loss(self.transfer * losses.attention_transfer(places, where))
        if training and lesson is not None:
            self.add_loss(self.transfer * losses.attention_transfer(places, lesson))

    def _watched(self, model: Any) -> Any:
        """Let a model that gives vectors give its last grid or sequence beside them, if attention is transferred."""
        wanted = model is not None and (self.design.attended or self.design.taught)
        if not wanted or len(model.outputs[0].shape) > 2:
            return model
        name = last_places(self.design.architecture)
        if name is None:
            raise ValueError(NO_PLACES)
        return keras.Model(model.inputs[0], [model.outputs[0], model.get_layer(name).output])

    def _setting(self, shape: tuple[int, ...], name: str) -> Any:
        return self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name)


class AttentionPooling(keras.layers.Layer):
    """Averages over places, with weights of its own for each share of the channels; see `AttendingHead`."""

    def __init__(self, n_heads: int, *, padded: bool, dtype: str) -> None:
        super().__init__(dtype=dtype)
        self.n_heads, self.padded = n_heads, padded

    def build(self, input_shape: Any) -> None:
        """Make the queries."""
        self.queries = self.add_weight(shape=(input_shape[-1], self.n_heads), initializer="zeros", name=QUERIES)
        self.own = np.eye(self.n_heads)[head_of_channels(input_shape[-1], self.n_heads)].T

    def call(self, maps: Any) -> Any:
        """Compute pooled features."""
        n_channels = maps.shape[-1]
        x = ops.reshape(maps, (ops.shape(maps)[0], -1, n_channels))
        present = ops.any(ops.not_equal(x, 0), axis=2, keepdims=True) if self.padded else ops.ones_like(x[:, :, :1])
        present = ops.cast(present, x.dtype)
        n_places = ops.maximum(ops.sum(present, axis=1, keepdims=True), 1)
        square = ops.sum(ops.mean(ops.square(x), axis=2, keepdims=True), axis=1, keepdims=True) / n_places
        scores = ops.matmul(x, self.queries) / ops.sqrt(n_channels * (square + SMALLEST_SQUARE))
        scores = ops.where(present > 0, scores, -1e9)
        weights = ops.exp(scores - ops.max(scores, axis=1, keepdims=True))  # ops.softmax warns of a single place
        weights = weights / ops.sum(weights, axis=1, keepdims=True)
        averages = ops.matmul(ops.transpose(weights, (0, 2, 1)), x)
        return ops.sum(averages * ops.cast(self.own, x.dtype), axis=1)


class DecidingNetwork(Network):
    """Hidden layers and a linear one, on pooled features: gives decision values."""

    def __init__(self, design: Design, body: Any) -> None:
        super().__init__(design, body)
        goal, layers = design.goal, keras.layers
        assert isinstance(goal, Decisions)
        self.attend = self._attention(goal.n_heads) if goal.n_heads else None
        self.hidden = [layers.Dense(units, activation="relu", dtype=design.dtype) for units in goal.hidden]
        self.drop = layers.Dropout(goal.dropout) if goal.dropout else None
        self.last = layers.Dense(sum(task.n_outputs for task in goal.tasks), dtype=design.dtype)
        self.last.trainable = not goal.solved
        self.add_anchors()

    @property
    def head_weights(self) -> list[Any]:
        """Queries if there are any, then kernel and bias of each layer."""
        layers = (*([] if self.attend is None else [self.attend]), *self.hidden, self.last)
        return [weight for layer in layers for weight in layer.weights]

    def _attention(self, n_heads: int) -> AttentionPooling:
        shape = self.design.row[0] if self.body is None else self.body.outputs[0].shape[1:]
        if len(shape) < 2:
            raise ValueError(
                "head='attention' weighs the places of a grid or sequence. Got a backbone that gives one vector of "
                f"{shape[-1]} values a row; pass head='linear', or another backbone."
            )
        return AttentionPooling(n_heads, padded=self.design.padded, dtype=self.design.dtype)

    def call(self, batch: Any, training: bool = False) -> Any:
        """Compute decision values."""
        rows, lesson = self.apart(batch)
        return self.last(self.embed(self.prepare(self.pixels(rows, training)), training, lesson))

    def embed(self, prepared: Any, training: bool, lesson: Any = None) -> Any:
        """Compute what the linear layer decides on; ``lesson`` is where a teacher is active."""
        return self.deepen(self.pool(prepared, training, lesson), training)

    def pool(self, prepared: Any, training: bool, lesson: Any = None) -> Any:
        """Compute one vector a row, below the hidden layers."""
        x = prepared
        if self.body is not None:
            maps, places = _look(self.watched, x, training=training and self.design.movement.stages > 0)
            self.hold(x, maps, training, places, lesson)
            x = maps if self.attend is not None else pool_features(maps, "avg", padded=self.design.padded)
        if self.attend is not None:
            x = self.attend(x)
            x = x if self.drop is None else self.drop(x, training=training)
        return x

    def deepen(self, x: Any, training: bool) -> Any:
        """Pass it through the hidden layers."""
        for layer in self.hidden:
            x = layer(x)
            if self.drop is not None:
                x = self.drop(x, training=training)
        return x


class ReconstructingNetwork(Network):
    """A decoder after the latent layer that the body ends with: gives the loss of each row."""

    def __init__(self, design: Design, body: Any) -> None:
        super().__init__(design, body)
        assert isinstance(design.goal, Reconstruction)
        self.goal = design.goal
        latent = body.get_layer(LATENT)
        self.encoder = keras.Model(body.inputs, [latent.input, latent.output])
        self.decoder = build(self.goal.decoder)
        self.n_values = math.prod(self.decoder.outputs[0].shape[1:])
        self.log_variance = keras.layers.Dense(latent.units, dtype=design.dtype) if self.goal.variational else None
        self.level, self.beta = self._setting((), "level"), self._setting((), "beta")
        self.draws = keras.random.SeedGenerator(0)
        self.distort = None if self.goal.distortion is None else _layer(self.goal.distortion)
        norms = [layer for layer in body.layers if layer.name == STANDARDIZE]
        self.norm = norms[0] if norms else None
        self.add_anchors()

    @property
    def head_weights(self) -> list[Any]:
        """The layer of log-variances, if there is one, and the decoder."""
        return [*(self.log_variance.weights if self.log_variance is not None else ()), *self.decoder.weights]

    @property
    def anchored(self) -> list[Any]:
        """The weights whose start is kept, as L2-SP pulls them there."""
        return [*super().anchored, *self.decoder.trainable_variables] if self.design.pulled else []

    def call(self, batch: Any, training: bool = False) -> Any:
        """Compute the loss of each row, shape (n_rows, 1)."""
        taken, rows = self._parts(batch, training)
        target = rows if self.goal.target is None else self.goal.target(rows)
        before, mean = self.encoder(taken, training=training)
        self.hold(taken, mean, training)
        latent, divergence = mean, 0.0
        if self.log_variance is not None:
            log_variance = self.log_variance(before)
            divergence = losses.gaussian_divergence(mean, log_variance)
            if training:
                noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.draws)
                latent = mean + ops.exp(0.5 * log_variance) * noise
        loss = self._difference(target, self.decoder(latent, training=training))
        if self.log_variance is not None:
            loss = losses.NATS[self.goal.loss] * loss + self.beta * divergence / self.n_values
        return loss[:, None]

    def _parts(self, batch: Any, training: bool) -> tuple[Any, Any]:
        """Return what the encoder takes, and the rows before anything is spoilt."""
        if self.goal.beside is not None and self.goal.raw is not None:
            x, width = ops.cast(batch, self.design.dtype), math.prod(self.goal.beside)
            return ops.reshape(x[:, :width], (-1, *self.goal.beside)), ops.reshape(x[:, width:], (-1, *self.goal.raw))
        rows = self.pixels(batch, training)
        return self.prepare(self._spoilt(rows, training)), rows

    def _units(self) -> tuple[Any, Any]:
        """Centre and unit of the values of a row: of columns, or half-way from black to white."""
        if isinstance(self.design.preparation, Preparation):
            low, high = self.design.preparation.low, self.design.preparation.high
            return (low + high) / 2, high - low
        if self.norm is None:
            return 0.0, 1.0
        return self.norm.moving_mean, ops.sqrt(self.norm.moving_variance)

    def _difference(self, target: Any, output: Any) -> Any:
        """Loss of each row; columns are brought to one unit first, while probabilities and pixels have one."""
        present = ops.logical_not(ops.isnan(target)) if self._may_miss() else None
        if self.goal.target is None and self.goal.loss != "bce":
            centre, unit = self._units()
            target, output = (target - centre) / unit, (output - centre) / unit
        return losses.reconstruction_loss(self.goal.loss, target, output, present)

    def _may_miss(self) -> bool:
        """Tell whether values of a row may be missing."""
        return self.goal.corruption == "mask" and self.goal.target is None

    def _spoilt(self, rows: Any, training: bool) -> Any:
        kind, (centre, unit) = self.goal.corruption, self._units()
        if self._may_miss():
            rows = ops.where(ops.isnan(rows), centre, rows)
        if training and self.distort is not None:
            return self.changed(rows, self.distort)
        if kind is None or not training:
            return rows
        level = ops.cast(self.level, rows.dtype)
        if kind == "gaussian":
            return rows + level * unit * keras.random.normal(ops.shape(rows), dtype=rows.dtype, seed=self.draws)
        kept = ops.cast(self._uniform(rows, kind == "mask") >= level, rows.dtype)
        return centre + (rows - centre) * (kept if kind == "mask" else kept / (1 - level))

    def _uniform(self, rows: Any, by_patch: bool) -> Any:
        """Draw a number for each value, or for each patch of pixels or steps."""
        shape, places = list(rows.shape[1:]), len(rows.shape) - 2
        patch = self.goal.patch if by_patch else 1
        if by_patch and places:
            shape = [-(-length // patch) for length in shape[:places]] + [1]
        draws = keras.random.uniform((ops.shape(rows)[0], *shape), dtype=rows.dtype, seed=self.draws)
        if by_patch:
            for axis in range(1, places + 1):
                draws = ops.repeat(draws, patch, axis=axis)
            draws = draws[(slice(None), *(slice(0, length) for length in rows.shape[1 : places + 1]))]
        return draws


def _look(model: Any, x: Any, *, training: bool) -> tuple[Any, Any]:
    """Return features, and the last grid or sequence that they come from."""
    found = model(x, training=training)
    return tuple(found) if isinstance(found, list | tuple) else (found, found)


def _layer(serialised: str) -> Any:
    return keras.saving.deserialize_keras_object(json.loads(serialised), safe_mode=True)


class RowLoss(keras.losses.Loss):
    """Mean loss of rows."""

    def __init__(self, design: Design) -> None:
        super().__init__(dtype=design.dtype)
        self.goal = design.goal

    def call(self, answers: Any, outputs: Any) -> Any:
        """Compute the loss of each row."""
        return self.goal.row_losses(answers, outputs)
