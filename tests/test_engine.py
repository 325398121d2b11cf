import gc
import logging
import re
import subprocess
import sys
import threading

import numpy as np
import psutil
import pytest

from skltransfer import MLPHead, TransferClassifier, load_backbone
from skltransfer._engine import trainer as _trainer
from skltransfer._engine.design import design_network
from skltransfer._engine.job import TrainingData, TrainingJob, TrainingSettings
from skltransfer._engine.loop import train
from skltransfer._engine.pool import Pool, pool
from skltransfer._engine.trainable import TrainableLayers
from skltransfer._heads.goal import Decisions
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.samples import ArraySamples
from skltransfer._targets.targets import Targets
from skltransfer._targets.task import Task
from skltransfer.autoencoder._builders import autoencoder, with_log_variance
from skltransfer.autoencoder._goal import Reconstruction
from skltransfer.backbones import _backbone

PREPARATION = Preparation(0, 255, None, 1, (127.5,), (127.5,))


@pytest.fixture
def problem(images, labels):
    network = load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0)
    return network, ArraySamples(images[..., None]), np.unique(labels, return_inverse=True)[1]


def fit(network, samples, codes, callbacks=(), **changes):
    options = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "seed": 3, **changes}
    tasks = (Task("classes", 4),)
    design = design_network(
        network, TrainableLayers(len(network.stages)), trains_statistics=True, goal=Decisions(tasks),
        preparation=PREPARATION, spec=((28, 28, 1), "uint8"),
    )  # fmt: skip
    targets = Targets(tasks, np.eye(4)[codes], np.ones((len(codes), 1)))
    job = TrainingJob(design, TrainingSettings(**options), TrainingData([samples], targets), network)
    trained = train(job, callbacks=callbacks)
    return network.with_weights(trained.weights), trained.head, trained.history["loss"]


@pytest.mark.backends
def test_second_fit_on_a_pooled_network_is_bit_identical_to_the_first(problem):
    first = fit(*problem)
    fit(*problem, seed=9, learning_rate=0.01)
    again = fit(*problem)
    assert first[0] == again[0]
    assert first[2] == again[2]
    np.testing.assert_array_equal(first[1][0], again[1][0])


def test_other_seed_gives_other_weights(problem):
    assert fit(*problem)[0] != fit(*problem, seed=4)[0]


@pytest.mark.backends
def test_training_learns_and_leaves_the_source_alone(problem):
    network = problem[0]
    before = [w.copy() for w in network.weights]
    _, _, losses = fit(*problem, epochs=15)
    assert losses[-1] < 0.5 * losses[0]
    for old, new in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_learning_rate_zero_changes_nothing(problem):
    assert fit(*problem, learning_rate=0.0)[0].function_fingerprint == problem[0].function_fingerprint


def test_networks_of_a_search_are_not_taken_for_one_that_is_traced_anew(caplog):
    tensorflow = logging.getLogger("tensorflow")
    tensorflow.addHandler(caplog.handler)
    X, y = np.arange(16.0).reshape(8, 2), np.arange(8) % 2
    for units in range(2, 8):
        TransferClassifier("mlp", trainable="head", head=MLPHead((units,)), epochs=1, random_state=0).fit(X, y)
    tensorflow.removeHandler(caplog.handler)
    assert "retracing" not in caplog.text


def test_networks_are_built_once_per_structure(problem, monkeypatch):
    pool.clear()
    fit(*problem)
    built = []
    monkeypatch.setattr(_trainer, "build", lambda architecture: built.append(1) or _backbone.build(architecture))
    for seed in range(3):
        fit(*problem, seed=seed, learning_rate=10.0**-seed)
    assert built == []


@pytest.mark.backends
def test_batches_are_equally_long_and_fillers_do_not_count(problem, monkeypatch):
    network, samples, codes = problem
    taken, steps = [], _trainer.CompiledNetwork.steps
    monkeypatch.setattr(
        _trainer.CompiledNetwork, "steps", lambda self, X, *rest: taken.append(X.shape[:2]) or steps(self, X, *rest)
    )
    still = {"learning_rate": 0.0, "epochs": 1}
    in_parts = fit(network, samples, codes, batch_size=16, **still)[2]
    at_once = fit(network, samples, codes, batch_size=40, **still)[2]
    assert taken == [(3, 16), (1, 40)]
    np.testing.assert_allclose(in_parts, at_once, rtol=1e-5)


