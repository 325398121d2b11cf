"""Networks compiled for training."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer import _backend, losses
from skltransfer._validation import import_keras
from skltransfer.backbones import Backbone, assign, build, building, read, weight_depths
from skltransfer.engine._forward import pool_features
from skltransfer.finetuning import Movement
from skltransfer.heads import DenseHead, Head, LinearHead
from skltransfer.inputs import Preparation
from skltransfer.losses import Task

Array = NDArray[Any]


@dataclass(frozen=True)
class Design:
    """All that a network for training has to be compiled anew for.

    Parameters
    ----------
    architecture : str or None
        The network below the head; None if rows are features already.
    depths : tuple of int
        For each of its weights, how many stages lie between its own and the head.
    movement : Movement
        What moves.
    statistics_move : bool
        Whether normalisations use, and update, the statistics of batches.
    tasks : tuple of Task
        What the head decides.
    hidden, dropout : tuple of int, float
        Of the head.
    preparation : Preparation or None
        How pixels are prepared; None for rows of numbers.
    row : tuple of (shape, dtype)
        Shape of one raw row, and the dtype of batches.
    dtype : str
        In which the network computes.
    augmentation : str or None
        A serialised Keras layer that changes pictures from 0 to 255 at random.
    pulled, matched : bool
        Whether weights are pulled to where they start (L2-SP), and features (DELTA).
    """

    architecture: str | None
    depths: tuple[int, ...]
    movement: Movement
    statistics_move: bool
    tasks: tuple[Task, ...]
    hidden: tuple[int, ...]
    dropout: float
    preparation: Preparation | None
    row: tuple[tuple[int, ...], str]
    dtype: str = "float32"
    augmentation: str | None = None
    pulled: bool = False
    matched: bool = False


def design_network(backbone: Backbone | None, movement: Movement, **options: Any) -> Design:
    """Design a network for training on a backbone, or on features if it is None."""
    if backbone is None:
        return Design(None, (), movement, **options)
    dtype = str(backbone.weights[0].dtype) if backbone.weights else "float32"
    return Design(backbone.architecture, weight_depths(backbone), movement, dtype=dtype, **options)


class Trainer:
    """A network and its optimizer, compiled.

    Parameters
    ----------
    design : Design
        What it is.
    """

    def __init__(self, design: Design) -> None:
        self.design = design
        with building(0):
            self.body = None if design.architecture is None else build(design.architecture)
            self._body_weights = [] if self.body is None else list(self.body.weights)
            self._lora_layers = self._let_move()
            self.network = _network_class()(design, self.body)
            self.network(np.zeros((1, *design.row[0]), dtype=design.row[1]))
            self.optimizer = _optimizer_class()(learning_rate=1e-3)

        self.network.compile(self.optimizer, _loss_class()(design), jit_compile=_backend.jit_compile())
        self.optimizer.build(self.network.trainable_variables)
        self.depths = self._moving_depths()
        self._fresh = read(self.optimizer.variables)
        self._seeds = [v for v in self.network.non_trainable_variables if "seed_generator_state" in v.path]

    @property
    def variables(self) -> list[Any]:
        """Everything that training changes."""
        changed = [*self.network.trainable_variables, *self.optimizer.variables, *self._seeds]
        if self.design.statistics_move:
            changed += [v for v in self._body_weights if not v.trainable]
        return changed

    def reset(self, backbone: Backbone | None, head: Head | None, random: np.random.Generator) -> None:
        """Set weights, optimizer state and seeds as if the network were new."""
        if backbone is not None:
            _assign_all(self._body_weights, backbone.weights)
        for layer in self._lora_layers:
            _assign_all([layer.lora_kernel_a], [_fan_in_uniform(layer.lora_kernel_a.shape, random)])
            _assign_all([layer.lora_kernel_b], [np.zeros(layer.lora_kernel_b.shape)])
        _assign_all(self.network.head_weights, _head_arrays(self.network.head_weights, head, random))
        _assign_all(self.optimizer.variables, self._fresh)
        for variable in self._seeds:
            variable.assign(random.integers(2**31, size=variable.shape))
        _assign_all(self.network.anchors, read(self.network.pulled))
        if self.network.anchor is not None:
            assert backbone is not None
            assign(self.network.anchor, backbone.weights)

    def set_pull(self, l2_sp: float, delta: float, attention: Array | None) -> None:
        """Set how strongly weights and features are pulled to where they start."""
        if self.design.pulled:
            self.network.l2_sp.assign(l2_sp)
        if self.design.matched:
            channels = self.network.attention.shape
            self.network.attention.assign(delta * (np.ones(channels) if attention is None else attention))

    def set_shares(self, body_shares: Array, weight_decay: float) -> None:
        """Set the share of the learning rate that each weight of the body gets, and the decay."""
        shares = np.ones(self.optimizer.shares.shape)
        shares[: len(body_shares)] = body_shares
        self.optimizer.shares.assign(shares)
        self.optimizer.decay.assign(weight_decay)

    def step(self, batch: Array, answers: Array, learning_rate: float) -> float:
        """Take one step; return the loss before it."""
        self.optimizer.learning_rate.assign(learning_rate)
        return float(self.network.train_on_batch(batch, answers))

    def weights(self) -> list[Array]:
        """Read the weights of the body, changes of low rank included."""
        arrays = read(self._body_weights)
        place = {id(variable): position for position, variable in enumerate(self._body_weights)}
        for layer in self._lora_layers:
            arrays[place[id(layer._kernel)]] = read([layer.kernel])[0]
        return arrays

    def head(self, n_iter: int) -> Head:
        """Read the head."""
        arrays = read(self.network.head_weights)
        pairs = list(zip(arrays[::2], arrays[1::2], strict=True))
        last = LinearHead(*pairs[-1], n_iter)
        return DenseHead(tuple(pairs[:-1]), last) if len(pairs) > 1 else last

    def predict(self, batch: Array) -> Array:
        """Compute decision values of raw rows, in inference mode."""
        return np.asarray(self.network.predict_on_batch(batch))

    def _let_move(self) -> list[Any]:
        """Freeze all that does not move; return the layers that move by matrices of low rank."""
        movement, adapted = self.design.movement, []
        trained = {id(weight) for weight in self._body_weights if weight.trainable}
        for layer in _all_layers(self.body):
            if hasattr(layer, "moving_mean") and not self.design.statistics_move:
                layer.trainable = False  # keeps its statistics; which of its weights move is settled below
        depth = dict(zip(map(id, self._body_weights), self.design.depths, strict=True))
        for weight in self._body_weights:
            scale = weight.path.rpartition("/")[2] in ("gamma", "beta")
            kind_moves = movement.kind == "weights" or (movement.kind == "norm" and scale)
            weight.trainable = bool(id(weight) in trained and kind_moves and depth[id(weight)] < movement.stages)
        if movement.kind == "lora":
            adapted = [
                layer
                for layer in _all_layers(self.body)
                if hasattr(layer, "enable_lora")
                and hasattr(layer, "kernel")
                and depth[id(layer._kernel)] < movement.stages
            ]
            for layer in adapted:
                layer.enable_lora(movement.rank, lora_alpha=movement.alpha)
        moving = adapted or any(weight.trainable for weight in self._body_weights)
        if movement.stages and not moving:
            what = {"lora": "a kernel that LoRA can change", "norm": "a normalisation", "weights": "a trainable weight"}
            raise ValueError(
                f"trainable: none of the last {movement.stages} stages of the backbone has {what[movement.kind]}. "
                "Pass another trainable, or more stages."
            )
        return adapted

    def _moving_depths(self) -> list[int]:
        """Depths of the moving weights of the body, in the optimizer's order."""
        depth = dict(zip(map(id, self._body_weights), self.design.depths, strict=True))
        for layer in self._lora_layers:
            depth[id(layer.lora_kernel_a)] = depth[id(layer.lora_kernel_b)] = depth[id(layer._kernel)]
        return [depth[id(v)] for v in self.network.trainable_variables if id(v) in depth]


