"""Fine-tuning on real images: which layers, learning rates, penalties, augmentation, and early stopping."""

import pickle

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils.validation import check_is_fitted

from skltransfer import (
    AutoencoderTransformer,
    GradualUnfreezing,
    LoRA,
    MLPHead,
    TransferClassifier,
    TransferRegressor,
    load_backbone,
)
from skltransfer._engine.augmentation import AUGMENTATIONS, Augmentation, AugmentedSamples, augmentation_json
from skltransfer._estimators.holdout import hold_out
from skltransfer._features import extraction as features
from skltransfer._features import split
from skltransfer._heads.solve import channel_importance
from skltransfer._inputs.image_arrays import ImageArrays
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import ArraySamples
from skltransfer.backbones._cutting import weight_depths


@pytest.fixture(scope="module")
def source(sample):
    """A small network pretrained on six kinds of clothes, none of which is in ``images``."""
    kinds = sorted(set(sample.target))[4:]
    chosen = np.isin(sample.target, kinds)
    fitted = TransferClassifier("small_cnn", trainable="all", epochs=15, random_state=0)
    return fitted.fit(sample.images[chosen], sample.target[chosen]).backbone_


@pytest.fixture(scope="module")
def normed(sample):
    """A pretrained network with batch normalizations."""
    fitted = TransferClassifier("small_resnet", epochs=10, random_state=0)
    return fitted.fit(sample.images[:60], sample.target[:60]).backbone_


def tune(backbone, trainable, images, labels, **options):
    options = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "random_state": 0, **options}
    return TransferClassifier(backbone, trainable=trainable, **options).fit(images, labels)


def changed(before, after):
    return [
        path
        for path, old, new in zip(before.paths, before.weights, after.weights, strict=True)
        if not np.array_equal(old, new)
    ]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_only_the_last_stages_are_fine_tuned(source, images, labels, k):
    tuned = tune(source, k, images, labels)
    depths = dict(zip(source.paths, weight_depths(source), strict=True))
    assert changed(source, tuned.backbone_) == [path for path in source.paths if depths[path] < k]
    assert tuned.backbone_.stages == source.stages


def test_frozen_part_runs_once_a_sample_however_many_epochs_and_candidates(source, images, labels, empty_store):
    before = features.n_computed
    grid = {"learning_rate": [1e-4, 1e-3], "layer_decay": [0.5, 1.0]}
    estimator = TransferClassifier(source, trainable=2, epochs=3, solve_head=False, random_state=0)
    search = GridSearchCV(estimator, grid, cv=2, scoring=lambda *_: 0.0).fit(images, labels)
    assert features.n_computed - before == len(images)
    assert search.best_estimator_.n_iter_ == 3


