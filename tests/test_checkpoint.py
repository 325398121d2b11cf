"""Nothing is lost: a fit that is killed and called again ends as if it had never been."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from skltransfer import TransferClassifier
from skltransfer._engine.checkpoint import Checkpoint

FIT = """
import os, sys, warnings
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from skltransfer import TransferClassifier
from skltransfer.datasets import load_fashion_sample
sample = load_fashion_sample()
clf = TransferClassifier("small_cnn", epochs=200, early_stopping=True, n_iter_no_change=200, mixup=0.2,
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


def test_damaged_state_is_told_and_training_starts_again(clf, images, labels, tmp_path):
    expected = clf.fit(images, labels).predict_proba(images)
    (state,) = (tmp_path / "state").glob("*.npz")
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.warns(UserWarning, match=r"The checkpoint .*\.npz cannot be read .*; training starts again"):
        clf.fit(images, labels)
    np.testing.assert_array_equal(clf.predict_proba(images), expected)


def test_folder_that_cannot_be_written_is_told_before_training(clf, images, labels, tmp_path):
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
def test_fit_that_could_not_find_its_state_again_is_told(clf, images, labels, random_state):
    with pytest.raises(ValueError, match="checkpoint: expected an int as random_state, so that the same fit finds"):
        clf.set_params(random_state=random_state).fit(images, labels)
