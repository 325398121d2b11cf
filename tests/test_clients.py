"""What other packages ask of an estimator, without these packages; see `benchmarks/clients.py`."""

import joblib
import keras
import numpy as np
import pytest
from sklearn.base import clone

from skltransfer import BackboneTransformer, TransferClassifier
from skltransfer._features import extraction
from skltransfer._features.cache import process_store, store_for


class Trial:
    """Reports that it has to stop at its second epoch, and cannot be copied, as one of Optuna's."""

    def __init__(self):
        self.reports = []

    def __deepcopy__(self, memo):
        raise AssertionError("a trial is one object")


class Pruned(Exception):
    """Ends a trial."""


class Pruning(keras.callbacks.Callback):
    def __init__(self, trial):
        super().__init__()
        self.trial = trial

    def on_epoch_end(self, epoch, logs=None):
        self.trial.reports.append(logs["accuracy"])
        if epoch == 1:
            raise Pruned("after the second epoch")


def test_a_trial_is_pruned_and_the_next_fit_is_as_ever(images, labels):
    trial = Trial()
    options = {"trainable": "all", "epochs": 3, "random_state": 0}
    with pytest.raises(Pruned, match="after the second epoch"):
        TransferClassifier("small_cnn", callbacks=[Pruning(trial)], **options).fit(images, labels)
    whole = TransferClassifier("small_cnn", **options).fit(images, labels)
    assert trial.reports == whole.history_["accuracy"][:2]


def test_flattened_samples_are_taken_by_their_length(images, flat, labels):
    """MAPIE asks for predictions of zeros of shape (1, n_features_in_)."""
    clf = TransferClassifier("efficientnet_lite0", image_size=32).fit(images, labels)
    assert clf.n_features_in_ == 784
    np.testing.assert_array_equal(clf.predict_proba(flat), clf.predict_proba(images))
    assert clf.predict(np.zeros((1, clf.n_features_in_))).shape == (1,)
    with pytest.raises(ValueError, match="783"):
        clf.predict(flat[:, 1:])


def test_features_are_cached_where_a_joblib_memory_is(images, tmp_path):
    memory = joblib.Memory(tmp_path, verbose=0)
    transformer = BackboneTransformer(image_size=32, memory=memory)
    wanted, before = transformer.fit_transform(images), extraction.n_computed
    named = clone(transformer).set_params(memory=tmp_path)
    np.testing.assert_array_equal(named.fit_transform(images), wanted)
    assert extraction.n_computed == before
    assert store_for(joblib.Memory(None)) is process_store