@pytest.mark.backends
def test_cut_network_trains_as_the_whole_one_does(source, images, labels, monkeypatch):
    cut = tune(source, 2, images, labels)
    monkeypatch.setattr(split, "FROZEN_BYTES", 0)
    whole = tune(source, 2, images, labels)
    assert whole.model_.network.below is None
    assert cut.model_.network.below is not None
    for one, other in zip(cut.backbone_.weights, whole.backbone_.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    np.testing.assert_allclose(cut.predict_proba(images), whole.predict_proba(images), atol=1e-3)


@pytest.mark.parametrize(
    "trainable",
    ["all", 2, "lora", pytest.param(LoRA(2, where=2), marks=pytest.mark.backends), GradualUnfreezing(1)],
    ids=str,
)
def test_training_starts_from_the_solved_head(source, images, labels, trainable):
    still = tune(source, trainable, images, labels, learning_rate=0.0)
    solved = TransferClassifier(source, features="last", C=0.1).fit(images, labels)
    assert changed(source, still.backbone_) == []
    np.testing.assert_allclose(still.predict_proba(images), solved.predict_proba(images), atol=1e-4)
    fresh = tune(source, trainable, images, labels, learning_rate=0.0, solve_head=False)
    assert np.abs(fresh.predict_proba(images) - solved.predict_proba(images)).max() > 0.05


def test_fine_tuning_lowers_the_loss_that_the_solved_head_leaves(source, images, labels):
    history = tune(source, "all", images, labels, epochs=10, C=1e-3).history_
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    assert len(history["loss"]) == len(history["learning_rate"]) == 10


def test_norm_fine_tunes_scales_and_shifts_alone(normed, images, labels):
    moved = changed(normed, tune(normed, "norm", images, labels).backbone_)
    assert moved
    assert {path.rpartition("/")[2] for path in moved} == {"gamma", "beta"}


@pytest.mark.parametrize("trainable", ["all", 2])
def test_statistics_stay_unless_asked(normed, images, labels, trainable):
    def statistics(batch_norm):
        moved = changed(normed, tune(normed, trainable, images, labels, batch_norm=batch_norm).backbone_)
        return [path for path in moved if "moving" in path]

    assert statistics("auto") == statistics("inference") == []
    assert statistics("train")
    if trainable == 2:
        depths = dict(zip(normed.paths, weight_depths(normed), strict=True))
        assert all(depths[path] < 2 for path in statistics("train"))


@pytest.mark.parametrize("where", ["all", 2])
def test_lora_changes_kernels_by_matrices_of_low_rank(source, images, labels, where):
    tuned = tune(source, LoRA(rank=3, where=where), images, labels, learning_rate=0.01)
    depths = dict(zip(source.paths, weight_depths(source), strict=True))
    wanted = [p for p in source.paths if p.endswith("kernel") and (where == "all" or depths[p] < where)]
    assert changed(source, tuned.backbone_) == wanted
    for path, old, new in zip(source.paths, source.weights, tuned.backbone_.weights, strict=True):
        if path in wanted:
            change = (new - old).reshape(-1, old.shape[-1])
            assert np.linalg.matrix_rank(change, tol=1e-5) <= 3


@pytest.mark.backends
def test_gradual_unfreezing_starts_with_the_last_stage(source, images, labels):
    schedule = GradualUnfreezing(every=2)
    none = tune(source, schedule, images, labels, epochs=2)
    assert changed(source, none.backbone_) == []
    last = tune(source, schedule, images, labels, epochs=4)
    assert {path.split("/")[0] for path in changed(source, last.backbone_)} == {"dense"}


@pytest.mark.backends
def test_layer_decay_changes_early_layers_less(source, images, labels):
    def distances(decay):
        tuned = tune(source, "all", images, labels, layer_decay=decay)
        return [float(np.linalg.norm(n - o)) for n, o in zip(tuned.backbone_.weights, source.weights, strict=True)]

    ratio = np.array(distances(0.1)) / distances(1.0)
    kernels = ratio[::2]
    assert (np.diff(kernels) > 0).all()
    assert kernels[0] < 0.05


@pytest.mark.backends
def test_l2_sp_penalty_keeps_weights_near(source, images, labels):
    def distance(**options):
        tuned = tune(source, "all", images, labels, epochs=10, **options)
        pairs = zip(tuned.backbone_.weights, source.weights, strict=True)
        return sum(float(np.sum(np.square(new - old))) for new, old in pairs)

    assert distance(l2_sp=10.0) < 0.2 * distance()


@pytest.mark.parametrize("penalty", ["l2_sp", "delta"])
@pytest.mark.parametrize("estimator", [TransferClassifier, TransferRegressor, AutoencoderTransformer])
def test_penalties_count_by_their_strength_in_double_precision(estimator, penalty):
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    options = {"trainable": "all", "schedule": "constant", "warmup": 0.0, "random_state": 0}
    start = estimator(hidden=(4,), epochs=1) if estimator is AutoencoderTransformer else estimator("mlp", epochs=1)
    start = start.set_params(**options).fit(X, y).backbone_
    assert start.weights[0].dtype == np.float64

    def second_loss(strength):  # the first step is the same, as nothing has left its start
        return estimator(start, epochs=2, **options).set_params(**{penalty: strength}).fit(X, y).history_["loss"][1]

    losses = np.diff([second_loss(strength) for strength in (1.0, 2.0, 4.0)])
    assert losses[1] == pytest.approx(2 * losses[0], rel=1e-2)
    assert losses[0] > 1e-5


def test_regularizers_of_a_network_in_double_precision():
    dense = keras.layers.Dense(3, activation="relu", kernel_regularizer=keras.regularizers.L2(0.5), dtype="float64")
    network = keras.Sequential([keras.Input((3,), dtype="float64"), dense])
    X, penalty = np.random.default_rng(0).normal(size=(20, 3)), 0.5 * float(np.sum(np.square(dense.get_weights()[0])))
    fitted = TransferRegressor(network, trainable="all", epochs=1, batch_size=20, alpha=1e9, random_state=0)
    fitted.fit(X, np.repeat([-1.0, 1.0], 10))
    assert fitted.history_["loss"][0] == pytest.approx(0.5 + penalty, rel=1e-5)  # values are standardized


@pytest.mark.backends
def test_delta_penalty_keeps_features_near(source, images, labels):
    solved = TransferClassifier(source, features="last").fit(images, labels)
    start = solved.model_.network.features(ArraySamples(images[..., None]), None)

    def drift(delta):
        tuned = tune(source, "all", images, labels, epochs=10, delta=delta)
        return np.mean(np.square(tuned.model_.network.features(ArraySamples(images[..., None]), None) - start))

    assert drift(100.0) < 0.2 * drift(0.0)


def test_channels_that_the_head_needs_count_more(images, labels):
    from skltransfer._heads.solve import solve
    from skltransfer._targets.labels import LabelEncoding

    random = np.random.default_rng(0)
    encoding = LabelEncoding.learn(labels)
    targets = encoding.targets(labels, np.ones(len(labels)), None)
    seen = np.column_stack([targets.values @ random.normal(size=(4, 3)), random.normal(size=(40, 5)) * 0.01])
    importance = channel_importance(seen, targets, solve(seen, targets, C=10.0))
    assert importance.mean() == pytest.approx(1.0)
    assert importance[:3].min() > importance[3:].max()


@pytest.mark.backends
def test_weight_decay_shrinks_kernels(source, images, labels):
    def size(decay):
        tuned = tune(source, "all", images, labels, weight_decay=decay, learning_rate=1e-3)
        return sum(float(np.sum(np.square(w))) for w in tuned.backbone_.weights if w.ndim > 1)

    assert size(20.0) < size(0.0)


@pytest.mark.parametrize("options", [{"mixup": 0.4}, {"label_smoothing": 0.2}])
def test_softer_targets_give_softer_answers(source, images, labels, options):
    plain, soft = (tune(source, "all", images, labels, epochs=30, **o) for o in ({}, options))
    confident = [clf.predict_proba(images).max(axis=1).mean() for clf in (plain, soft)]
    assert confident[1] < confident[0]
    assert soft.score(images, labels) > 0.9


@pytest.mark.parametrize("trainable", ["head", 2])
def test_frozen_part_computes_each_view_of_a_sample_once(source, images, labels, trainable, empty_store):
    before = features.n_computed
    first = tune(source, trainable, images, labels, augmentation="flip_shift", n_views=3, epochs=5, solve_head=False)
    assert features.n_computed - before == 3 * len(images)
    again = tune(source, trainable, images, labels, augmentation="flip_shift", n_views=3, epochs=5, solve_head=False)
    assert features.n_computed - before == 3 * len(images)
    np.testing.assert_array_equal(first.predict_proba(images), again.predict_proba(images))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.backends) if name == "flip_shift" else name for name in AUGMENTATIONS]
)
def test_views_are_functions_of_the_sample_alone(name, images):
    change = Augmentation(augmentation_json(name), InputFormat(ImageArrays(), (28, 28, 1)), seed=1)
    rows = AugmentedSamples(ArraySamples(images[..., None]), change, view=1)
    alone = np.concatenate([rows.read([i]) for i in range(6)])
    np.testing.assert_array_equal(alone, rows.read(range(6)))
    assert alone.dtype == np.uint8
    assert not np.array_equal(alone, images[:6, ..., None])
    other = AugmentedSamples(ArraySamples(images[..., None]), change, view=2)
    assert not np.array_equal(other.read(range(40)), rows.read(range(40)))
    assert rows.digest(0) != other.digest(0)
    fractions = Augmentation(augmentation_json(name), InputFormat(ImageArrays(), (28, 28, 1), 0, 1), seed=1)
    np.testing.assert_allclose(
        fractions.change(images[:3, ..., None] / 255.0, [b"a", b"b", b"c"]),
        change.change(images[:3, ..., None].astype(float), [b"a", b"b", b"c"]) / 255,
        atol=1e-5,
    )