@lru_cache(maxsize=1)
def _network_class() -> Any:
    keras = import_keras()

    class Network(keras.Model):  # type: ignore[name-defined]
        """Preparation, augmentation, body, pooling and head."""

        def __init__(self, design: Design, body: Any) -> None:
            super().__init__(dtype=design.dtype)
            self.design, self.body = design, body
            self.anchor = build(design.architecture) if design.matched and design.architecture else None
            if self.anchor is not None:
                self.anchor.trainable = False
            self.augment = None
            if design.augmentation is not None:
                self.augment = keras.saving.deserialize_keras_object(json.loads(design.augmentation), safe_mode=True)
            layers = keras.layers
            self.hidden = [layers.Dense(units, activation="relu", dtype=design.dtype) for units in design.hidden]
            self.drop = layers.Dropout(design.dropout) if design.dropout else None
            width = sum(task.n_outputs for task in design.tasks)
            self.last = layers.Dense(width, dtype=design.dtype)
            self.anchors: list[Any] = []
            if design.pulled:
                self.l2_sp = self.add_weight(shape=(), initializer="zeros", trainable=False, name="l2_sp")
                self.anchors = [
                    self.add_weight(shape=v.shape, initializer="zeros", trainable=False, name=f"anchor{i}")
                    for i, v in enumerate(self.pulled)
                ]
            if design.matched:
                channels = body.outputs[0].shape[-1]
                self.attention = self.add_weight(
                    shape=(channels,), initializer="zeros", trainable=False, name="attention"
                )

        def build(self, input_shape: Any) -> None:
            """Each layer is built at its first call."""

        @property
        def pulled(self) -> list[Any]:
            return self.body.trainable_variables if self.design.pulled else []

        @property
        def head_weights(self) -> list[Any]:
            return [weight for layer in (*self.hidden, self.last) for weight in layer.weights]

        def call(self, batch: Any, training: bool = False) -> Any:
            x = keras.ops.cast(batch, self.design.dtype)
            preparation = self.design.preparation
            if preparation is not None and self.augment is not None and training:
                x = (x - preparation.low) * (255.0 / (preparation.high - preparation.low))
                x = keras.ops.clip(self.augment(x, training=True), 0.0, 255.0)
                preparation = replace(preparation, low=0.0, high=255.0)
            if preparation is not None:
                x = preparation(x)
            if self.body is not None:
                x = self._features(x, training)
            for layer in self.hidden:
                x = layer(x)
                if self.drop is not None:
                    x = self.drop(x, training=training)
            return self.last(x)

        def _features(self, x: Any, training: bool) -> Any:
            maps = self.body(x, training=training)
            if training and self.design.pulled:
                self.add_loss(self.l2_sp * losses.l2_sp(self.pulled, self.anchors))
            if training and self.anchor is not None:
                self.add_loss(losses.delta(maps, self.anchor(x, training=False), self.attention))
            return pool_features(maps, "avg")

    return Network


