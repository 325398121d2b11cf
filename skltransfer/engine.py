"""The one place where Keras networks are compiled, trained and asked.

Networks are compiled once per structure. A bounded pool lends them; whoever borrows one
sets its weights from arrays and is its only user until it is given back.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer import _backend
from skltransfer._validation import import_keras
from skltransfer.backbones import Backbone, assign, build, building, fold, read
from skltransfer.heads import LinearHead
from skltransfer.inputs import Preparation, Rows

Array = NDArray[Any]


class Pool:
    """Compiled networks that nobody uses just now, at most ``size`` of them.

    Parameters
    ----------
    size : int
        How many idle networks are kept; those used longest ago go first.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._idle: OrderedDict[int, tuple[Hashable, Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._lent = 0

    @contextmanager
    def borrow(self, structure: Hashable, make: Callable[[], Any]) -> Iterator[Any]:
        """Lend a network of this structure, made by ``make`` if none is idle."""
        with self._lock:
            ticket = next((t for t, (known, _) in reversed(self._idle.items()) if known == structure), None)
            network = None if ticket is None else self._idle.pop(ticket)[1]
        if network is None:
            network = make()
        yield network
        with self._lock:
            self._lent += 1
            self._idle[self._lent] = (structure, network)
            while len(self._idle) > self.size:
                self._idle.popitem(last=False)

    def clear(self) -> None:
        """Let go of all idle networks."""
        with self._lock:
            self._idle.clear()


pool = Pool(size=12)


class Forward:
    """A compiled way from raw rows to features, with normalisations folded away.

    Parameters
    ----------
    backbone : Backbone
        The network.
    stage : str
        The layer whose output is taken.
    pooling : {"avg", "max", "flatten"}
        How a grid or sequence of features becomes one vector.
    preparation : Preparation or None
        How pixels are prepared; None for rows of numbers.
    row : tuple of (shape, dtype)
        Shape of one raw row, and the dtype of batches.
    frozen : bool
        Whether the weights are compiled in, which is faster; else `load` can replace them.
    """

    def __init__(
        self,
        backbone: Backbone,
        stage: str,
        pooling: str,
        preparation: Preparation | None,
        row: tuple[tuple[int, ...], str],
        frozen: bool,
    ) -> None:
        keras = import_keras()
        folded = fold(backbone)
        full = self._full = build(folded.architecture)
        assign(full, folded.weights)
        self._loaded = backbone.fingerprint
        cut = keras.Model(full.inputs[0], full.get_layer(stage).output)
        dtype = full.inputs[0].dtype

        def function(batch: Any) -> Any:
            x = keras.ops.cast(batch, dtype)
            if preparation is not None:
                x = preparation(x)
            return _pool(cut(x, training=False), pooling)

        self._call = _backend.compile_forward(full, function, *row, frozen=frozen)

    def load(self, backbone: Backbone) -> None:
        """Set the weights, unless they are in place already."""
        if self._loaded != backbone.fingerprint:
            assign(self._full, fold(backbone).weights)
            self._loaded = backbone.fingerprint

    def map(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Yield the features of each batch, in order; at most a few batches are in memory."""
        width = _backend.concurrent_batches()
        if width == 1:
            yield from map(self._call, batches)
            return
        with ThreadPoolExecutor(width) as threads:
            running: deque[Future[Array]] = deque()
            for batch in batches:
                running.append(threads.submit(self._call, batch))
                if len(running) > width:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()


def _pool(x: Any, pooling: str) -> Any:
    from keras import ops

    if len(x.shape) == 2:
        return x
    if pooling == "flatten":
        return ops.reshape(x, (-1, int(np.prod(x.shape[1:]))))
    places = tuple(range(1, len(x.shape) - 1))
    return ops.mean(x, axis=places) if pooling == "avg" else ops.max(x, axis=places)


@contextmanager
def forward(
    backbone: Backbone,
    stage: str,
    pooling: str,
    preparation: Preparation | None,
    row: tuple[tuple[int, ...], str],
    *,
    frozen: bool,
) -> Iterator[Forward]:
    """Borrow a compiled way from raw rows to features, with the backbone's weights in place."""
    network_is = backbone.fingerprint if frozen else backbone.architecture
    structure = ("forward", _backend.name(), network_is, stage, pooling, preparation, row)
    with (
        _backend.double_precision(),
        pool.borrow(structure, lambda: Forward(backbone, stage, pooling, preparation, row, frozen)) as network,
    ):
        network.load(backbone)
        yield network


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Parameters
    ----------
    epochs : int
        Passes over the rows.
    batch_size : int
        Rows a step.
    learning_rate : float
        Step size of Adam.
    weight_decay : float
        Decoupled weight decay of each step (AdamW), as a share of the learning rate.
    seed : int
        Decides the order of the rows and the first weights of the head.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    seed: int


class Trainer:
    """A backbone and a linear head, compiled for training together."""

    def __init__(
        self,
        backbone: Backbone,
        n_outputs: int,
        preparation: Preparation | None,
        row: tuple[tuple[int, ...], str],
        weight_decay: float,
    ) -> None:
        keras = import_keras()
        self.body = body = build(backbone.architecture)
        dtype = body.inputs[0].dtype
        statistics_move = not backbone.pretrained

        class Network(keras.Model):  # type: ignore[name-defined]
            def __init__(self) -> None:
                super().__init__(dtype=dtype)
                self.body, self.head = body, keras.layers.Dense(n_outputs, dtype=dtype)

            def call(self, batch: Any, training: bool = False) -> Any:
                x = keras.ops.cast(batch, dtype)
                if preparation is not None:
                    x = preparation(x)
                return self.head(_pool(self.body(x, training=training and statistics_move), "avg"))

        with building(0):
            self.network = Network()
            self.network(np.zeros((1, *row[0]), dtype=row[1]))
            self.optimizer = keras.optimizers.AdamW(weight_decay=weight_decay)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=dtype)
        self.network.compile(self.optimizer, loss, jit_compile=_backend.jit_compile())
        self.optimizer.build(self.network.trainable_variables)
        self._fresh = read(self.optimizer.variables)
        self._seeds = [v for v in self.network.non_trainable_variables if "seed_generator_state" in v.path]

    def reset(self, backbone: Backbone, training: Training) -> None:
        """Set weights, optimizer state and seeds as if the network were new."""
        random = np.random.default_rng(training.seed)
        kernel, bias = self.network.head.weights
        limit = np.sqrt(6 / sum(kernel.shape))
        assign(self.body, backbone.weights)
        kernel.assign(random.uniform(-limit, limit, kernel.shape))
        bias.assign(np.zeros(bias.shape))
        for variable, value in zip(self.optimizer.variables, self._fresh, strict=True):
            variable.assign(value)
        for variable in self._seeds:
            variable.assign(random.integers(2**31, size=variable.shape))
        self.optimizer.learning_rate.assign(training.learning_rate)


def train(
    backbone: Backbone,
    rows: Rows,
    codes: NDArray[np.intp],
    weights: Array,
    *,
    n_outputs: int,
    preparation: Preparation | None,
    row: tuple[tuple[int, ...], str],
    training: Training,
) -> tuple[Backbone, LinearHead, list[float]]:
    """Train a whole network with a linear head on labelled rows.

    Parameters
    ----------
    backbone : Backbone
        Where the weights start.
    rows : ArrayRows or PictureRows
        The rows; they are read a batch at a time.
    codes : ndarray of shape (n_rows,)
        Class numbers from 0 to ``n_outputs - 1``.
    weights : ndarray of shape (n_rows,)
        Weight of each row, above 0.
    n_outputs : int
        Number of classes.
    preparation, row
        As in `forward`.
    training : Training
        How long and how fast.

    Returns
    -------
    Backbone, LinearHead, list of float
        The trained network, its head, and the mean loss of each epoch.

    Raises
    ------
    ValueError
        If the loss is no longer finite.
    """
    structure = (
        "train", _backend.name(), backbone.architecture, backbone.pretrained, n_outputs, preparation, row,
        training.weight_decay,
    )  # fmt: skip
    random = np.random.default_rng(training.seed)
    share = weights / weights.mean()
    losses: list[float] = []
    with (
        _backend.double_precision(),
        pool.borrow(
            structure, lambda: Trainer(backbone, n_outputs, preparation, row, training.weight_decay)
        ) as trainer,
    ):
        trainer.reset(backbone, training)
        for epoch in range(training.epochs):
            losses.append(_epoch(trainer.network, rows, codes, share, preparation, training.batch_size, random))
            if not np.isfinite(losses[-1]):
                raise ValueError(
                    f"The loss is {losses[-1]} in epoch {epoch + 1} at learning_rate={training.learning_rate:g}. "
                    "Pass a smaller learning_rate."
                )
        kernel, bias = read(trainer.network.head.weights)
        head = LinearHead(kernel, bias, len(losses))
        return backbone.with_weights(read(trainer.body.weights)), head, losses


def _epoch(
    network: Any,
    rows: Rows,
    codes: NDArray[np.intp],
    share: Array,
    preparation: Preparation | None,
    batch_size: int,
    random: np.random.Generator,
) -> float:
    """Take one step for each batch of shuffled rows; return the mean loss of the epoch."""
    size = preparation.size if preparation else None
    whole = batch_size >= len(codes)
    order = np.arange(len(codes)) if whole else random.permutation(len(codes))
    total = 0.0
    for start in range(0, len(order), batch_size):
        part = order[start : start + batch_size]
        logs = network.train_on_batch(rows.read(part, size), codes[part], sample_weight=share[part])
        total += float(logs) * len(part)
    return total / len(order)
