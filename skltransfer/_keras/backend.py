"""How Keras is set and run: the only file with lines that belong to one of its backends."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

BACKENDS = {"tensorflow": "cpu", "torch": "torch", "jax": "jax"}
ONE_DNN = "TF_ENABLE_ONEDNN_OPTS"
"""Environment variable by which TensorFlow's convolutions are those of oneDNN, or not, when it is imported."""


def import_keras() -> Any:
    """Import Keras with whichever backend is installed.

    Returns
    -------
    module
        The ``keras`` module.

    Raises
    ------
    ImportError
        If the backend that Keras is set to use is not installed.
    RuntimeError
        If ``KERAS_BACKEND`` names a backend that skltransfer does not run on.
    """
    check_backend(os.environ.get("KERAS_BACKEND") or "tensorflow")
    try:
        return import_module("keras")
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in {*BACKENDS, "keras"}:
            raise
        raise ImportError(
            f"Keras needs a backend, and {missing!r} is not installed. "
            'Run: pip install "skltransfer[cpu]" for TensorFlow (the fastest on a CPU), or install '
            '"skltransfer[torch]" or "skltransfer[jax]" and set the environment variable KERAS_BACKEND to torch or jax.'
        ) from error


def check_backend(backend: str) -> None:
    """Raise a RuntimeError for a backend of Keras that skltransfer does not run on."""
    if backend not in BACKENDS:
        raise RuntimeError(
            f"Keras runs on {backend!r}; expected tensorflow, torch or jax. Set the environment variable KERAS_BACKEND "
            "to one of them before Keras is imported."
        )


class _Process:
    """Whether a backend has started in this process, and whether it had in the one that it was forked from."""

    started = False
    forked = False

    @classmethod
    def begin(cls) -> None:
        """Learn that this is a forked child."""
        cls.forked = True


def start() -> None:
    """Note that a backend is about to build or compute, after which no forked child can.

    Raises
    ------
    RuntimeError
        If this process is such a child.
    """
    _refuse_forked()
    if not _Process.started:
        _Process.started = True
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_Process.begin)


def name() -> str:
    """Return "tensorflow", "torch" or "jax", and fit its threads to this process once.

    Raises
    ------
    RuntimeError
        If Keras runs on another backend, or this process was forked after a backend had started.
    """
    _refuse_forked()
    return _name()


def version() -> str:
    """Return what the last bits of results depend on: versions of Keras and its backend, oneDNN, and an accelerator."""
    library = name()
    one_dnn = os.environ.get(ONE_DNN) if library == "tensorflow" else None
    place = (f", {ONE_DNN}={one_dnn}" if one_dnn else "") + (", accelerated" if on_accelerator() else "")
    return f"keras {import_keras().__version__}, {library} {import_module(library).__version__}{place}"


def _refuse_forked() -> None:
    """Raise RuntimeError in a child that lacks the threads of its parent, for which it would wait for ever."""
    if _Process.forked:
        raise RuntimeError(
            f"This process was forked from one in which Keras' backend ({_name()}) had computed already, and a forked "
            "process lacks its threads. Start new processes in place of forked ones: joblib's backend 'loky', which "
            "n_jobs takes by default, or multiprocessing.get_context('spawn')."
        )


@lru_cache(maxsize=1)
def _name() -> str:
    backend = str(import_keras().backend.backend())
    check_backend(backend)
    if multiprocessing.parent_process() is not None and "OMP_NUM_THREADS" in os.environ:
        _limit_threads(backend, int(os.environ["OMP_NUM_THREADS"]))
    return backend


def _limit_threads(backend: str, threads: int) -> None:
    """Keep a worker process within its share of the cores, as loky sets it."""
    if backend == "tensorflow":
        import tensorflow as tf

        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError:  # TensorFlow has started already: too late to change
            return
    elif backend == "torch":
        import torch

        torch.set_num_threads(threads)


def jit_compile(network: Any) -> bool:
    """Whether XLA compiles training steps: on JAX only (it slows convolutions on a CPU), and if all layers allow it."""
    return name() == "jax" and all(layer.supports_jit for layer in network._flatten_layers())


def concurrent_batches() -> int:
    """How many batches to run at once: small operations of one fill the gaps of another."""
    return 3 if name() == "tensorflow" else 1


