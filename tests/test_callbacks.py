"""Keras callbacks do in `fit` what they do in Keras, or are refused before work starts."""

import copy
import csv
import pickle

import keras
import numpy as np
import pytest
from keras import callbacks as kc
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.metrics import f1_score, log_loss, mean_absolute_error, roc_auc_score
from sklearn.model_selection import GridSearchCV

from skltransfer import GradualUnfreezing, TransferClassifier, TransferRegressor
from skltransfer._engine import callbacks as runner
from skltransfer._engine.pool import pool
from skltransfer.supervised import _fitting as supervised_fitting

RATE = 0.01


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(0)
    X = random.normal(size=(64, 4))
    return X, np.where(X[:, 0] + 0.5 * X[:, 1] + 0.5 * random.normal(size=64) > 0, "yes", "no")


def classifier(*callbacks, **changes):
    options = {"epochs": 4, "batch_size": 16, "learning_rate": RATE, "schedule": "constant", "warmup": 0.0}
    return TransferClassifier(**{**options, "random_state": 0, "callbacks": list(callbacks), **changes})


class Recorder(kc.Callback):
    """Remembers each call."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append(("train_begin", None, logs))

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(("epoch_begin", epoch, logs))

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(("epoch_end", epoch, logs))

    def on_test_end(self, logs=None):
        self.calls.append(("test_end", None, logs))

    def on_train_end(self, logs=None):
        self.calls.append(("train_end", None, logs))


def test_callbacks_are_the_objects_that_were_given(table):
    recorder = Recorder()
    clf = classifier(recorder, epochs=2, early_stopping=True).fit(*table)
    assert clf.callbacks[0] is recorder
    names = [name for name, _, _ in recorder.calls]
    assert names == ["train_begin", *["epoch_begin", "test_end", "epoch_end"] * 2, "train_end"]
    logged = [logs for name, _, logs in recorder.calls if name == "epoch_end"]
    assert {name: [logs[name] for logs in logged] for name in logged[0]} == clf.history_
    assert set(clf.history_) == {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    assert recorder.calls[-1][2] == logged[-1]
    assert recorder.params == {"epochs": 2, "steps": 4, "verbose": 1}


def test_callbacks_do_not_change_what_is_learned(table):
    plain, watched = classifier(callbacks=None).fit(*table), classifier(Recorder(), kc.LambdaCallback(
        on_train_batch_end=lambda batch, logs: None)).fit(*table)  # fmt: skip
    np.testing.assert_array_equal(watched.predict_proba(table[0]), plain.predict_proba(table[0]))
    assert watched.history_ == plain.history_


def test_clone_has_copies_and_a_fitted_estimator_no_live_network(table, tmp_path):
    recorder, logger = Recorder(), kc.CSVLogger(tmp_path / "log.csv")
    clf = classifier(recorder, logger, kc.EarlyStopping("loss", restore_best_weights=True), kc.ProgbarLogger())
    clf.fit(*table)
    assert recorder.model is None
    assert clone(clf).callbacks[0] is not recorder
    for other in (copy.deepcopy(clf), pickle.loads(pickle.dumps(clf.set_params(callbacks=clf.callbacks[1:])))):
        np.testing.assert_array_equal(other.predict_proba(table[0]), clf.predict_proba(table[0]))
        other.fit(*table)


@pytest.mark.backends
def test_accuracy_is_that_of_the_predictions(table):
    X, y = table
    still = classifier(epochs=1, learning_rate=0.0, callbacks=None).fit(X, y, X_val=X[:20], y_val=y[:20])
    assert still.history_["accuracy"] == [still.score(X, y)]
    assert still.history_["val_accuracy"] == [still.score(X[:20], y[:20])]


def test_accuracy_is_weighted_and_the_filled_batch_counts_as_it_is(table):
    X, y = table
    weights = np.random.default_rng(1).uniform(0.5, 3, size=64)
    still = classifier(epochs=1, learning_rate=0.0, batch_size=24, callbacks=None).fit(X, y, sample_weight=weights)
    assert still.history_["accuracy"] == pytest.approx([still.score(X, y, sample_weight=weights)], rel=1e-6)


def test_accuracy_of_several_tasks_is_the_share_of_known_labels_that_are_right(table):
    X, y = table
    labels = np.column_stack([y == "yes", X[:, 2] > 0]).astype(float)
    labels[:30, 1] = np.nan
    for Y in (labels, np.where(np.isnan(labels), np.nan, labels + 2)):  # labels, and classes
        still = classifier(epochs=1, learning_rate=0.0, callbacks=None).fit(X, Y)
        known = ~np.isnan(Y)
        # each task counts the same: its weights have a mean of 1
        shares = [(still.predict(X)[known[:, task], task] == Y[known[:, task], task]).mean() for task in (0, 1)]
        assert still.history_["accuracy"] == pytest.approx([np.mean(shares)], rel=1e-6)


def test_regressors_have_no_accuracy(table):
    reg = TransferRegressor(epochs=2, random_state=0).fit(table[0], table[0][:, 0])
    assert set(reg.history_) == {"loss", "learning_rate"}


def test_early_stopping_on_accuracy_restores_the_best_weights(table):
    X, y = table
    stopping = kc.EarlyStopping("val_accuracy", patience=3, restore_best_weights=True)
    clf = classifier(stopping, epochs=40, learning_rate=0.3).fit(X, y, X_val=X[40:], y_val=y[40:])
    accuracies = clf.history_["val_accuracy"]
    assert stopping.mode == "auto"
    assert stopping.best == max(accuracies)
    assert stopping.best_epoch == int(np.argmax(accuracies))
    assert clf.n_iter_ == len(accuracies) == stopping.best_epoch + 4
    assert accuracies[-1] < max(accuracies)
    assert clf.score(X[40:], y[40:]) == pytest.approx(max(accuracies))


def test_early_stopping_starts_anew_in_each_fit(table):
    stopping = kc.EarlyStopping("loss", patience=1, min_delta=10.0)
    clf = classifier(stopping, epochs=9)
    assert clf.fit(*table).n_iter_ == clf.fit(*table).n_iter_ == 2


def test_scheduler_gets_and_gives_the_peak_learning_rate(table):
    seen = []

    def halve(epoch, rate):
        seen.append(rate)
        return rate / 2

    clf = classifier(kc.LearningRateScheduler(halve)).fit(*table)
    np.testing.assert_allclose(clf.history_["learning_rate"], RATE / 2 ** np.arange(1, 5), rtol=1e-6)
    np.testing.assert_allclose(seen, RATE / 2 ** np.arange(4), rtol=1e-6)
    stopped = classifier(kc.LearningRateScheduler(lambda epoch, rate: 0.0)).fit(*table)
    untrained = classifier(callbacks=None, learning_rate=0.0).fit(*table)
    np.testing.assert_array_equal(stopped.predict_proba(table[0]), untrained.predict_proba(table[0]))


def test_schedule_of_each_step_is_a_share_of_what_the_scheduler_gives(table):
    plain = classifier(schedule="cosine", callbacks=None).fit(*table).history_["learning_rate"]
    scheduler = kc.LearningRateScheduler(lambda epoch, rate: 0.5 * RATE)
    found = classifier(scheduler, schedule="cosine").fit(*table).history_["learning_rate"]
    np.testing.assert_allclose(found, 0.5 * np.array(plain), rtol=1e-6)


def test_reducing_on_a_plateau_reduces(table):
    reducing = kc.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=10.0)
    rates = classifier(reducing).fit(*table).history_["learning_rate"]
    np.testing.assert_allclose(rates, [RATE, RATE, RATE / 10, RATE / 100], rtol=1e-6)


@pytest.mark.backends
def test_learning_rate_set_between_batches_counts_from_the_next_one(table):
    class Halve(kc.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.optimizer.learning_rate = float(self.model.optimizer.learning_rate) / 2

    assert classifier(Halve(), epochs=1).fit(*table).history_["learning_rate"] == pytest.approx([RATE / 8])


def test_a_fit_without_callbacks_is_not_touched_by_an_earlier_one_with_them(table):
    plain = classifier(callbacks=None).fit(*table)
    scheduler = kc.LearningRateScheduler(lambda epoch, rate: 5 * rate)
    classifier(scheduler, kc.EarlyStopping("loss", patience=0, min_delta=10.0), kc.History()).fit(*table)
    again = classifier(callbacks=None).fit(*table)
    assert again.history_ == plain.history_
    np.testing.assert_array_equal(again.predict_proba(table[0]), plain.predict_proba(table[0]))


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_model_checkpoint_saves_what_can_be_loaded(table, tmp_path, ending):
    X, y = table
    path = tmp_path / f"best{ending}"
    saving = kc.ModelCheckpoint(
        path, monitor="val_loss", save_best_only=True, save_weights_only=ending != ".keras"
    )  # fmt: skip
    loaded = []

    class Load(kc.Callback):
        def on_train_end(self, logs=None):
            if ending == ".keras":
                loaded.append(keras.models.load_model(path).predict_on_batch(X))
            else:
                self.model.load_weights(path)
                loaded.append(self.model.predict_on_batch(X))

    clf = classifier(saving, Load(), learning_rate=1e-3).fit(X, y, X_val=X[40:], y_val=y[40:])
    assert saving.best == min(clf.history_["val_loss"]) == clf.history_["val_loss"][-1]
    np.testing.assert_allclose(loaded[0][:, 1] - loaded[0][:, 0], clf.decision_function(X), rtol=1e-4, atol=1e-5)


@pytest.mark.backends
def test_model_checkpoint_of_images_saves_the_preparation_too(images, labels, tmp_path):
    path = tmp_path / "{epoch}.keras"
    clf = TransferClassifier("small_cnn", epochs=1, random_state=0, callbacks=[kc.ModelCheckpoint(path)])
    clf.fit(images, labels)
    outputs = keras.models.load_model(tmp_path / "1.keras").predict_on_batch(images[:4, ..., None])
    np.testing.assert_allclose(outputs, clf.decision_function(images[:4]), rtol=1e-4, atol=1e-5)


def test_csv_logger_writes_each_epoch(table, tmp_path):
    clf = classifier(kc.CSVLogger(tmp_path / "log.csv"), early_stopping=True).fit(*table)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    assert [float(row["val_accuracy"]) for row in rows] == clf.history_["val_accuracy"]


def test_history_is_filled(table):
    history = kc.History()
    clf = classifier(history).fit(*table)
    assert history.history == clf.history_
    assert history.epoch == [0, 1, 2, 3]


def test_progress_bar_of_keras_is_drawn(table, capsys):
    classifier(kc.ProgbarLogger(), epochs=2).fit(*table)
    printed = capsys.readouterr().out
    assert "Epoch 2/2" in printed
    assert "4/4" in printed
    assert "accuracy" in printed


def test_remote_monitor_sends_each_epoch(table, monkeypatch):
    from keras.src.callbacks import remote_monitor

    sent = []
    monkeypatch.setattr(remote_monitor.requests, "post", lambda url, json, headers: sent.append(json))
    clf = classifier(kc.RemoteMonitor(send_as_json=True)).fit(*table)
    assert [message["loss"] for message in sent] == clf.history_["loss"]


def test_terminate_on_nan_ends_at_the_batch_and_the_fit_raises(table):
    seen = []
    watching = kc.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["loss"]))
    clf = classifier(kc.TerminateOnNaN(), watching, learning_rate=1e30, epochs=20)
    with pytest.raises(ValueError, match=r"The loss is \S+ in epoch \d+ at learning_rate=1e\+30"):
        clf.fit(*table)
    assert np.isfinite(seen[:-1]).all()
    assert not np.isfinite(seen[-1])
    with pytest.raises(RuntimeError, match="NaN or Inf loss encountered"):
        clf.set_params(callbacks=[kc.TerminateOnNaN(raise_error=True)]).fit(*table)


def test_lambda_callback_stops(table):
    class Stop(kc.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    batches = []
    watching = kc.LambdaCallback(on_train_batch_begin=lambda batch, logs: batches.append(batch))
    clf = classifier(Stop(), watching).fit(*table)
    assert batches == [0, 1]
    assert clf.n_iter_ == 1


def test_batches_are_single_calls_only_for_callbacks_that_look_at_them(table):
    one = classifier(kc.History(), Recorder()).fit(*table)
    assert one.n_iter_ == 4
    seen = [kc.EarlyStopping(), kc.History(), kc.CSVLogger("x"), kc.ReduceLROnPlateau(), Recorder()]
    assert all(runner._is_default(callback, hook) for callback in seen for hook in runner.BATCH_HOOKS)
    looking = [kc.TerminateOnNaN(), kc.LambdaCallback(on_train_batch_end=print), kc.ProgbarLogger()]
    for callback in looking:
        assert not all(runner._is_default(callback, hook) for hook in runner.BATCH_HOOKS)


class Pruned(Exception):
    """As Optuna raises it."""


class Pruner(kc.Callback):
    """Reports to an object outside, as Optuna's callback does, and raises."""

    def __init__(self, trial, hook="on_epoch_end"):
        super().__init__()
        self.trial = trial
        setattr(self, hook, self.prune)

    def prune(self, number=None, logs=None):
        self.trial.append(number)
        if len(self.trial) == 2:
            raise Pruned(f"at call {len(self.trial)}")


