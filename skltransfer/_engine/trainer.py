"""Networks compiled for training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from skltransfer._engine.design import Design
from skltransfer._keras import backend as _backend
from skltransfer._keras.backend import import_keras
from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import Backbone, assign, build, building, read


class CompiledNetwork:
    """A network and its optimizer, compiled.

    Parameters
    ----------
    design : Design
        What it is.
    """

    def __init__(self, design: Design) -> None:
        self.design = design
        from skltransfer._engine.network import SampleLoss
        from skltransfer._engine.optimizer import SharedAdamW

        with building(0):
            self.body = None if design.architecture is None else build(design.architecture)
            self._body_weights = [] if self.body is None else list(self.body.weights)
            self._lora_layers = self._freeze()
            self.network = design.goal.network(design, self.body)
            self.network(np.zeros((1, *(length or 8 for length in design.spec[0])), dtype=design.spec[1]))
            self.optimizer = SharedAdamW(learning_rate=1e-3)

        self.network.compile(self.optimizer, SampleLoss(design), jit_compile=_backend.jit_compile(self.network))
        self.optimizer.build(self.network.trainable_variables)
        self._steps = _backend.compile_steps(self.network, design.spec[0], outputs=design.goal.measured)
        self.metrics = [metric.name for metric in self.network.metrics]
        self.depths = self._trainable_depths()
        self._fresh = read(self.optimizer.variables)
        self._seeds = [v for v in self.network.non_trainable_variables if "seed_generator_state" in v.path]

    @property
    def variables(self) -> list[Any]:
        """Everything that training changes."""
        changed = [*self.network.trainable_variables, *self.optimizer.variables, *self._seeds]
        if self.design.trains_statistics:
            changed += [v for v in self._body_weights if not v.trainable]
        return changed

    def reset(self, backbone: Backbone | None, head: Sequence[Array] | None, random: np.random.Generator) -> None:
        """Set weights, optimizer state and seeds as if the network were new; draw the head if it is None."""
        if backbone is not None:
            assign_all(self._body_weights, backbone.weights)
        for layer in self._lora_layers:
            assign_all([layer.lora_kernel_a], [_fan_in_uniform(layer.lora_kernel_a.shape, random)])
            assign_all([layer.lora_kernel_b], [np.zeros(layer.lora_kernel_b.shape)])
        assign_all(self.network.head_weights, _drawn(self.network.head_weights, random) if head is None else head)
        assign_all(self.optimizer.variables, self._fresh)
        for variable in self._seeds:
            variable.assign(random.integers(2**31, size=variable.shape))
        assign_all(self.network.adversary_weights, _drawn(self.network.adversary_weights, random))
        assign_all(self.network.anchors, read(self.network.anchored))
        if self.network.anchor is not None:
            assert backbone is not None
            assign(self.network.anchor, backbone.weights)

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Set the strengths that the network knows by name; those that are not given are 0."""
        for name, variable in self.network.settings.items():
            variable.assign(np.broadcast_to(values.get(name, 0.0), variable.shape))

    def set_shares(self, body_shares: Array, weight_decay: float) -> None:
        """Set the share of the learning rate that each weight of the body gets, and the weight decay."""
        shares = np.ones(self.optimizer.shares.shape)
        shares[: len(body_shares)] = body_shares
        self.optimizer.shares.assign(shares)
        self.optimizer.decay.assign(weight_decay)

    def steps(self, batches: Array, answers: Array, learning_rates: Array) -> tuple[Array, Array | None]:
        """Take a step for each batch; return the losses before each, and its outputs if metrics need them."""
        return self._steps(batches, answers, learning_rates)

    def outputs(self, batch: Array) -> Array:
        """Compute what the network gives, in inference mode."""
        return np.asarray(self.network.predict_on_batch(batch))

    def weights(self) -> list[Array]:
        """Read the weights of the body, with LoRA adapters merged into them."""
        arrays = read(self._body_weights)
        place = {id(variable): position for position, variable in enumerate(self._body_weights)}
        for layer in self._lora_layers:
            number = place[id(layer._kernel)]
            arrays[number] = read([layer.kernel])[0].astype(arrays[number].dtype)
        return arrays

    def head(self) -> list[Array]:
        """Read the weights of the head."""
        return read(self.network.head_weights)

    def losses(self, outputs: Array, answers: Array) -> Array:
        """Compute the loss of each sample from its outputs."""
        weighted = self.design.goal.sample_losses(answers.astype(outputs.dtype), outputs)
        return np.asarray(import_keras().ops.convert_to_numpy(weighted))

    def _freeze(self) -> list[Any]:
        """Freeze all weights that are not fine-tuned; return the layers that have LoRA adapters."""
        trainable = self.design.trainable
        trained = {id(weight) for weight in self._body_weights if weight.trainable}
        for layer in all_layers(self.body):
            if hasattr(layer, "moving_mean") and not self.design.trains_statistics:
                layer.trainable = False  # keeps its statistics; which of its weights are trainable is settled below
        depth = dict(zip(map(id, self._body_weights), self.design.depths, strict=True))
        for weight in self._body_weights:
            scale = weight.path.rpartition("/")[2] in ("gamma", "beta")
            of_kind = trainable.kind == "weights" or (trainable.kind == "norm" and scale) or depth[id(weight)] < 0
            weight.trainable = bool(id(weight) in trained and of_kind and depth[id(weight)] < trainable.stages)
        adapted = self._adapt(depth) if trainable.kind == "lora" else []
        found = adapted or any(weight.trainable and depth[id(weight)] >= 0 for weight in self._body_weights)
        if trainable.stages and not found:
            what = {"lora": "a kernel that LoRA can change", "norm": "a normalization", "weights": "a trainable weight"}
            raise ValueError(
                f"trainable: none of the last {trainable.stages} stages of the backbone has {what[trainable.kind]}. "
                "Pass another trainable, or more stages."
            )
        return adapted

    def _adapt(self, depth: dict[int, int]) -> list[Any]:
        """Add LoRA adapters to the kernels of the trainable stages."""
        adapted = [
            layer
            for layer in all_layers(self.body)
            if hasattr(layer, "enable_lora")
            and hasattr(layer, "kernel")
            and 0 <= depth[id(layer._kernel)] < self.design.trainable.stages
        ]
        for layer in adapted:
            layer.enable_lora(self.design.trainable.rank, lora_alpha=self.design.trainable.alpha)
        return adapted

    def _trainable_depths(self) -> list[int]:
        """Return the depths of the trainable weights of the body, in the optimizer's order."""
        depth = dict(zip(map(id, self._body_weights), self.design.depths, strict=True))
        for layer in self._lora_layers:
            depth[id(layer.lora_kernel_a)] = depth[id(layer.lora_kernel_b)] = depth[id(layer._kernel)]
        return [depth[id(v)] for v in self.network.trainable_variables if id(v) in depth]


def all_layers(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from all_layers(layer)


def assign_all(variables: Sequence[Any], arrays: Sequence[Array]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _fan_in_uniform(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Draw the first matrix of a LoRA adapter as its authors do; the larger default of Keras makes large steps."""
    limit = 1 / np.sqrt(np.prod(shape[:-1]))
    return random.uniform(-limit, limit, shape)


def _drawn(variables: Sequence[Any], random: np.random.Generator) -> list[Array]:
    """Draw the kernels of a head; biases, and the queries of attention, start at 0."""
    drawn: list[Array] = []
    for variable in variables:
        shape = variable.shape
        if len(shape) == 1 or variable.name == "queries":
            drawn.append(np.zeros(shape))
        else:
            limit = np.sqrt(6 / sum(shape))
            drawn.append(random.uniform(-limit, limit, shape))
    return drawn
