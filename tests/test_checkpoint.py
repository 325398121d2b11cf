"""Nothing is lost: a fit that is killed and called again ends as if it had never been."""

import copy
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies

from skltransfer import TransferClassifier
from skltransfer._engine import checkpoint as checkpoint_module
from skltransfer._engine.checkpoint import Checkpoint, is_packable, pack, training_key, unpack
from skltransfer._engine.design import Design
from skltransfer._engine.job import TrainingData, TrainingJob, TrainingSettings
from skltransfer._engine.loop import Loop
from skltransfer._engine.trainable import TrainableLayers
from skltransfer._heads.goal import Decisions
from skltransfer._inputs.samples import ArraySamples
from skltransfer._targets.targets import Targets
from skltransfer._targets.task import Task
from skltransfer._utils.hashing import value_digest

FIT = """
import os, sys, warnings
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from skltransfer import TransferClassifier
from skltransfer.datasets import load_fashion_sample
sample = load_fashion_sample()
clf = TransferClassifier("small_cnn", epochs=80, early_stopping=True, n_iter_no_change=80, mixup=0.2,
                         augmentation="flip", checkpoint=sys.argv[1] or None, random_state=0)
clf.fit(sample.images, sample.target)
print(clf.backbone_.fingerprint, float(clf.predict_proba(sample.images).sum()), flush=True)
"""


@pytest.fixture
def clf(tmp_path):
    return TransferClassifier("small_cnn", epochs=4, checkpoint=tmp_path / "state", random_state=0)


def start(folder):
    command = [sys.executable, "-c", FIT, folder]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def outcome(folder):
    with start(folder) as process:
        return process.communicate(timeout=200)[0].splitlines()[-1]


def saved(folder):
    return [path.stat().st_mtime_ns for path in folder.glob("*.npz")]


def test_fit_killed_at_any_moment_ends_bit_identical(tmp_path):
    undisturbed, moments, killed = outcome(""), random.Random(0), 0
    for _ in range(2):
        before = saved(tmp_path)
        with start(str(tmp_path)) as process:
            while saved(tmp_path) == before and process.poll() is None:
                time.sleep(0.01)
            time.sleep(moments.uniform(0.0, 0.3))
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
    assert killed == 2
    assert outcome(str(tmp_path)) == undisturbed


def test_finished_fit_is_not_trained_again(clf, images, labels):
    first = clf.fit(images, labels)
    expected, history = first.predict_proba(images), first.history_
    again = clf.fit(images, labels)
    assert again.history_ == history
    np.testing.assert_array_equal(again.predict_proba(images), expected)


def test_another_fit_does_not_take_up_this_one(clf, images, labels, tmp_path):
    clf.fit(images, labels)
    for change in ({"learning_rate": 0.01}, {"epochs": 5}, {"random_state": 1}, {"label_smoothing": 0.1}):
        other = TransferClassifier(**{**clf.get_params(), **change}).fit(images, labels)
        plain = TransferClassifier(**{**other.get_params(), "checkpoint": None}).fit(images, labels)
        np.testing.assert_array_equal(other.predict_proba(images), plain.predict_proba(images))
    assert len(list((tmp_path / "state").glob("*.npz"))) == 5
    clf.fit(images[::-1].copy(), labels)
    assert len(list((tmp_path / "state").glob("*.npz"))) == 6


def test_damaged_state_is_warned_of_and_training_starts_again(clf, images, labels, tmp_path):
    expected = clf.fit(images, labels).predict_proba(images)
    (state,) = (tmp_path / "state").glob("*.npz")
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.warns(UserWarning, match=r"The checkpoint .*\.npz cannot be read .*; training starts again"):
        clf.fit(images, labels)
    np.testing.assert_array_equal(clf.predict_proba(images), expected)


def test_folder_that_cannot_be_written_is_refused_before_training(clf, images, labels, tmp_path):
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(OSError, match=r"checkpoint='.*state' cannot be written to .* Pass a folder that can, or None"):
        clf.fit(images, labels)


def test_failed_write_leaves_the_last_state_and_no_litter(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path, "key")
    checkpoint.save({"now": [np.arange(3)]}, {"epoch": 1})
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save({"now": [np.arange(4)]}, {"epoch": 2})
    groups, facts = checkpoint.load()
    assert facts == {"epoch": 1}
    np.testing.assert_array_equal(groups["now"][0], np.arange(3))
    assert [path.name for path in tmp_path.iterdir()] == ["key.npz"]


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_checkpoint_without_an_int_as_random_state_is_refused(clf, images, labels, random_state):
    with pytest.raises(ValueError, match="checkpoint: expected an int as random_state, so that the same fit finds"):
        clf.set_params(random_state=random_state).fit(images, labels)