@pytest.mark.parametrize(
    "hook", ["on_train_begin", "on_epoch_begin", "on_train_batch_end", "on_epoch_end", "on_test_end", "on_train_end"]
)
def test_pruner_reports_to_its_trial_and_its_exception_comes_through(table, hook):
    plain = classifier(callbacks=None).fit(*table)
    idle, trial = len(pool._idle), []
    pruner = Pruner(trial, hook)
    clf = classifier(pruner, early_stopping=hook == "on_test_end")
    if hook in ("on_train_begin", "on_train_end"):
        clf.fit(*table)
    with pytest.raises(Pruned, match="at call 2"):
        clf.fit(*table)
    assert len(trial) == 2
    assert pruner.model is None
    assert len(pool._idle) <= idle + 1
    assert not hasattr(clf, "_callback_fit_ctx")
    again = classifier(callbacks=None).fit(*table)
    np.testing.assert_array_equal(again.predict_proba(table[0]), plain.predict_proba(table[0]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: kc.BackupAndRestore(path), "BackupAndRestore .* pass checkpoint='folder' instead"),
        (lambda path: kc.SwapEMAWeights(), "SwapEMAWeights needs an optimizer with use_ema=True"),
        (lambda path: kc.CallbackList([]), "CallbackList is a list of callbacks; pass the callbacks themselves"),
    ],
)
def test_what_cannot_be_honoured_is_refused_before_work_starts(table, tmp_path, make, message, monkeypatch):
    monkeypatch.setattr(supervised_fitting, "split_network", lambda *_: pytest.fail("work has started"))
    with pytest.raises(ValueError, match=message):
        classifier(kc.History(), make(tmp_path / "backup")).fit(*table)


