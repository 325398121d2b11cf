"""Keras callbacks: which of them can be honoured, and how the training loop calls them."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skltransfer._engine.checkpoint import is_packable, pack, unpack
from skltransfer._engine.trainer import CompiledNetwork
from skltransfer._keras.backend import import_keras
from skltransfer._utils.hashing import value_digest
from skltransfer._utils.types import Array

REFUSED = {
    "BackupAndRestore": "restores weights that the training loop sets itself; pass checkpoint='folder' instead",
    "CallbackList": "is a list of callbacks; pass the callbacks themselves",
    "OrbaxCheckpoint": "saves the state of a Keras optimizer in a format of its own; pass checkpoint='folder' instead",
    "SwapEMAWeights": "needs an optimizer with use_ema=True, and here each network has the same AdamW",
}
"""Keras' callbacks that cannot do here what they are for, and what to do instead."""

LIVE: Mapping[str, Any] = {
    "_model": None, "params": None, "csv_file": None, "writer": None, "progbar": None, "_writers": {},
    "_summary_module": None,
}  # fmt: skip
"""Attributes in which Keras' callbacks keep live objects of one training, and what they are without one."""

BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


def check_callbacks(callbacks: Sequence[Any]) -> None:
    """Refuse callbacks that cannot be honoured.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
        As the estimators take them.

    Raises
    ------
    TypeError
        If one is no Keras callback.
    ValueError
        If one cannot do here what it is for.
    """
    if not callbacks:
        return
    known = import_keras().callbacks
    for number, callback in enumerate(callbacks):
        if not isinstance(callback, known.Callback):
            raise TypeError(f"callbacks[{number}]: expected an instance of keras.callbacks.Callback. Got {callback!r}.")
        for name, reason in REFUSED.items():
            if isinstance(callback, getattr(known, name)):
                raise ValueError(f"callbacks[{number}]: {name} {reason}.")
        if isinstance(callback, known.TensorBoard):
            _check_tensorboard(callback, number)


def _check_tensorboard(callback: Any, number: int) -> None:
    missing = [name for name in ("tensorflow", "tensorboard") if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"callbacks[{number}]: TensorBoard needs the package {missing[0]!r}, which is not installed. Install it, "
            "or pass keras.callbacks.CSVLogger."
        )
    if callback.embeddings_freq:
        raise ValueError(
            f"callbacks[{number}]: TensorBoard shows embeddings of networks that are saved whole, which this one is "
            f"not. Got embeddings_freq={callback.embeddings_freq}; pass embeddings_freq=0."
        )