@pytest.mark.backends
def test_augmentation_inside_the_network_is_for_training_only(source, images, labels):
    import keras

    layer = keras.Sequential([keras.layers.RandomFlip("vertical", seed=3), keras.layers.RandomContrast(0.2, seed=4)])
    tuned = tune(source, "all", images, labels, augmentation=layer, epochs=3)
    plain = tune(source, "all", images, labels, epochs=3)
    assert tuned.history_["loss"] != plain.history_["loss"]
    np.testing.assert_array_equal(tuned.predict_proba(images), tuned.predict_proba(images))


def test_held_out_samples_stop_training_and_the_best_weights_are_kept(source, images, labels):
    tuned = tune(
        source, "all", images, labels, epochs=40, early_stopping=True, n_iter_no_change=2, validation_fraction=0.3,
        learning_rate=0.01,
    )  # fmt: skip
    losses = tuned.history_["val_loss"]
    assert tuned.n_iter_ == len(losses) < 40
    best = int(np.argmin(losses))
    shorter = tune(
        source, "all", images, labels, epochs=40, early_stopping=True, n_iter_no_change=len(losses) - best - 1 or 1,
        validation_fraction=0.3, learning_rate=0.01,
    )  # fmt: skip
    assert min(shorter.history_["val_loss"]) == losses[best]