def test_tensorboard_is_refused_where_it_is_not_installed(table, tmp_path, monkeypatch):
    monkeypatch.setattr(runner.importlib.util, "find_spec", lambda name: None if name == "tensorboard" else name)
    with pytest.raises(ValueError, match="TensorBoard needs the package 'tensorboard', which is not installed"):
        classifier(kc.TensorBoard(tmp_path)).fit(*table)


@pytest.mark.parametrize("wrong", [kc.EarlyStopping, "EarlyStopping", print])
def test_what_is_no_callback_is_refused(table, wrong):
    with pytest.raises(TypeError, match=r"callbacks\[0\]: expected an instance of keras.callbacks.Callback"):
        classifier(wrong).fit(*table)


def test_monitor_that_will_not_be_there_is_refused(table):
    for waiting in (kc.EarlyStopping(), kc.ReduceLROnPlateau(), kc.ModelCheckpoint("x.keras", save_best_only=True)):
        with pytest.raises(ValueError, match=r"waits for monitor='val_loss'. After each epoch .* 'loss', 'accuracy'"):
            classifier(waiting).fit(*table)

    class Logs(kc.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["own"] = float(epoch)

    stopping = kc.EarlyStopping("own", mode="max", patience=1)
    assert classifier(Logs(), stopping).fit(*table).n_iter_ == 4
    assert stopping.best == 3.0


@pytest.mark.parametrize("what", ["trainable", "optimizer", "schedule", "compile"])
def test_callback_that_changes_what_is_compiled_is_refused(table, what):
    class Change(kc.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if what == "trainable":
                self.model.layers[0].trainable = False
            elif what == "optimizer":
                self.model.optimizer.clipnorm = 1.0
            elif what == "schedule":
                self.model.optimizer.learning_rate = keras.optimizers.schedules.CosineDecay(0.1, 10)
            else:
                self.model.compile(self.model.optimizer, "mse")

    plain = classifier(callbacks=None).fit(*table)
    with pytest.raises(ValueError, match="on_epoch_begin of Change changed them; pass trainable, schedule and"):
        classifier(Change()).fit(*table)
    again = classifier(callbacks=None).fit(*table)
    np.testing.assert_array_equal(again.predict_proba(table[0]), plain.predict_proba(table[0]))


def test_partial_fit_unfreezes_layer_by_layer(images, labels):
    epochs = []
    watching = kc.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch))
    clf = TransferClassifier(
        "small_cnn", trainable=GradualUnfreezing(every=1), random_state=0, learning_rate=0.01, callbacks=[watching]
    )
    changed, before = [], None
    for _ in range(3):
        clf.partial_fit(images, labels, classes=np.unique(labels))
        after = clf.backbone_.weights
        if before is not None:
            changed.append(sum(not np.array_equal(a, b) for a, b in zip(before, after, strict=True)))
        before = after
    assert epochs == [0, 1, 2]
    assert 0 < changed[0] < changed[1]