@lru_cache(maxsize=1)
def _loss_class() -> Any:
    keras = import_keras()

    class TaskLoss(keras.losses.Loss):  # type: ignore[name-defined]
        """Loss of all tasks; the weights of rows stand beside their targets."""

        def __init__(self, design: Design) -> None:
            super().__init__(dtype=design.dtype)
            self.tasks = design.tasks

        def call(self, answers: Any, outputs: Any) -> Any:
            width = outputs.shape[-1]
            return losses.weighted_loss(self.tasks, answers[:, :width], answers[:, width:], outputs)

    return TaskLoss


@lru_cache(maxsize=1)
def _optimizer_class() -> Any:
    keras = import_keras()

    class SharedAdamW(keras.optimizers.Adam):  # type: ignore[name-defined]
        """AdamW in which each weight gets its share of the learning rate; vectors do not decay."""

        def build(self, variables: Sequence[Any]) -> None:
            if self.built:
                return
            super().build(variables)
            self.shares = self.add_variable((len(variables),), initializer="ones", name="shares")
            self.decay = self.add_variable((), initializer="zeros", name="decay")

        def _share(self, variable: Any) -> Any:
            return keras.ops.cast(self.shares[self._get_variable_index(variable)], variable.dtype)

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            rate = keras.ops.cast(learning_rate, variable.dtype) * self._share(variable)
            if len(variable.shape) > 1:
                decay = keras.ops.cast(self.decay, variable.dtype)
                variable.assign(variable - variable * decay * rate)
            super().update_step(gradient, variable, rate)

    return SharedAdamW


def _all_layers(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _all_layers(layer)


def _assign_all(variables: Sequence[Any], arrays: Sequence[Array]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _fan_in_uniform(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Draw the first matrix of a LoRA as its authors' code does; the larger default of Keras makes large steps."""
    limit = 1 / np.sqrt(np.prod(shape[:-1]))
    return random.uniform(-limit, limit, shape)


def _head_arrays(variables: Sequence[Any], head: Head | None, random: np.random.Generator) -> list[Array]:
    """Arrays of a head to start from, or of one drawn at random."""
    if isinstance(head, LinearHead):
        return [head.coef, head.intercept]
    if isinstance(head, DenseHead):
        return [array for pair in (*head.hidden, (head.last.coef, head.last.intercept)) for array in pair]
    drawn: list[Array] = []
    for kernel, bias in zip(variables[::2], variables[1::2], strict=True):
        limit = np.sqrt(6 / sum(kernel.shape))
        drawn += [random.uniform(-limit, limit, kernel.shape), np.zeros(bias.shape)]
    return drawn