class CallbackRunner:
    """The callbacks of one training, as they were given.

    While a callback is called, the learning rate of the optimizer is the peak learning rate of
    the epoch: what a callback sets it to is the peak from then on, of which each step takes
    the share that its schedule says.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
        They are called in this order.
    trainer : CompiledNetwork
        What is trained.
    names : sequence of str
        What is logged after each epoch.
    params : dict
        What `keras.Model.fit` tells callbacks: epochs, steps and verbose.
    peak : float
        Peak learning rate.
    directions : mapping of str to {"min", "max"}
        Which way metrics are better, which Keras itself looks up in those that it compiled.

    Raises
    ------
    ValueError
        If one waits for something that is not logged.
    """

    def __init__(
        self,
        callbacks: Sequence[Any],
        trainer: CompiledNetwork,
        *,
        names: Sequence[str],
        params: dict[str, Any],
        peak: float,
        directions: Mapping[str, str],
    ) -> None:
        check_callbacks(callbacks)
        self.given, self.trainer, self.peak = list(callbacks), trainer, peak
        self._check_monitors(names)
        self._params, self._directions = params, directions
        self._structure = self._read_structure()
        trainer.network.stop_training = False
        self.by_batch = any(not _is_default(callback, hook) for callback in self.given for hook in BATCH_HOOKS)
        """Whether any of them looks at single batches."""

    @property
    def stops(self) -> bool:
        """Tell whether a callback has stopped the training."""
        return bool(self.trainer.network.stop_training)

    def configuration(self) -> list[tuple[type, dict[str, Any]]]:
        """Class and attributes of each, by which trainings differ."""
        return [(type(callback), _configuration(callback)) for callback in self.given]

    def keep_state(self) -> None:
        """Learn which attributes are constants, before the training begins."""
        self._constants = [_constants(callback) for callback in self.given]

    def begin(self, state: Any, arrays: Sequence[Array]) -> None:
        """Begin the training, or go on with it as `state` was."""
        for callback in self.given:
            callback.set_params(dict(self._params))
            callback.set_model(self.trainer.network)
            self._settle_direction(callback)
        self.tell("on_train_begin")
        if state is None:
            return
        for callback, attributes in zip(self.given, state["attributes"], strict=True):
            if getattr(callback, "monitor_op", self) is None:
                callback._set_monitor_op()
            vars(callback).update({name: unpack(value, arrays) for name, value in attributes.items()})
        self.peak = state["peak"]

    def tell(self, hook: str, *arguments: Any) -> None:
        """Call a hook of each callback; they share the logs, if there are any."""
        if not self.given:
            return
        optimizer = self.trainer.optimizer
        optimizer.learning_rate.assign(self.peak)
        shared = [dict(argument) if isinstance(argument, dict) else argument for argument in arguments]
        for callback in self.given:
            getattr(callback, hook)(*shared)
        if hook not in BATCH_HOOKS and self._read_structure() != self._structure:
            names = ", ".join(type(callback).__name__ for callback in self.given)
            raise ValueError(
                "callbacks: expected what is trainable, the optimizer and the loss to stay as they are while a network "
                f"is trained. {hook} of {names} changed them; pass trainable, schedule and learning_rate instead."
            )
        found = float(import_keras().ops.convert_to_numpy(optimizer.learning_rate))
        if found != np.float32(self.peak):
            self.peak = found

    def state(self, arrays: list[Array]) -> dict[str, Any]:
        """Return what a checkpoint keeps of them; arrays are appended to `arrays`.

        Raises
        ------
        ValueError
            If one keeps something that cannot be saved.
        """
        attributes = [
            _packed_attributes(callback, constants, arrays)
            for callback, constants in zip(self.given, self._constants, strict=True)
        ]
        return {"attributes": attributes, "peak": self.peak}

    def release(self) -> None:
        """Let go of the network, which other trainings will borrow, and of what belongs to this training alone."""
        if self.given:
            self.trainer.network.history = None
        for callback in self.given:
            file = vars(callback).get("csv_file")
            if file is not None:
                file.close()
            own = LIVE if _has_live_objects(callback) else {"_model": None}
            vars(callback).update({name: empty for name, empty in own.items() if name in vars(callback)})

    def _check_monitors(self, names: Sequence[str]) -> None:
        """Refuse to wait for what is not there, unless an earlier callback of the user's own may log it."""
        for number, callback in enumerate(self.given):
            if not _is_of_keras(callback):
                return
            monitor = vars(callback).get("monitor")
            if monitor is None or monitor in names or not vars(callback).get("save_best_only", True):
                continue
            raise ValueError(
                f"callbacks[{number}]: {type(callback).__name__} waits for monitor={monitor!r}. After each epoch there "
                f"are {', '.join(map(repr, names))}; pass one of them as monitor, or give samples for validation by "
                "early_stopping=True or X_val."
            )

    def _settle_direction(self, callback: Any) -> None:
        """Let a callback know which way its metric is better."""
        known = self._directions.get(str(vars(callback).get("monitor", "")).removeprefix("val_"))
        if known is not None and vars(callback).get("mode") == "auto" and callback.monitor_op is None:
            callback.mode = known
            callback._set_monitor_op()
            callback.mode = "auto"

    def _read_structure(self) -> Any:
        """Read what a compiled network cannot follow when it changes."""
        if not self.given:
            return None
        network = self.trainer.network
        options = {name: value for name, value in network.optimizer.get_config().items() if name != "learning_rate"}
        parts = network.optimizer, network.optimizer._learning_rate, network._compile_loss, *network.trainable_variables
        return options, list(map(id, parts))


def _is_of_keras(callback: Any) -> bool:
    return type(callback).__module__.startswith("keras.")


def _has_live_objects(callback: Any) -> bool:
    known = import_keras().callbacks
    return isinstance(callback, known.CSVLogger | known.ProgbarLogger | known.TensorBoard)


def _is_default(callback: Any, hook: str) -> bool:
    return bool(getattr(getattr(callback, hook), "_is_default", False))


def _configuration(callback: Any) -> dict[str, Any]:
    """Attributes that decide what a callback does: of Keras' own, those that its constructor takes."""
    found = {name: value for name, value in vars(callback).items() if name not in LIVE}
    if not _is_of_keras(callback) or isinstance(callback, import_keras().callbacks.LambdaCallback):
        return found
    taken = set(inspect.signature(type(callback).__init__).parameters)
    found = {name: value for name, value in found.items() if name in taken}
    return found | ({"min_delta": abs(found["min_delta"])} if "min_delta" in found else {})


def _constants(callback: Any) -> dict[str, bytes]:
    """Digests of attributes that are no plain data, such as functions, which a checkpoint need not keep."""
    found = {}
    for name, value in vars(callback).items():
        if name not in LIVE and name != "monitor_op" and not is_packable(value):
            found[name] = value_digest(value, f"{type(callback).__name__}.{name}")
    return found


def _packed_attributes(callback: Any, constants: dict[str, bytes], arrays: list[Array]) -> dict[str, Any]:
    packed = {}
    for name, value in vars(callback).items():
        if name in LIVE or name == "monitor_op":
            continue
        if is_packable(value):
            packed[name] = pack(value, arrays)
        elif name not in constants or value_digest(value, name) != constants[name]:
            raise ValueError(
                f"checkpoint: {name} of {type(callback).__name__} has changed, and has to be saved between two epochs. "
                f"Expected numbers, text, arrays, lists or dicts. Got {value!r}; pass checkpoint=None, or keep it "
                "elsewhere."
            )
    return packed
