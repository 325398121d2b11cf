"""The network that learns from some domains and adapts to others; imported when compiled, as it needs Keras."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import keras
import numpy as np
from keras import ops

from skltransfer._engine.design import Design
from skltransfer._engine.pooling import pool_features
from skltransfer._heads.network import DecidingNetwork
from skltransfer._targets.task import task_loss
from skltransfer.adaptation._method import Side, Step

ADVERSARY_UNITS = 128
"""In each hidden layer of what works against the features."""
ADVERSARY_LAYERS = {None: 0, "decisions": 0, "margin": 1, "domains": 2}
"""How many hidden layers it has."""


class DenseAdversary:
    """Hidden layers and a linear one, that can be asked without learning from it."""

    def __init__(self, hidden: int, n_outputs: int, dtype: str) -> None:
        dense = keras.layers.Dense
        self.layers = [dense(ADVERSARY_UNITS, activation="relu", dtype=dtype) for _ in range(hidden)]
        self.layers.append(dense(n_outputs, dtype=dtype))

    def __call__(self, x: Any, *, frozen: bool = False) -> Any:
        """Compute decision values."""
        for layer in self.layers:
            if frozen:
                x = layer.activation(ops.matmul(x, ops.stop_gradient(layer.kernel)) + ops.stop_gradient(layer.bias))
            else:
                x = layer(x)
        return x


class AdaptingNetwork(DecidingNetwork):
    """Gives decision values and the features below them, beside each other; the loss sees them domain by domain."""

    def __init__(self, design: Design, body: Any, goal: Any) -> None:
        super().__init__(design, body, goal)
        self.goal, self.method = goal, goal.method
        self.width = self.goal.tasks[0].n_outputs
        self.last.trainable = self.method.labeled
        self.strength = self.setting("strength")
        n_outputs = len(self.goal.samples) if self.method.adversary == "domains" else self.width
        self.adversary = DenseAdversary(ADVERSARY_LAYERS[self.method.adversary], n_outputs, design.dtype)
        self.adversary_layers = self.adversary.layers
        self._meet()

    @property
    def anchored(self) -> list[Any]:
        """The weights of hidden layers, if features of the starting network are needed."""
        hidden = self.hidden if self.method.anchored and self.goal.deep else []
        return [weight for layer in hidden for weight in layer.weights]

    def add_anchors(self) -> None:
        """Make room later, when the hidden layers are built."""

    def call(self, batch: Any, training: bool = False) -> Any:
        """Compute decision values and features, and those of the starting network, if they are needed."""
        x = self.prepare(self.pixels(batch, training))
        pooled = self.pool(x, training)
        embedded = self.deepen(pooled, training)
        start = [self._start_features(x)] if self.method.anchored else []
        return ops.concatenate([self.last(embedded), embedded if self.goal.deep else pooled, *start], axis=1)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):  # type: ignore[no-untyped-def]
        """Add up the terms of the method."""
        terms = self.terms(y, y_pred)
        for metric in self.tracked:
            metric.update_state(terms[metric.name])
        return sum(terms.values())

    def terms(self, answers: Any, outputs: Any) -> dict[str, Any]:
        """Compute what the loss is the sum of."""
        step = self._step(ops.cast(answers, outputs.dtype), outputs)
        own = {"source": step.fitted(step.source)} if self.method.labeled else {}
        return {**own, **self.method.terms(step)}

    def _meet(self) -> None:
        """Build all layers, and learn which terms there are."""
        n_samples, (shape, dtype) = sum(self.goal.samples), self.design.spec
        batch = np.zeros((n_samples, *(length or 8 for length in shape)), dtype)
        self.embed(self.prepare(self.pixels(batch, False)), False)
        super().add_anchors()
        terms = self.terms(np.zeros((n_samples, self.width + 1)), self.call(batch, training=True))
        self.tracked = [keras.metrics.Mean(name=name) for name in terms]
        self.adversary_weights = [weight for layer in self.adversary_layers for weight in layer.weights]

    def _start_features(self, x: Any) -> Any:
        if self.anchor is not None:
            x = pool_features(self.anchor(x, training=False), "avg", padded=self.design.padded)
        for kernel, bias in zip(self.anchors[::2], self.anchors[1::2], strict=True):
            x = ops.relu(ops.matmul(x, kernel) + bias)
        return ops.stop_gradient(x)

    def _step(self, answers: Any, outputs: Any) -> Step:
        n_sources, task = self.goal.n_sources, self.goal.tasks[0]
        n_features = (outputs.shape[1] - self.width) // (2 if self.method.anchored else 1)
        ends = np.cumsum((0, *self.goal.samples)).tolist()
        sides = []
        for number, (start, end) in enumerate(pairwise(ends)):
            first = self.width + (n_features if self.method.anchored and number < n_sources else 0)
            features = outputs[start:end, first : first + n_features]
            targets, weights = answers[start:end, : self.width], answers[start:end, self.width]
            sides.append(Side(features, outputs[start:end, : self.width], targets, weights))
        return Step(
            sources=tuple(sides[:n_sources]),
            targets=tuple(sides[n_sources:]),
            strength=ops.cast(self.strength, outputs.dtype),
            adversary=self.adversary,
            decide=self.last if self.goal.deep else lambda features: self.last(self.deepen(features, training=True)),
            loss=lambda targets, decisions: task_loss(task, targets, decisions),
        )