class Interrupted(Exception):
    """As if the process had been killed."""


@pytest.fixture
def interrupt(monkeypatch):
    """Let training end with an exception as soon as an epoch is saved."""

    def after(n_epochs):
        def save(self, *arguments, whole=Loop.save):
            whole(self, *arguments)
            if self.at.epoch == n_epochs:
                raise Interrupted(f"after {n_epochs} epochs")

        monkeypatch.setattr(Loop, "save", save)

    return after


def job(**changes):
    tasks = (Task("classes", 2),)
    X = np.arange(24.0).reshape(8, 3)
    targets = Targets(tasks, np.eye(2)[[0, 1] * 4], np.ones((8, 1)))
    design = Design(None, (), TrainableLayers(0), False, Decisions(tasks), None, ((3,), "float64"))
    validation = ArraySamples(X[:2]), targets.take(np.arange(2))
    settings = TrainingSettings(2, 4, 0.01, seed=0, values={"importance": np.ones(3), "l2_sp": 0.5})
    whole = TrainingJob(
        design, settings, TrainingData([ArraySamples(X)], targets, validation, np.zeros(8, int)), None,
        [np.zeros((3, 2)), np.zeros(2)],
    )  # fmt: skip
    return replace(whole, **changes)


PARTS = {"design": Design, "settings": TrainingSettings, "data": TrainingData}
FIELDS = [(None, field.name) for field in fields(TrainingJob)] + [
    (part, field.name) for part, kind in PARTS.items() for field in fields(kind)
]


@pytest.mark.parametrize(("part", "name"), FIELDS)
def test_each_field_of_a_training_is_part_of_its_key(part, name):
    plain = job()
    if part is None:
        changed = replace(plain, **{name: "another"})
    else:
        changed = replace(plain, **{part: replace(getattr(plain, part), **{name: "another"})})
    assert training_key(plain) == training_key(job())
    assert training_key(changed) != training_key(plain)


@pytest.mark.parametrize("field", ["values", "weights"])
@pytest.mark.parametrize("held_out", [False, True])
def test_targets_and_weights_are_part_of_the_key_held_out_or_not(field, held_out):
    plain = job()
    samples, held = plain.data.validation
    targets = held if held_out else plain.data.targets
    other = replace(targets, **{field: 0.5 * getattr(targets, field)})
    data = replace(plain.data, validation=(samples, other)) if held_out else replace(plain.data, targets=other)
    assert training_key(replace(plain, data=data)) != training_key(plain)


@pytest.mark.backends
def test_versions_and_backend_are_part_of_the_key(monkeypatch):
    plain = training_key(job())
    monkeypatch.setattr(checkpoint_module, "__version__", "another")
    assert training_key(job()) != plain
    monkeypatch.undo()
    monkeypatch.setattr(checkpoint_module._backend, "name", lambda: "another")
    assert training_key(job()) != plain


def test_key_is_the_same_in_another_process():
    code = """
import sys; sys.path[:0] = [sys.argv[1], sys.argv[2]]
from test_checkpoint import job
from skltransfer._engine.checkpoint import training_key
from skltransfer._utils.hashing import value_digest
from skltransfer.adaptation._methods import METHODS
print(training_key(job(), [(dict, {"a": {"x", "y", "z"}})]), value_digest(METHODS).hex())
"""
    here = Path(__file__).parent
    command = [sys.executable, "-c", code, str(here), str(here.parent)]
    found = [
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True)
        for seed in "12"
    ]
    assert found[0].stdout == found[1].stdout
    assert len(found[0].stdout) > 40


