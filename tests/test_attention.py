"""The attention head, and maps of where a network looks."""

import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skltransfer import AttentionHead, TransferClassifier, TransferRegressor, load_backbone
from skltransfer._features import split
from skltransfer._heads.head import Head, average_places, head_of_channels
from skltransfer._heads.parameters import head_layers
from skltransfer.backbones._attention import patch_grid, rollout
from skltransfer.backbones._builders import small_transformer
from skltransfer.backbones._conversion import from_keras
from skltransfer.backbones._text import text_encoder

NO_PLACES = (
    r"head='attention' weighs the places of a grid or sequence\. Got a backbone that gives one vector of 64 values"
)
OPTIONS = {"image_size": 64, "epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def attending(images, labels):
    return TransferClassifier(head="attention", learning_rate=0.01, **OPTIONS).fit(images, labels)


@pytest.fixture(scope="module")
def transformer(images, labels):
    return TransferClassifier("small_transformer", epochs=1, random_state=0).fit(images, labels)


def head_of(n_channels=7, n_heads=3, *, padded=False, seed=0):
    random = np.random.default_rng(seed)
    queries = random.normal(0, 3, (n_channels, n_heads))
    return Head(random.normal(size=(n_channels, 2)), random.normal(size=2), 1, queries=queries, padded=padded)


def maps_of(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape)


def pooled_slowly(head, row):
    """Pool one row of shape (n_places, n_channels), place by place."""
    n_channels, n_heads = head.queries.shape
    pooled = np.zeros(n_channels)
    for number in range(n_heads):
        matches = []
        for place in row:
            normal = place / np.sqrt(np.mean(row**2) + 1e-12)
            matches.append(np.exp(normal @ head.queries[:, number] / np.sqrt(n_channels)))
        for place, match in zip(row, matches, strict=True):
            own = head_of_channels(n_channels, n_heads) == number
            pooled[own] += match / sum(matches) * place[own]
    return pooled


def test_pooling_is_the_one_written_by_hand():
    head, maps = head_of(), maps_of(4, 2, 3, 7)
    slow = np.stack([pooled_slowly(head, row.reshape(6, 7)) for row in maps])
    np.testing.assert_allclose(head.pool(maps), slow)
    np.testing.assert_allclose(head(maps), head.decide(slow))


@given(st.integers(1, 40), st.integers(1, 12))
def test_channels_are_shared_out_evenly(n_channels, n_heads):
    owner = head_of_channels(n_channels, n_heads)
    counts = np.bincount(owner, minlength=n_heads)
    assert len(owner) == n_channels
    assert np.ptp(counts) <= 1


@given(st.permutations(range(6)), st.booleans())
def test_order_of_places_changes_nothing(order, padded):
    head, maps = head_of(padded=padded), maps_of(3, 6, 7)
    np.testing.assert_allclose(head.pool(maps[:, order]), head.pool(maps))
    np.testing.assert_allclose(head.attention(maps[:, order]), head.attention(maps)[:, order])


@given(st.integers(0, 5))
def test_places_after_the_end_count_nothing(n_filled):
    head, maps = head_of(padded=True), maps_of(3, 6, 7)
    filled = np.concatenate([maps, np.zeros((3, n_filled, 7))], axis=1)
    np.testing.assert_allclose(head.pool(filled), head.pool(maps))
    assert np.all(head.attention(filled)[:, 6:] == 0)
    np.testing.assert_allclose(head.attention(filled).sum(axis=1), 1)
    np.testing.assert_allclose(average_places([filled], padded=True), maps.mean(axis=1))


def test_queries_of_zero_average():
    maps = maps_of(3, 4, 4, 7)
    head = replace(head_of(), queries=np.zeros((7, 3)))
    np.testing.assert_allclose(head.pool(maps), maps.mean(axis=(1, 2)))


@pytest.mark.backends
def test_training_starts_as_the_solved_head_on_averages(images, labels):
    still = TransferClassifier(head="attention", learning_rate=0, **OPTIONS).fit(images, labels)
    solved = TransferClassifier(image_size=64, features="last", C=0.1).fit(images, labels)
    np.testing.assert_allclose(still.decision_function(images), solved.decision_function(images), atol=1e-4)
    np.testing.assert_allclose(still.attention_maps(images), 1 / 4)


@pytest.mark.backends
def test_network_and_array_head_agree(attending, images, labels):
    again = TransferClassifier(head="attention", solve_head=False, **OPTIONS)
    again.fit(images, labels, X_val=images, y_val=labels)
    log_proba = again.predict_log_proba(images)
    loss = -np.mean(log_proba[np.arange(len(labels)), np.searchsorted(again.classes_, labels)])
    assert again.history_["val_loss"][-1] == pytest.approx(loss, rel=1e-4)


@pytest.mark.backends
def test_same_fit_twice_is_bit_identical_and_so_is_a_pickle(attending, images, labels):
    again = TransferClassifier(head="attention", learning_rate=0.01, **OPTIONS).fit(images, labels)
    expected = attending.decision_function(images)
    np.testing.assert_array_equal(again.decision_function(images), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(attending)).decision_function(images), expected)
    assert np.ptp(attending.attention_maps(images)) > 0


