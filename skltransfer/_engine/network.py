"""What is compiled for training; imported when the first network is compiled, as it needs Keras."""

from __future__ import annotations

import json
from typing import Any

import keras
from keras import ops

from skltransfer._engine.design import NO_PLACES, Design
from skltransfer._engine.penalties import attention_transfer, delta, l2_sp
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._keras.backend import OUTPUTS
from skltransfer.backbones._backbone import build, refusing_small_images
from skltransfer.backbones._cutting import last_places


class Network(keras.Model):
    """Augmentation, preparation, the body and its penalties; a subclass adds what is on top."""

    def __init__(self, design: Design, body: Any) -> None:
        super().__init__(dtype=design.dtype)
        self.design, self.body = design, body
        self.anchor = build(design.architecture) if design.keeps_start and design.architecture else None
        if self.anchor is not None:
            self.anchor.trainable = False
        self.augment = None if design.augmentation is None else deserialized_layer(design.augmentation)
        self.settings: dict[str, Any] = {}
        self.anchors: list[Any] = []
        self.adversary_weights: list[Any] = []
        if design.delta:
            self.importance = self.setting("importance", (body.outputs[0].shape[-1],))
        if design.attention_transfer or design.n_teacher_places:
            self.transfer = self.setting("attention_transfer")
        self.watched, self.watched_anchor = self._watched(body), self._watched(self.anchor)

    def build(self, input_shape: Any) -> None:
        """Each layer is built at its first call."""

    def save(self, filepath: Any, overwrite: bool = True, **options: Any) -> None:
        """Save it as a functional model of ordinary layers, from samples as it takes them to what it gives."""
        shape, dtype = self.design.spec
        samples = keras.Input(shape, dtype=dtype)
        keras.Model(samples, self.call(samples, training=False)).save(filepath, overwrite=overwrite, **options)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):  # type: ignore[no-untyped-def]
        """Return losses, and the outputs beside them if metrics are measured of them."""
        losses = super().compute_metrics(x, y, y_pred, sample_weight)
        return {**losses, OUTPUTS: y_pred} if self.design.goal.measured else losses

    def _aggregate_additional_loss(self, loss):  # type: ignore[no-untyped-def]
        """Sum up a penalty in the dtype of the loss that Keras adds it to, where the network has another."""
        return ops.cast(super()._aggregate_additional_loss(loss), self._compile_loss.dtype)

    @property
    def anchored(self) -> list[Any]:
        """The weights whose start is kept, for the L2-SP penalty."""
        return self.body.trainable_variables if self.design.l2_sp else []

    def add_anchors(self) -> None:
        """Make variables for the values that these weights start from."""
        if self.design.l2_sp:
            self.l2_sp = self.setting("l2_sp")
        self.anchors = [self._constant(v.shape, f"anchor{i}") for i, v in enumerate(self.anchored)]

    def pixels(self, batch: Any, training: bool) -> Any:
        """Cast samples, and change images at random."""
        x = ops.cast(batch, self.design.dtype)
        return x if self.augment is None or not training else self.changed(x, self.augment)

    def changed(self, x: Any, layer: Any) -> Any:
        """Change images by a layer that takes and gives values from 0 to 255."""
        preparation = self.design.preparation
        assert isinstance(preparation, Preparation), "only images are changed"
        low, span = preparation.low, preparation.high - preparation.low
        return ops.clip(layer((x - low) * (255.0 / span), training=True), 0.0, 255.0) * (span / 255.0) + low

    def prepare(self, x: Any) -> Any:
        """Turn samples into what the body takes."""
        return x if self.design.preparation is None else self.design.preparation(x)

    def split_teacher_map(self, batch: Any) -> tuple[Any, Any]:
        """Return samples, and a teacher's attention map of each, as feature maps of one channel."""
        if not self.design.n_teacher_places:
            return batch, None
        assert self.design.sample_shape is not None
        x, width = ops.cast(batch, self.design.dtype), self.design.n_teacher_places
        return ops.reshape(x[:, width:], (-1, *self.design.sample_shape)), x[:, :width, None]

    def add_penalties(
        self, prepared: Any, features: Any, training: bool, places: Any = None, teacher: Any = None
    ) -> None:
        """Add the penalties to the loss."""
        if training and self.design.l2_sp:
            self.add_loss(self.l2_sp * l2_sp(self.anchored, self.anchors))
        if training and self.anchor is not None:
            start, where = features_and_places(self.watched_anchor, prepared, training=False)
            if self.design.delta:
                self.add_loss(delta(features, start, self.importance))
            if self.design.attention_transfer:
                self.add_loss(self.transfer * attention_transfer(places, where))
        if training and teacher is not None:
            self.add_loss(self.transfer * attention_transfer(places, teacher))

    def _watched(self, model: Any) -> Any:
        """Let a model that gives vectors give its last grid or sequence beside them, if attention is transferred."""
        wanted = model is not None and (self.design.attention_transfer or self.design.n_teacher_places)
        if not wanted or len(model.outputs[0].shape) > 2:
            return model
        name = last_places(self.design.architecture)
        if name is None:
            raise ValueError(NO_PLACES)
        return keras.Model(model.inputs[0], [model.outputs[0], model.get_layer(name).output])

    def setting(self, name: str, shape: tuple[int, ...] = ()) -> Any:
        """Make a variable that `TrainingSettings.values` sets by this name."""
        self.settings[name] = self._constant(shape, name)
        return self.settings[name]

    def _constant(self, shape: tuple[int, ...], name: str) -> Any:
        return self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name)


def features_and_places(model: Any, x: Any, *, training: bool) -> tuple[Any, Any]:
    """Return features, and the last grid or sequence that they come from."""
    with refusing_small_images(model, x.shape):
        found = model(x, training=training)
    return tuple(found) if isinstance(found, list | tuple) else (found, found)


def deserialized_layer(serialised: str) -> Any:
    return keras.saving.deserialize_keras_object(json.loads(serialised), safe_mode=True)


class SampleLoss(keras.losses.Loss):
    """Mean loss of samples."""

    def __init__(self, design: Design) -> None:
        super().__init__(dtype=design.dtype)
        self.goal = design.goal

    def call(self, answers: Any, outputs: Any) -> Any:
        """Compute the loss of each sample."""
        return self.goal.sample_losses(answers, outputs)