@pytest.mark.backends
def test_weights_of_the_best_epoch_give_its_loss(source, images, labels):
    held = np.arange(40) % 5 == 0
    options = {
        "epochs": 60,
        "learning_rate": 0.02,
        "schedule": "constant",
        "early_stopping": True,
        "n_iter_no_change": 3,
    }
    tuned = TransferClassifier(source, trainable="all", batch_size=16, random_state=0, **options)
    tuned.fit(images[~held], labels[~held], X_val=images[held], y_val=labels[held])
    codes = np.searchsorted(tuned.classes_, labels[held])
    loss = -tuned.predict_log_proba(images[held])[np.arange(len(codes)), codes].mean()
    assert loss == pytest.approx(min(tuned.history_["val_loss"]), abs=1e-4)
    assert min(tuned.history_["val_loss"]) < tuned.history_["val_loss"][-1]


def test_each_class_is_held_out_and_groups_stay_whole(images, labels):
    encoding = TransferClassifier("small_cnn", epochs=1, random_state=0).fit(images, labels).model_.encoding
    targets = encoding.targets(labels, np.ones(40), None)
    _, kept, held = hold_out(ArraySamples(images), targets, None, share=0.2, seed=0)
    assert held[1].values.sum(axis=0).tolist() == [2, 2, 2, 2]
    assert kept.values.sum(axis=0).tolist() == [8, 8, 8, 8]
    groups = np.arange(40) % 10
    rows, _, (out, _) = hold_out(ArraySamples(np.arange(40)), targets, groups, share=0.2, seed=0)
    assert set(rows.values % 10).isdisjoint(out.values % 10)
    assert len(out) == 8


def test_validation_loss_changes_nothing_without_early_stopping(source, images, labels):
    watched = TransferClassifier(source, trainable=2, epochs=3, random_state=0)
    watched.fit(images[:30], labels[:30], X_val=images[30:], y_val=labels[30:])
    alone = TransferClassifier(source, trainable=2, epochs=3, random_state=0).fit(images[:30], labels[:30])
    assert len(watched.history_["val_loss"]) == 3
    np.testing.assert_array_equal(watched.predict_proba(images), alone.predict_proba(images))


def test_solved_head_uses_all_samples(source, images, labels):
    stopping = TransferClassifier(source, early_stopping=True, random_state=0).fit(images, labels)
    plain = TransferClassifier(source).fit(images, labels)
    np.testing.assert_array_equal(stopping.predict_proba(images), plain.predict_proba(images))


def test_warm_start_goes_on_from_the_last_fit(source, images, labels):
    clf = TransferClassifier(source, trainable="all", epochs=5, warm_start=True, random_state=0).fit(images, labels)
    first = clf.history_["loss"]
    clf.fit(images, labels)
    assert clf.history_["loss"][0] < 0.9 * first[0]
    fresh = TransferClassifier(source, trainable="all", epochs=5, random_state=0).fit(images, labels)
    assert fresh.fit(images, labels).history_["loss"] == first