def test_a_frozen_part_too_large_to_keep_is_computed_in_each_epoch(attending, images, labels, monkeypatch):
    monkeypatch.setattr(split, "FROZEN_BYTES", 1)
    again = TransferClassifier(head="attention", learning_rate=0.01, **OPTIONS).fit(images, labels)
    np.testing.assert_allclose(again.decision_function(images), attending.decision_function(images), atol=1e-3)
    assert again.backbone_ == attending.backbone_


@pytest.mark.parametrize("trainable", [1, "lora"])
def test_backbone_and_head_are_trained_together(attending, images, labels, trainable):
    both = TransferClassifier(head="attention", trainable=trainable, **OPTIONS).fit(images, labels)
    assert both.backbone_ != attending.backbone_
    assert both.history_["loss"][-1] < both.history_["loss"][0]
    np.testing.assert_allclose(both.attention_maps(images).sum(axis=(1, 2)), 1)


def test_warm_start_partial_fit_and_checkpoint(images, labels, tmp_path):
    options = {"head": "attention", **OPTIONS}
    warm = TransferClassifier(warm_start=True, **options).fit(images, labels)
    first = warm.history_["loss"]
    assert warm.fit(images, labels).history_["loss"][-1] < first[0]
    part = TransferClassifier(**options).partial_fit(images, labels, classes=np.unique(labels))
    assert part.partial_fit(images, labels).predict(images).shape == labels.shape
    kept = TransferClassifier(checkpoint=tmp_path, **options).fit(images, labels)
    resumed = TransferClassifier(checkpoint=tmp_path, **options).fit(images, labels)
    np.testing.assert_array_equal(kept.decision_function(images), resumed.decision_function(images))


def test_several_tasks_and_weights(images, labels):
    y = np.column_stack([labels == labels[0], labels == labels[-1]]).astype(int)
    weights = np.linspace(0, 1, len(images))
    clf = TransferClassifier(head=AttentionHead(2, dropout=0.1), **OPTIONS).fit(images, y, sample_weight=weights)
    assert clf.predict(images).shape == y.shape
    for method in ("head", "grad_cam"):
        np.testing.assert_allclose(clf.attention_maps(images, method=method).sum(axis=(1, 2)), 1)
    reg = TransferRegressor(head="attention", **OPTIONS).fit(images, images.mean(axis=(1, 2)))
    np.testing.assert_allclose(reg.attention_maps(images, method="grad_cam").sum(axis=(1, 2)), 1)
    with pytest.raises(ValueError, match="targets: a regressor has no classes to choose"):
        reg.attention_maps(images, method="grad_cam", targets=labels)