def test_digests_differ_by_content_and_kind():
    def times(factor):
        return lambda x: factor * x

    values = [
        None, 0, 1, True, 1.0, -0.0, 1j, "1", b"1", "", (), [], {}, set(), (1,), [1], [[1]], (1, 2), (12,), {1: 2},
        {1, 2}, {"a": 1}, {"a": 2}, {"b": 1}, float("nan"), float("inf"), np.float32(1), np.float64(1), np.ones(1),
        np.ones((1, 1)), np.ones(1, "float32"), np.ones(1, "int64"), np.array([1.0], object), np.array(["1"]),
        Task("classes", 2), Task("values", 2), Path("a"), Path("b"), len, np.mean, np.add, dict, times(1), times(2),
        partial(times, 1), partial(times, factor=1), partial(len, 1), [].append, [1].append, os, sys,
        TrainableLayers(1), TrainableLayers(2), lambda x: x + 1, lambda x: x + 2, lambda x, y=1: x + 1,
        lambda x, *, y=1: x + 1,
    ]  # fmt: skip
    digests = [value_digest(value) for value in values]
    assert len(set(digests)) == len(values)
    assert digests == [value_digest(value if value is os or value is sys else copy.deepcopy(value)) for value in values]


def test_digest_of_a_function_follows_what_it_calls(monkeypatch):
    before = value_digest(uses_a_global)
    monkeypatch.setitem(globals(), "FACTOR", 3)
    assert value_digest(uses_a_global) != before
    monkeypatch.undo()
    monkeypatch.setitem(globals(), "helper", lambda x: x + 1)
    assert value_digest(uses_a_global) != before
    assert value_digest(calls_itself) == value_digest(calls_itself)


FACTOR = 2


def helper(x):
    return FACTOR * x


def uses_a_global(x):
    return [helper(part) for part in x]


def calls_itself(x):
    return calls_itself(x - 1)


@pytest.mark.parametrize("unknown", [object(), iter([]), threading.Lock(), open])
def test_what_has_no_content_is_never_left_out(unknown):
    if unknown is open:
        assert value_digest(unknown) == value_digest(open)
        return
    with pytest.raises(TypeError, match=r"value\['a'\]\[1\]: expected numbers, .* Got an object of "):
        value_digest({"a": [1, unknown]})
    settings = replace(job().settings, values={"own": unknown})
    with pytest.raises(ValueError, match=r"checkpoint: .* job\.settings\.values\['own'\]: expected"):
        training_key(job(settings=settings))


@pytest.mark.parametrize("changes", [{"C": 10.0}, {"delta": 0.2}, {"l2_sp": 0.1}])
def test_penalties_of_another_fit_are_not_taken_up(images, labels, tmp_path, changes):
    source = TransferClassifier("small_cnn", epochs=1, random_state=0).fit(images, labels).backbone_
    options = {"trainable": 1, "delta": 0.1, "solve_head": False, "epochs": 2, "random_state": 0}
    clf = TransferClassifier(source, **options, checkpoint=tmp_path).fit(images, labels)
    other = clf.set_params(**changes).fit(images, labels).predict_proba(images)
    plain = TransferClassifier(source, **{**options, **changes}).fit(images, labels).predict_proba(images)
    np.testing.assert_array_equal(other, plain)
    assert len(list(tmp_path.glob("*.npz"))) == 2


def stateful():
    """Callbacks that know at the end of an epoch what has been before."""
    from keras import callbacks

    return [
        callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=0.05),
        callbacks.LearningRateScheduler(lambda epoch, rate: 0.9 * rate),
        callbacks.EarlyStopping("val_accuracy", patience=4, restore_best_weights=True),
        callbacks.History(),
        callbacks.TerminateOnNaN(),
    ]


@pytest.mark.backends
def test_interrupted_fit_with_callbacks_ends_as_if_nothing_had_been(images, labels, tmp_path, interrupt, monkeypatch):
    options = {"epochs": 9, "early_stopping": True, "n_iter_no_change": 9, "learning_rate": 0.01, "random_state": 0}
    clf = TransferClassifier("small_cnn", **options, callbacks=stateful()).fit(images, labels)
    expected, history = clf.predict_proba(images), clf.history_
    assert history["learning_rate"][-1] < 0.2 * history["learning_rate"][0]
    for n_epochs in (2, 5):
        interrupt(n_epochs)
        with pytest.raises(Interrupted, match=f"after {n_epochs} epochs"):
            clf.set_params(checkpoint=tmp_path, callbacks=stateful()).fit(images, labels)
        monkeypatch.undo()
    resumed = clf.set_params(callbacks=stateful()).fit(images, labels)
    assert resumed.history_ == history
    np.testing.assert_array_equal(resumed.predict_proba(images), expected)
    assert clf.callbacks[3].history.keys() == history.keys()
    assert clf.callbacks[3].history["loss"] == history["loss"]
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_fit_that_a_callback_stopped_is_not_continued(clf, images, labels):
    from keras.callbacks import EarlyStopping

    clf.set_params(callbacks=[EarlyStopping("loss", patience=1, min_delta=9.0)])
    first = clf.fit(images, labels).predict_proba(images)
    assert clf.n_iter_ == 2
    again = clf.fit(images, labels)
    assert again.n_iter_ == 2
    np.testing.assert_array_equal(again.predict_proba(images), first)