@pytest.mark.parametrize("backbone", ["small_cnn", "source"])
def test_partial_fit_learns_from_parts(backbone, source, images, labels):
    start = source if backbone == "source" else backbone
    clf = TransferClassifier(start, trainable="all", learning_rate=1e-3, batch_size=8, random_state=0)
    for _ in range(12):
        for part in (slice(20), slice(20, None)):
            clf.partial_fit(images[part], labels[part], classes=sorted(set(labels)))
    assert clf.score(images, labels) > 0.8
    assert clf.history_["loss"][-1] < 0.7
    assert len(clf.history_["loss"]) == clf.n_iter_ == 24


def test_partial_fit_from_scratch_keeps_moving_the_network(images, labels):
    clf = TransferClassifier("small_cnn", random_state=0)
    first = clf.partial_fit(images, labels, classes=sorted(set(labels))).backbone_
    assert changed(first, clf.partial_fit(images, labels).backbone_) == list(first.paths)


@pytest.fixture(scope="module")
def columns():
    """A table of two classes, and a network in double precision for it."""
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    return X, y, TransferClassifier("mlp", epochs=1, random_state=0).fit(X, y).backbone_


@pytest.mark.parametrize(
    "options", [{"l2_sp": 1.0}, {"trainable": LoRA(rank=1)}, {"trainable": "head", "head": MLPHead((4,), dropout=0.5)}]
)
def test_calls_of_partial_fit_are_epochs_of_one_fit(columns, options):
    X, y, start = columns
    options = {"trainable": "all", "batch_size": 8, "schedule": "constant", "warmup": 0.0, "random_state": 0, **options}
    whole = TransferClassifier(start, epochs=3, **options).fit(X, y)
    parts = TransferClassifier(start, **options)
    for _ in range(3):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(X, y, classes=[0, 1])))
    np.testing.assert_array_equal(parts.predict_proba(X), whole.predict_proba(X))
    assert parts.history_ == whole.history_
    assert parts.n_iter_ == 3


def test_calls_of_partial_fit_go_on_in_regressors_and_autoencoders(columns):
    X, y, _ = columns
    options = {"batch_size": 8, "schedule": "constant", "warmup": 0.0, "random_state": 0}
    for estimator in (TransferRegressor("mlp", **options), AutoencoderTransformer(hidden=(4,), **options)):
        whole = clone(estimator).set_params(epochs=2).fit(X, y)
        assert estimator.partial_fit(X, y).partial_fit(X, y).history_ == whole.history_


def test_partial_fit_counts_on_after_a_fit(columns):
    X, y, start = columns
    clf = TransferClassifier(start, trainable=1, epochs=2, early_stopping=True, random_state=0).fit(X, y)
    before = clf.history_
    clf.partial_fit(X, y)
    assert (clf.n_iter_, clf.model_.n_epochs) == (3, 3)
    assert clf.history_["loss"][:2] == before["loss"]
    assert np.isnan(clf.history_["val_loss"][2])
    clf.set_params(trainable="head", head="linear").partial_fit(X, y)  # another network is trained
    assert len(clf.history_["loss"]) == clf.n_iter_ == 4
    assert len(clf.fit(X, y).history_) == 0


def test_partial_fit_keeps_to_the_tasks_that_it_began_with(columns):
    X, y, start = columns
    both = np.column_stack([y, y[::-1]])
    one = TransferClassifier(start, random_state=0).partial_fit(X, y, classes=[0, 1])
    with pytest.raises(
        ValueError, match=r"y: expected labels of shape \(n_samples,\), .*\. Got an array of shape \(20, 2\)"
    ):
        one.partial_fit(X, both)
    two = TransferClassifier(start, random_state=0).partial_fit(X, both, classes=[[0, 0], [1, 1]])
    assert two.predict(X).shape == (20, 2)
    for wrong in (y, np.column_stack([both, y])):
        with pytest.raises(ValueError, match=r"y: expected labels of shape \(n_samples, 2\), .* Got an array of shape"):
            two.partial_fit(X, wrong)
    with pytest.raises(ValueError, match=r"y: expected 1 columns, as in the first call\. Got 2"):
        TransferRegressor(start, random_state=0).partial_fit(X, y).partial_fit(X, both)


def test_partial_fit_needs_all_classes_at_once(source, images, labels):
    clf = TransferClassifier(source)
    with pytest.raises(ValueError, match=r"expected all labels at the first call of partial_fit\. Got None"):
        clf.partial_fit(images, labels)
    clf.partial_fit(images[:20], labels[:20], classes=sorted(set(labels[:20])))
    with pytest.raises(ValueError, match=r"expected labels that fit saw, .* Got \['.*'\] as well"):
        clf.partial_fit(images[:20], np.where(labels[:20] == labels[0], "new", labels[:20]))