def test_partial_fit_after_a_fit_goes_on_where_it_stopped(images, labels):
    epochs = []
    watching = kc.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch))
    clf = TransferClassifier(
        "small_cnn", trainable=GradualUnfreezing(every=1), epochs=6, random_state=0, callbacks=[watching]
    ).fit(images, labels)
    before = clf.backbone_.weights
    clf.partial_fit(images, labels)
    assert epochs == [0, 1, 2, 3, 4, 5, 6]
    assert not np.array_equal(before[0], clf.backbone_.weights[0])


def test_scoring_monitor_scores_each_epoch(table):
    X, y = table
    weights = np.random.default_rng(0).uniform(size=64)
    monitor = ScoringMonitor(scoring="accuracy")
    clf = classifier(callbacks=None, learning_rate=0.05).set_callbacks(monitor).fit(X, y)
    entries = [entry for entry in monitor.get_logs().data if entry["task_name"] == "epoch"]
    assert [entry["task_id"] for entry in entries] == [0, 1, 2, 3]
    expected = [classifier(callbacks=None, learning_rate=0.05, epochs=n).fit(X, y).score(X, y) for n in range(1, 5)]
    assert [entry["accuracy"] for entry in entries] == expected
    (whole,) = [entry for entry in monitor.get_logs().data if entry["task_name"] == "fit"]
    assert whole["accuracy"] == clf.score(X, y)
    clf.fit(X, y, sample_weight=weights)
    (last,) = [entry for entry in monitor.get_logs().data if entry["task_name"] == "fit"]
    assert last["accuracy"] == pytest.approx(clf.score(X, y, sample_weight=weights))