def test_vectors_have_no_places(images, labels):
    with pytest.raises(ValueError, match=NO_PLACES):
        TransferClassifier("small_cnn", head="attention").fit(images, labels)
    with pytest.raises(ValueError, match=NO_PLACES):
        TransferClassifier(head="attention").fit(images.reshape(len(images), -1), labels)
    vectors = TransferClassifier("small_cnn", epochs=1).fit(images, labels)
    with pytest.raises(ValueError, match="attention_maps shows the places of a grid or sequence"):
        vectors.attention_maps(images)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (AttentionHead(0), r"AttentionHead\(n_heads=…\): expected a whole number of at least 1. Got 0"),
        (AttentionHead(1.5), r"AttentionHead\(n_heads=…\): expected a whole number of at least 1. Got 1.5"),
        (AttentionHead(dropout=1), r"AttentionHead\(dropout=…\): expected a share from 0 to below 1. Got 1"),
        ("atention", "must be 'linear', 'mlp' or MLPHead"),
    ],
)
def test_attention_that_cannot_be_is_refused(head, message):
    with pytest.raises(ValueError, match=message):
        head_layers(head)


def asked(network, x):
    import keras

    return keras.ops.convert_to_numpy(network(x))


def rollout_by_hand(model, names, x):
    """Multiply (A + I) / 2 of every block, and average over the places that look."""
    import keras

    total = None
    for name in names:
        layer = model.get_layer(name)
        before = keras.Model(model.inputs[0], layer.input[0])(x)
        _, scores = layer(before, before, return_attention_scores=True)
        attention = keras.ops.convert_to_numpy(scores).mean(axis=1)
        half = (attention + np.eye(attention.shape[1])) / 2
        total = half if total is None else half @ total
    return total.mean(axis=1)


@pytest.mark.backends
def test_rollout_is_the_product_of_all_blocks(transformer, images):
    backbone, x = transformer.backbone_, images[:3, ..., None].astype("float32")
    slow = rollout_by_hand(backbone.to_keras(), [f"block{i}_attention" for i in range(4)], x)
    np.testing.assert_allclose(asked(rollout(backbone).to_keras(), x), slow, atol=1e-5)
    maps = transformer.attention_maps(images, method="rollout")
    assert maps.shape == (40, 7, 7)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1, rtol=1e-5)
    assert np.ptp(maps) > 0


def test_rollout_leaves_out_what_texts_are_filled_up_with():
    encoder = text_encoder(vocabulary=20, longest=16, width=8, depth=2, n_heads=2, inner=8, epsilon=1e-6, name="tiny")
    network = rollout(from_keras(encoder, padded=True)).to_keras()
    tokens = np.array([[3, 5, 7, 0, 0, 0]])
    full, short = asked(network, tokens), asked(network, tokens[:, :3])
    np.testing.assert_allclose(full[:, :3], short, atol=1e-5)
    np.testing.assert_allclose(full[:, 3:], 0, atol=1e-6)
    np.testing.assert_allclose(short.sum(), 1, rtol=1e-5)


def test_networks_without_attention_have_no_rollout(attending, images):
    assert rollout(attending.backbone_) is None
    with pytest.raises(ValueError, match="method='rollout' follows the attention between the places of a sequence"):
        attending.attention_maps(images, method="rollout")


def test_patches_lie_as_the_network_cut_them():
    backbone = load_backbone("small_transformer", input_shape=(20, 40, 3), random_state=0)
    assert patch_grid(backbone, 32) == (4, 8)
    assert patch_grid(backbone, 5) == (5,)