@pytest.mark.parametrize("head", ["mlp", MLPHead((32, 16), dropout=0.1)], ids=str)
@pytest.mark.parametrize("trainable", ["head", 1])
def test_heads_with_hidden_layers(source, images, labels, head, trainable):
    tuned = tune(source, trainable, images, labels, head=head, epochs=60, learning_rate=0.01)
    assert tuned.score(images, labels) > 0.9
    assert (changed(source, tuned.backbone_) == []) == (trainable == "head")


def test_zero_weight_is_an_absent_sample(source, images, labels):
    weights = np.where(np.arange(40) % 3 == 0, 0.0, 1.0)
    weighted = TransferClassifier(source, trainable=2, epochs=2, random_state=0)
    weighted.fit(images, labels, sample_weight=weights)
    absent = tune(source, 2, images[weights > 0], labels[weights > 0], batch_size="auto", learning_rate="auto")
    np.testing.assert_array_equal(weighted.predict_proba(images), absent.predict_proba(images))


def test_scale_of_all_weights_changes_nothing(source, images, labels):
    one, ten = (
        TransferClassifier(source, trainable="all", epochs=2, solve_head=False, random_state=0).fit(
            images, labels, sample_weight=np.full(40, size)
        )
        for size in (1.0, 10.0)
    )
    np.testing.assert_allclose(one.predict_proba(images), ten.predict_proba(images), atol=1e-5)


@pytest.mark.backends
def test_same_random_state_is_bit_identical_with_everything_on(source, images, labels):
    options = {"augmentation": "flip", "mixup": 0.2, "label_smoothing": 0.1, "l2_sp": 0.1, "delta": 0.1,
               "weight_decay": 0.1, "layer_decay": 0.8, "early_stopping": True, "head": "linear"}  # fmt: skip
    first, other, again = (
        tune(source, "all", images, labels, random_state=seed, **options).predict_proba(images) for seed in (1, 2, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_progress_bar_is_drawn_if_asked(source, images, labels, capsys):
    tune(source, "all", images, labels)
    assert capsys.readouterr().out == ""
    tune(source, "all", images, labels, verbose=1)
    assert "TransferClassifier: loss" in capsys.readouterr().out


def test_epochs_are_tasks_of_scikit_learns_callbacks(source, images, labels, capsys):
    search = GridSearchCV(TransferClassifier(source, trainable=1, epochs=2, random_state=0), {"C": [0.1, 1]}, cv=2)
    search.set_callbacks(ProgressBar()).fit(images, labels)
    printed = capsys.readouterr().out
    assert "GridSearchCV" in printed
    assert printed.count("TransferClassifier - fit") >= 5  # two candidates on two folds, and the last fit


def test_keras_callbacks_are_used_as_they_are_and_can_stop(source, images, labels):
    import keras

    class Counter(keras.callbacks.Callback):
        seen = 0

        def on_epoch_end(self, epoch, logs=None):
            self.seen += 1
            if epoch == 1:
                self.model.stop_training = True

    counter = Counter()
    tuned = tune(source, "all", images, labels, epochs=9, callbacks=[counter])
    assert tuned.n_iter_ == counter.seen == 2


def test_diverging_fit_names_epoch_and_rate_and_keeps_the_earlier_fit(source, images, labels):
    clf = TransferClassifier(source, trainable="all", random_state=0)
    with pytest.raises(ValueError, match=r"The loss is \S+ in epoch \d+ at learning_rate=1e\+30. Pass a smaller"):
        clf.set_params(learning_rate=1e30, epochs=20).fit(images, labels)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        check_is_fitted(clf)
    before = clf.set_params(learning_rate="auto", epochs="auto").fit(images, labels).predict_proba(images)
    with pytest.raises(ValueError, match=r"The loss is \S+ in epoch \d+ at learning_rate=1e\+30. Pass a smaller"):
        clf.set_params(learning_rate=1e30, epochs=20).fit(images, labels)
    np.testing.assert_array_equal(clf.predict_proba(images), before)


def test_interrupted_fit_does_not_claim_to_be_fitted(source, images, labels):
    import keras

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt("by the user")

    clf = TransferClassifier(source, trainable="all", epochs=2, random_state=0).fit(images, labels)
    before = clf.predict_proba(images)
    with pytest.raises(KeyboardInterrupt, match="by the user"):
        clf.set_params(callbacks=[Interrupt()]).fit(images, labels)
    np.testing.assert_array_equal(clf.predict_proba(images), before)
    np.testing.assert_array_equal(clf.set_params(callbacks=None).fit(images, labels).predict_proba(images), before)


def test_search_inside_the_values_of_trainable(source, images, labels):
    estimator = TransferClassifier(source, trainable=LoRA(), epochs=1, random_state=0)
    tuned = GridSearchCV(estimator, {"trainable__rank": [1]}, cv=2).fit(images, labels).best_estimator_.backbone_
    change = (
        dict(zip(source.paths, tuned.weights, strict=True))["dense/kernel"]
        - dict(zip(source.paths, source.weights, strict=True))["dense/kernel"]
    )
    assert np.linalg.matrix_rank(change, tol=1e-5) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trainable": 9}, r"trainable: expected 'all' or a number of stages from 1 to 4, .* Got 9"),
        ({"trainable": "norm"}, r"none of the last 4 stages of the backbone has a normalization\. Pass another"),
        ({"trainable": "lora", "l2_sp": 1.0}, "l2_sp penalizes weights that LoRA does not change"),
        ({"trainable": 1, "head": "big"}, "The 'head' parameter must be 'linear', 'mlp' or MLPHead"),
        ({"trainable": 1, "augmentation": "flop"}, "Did you mean 'flip'"),
        ({"trainable": 1, "checkpoint": "x"}, "checkpoint: expected an int as random_state"),
        ({"trainable": 1, "learning_rate": -0.1}, "The 'learning_rate' parameter"),
        ({"trainable": 1, "layer_decay": 0.0}, "The 'layer_decay' parameter"),
        ({"trainable": 1, "warmup": 1.0}, "The 'warmup' parameter"),
        ({"trainable": 1, "schedule": "step"}, "The 'schedule' parameter"),
        ({"trainable": 1, "batch_norm": "eval"}, "The 'batch_norm' parameter"),
        ({"trainable": 1, "n_views": 1}, "The 'n_views' parameter"),
        ({"trainable": 1, "early_stopping": True, "validation_fraction": 0.05}, "holds out 2 of them. Expected at"),
        ({"trainable": 1, "label_smoothing": 1.0}, "The 'label_smoothing' parameter"),
    ],
)
def test_impossible_training_is_refused_before_work_starts(source, images, labels, options, message):
    before = features.n_computed
    with pytest.raises(ValueError, match=message):
        TransferClassifier(source, **options).fit(images, labels)
    assert features.n_computed - before <= 1  # one row tells how large the features are