def test_scoring_monitor_of_a_regressor_and_of_a_solved_head(table, images, labels):
    monitor = ScoringMonitor(scoring="r2")
    reg = TransferRegressor(epochs=2, random_state=0).set_callbacks(monitor).fit(table[0], table[0][:, 0])
    assert monitor.get_logs().data[0]["r2"] == reg.score(table[0], table[0][:, 0])
    assert len(monitor.get_logs().data) == 3
    monitor = ScoringMonitor(scoring="accuracy")
    clf = TransferClassifier(input_shape=(28, 28), image_size=32).set_callbacks(monitor).fit(images, labels)
    assert [entry["accuracy"] for entry in monitor.get_logs().data] == [clf.score(images, labels)]


def test_search_gives_each_candidate_callbacks_of_its_own(table):
    recorder = Recorder()
    search = GridSearchCV(classifier(recorder, epochs=2), {"learning_rate": [0.1, 0.01]}, cv=2).fit(*table)
    assert recorder.calls == []
    assert len(search.best_estimator_.callbacks[0].calls) == 6


def still(metrics, X, y, **changes):
    """Measure what a network gives that learns nothing."""
    return classifier(callbacks=None, learning_rate=0.0, epochs=1, metrics=metrics, **changes).fit(
        X, y, X_val=X[:24], y_val=y[:24]
    )


def brier(y_true, y_pred):
    return keras.ops.sum(keras.ops.square(y_true - y_pred), axis=-1)


def test_metrics_of_classes_see_probabilities(table):
    X, y = table
    km = keras.metrics
    metrics = [
        "crossentropy", km.AUC(name="auc"), km.SparseTopKCategoricalAccuracy(k=1, name="top"), "mse", brier, "accuracy",
        km.F1Score(average="macro"),
    ]  # fmt: skip
    clf = still(metrics, X, y)
    history = {name: values[0] for name, values in clf.history_.items()}
    probabilities, columns = clf.predict_proba(X), np.eye(2)[(y == "yes").astype(int)]
    assert history["crossentropy"] == pytest.approx(log_loss(y, probabilities), rel=1e-4)
    assert history["auc"] == pytest.approx(roc_auc_score(columns.ravel(), probabilities.ravel()), abs=0.01)
    assert history["top"] == pytest.approx(clf.score(X, y))
    assert history["brier"] == pytest.approx(((probabilities - columns) ** 2).sum(axis=1).mean(), rel=1e-4)
    assert history["mse"] == pytest.approx(history["brier"] / 2, rel=1e-4)
    assert history["f1_score"] == pytest.approx(f1_score(y, clf.predict(X), average="macro"), rel=1e-4)
    assert history["val_crossentropy"] == pytest.approx(log_loss(y[:24], probabilities[:24]), rel=1e-4)
    assert history["loss"] == pytest.approx(history["crossentropy"], rel=1e-4)