@pytest.mark.backends
def test_callbacks_see_each_batch(problem):
    from keras.callbacks import Callback

    class Counter(Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, np.isfinite(logs["loss"])))

    seen = []
    network, samples, codes = problem
    fit(network, samples, codes, batch_size=16, epochs=1, callbacks=[Counter()])
    assert seen == [(0, True), (1, True), (2, True)]


@pytest.mark.backends
def test_diverging_loss_names_epoch_and_learning_rate(problem):
    with pytest.raises(ValueError, match=r"The loss is (nan|inf) in epoch \d+ at learning_rate=1e\+30"):
        fit(*problem, learning_rate=1e30, epochs=20)


def test_memory_stays_flat_over_a_hundred_fits(problem):
    process = psutil.Process()
    sizes = []
    for seed in range(100):
        fit(*problem, epochs=1, seed=seed)
        if seed in (9, 99):
            gc.collect()
            sizes.append(process.memory_info().rss)
    assert sizes[1] <= 1.05 * sizes[0]


@pytest.mark.parametrize("corruption", [None, "gaussian", pytest.param("mask", marks=pytest.mark.backends), "dropout"])
def test_reconstructions_are_learned_bit_identically(images, corruption):
    coder = with_log_variance(autoencoder((28, 28, 1), 4, hidden=(8, 8), bounded=False, seed=0))
    pixels = Preparation(0, 255, (28, 28), 1, (0.0,), (255.0,))
    goal = Reconstruction(
        coder.decoder.architecture, "mse", pixels, corruption, patch=4, variational=corruption is not None
    )  # fmt: skip
    design = design_network(
        coder, TrainableLayers(2), trains_statistics=True, goal=goal, preparation=PREPARATION,
        spec=((28, 28, 1), "uint8"),
    )  # fmt: skip
    head = [*(coder.log_variance if goal.variational else ()), *coder.decoder.weights]
    targets = Targets((), np.empty((len(images), 0)), np.ones((len(images), 1)))
    training = TrainingSettings(8, 16, 0.01, seed=3, values={"level": 0.3, "beta": 0.1})
    data = TrainingData([ArraySamples(images[..., None])], targets)
    first, again = (train(TrainingJob(design, training, data, coder, head)) for _ in "ab")
    assert first.history["loss"][-1] < 0.9 * first.history["loss"][0]
    for one, other in zip([*first.weights, *first.head], [*again.weights, *again.head], strict=True):
        np.testing.assert_array_equal(one, other)


def test_pool_is_bounded_and_lends_to_one_at_a_time():
    pool = Pool(size=2)
    with pool.borrow("a", object) as first, pool.borrow("a", object) as second:
        assert first is not second
    with pool.borrow("a", object) as again:
        assert again in (first, second)
    for name in "bcd":
        with pool.borrow(name, object):
            pass
    assert len(pool._idle) == 2


def test_network_that_failed_is_not_lent_again():
    pool = Pool(size=2)
    with pytest.raises(RuntimeError, match="broken"), pool.borrow("a", object):
        raise RuntimeError("broken")
    assert len(pool._idle) == 0


def test_threads_train_at_the_same_time_as_alone(problem):
    alone = [fit(*problem, seed=seed)[0] for seed in range(4)]
    results = {}

    def run(seed):
        results[seed] = fit(*problem, seed=seed)[0]

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[seed] for seed in range(4)] == alone


FORKS = """
import multiprocessing
import numpy as np
from skltransfer import TransferClassifier, load_backbone
from skltransfer._keras import backend

X, y = np.random.default_rng(0).normal(size=(12, 3)), np.arange(12) % 2
fork = multiprocessing.get_context("fork")

def outcome(work):
    def run(queue):
        try:
            queue.put(str(work()))
        except RuntimeError as error:
            queue.put(str(error))

    queue = fork.Queue()
    child = fork.Process(target=run, args=(queue,))
    child.start()
    print(queue.get(timeout=100))
    child.join()

backend.name()
outcome(lambda: load_backbone("mlp", input_shape=(3,)).n_parameters)
fitted = TransferClassifier("mlp", trainable="head").fit(X, y)
outcome(lambda: fitted.predict(X))
outcome(lambda: TransferClassifier("mlp").fit(X, y))
outcome(lambda: load_backbone("mlp", input_shape=(4,)))
"""


def test_forked_children_of_a_process_that_computed_say_so_and_do_not_wait():
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKS], capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr
    before, *after = found.stdout.splitlines()
    assert before == "262"
    assert len(after) == 3
    for line in after:
        assert re.match(
            r"This process was forked from one in which Keras' backend \(\w+\) had computed .*loky.*spawn", line
        )