def test_lora_on_a_network_without_kernels_is_refused(images, labels):
    import keras

    inputs = keras.Input((28, 28, 1))
    network = keras.Model(inputs, keras.layers.DepthwiseConv2D(3, strides=2)(inputs))
    with pytest.raises(ValueError, match="none of the last 1 stages of the backbone has a kernel that LoRA can change"):
        TransferClassifier(network, trainable="lora").fit(images, labels)


def test_augmentation_of_a_table_is_refused(flat, labels):
    with pytest.raises(ValueError, match=r"augmentation changes images\. Got a table of 784 columns; pass"):
        TransferClassifier(augmentation="flip").fit(flat, labels)


def test_class_that_stands_alone_cannot_be_held_out(source, images, labels):
    alone = np.r_[0:30, 39] if len(set(labels[:30])) > 1 else np.arange(31)
    y = np.where(np.arange(len(alone)) == 0, "alone", labels[alone])
    with pytest.raises(ValueError, match="Got a class with 1 sample; add samples, pass X_val and y_val"):
        TransferClassifier(source, trainable=1, early_stopping=True).fit(images[alone], y)


def test_embedded_network_fine_tuned(images, labels):
    lite0 = load_backbone("efficientnet_lite0")
    tuned = tune(lite0, 2, images, labels, image_size=32, epochs=3, learning_rate=1e-4)
    assert tuned.score(images, labels) > 0.9
    assert tuned.backbone_ != lite0
    assert tuned.backbone_.stages == lite0.stages
    again = TransferClassifier(tuned.backbone_, image_size=32).fit(images, labels)
    assert again.score(images, labels) > 0.9