def test_fits_with_other_callbacks_do_not_take_up_each_other(clf, images, labels, tmp_path):
    from keras import callbacks

    kinds = [
        [], [callbacks.EarlyStopping("loss", patience=1)], [callbacks.EarlyStopping("loss", patience=2)],
        [callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)],
        [callbacks.LearningRateScheduler(lambda epoch, rate: rate / 3)],
    ]  # fmt: skip
    for number, callbacks_given in enumerate(kinds, start=1):
        found = clf.set_params(callbacks=callbacks_given).fit(images, labels).predict_proba(images)
        assert len(list((tmp_path / "state").glob("*.npz"))) == number
        plain = TransferClassifier(**{**clf.get_params(), "checkpoint": None}).fit(images, labels)
        np.testing.assert_array_equal(found, plain.predict_proba(images))


def test_callback_without_content_to_digest_is_refused(clf, images, labels):
    from keras.callbacks import Callback

    class Reports(Callback):
        def __init__(self, trial):
            super().__init__()
            self.trial = trial

        def on_epoch_end(self, epoch, logs=None):
            self.other = object()

    with pytest.raises(ValueError, match=r"checkpoint: .* callbacks\[0\]\[1\]\['trial'\]: expected .* an object of"):
        clf.set_params(callbacks=[Reports(threading.Lock())]).fit(images, labels)
    with pytest.raises(ValueError, match="checkpoint: other of Reports has changed, and has to be saved between two"):
        clf.set_params(callbacks=[Reports("trial 7")]).fit(images, labels)


@given(
    strategies.recursive(
        strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats() | strategies.text(),
        lambda inner: (
            strategies.lists(inner) | strategies.tuples(inner) | strategies.dictionaries(strategies.text(), inner)
        ),
    )
)
def test_packed_values_come_back(value):
    arrays = []
    packed = json.loads(json.dumps(pack(value, arrays)))
    assert value_digest(unpack(packed, arrays)) == value_digest(value)


def test_packed_arrays_come_back():
    value = {1: [np.arange(3), np.float32(0.5)], "b": (np.ones((2, 2)),)}
    arrays = []
    assert is_packable(value)
    assert value_digest(unpack(json.loads(json.dumps(pack(value, arrays))), arrays)) == value_digest(value)
    assert not any(map(is_packable, (object(), [print], {"a": {1}}, np.array([None]))))


def written(folder):
    saved = Checkpoint(folder, "key")
    saved.save({"now": [np.arange(6.0).reshape(2, 3), np.ones(2)]}, {"epoch": 3})
    return saved


def test_state_is_what_was_saved(tmp_path):
    groups, facts = written(tmp_path).load()
    np.testing.assert_array_equal(groups["now"][0], [[0, 1, 2], [3, 4, 5]])
    assert (len(groups["now"]), facts) == (2, {"epoch": 3})


@pytest.mark.parametrize(
    "change",
    [{"now/1": np.zeros(2)}, {"now/0": np.arange(6.0)}, {"facts": np.array('{"epoch": 4}')}, {"more/0": np.ones(1)}],
)
def test_state_that_was_changed_is_not_taken_up(tmp_path, change):
    saved = written(tmp_path)
    with np.load(saved.path) as file:
        content = {**file, **change}
    np.savez(saved.path, **content)
    with pytest.warns(
        UserWarning, match=r"key\.npz cannot be read \(its checksum is not that of its content\); training"
    ):
        assert saved.load() is None


def test_archive_of_unknown_compression_is_told(tmp_path):
    saved = written(tmp_path)
    content = bytearray(saved.path.read_bytes())
    content[content.rindex(b"PK\1\2") + 10] ^= 64  # its method in the directory of the archive
    saved.path.write_bytes(content)
    with pytest.warns(UserWarning, match=r"cannot be read \(That compression method is not supported\); training"):
        assert saved.load() is None


def test_state_that_is_a_fifo_is_not_waited_for(tmp_path):
    saved = Checkpoint(tmp_path, "key")
    os.mkfifo(saved.path)
    assert saved.load() is None
    written(tmp_path)
    assert saved.load()[1] == {"epoch": 3}