def allows_empty() -> bool:
    """Whether layers compute nothing, in place of an error, of images that are too small for them."""
    return name() == "jax"


def fixed_batches() -> bool:
    """Whether a batch of another length would be compiled anew."""
    return name() == "jax"


@lru_cache(maxsize=1)
def on_accelerator() -> bool:
    """Whether networks are computed on a GPU or TPU, which takes large batches to be busy."""
    backend = name()
    if backend == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_logical_devices("GPU"))
    if backend == "torch":
        return str(import_keras().ops.convert_to_tensor(0.0).device.type) != "cpu"
    jax: Any = import_module("jax")
    return bool(jax.default_backend() != "cpu")


def double_precision() -> AbstractContextManager[Any]:
    """Let float64 networks compute in float64."""
    if name() != "jax":
        return nullcontext()
    jax: Any = import_module("jax")
    return jax.enable_x64(True)


OUTPUTS = "outputs"
"""Name under which a training step may give outputs of the network beside its metrics."""

Steps = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray | None]]


def compile_steps(network: Any, shape: tuple[int | None, ...], *, outputs: bool) -> Steps:
    """Compile training steps of a compiled Keras model.

    Parameters
    ----------
    network : keras.Model
        The model, whose optimizer has an assignable learning rate.
    shape : tuple of int or None
        Shape of one sample, with None for a length that differs from batch to batch.
    outputs : bool
        Whether its training step gives outputs of shape (batch_size, n_outputs), as `OUTPUTS`.

    Returns
    -------
    callable
        From batches and answers, a step along the first axis, and the learning rate of each
        step, to the metrics of the model before each step, the loss first, of shape
        (n_steps, n_metrics), and its outputs of shape (n_steps, batch_size, n_outputs), or
        None. On TensorFlow all of them are one call, as a call costs small networks more than
        a step does.
    """
    names = [metric.name for metric in network.metrics]
    if name() == "tensorflow":
        return _tensorflow_steps(network, names, shape, outputs)
    to_numpy = import_keras().ops.convert_to_numpy

    def one_by_one(batches: np.ndarray, answers: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        found, given = [], []
        for batch, answer, rate in zip(batches, answers, rates, strict=True):
            network.optimizer.learning_rate.assign(rate)
            logs = network.train_on_batch(batch, answer, return_dict=True)
            found.append([float(logs[name]) for name in names])
            if outputs:
                given.append(np.reshape(to_numpy(logs[OUTPUTS]), (len(batch), -1)))
        return np.asarray(found), np.stack(given) if outputs else None

    return one_by_one


def _tensorflow_steps(network: Any, names: list[str], shape: tuple[int | None, ...], outputs: bool) -> Steps:
    import tensorflow as tf

    def loop(batches: Any, answers: Any, rates: Any) -> Any:
        def step(number: Any, found: Any, given: Any) -> Any:
            network.optimizer.learning_rate.assign(rates[number])
            network.reset_metrics()
            logs = network.train_step((batches[number], answers[number]))
            found = found.write(number, tf.stack([tf.cast(logs[name], rates.dtype) for name in names]))
            return number + 1, found, given.write(number, logs[OUTPUTS]) if outputs else given

        steps = tf.shape(rates)[0]
        found = tf.TensorArray(rates.dtype, size=steps, element_shape=(len(names),))
        given = tf.TensorArray(network.compute_dtype, size=steps if outputs else 0, element_shape=(None, None))
        _, found, given = tf.while_loop(
            lambda number, *_: number < steps, step, (0, found, given), parallel_iterations=1
        )
        return (found.stack(), given.stack()) if outputs else (found.stack(),)

    @lru_cache
    def compiled(*samples: tuple[tuple[int | None, ...], str]) -> Any:
        signature = [tf.TensorSpec((None, None, *shape), dtype) for shape, dtype in samples]
        signature.append(tf.TensorSpec((None,), "float32"))
        # TensorFlow warns of functions that are traced by a call, in which it takes other networks for the same one.
        return tf.function(loop, signature, autograph=False).get_concrete_function()

    def call(batches: np.ndarray, answers: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        steps = compiled((shape, str(batches.dtype)), (answers.shape[2:], str(answers.dtype)))
        found, *given = steps(tf.constant(batches), tf.constant(answers), tf.constant(rates, tf.float32))
        return found.numpy(), given[0].numpy() if given else None

    return call


def compile_forward(
    model: Any, function: Callable[[Any], Any], shape: tuple[int, ...], dtype: str, *, frozen: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """Compile a function of a batch that reads the weights of a Keras model.

    Parameters
    ----------
    model : keras.Model
        The model, with its weights in place.
    function : callable
        From a tensor of shape ``(samples, *shape)`` to a tensor, through the model.
    shape : tuple of int
        Shape of one sample.
    dtype : str
        Of the batches.
    frozen : bool
        Whether the weights stay as they are; else they may be assigned anew between calls.

    Returns
    -------
    callable
        From an ndarray to an ndarray.
    """
    backend = name()
    if backend == "tensorflow":
        return _tensorflow_forward(model, function, shape, dtype, frozen)
    if backend == "torch":
        import torch

        to_device = import_keras().ops.convert_to_tensor

        def forward(batch: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return function(to_device(np.ascontiguousarray(batch))).cpu().numpy()

        return forward
    return _jax_forward(model, function)


def _tensorflow_forward(
    model: Any, function: Callable[[Any], Any], shape: tuple[int, ...], dtype: str, frozen: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """Compile into a graph; frozen weights become constants, which oneDNN lays out once and not at every call."""
    import tensorflow as tf
    from keras import StatelessScope

    arrays = [(variable, variable.value.numpy()) for variable in model.variables] if frozen else []

    def traced(batch: Any) -> Any:
        with StatelessScope(state_mapping=[(variable, tf.constant(array)) for variable, array in arrays]):
            return function(batch)

    signature = [tf.TensorSpec((None, *shape), dtype)]
    compiled = tf.function(
        traced if frozen else function, input_signature=signature, autograph=False, jit_compile=False
    )
    concrete = compiled.get_concrete_function()
    return lambda batch: concrete(tf.constant(batch)).numpy()


def _jax_forward(model: Any, function: Callable[[Any], Any]) -> Callable[[np.ndarray], np.ndarray]:
    import jax
    from keras import StatelessScope

    variables = [*model.trainable_variables, *model.non_trainable_variables]

    @jax.jit
    def stateless(values: list[Any], batch: Any) -> Any:
        with StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function(batch)

    return lambda batch: np.asarray(stateless([variable.value for variable in variables], batch))


OWN = {"floatx": "float32", "image_data_format": "channels_last", "epsilon": 1e-7}
"""Settings of the process; those that Keras starts with."""


class _Visit:
    """How many threads are inside, and what the settings were before the first of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.n_inside = 0
        self.outside: dict[str, Any] = {}


_visit = _Visit()


@contextmanager
def own_settings() -> Iterator[None]:
    """Build and compute in float32 and channels last, and float64 networks in float64.

    Keras' dtype policy belongs to a thread, and is put back on leaving. Its other settings belong to
    the process: they are put back when the last thread leaves, and other threads meanwhile see them as
    they are in here.

    Raises
    ------
    RuntimeError
        If this process was forked after a backend had started.
    """
    config = import_keras().config
    state: Any = import_module("keras.src.backend.common.global_state")
    policy = state.get_global_attribute("dtype_policy")  # config.dtype_policy() would settle it where it is open
    start()
    _enter(config)
    try:
        config.set_dtype_policy("float32")
        with double_precision():
            yield
    finally:
        state.set_global_attribute("dtype_policy", policy)
        _leave(config)


def _enter(config: Any) -> None:
    with _visit.lock:
        if not _visit.n_inside:
            _visit.outside = _settings(config)
            _change(config, OWN)
        _visit.n_inside += 1


def _leave(config: Any) -> None:
    with _visit.lock:
        _visit.n_inside -= 1
        if not _visit.n_inside and _settings(config) == OWN:
            _change(config, _visit.outside)


def _settings(config: Any) -> dict[str, Any]:
    return {name: getattr(config, name)() for name in OWN}


def _change(config: Any, settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        if getattr(config, name)() != value:
            getattr(config, f"set_{name}")(value)