def test_grad_cam_of_a_linear_head_adds_up_to_the_decision(images, labels):
    clf = TransferClassifier(image_size=64, features="last").fit(images, labels)
    maps = clf.attention_maps(images)
    features = np.concatenate(list(clf.model_.network.unpooled().blocks(clf._read_known(images), None)))
    decisions = clf.decision_function(images)
    parts = features @ clf.model_.head.coef[:, decisions.argmax(axis=1)]
    own = parts[np.arange(len(images)), :, :, np.arange(len(images))]
    np.testing.assert_allclose(
        own.mean(axis=(1, 2)) + clf.model_.head.intercept[decisions.argmax(axis=1)], decisions.max(axis=1), atol=1e-3
    )
    shares = own.clip(min=0) / own.clip(min=0).sum(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(maps, shares, atol=1e-5)


def test_targets_choose_what_grad_cam_explains(attending, images, labels):
    own = attending.attention_maps(images, method="grad_cam", targets=attending.predict(images))
    np.testing.assert_array_equal(own, attending.attention_maps(images, method="grad_cam"))
    other = attending.attention_maps(images, method="grad_cam", targets=np.roll(labels, 10))
    assert np.abs(other - own).max() > 0.01
    with pytest.raises(ValueError, match=r"targets: expected 40 labels, one for each sample of X\. Got 3"):
        attending.attention_maps(images, method="grad_cam", targets=labels[:3])


def test_slopes_are_those_of_small_steps():
    random = np.random.default_rng(0)
    hidden = (random.normal(size=(6, 5)), random.normal(size=5)), (random.normal(size=(5, 4)), np.ones(4))
    head = Head(random.normal(size=(4, 2)), random.normal(size=2), 1, hidden)
    features, directions = random.normal(size=(3, 6)), random.normal(size=(3, 2))
    steps = np.eye(6) * 1e-6
    slow = [((head(features + step) - head(features - step)) * directions).sum(axis=1) / 2e-6 for step in steps]
    np.testing.assert_allclose(head.slopes(features, directions), np.stack(slow, axis=1), atol=1e-6)


def test_maps_sum_to_one_and_dark_samples_are_even(images, labels):
    clf = TransferClassifier("small_resnet", epochs=1, head="mlp", random_state=0).fit(images, labels)
    maps = clf.attention_maps(images)
    assert maps.shape == (40, 7, 7)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1)
    silent = load_backbone("small_resnet", input_shape=(28, 28, 1), random_state=0)
    silent = silent.with_weights([np.zeros_like(weight) for weight in silent.weights])
    even = TransferClassifier(silent).fit(images, labels).attention_maps(images)
    np.testing.assert_allclose(even, 1 / 49)


def test_unknown_method_is_refused(attending, images, transformer):
    with pytest.raises(ValueError, match=r"Got method='rolout'; known: .* Did you mean 'rollout'\?"):
        attending.attention_maps(images, method="rolout")
    with pytest.raises(ValueError, match="method='head' shows the weights of an attention head"):
        transformer.attention_maps(images, method="head")


def activity(clf, images):
    maps = np.concatenate(list(clf.model_.network.unpooled().blocks(clf._read_known(images), None)))
    heat = np.square(maps).sum(axis=-1).reshape(len(maps), -1)
    return heat / np.linalg.norm(heat, axis=1, keepdims=True)


@pytest.mark.backends
def test_attention_transfer_keeps_activity_where_it_was(images, labels):
    options = {"image_size": 96, "epochs": 2, "learning_rate": 1e-3, "random_state": 0}
    start = activity(TransferClassifier(image_size=96).fit(images, labels), images)
    moved = [
        np.abs(
            activity(TransferClassifier(trainable=1, attention_transfer=pull, **options).fit(images, labels), images)
            - start
        )
        for pull in (0.0, 100.0)
    ]
    assert moved[1].mean() < 0.8 * moved[0].mean()


def test_attention_transfer_needs_places(flat, labels):
    with pytest.raises(ValueError, match="attention_transfer needs the places of a grid or sequence"):
        TransferClassifier("mlp", attention_transfer=1.0, epochs=1).fit(flat, labels)


def test_small_transformer_takes_sequences():
    random = np.random.default_rng(0)
    X, y = random.normal(3, 5, (60, 20, 2)), np.arange(60) % 2
    X[y == 1, 12:15] += 8  # what tells the classes apart is in the fifth of seven parts
    two_blocks = partial(small_transformer, depth=2)  # fewer compile sooner
    backbone = load_backbone(two_blocks, input_shape=(20, 2), random_state=0)
    clf = TransferClassifier(backbone, epochs=20, head="attention", learning_rate=3e-3, random_state=0).fit(X, y)
    assert clf.score(X, y) > 0.9
    for method in ("head", "rollout", "grad_cam"):
        maps = clf.attention_maps(X, method=method)
        assert maps.shape == (60, 7)
        np.testing.assert_allclose(maps.sum(axis=1), 1, rtol=1e-5)
    images = np.abs(X[:, :, [0] * 20]) / np.abs(X).max()
    assert TransferClassifier(two_blocks, epochs=1, random_state=0).fit(images, y).attention_maps(images).ndim == 3