def test_metrics_are_weighted_and_do_not_change_what_is_learned(table):
    X, y = table
    weights = np.random.default_rng(1).uniform(0.5, 3, size=64)
    metric = keras.metrics.CategoricalCrossentropy(name="own")
    clf = classifier(callbacks=None, metrics=[metric], batch_size=24).fit(X, y, sample_weight=weights)
    plain = classifier(callbacks=None, batch_size=24).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(clf.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_allclose(clf.history_["own"], clf.history_["loss"], rtol=1e-4)
    assert float(metric.result()) == 0.0  # the object itself is only read


def test_metrics_of_a_regressor_are_in_the_units_of_y(table):
    X = table[0]
    y = 1000 + 50 * X[:, 0]
    for values in (y, np.column_stack([y, y / 10])):
        reg = TransferRegressor(epochs=1, learning_rate=0.0, random_state=0, metrics=["mae"]).fit(X, values)
        assert reg.history_["mae"] == pytest.approx([mean_absolute_error(values, reg.predict(X))], rel=1e-4)


def test_metrics_of_labels_see_a_probability_each(table):
    X, y = table
    labels = np.column_stack([y == "yes", X[:, 2] > 0]).astype(int)
    clf = classifier(callbacks=None, learning_rate=0.0, epochs=1, metrics=["ce"]).fit(X, labels)
    expected = np.mean([log_loss(labels[:, task], clf.predict_proba(X)[:, task]) for task in (0, 1)])
    assert clf.history_["ce"] == pytest.approx([expected], rel=1e-4)
    missing = np.where(X[:, :2] > 1, np.nan, labels)
    with pytest.raises(ValueError, match="metrics: expected the same weight of a sample in each task"):
        clf.fit(X, missing)


def test_early_stopping_knows_which_way_a_metric_is_better(table):
    X, y = table
    stopping = kc.EarlyStopping("val_auc", patience=3, restore_best_weights=True)
    metric = keras.metrics.AUC(name="auc")
    clf = classifier(stopping, epochs=30, learning_rate=0.3, metrics=[metric]).fit(X, y, X_val=X[40:], y_val=y[40:])
    assert stopping.best == max(clf.history_["val_auc"])


@pytest.mark.parametrize(
    ("metric", "error", "message"),
    [
        ("acuracy", ValueError, r"metrics\[0\]: expected a name that keras.metrics.get knows. Got 'acuracy'"),
        (keras.metrics.MeanIoU(2), ValueError, r"metrics\[0\]: MeanIoU compares numbers of classes"),
        (keras.metrics.Accuracy(), ValueError, r"metrics\[0\]: Accuracy compares numbers of classes"),
        (keras.metrics.F1Score(), ValueError, r"metrics\[0\]: f1_score cannot be measured of targets and predictions"),
        (keras.metrics.Mean(), ValueError, r"metrics\[0\]: mean cannot be measured of targets and predictions"),
        (3, TypeError, r"metrics\[0\]: expected a name, a keras.metrics.Metric or a function. Got 3"),
        (keras.metrics.AUC(name="loss"), ValueError, "metrics: expected names that differ, and are not 'loss'"),
    ],
)
def test_metric_that_cannot_be_measured_is_refused_before_work_starts(table, metric, error, message, monkeypatch):
    monkeypatch.setattr(supervised_fitting, "split_network", lambda *_: pytest.fail("work has started"))
    with pytest.raises(error, match=message):
        classifier(callbacks=None, metrics=[metric]).fit(*table)


def test_metrics_of_several_tasks_of_classes_are_refused(table):
    X, y = table
    with pytest.raises(ValueError, match="metrics: expected one task, or several of 0 and 1"):
        classifier(callbacks=None, metrics=["mse"]).fit(X, np.column_stack([y, y]))


def test_regressor_refuses_the_accuracy(table):
    with pytest.raises(ValueError, match=r"metrics\[0\]: Accuracy compares numbers of classes"):
        TransferRegressor(epochs=1, metrics=["accuracy"]).fit(table[0], table[0][:, 0])
