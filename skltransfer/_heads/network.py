"""The network of a head; imported when it is compiled, as it needs Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from skltransfer._engine.design import Design
from skltransfer._engine.network import Network, features_and_places
from skltransfer._engine.pooling import pool_features
from skltransfer._heads.head import SMALLEST_SQUARE, head_of_channels


@keras.saving.register_keras_serializable("skltransfer")
class AttentionPooling(keras.layers.Layer):
    """Averages over places, with weights of its own for each share of the channels; see `Head`."""

    def __init__(self, n_heads: int, *, padded: bool, **options: Any) -> None:
        super().__init__(**options)
        self.n_heads, self.padded = n_heads, padded

    def build(self, input_shape: Any) -> None:
        """Make the queries."""
        self.queries = self.add_weight(shape=(input_shape[-1], self.n_heads), initializer="zeros", name="queries")
        self.own = np.eye(self.n_heads)[head_of_channels(input_shape[-1], self.n_heads)].T

    def get_config(self) -> dict[str, Any]:
        """Return what it takes to build it again."""
        return {**super().get_config(), "n_heads": self.n_heads, "padded": self.padded}

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

    def __init__(self, design: Design, body: Any, goal: Any) -> None:
        super().__init__(design, body)
        layers = keras.layers
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
        shape = self.design.spec[0] if self.body is None else self.body.outputs[0].shape[1:]
        if len(shape) < 2:
            raise ValueError(
                "head='attention' weighs the places of a grid or sequence. Got a backbone that gives one vector of "
                f"{shape[-1]} values a sample; pass head='linear', or another backbone."
            )
        return AttentionPooling(n_heads, padded=self.design.padded, dtype=self.design.dtype)

    def call(self, batch: Any, training: bool = False) -> Any:
        """Compute decision values."""
        samples, teacher = self.split_teacher_map(batch)
        return self.last(self.embed(self.prepare(self.pixels(samples, training)), training, teacher))

    def embed(self, prepared: Any, training: bool, teacher: Any = None) -> Any:
        """Compute what the linear layer decides on; ``teacher`` is where a teacher is active."""
        return self.deepen(self.pool(prepared, training, teacher), training)

    def pool(self, prepared: Any, training: bool, teacher: Any = None) -> Any:
        """Compute one vector a sample, below the hidden layers."""
        x = prepared
        if self.body is not None:
            maps, places = features_and_places(self.watched, x, training=training and self.design.trainable.stages > 0)
            self.add_penalties(x, maps, training, places, teacher)
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
