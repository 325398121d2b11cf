"""Features are functions of their sample alone, bit for bit."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from skltransfer import (
    AutoencoderTransformer,
    BackboneTransformer,
    TransferClassifier,
    load_backbone,
)
from skltransfer._engine.pool import pool
from skltransfer._features import extraction as features
from skltransfer._features.exact import ExactBatches, fill
from skltransfer._features.extraction import Extraction, compute, plan_extraction
from skltransfer._features.split import split_network
from skltransfer._inputs.image_arrays import ImageArrays
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import ArraySamples, RaggedSamples
from skltransfer._inputs.sequences import Sequences
from skltransfer._inputs.table import Table
from skltransfer._inputs.texts import Texts, TextSamples
from skltransfer.backbones._text import text_transformer

TEXTS = [
    "so good", "I hated it", "a wonderful film", "great acting and a lovely story", "boring",
    "a pain from begin to end, and then once more from the end back to its begin", "", "funny " * 60,
    "touching and funny", "not bad at all",
]  # fmt: skip


def pictures(name, side, size="auto", pooling="avg", n=40):
    def plan(minilm):
        options = {} if name == "efficientnet_lite0" else {"input_shape": (side, side, 3), "random_state": 0}
        backbone = load_backbone(name, **options)
        pixels = np.random.default_rng(0).integers(0, 256, (n, side, side, 3)).astype(np.uint8)
        extraction = plan_extraction(backbone, InputFormat(ImageArrays(), pixels.shape[1:]), image_size=size)
        return replace(extraction, pooling=pooling), ArraySamples(pixels)

    return plan


def table(columns, n=200):
    def plan(minilm):
        backbone = load_backbone("mlp", input_shape=(columns,), random_state=0)
        values = np.random.default_rng(0).normal(size=(n, columns))
        return plan_extraction(backbone, InputFormat(Table(), (columns,))), ArraySamples(values)

    return plan


def texts(name, pooling="avg"):
    def plan(minilm):
        backbone = minilm if name == "minilm" else text_transformer(TEXTS, 0)
        return replace(plan_extraction(backbone, InputFormat(Texts(), ())), pooling=pooling), TextSamples(TEXTS)

    return plan


def sequences(minilm):
    backbone = load_backbone("small_transformer", input_shape=(30, 2), random_state=0)
    values = np.random.default_rng(0).normal(size=(40, 30, 2)).astype(np.float32)
    return plan_extraction(backbone, InputFormat(Sequences(), (30, 2))), ArraySamples(values)


def upper_part(minilm):
    """The last stages of an encoder of texts, on what those below give."""
    whole = plan_extraction(text_transformer(TEXTS, 0), InputFormat(Texts(), ()))
    split = split_network(whole, 2, TextSamples(TEXTS), None)
    return split.above, split.samples(TextSamples(TEXTS), None)


PLANS = {
    "efficientnet_lite0": pictures("efficientnet_lite0", 32, 32),
    "efficientnet_lite0, enlarged": pictures("efficientnet_lite0", 28, 96, n=14),
    "efficientnet_lite0, before pooling": pictures("efficientnet_lite0", 32, 32, pooling="none"),
    "small_cnn": pictures("small_cnn", 28),
    "small_resnet": pictures("small_resnet", 32, pooling="max"),
    "small_transformer": pictures("small_transformer", 32),
    "narrow table": table(4),
    "wide table": table(784, n=60),
    "sequences": sequences,
    "minilm": texts("minilm"),
    "small_transformer on texts, before pooling": texts("small_transformer", "none"),
    "upper part of an encoder": upper_part,
}
ONE_OF_A_KIND = ("efficientnet_lite0", "small_transformer", "wide table", "minilm")


def found(extraction, samples, positions):
    return [row.tobytes() for row in compute(extraction, samples, positions)]


@pytest.mark.parametrize(
    "plan", [pytest.param(name, marks=pytest.mark.backends) if name in ONE_OF_A_KIND else name for name in PLANS]
)
def test_features_do_not_depend_on_company_place_or_order(plan, minilm):
    pool.clear()
    extraction, samples = PLANS[plan](minilm)
    everything = list(range(len(samples)))
    first_alone = found(extraction, samples, [3])
    together = found(extraction, samples, everything)
    assert first_alone == together[3:4]
    assert [found(extraction, samples, [i])[0] for i in everything[:5]] == together[:5]
    assert found(extraction, samples, everything[::-1]) == together[::-1]
    assert found(extraction, samples, everything[2:9]) == together[2:9]
    assert found(extraction, samples, [4] * 7) == together[4:5] * 7
    shuffled = np.random.default_rng(1).permutation(everything).tolist()
    assert found(extraction, samples, shuffled) == [together[i] for i in shuffled]
    pool.clear()
    assert found(extraction, samples, everything[:2]) == together[:2]


@pytest.mark.parametrize("plan", ["small_cnn", "narrow table"])
def test_features_of_many_samples_are_those_of_few(plan, minilm, monkeypatch, empty_store):
    extraction, samples = PLANS[plan](minilm)
    few = features.extract(extraction, samples)
    empty_store.clear()
    many = ArraySamples(np.concatenate([samples.values, np.random.default_rng(0).permuted(samples.values, axis=1)]))
    monkeypatch.setattr(features, "MANY_SAMPLES", len(many))
    assert features.extract(extraction, many)[: len(few)].tobytes() == few.tobytes()


def test_more_than_4096_samples(empty_store):
    backbone = load_backbone("small_cnn", input_shape=(8, 8, 1), random_state=0)
    pixels = np.random.default_rng(0).integers(0, 256, (features.MANY_SAMPLES + 4, 8, 8, 1)).astype(np.uint8)
    transformer = BackboneTransformer(backbone).fit(pixels[:1])
    alone = transformer.transform(pixels[-1:])
    empty_store.clear()
    assert transformer.transform(pixels)[-1:].tobytes() == alone.tobytes()


@pytest.mark.backends
def test_threads_that_compute_at_once_find_the_same():
    extraction, samples = PLANS["small_resnet"](None)
    wanted, results = found(extraction, samples, range(40)), []
    threads = [
        threading.Thread(target=lambda own=own: results.append((own, found(extraction, samples, own))))
        for own in ([0], [7, 3], list(range(20, 40)), list(range(40)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for own, rows in results:
        assert rows == [wanted[i] for i in own]


@pytest.mark.parametrize("trainable", ["head", 1])
def test_what_was_predicted_before_changes_no_fit(images, labels, trainable, empty_store):
    settings = {"image_size": 32, "trainable": trainable, "head": "mlp", "epochs": 2, "random_state": 0}
    plain = TransferClassifier(**settings).fit(images, labels)
    wanted = plain.decision_function(images)
    empty_store.clear()
    for i in (5, 2, 11):
        BackboneTransformer(image_size=32).fit(images).transform(images[i : i + 1])
        plain.predict(images[i : i + 1])
    again = TransferClassifier(**settings).fit(images, labels)
    assert again.history_ == plain.history_
    assert again.backbone_ == plain.backbone_
    assert again.decision_function(images).tobytes() == wanted.tobytes()


def test_a_fine_tuned_encoder_after_single_texts(empty_store):
    backbone, y = text_transformer(TEXTS, 0), np.arange(len(TEXTS)) % 2
    settings = {"trainable": 1, "epochs": 2, "batch_size": 5, "random_state": 0}
    plain = TransferClassifier(backbone, **settings).fit(TEXTS, y)
    empty_store.clear()
    for text in TEXTS[::3]:
        plain.predict([text])
    assert TransferClassifier(backbone, **settings).fit(TEXTS, y).backbone_ == plain.backbone_


@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("kind", ["table", "images"])
def test_autoencoders_see_each_sample_alone(images, variational, kind):
    X = images if kind == "images" else np.random.default_rng(0).normal(size=(40, 6))
    coder = AutoencoderTransformer(epochs=1, latent_dim=2, variational=variational, random_state=0).fit(X)
    for method in (coder.transform, coder.reconstruct, coder.score_samples):
        together = method(X)
        assert np.concatenate([method(X[i : i + 1]) for i in range(4)]).tobytes() == together[:4].tobytes()
        assert method(X[::-1]).tobytes() == together[::-1].copy().tobytes()


@pytest.mark.parametrize("head", ["linear", "attention"])
def test_attention_maps_show_each_sample_alone(images, labels, head):
    clf = TransferClassifier(image_size=64, head=head, epochs=1, random_state=0).fit(images, labels)
    together = clf.attention_maps(images, targets=labels if head == "linear" else None)
    alone = [
        clf.attention_maps(images[i : i + 1], targets=labels[i : i + 1] if head == "linear" else None)[0]
        for i in range(3)
    ]
    assert np.stack(alone).tobytes() == together[:3].tobytes()


class Edges:
    """A network that gives other bits at the last place of a batch, and in small batches."""

    def __init__(self):
        self.places, self.standards, self.sizes = {}, {}, []

    def __call__(self, batch):
        self.sizes.append(len(batch))
        exact = batch.sum(axis=1, keepdims=True) * np.arange(1.0, 31.0)
        exact[-1] += 1e-7
        return exact + (1e-7 if len(batch) < 3 else 0)


def test_places_whose_bits_differ_are_left_out():
    network = Edges()
    batches = ExactBatches(network, ((5,), "float64"), 12)
    assert batches.places(12).tolist() == list(range(11))
    assert batches.places(6).tolist() == list(range(5))
    assert len(batches.places(2)) == 0
    assert [(size, len(places)) for size, places in batches.cut(26)] == [(12, 11), (12, 11), (6, 4)]
    assert [(size, len(places)) for size, places in batches.cut(1)] == [(3, 1)]
    tried = len(network.sizes)
    list(batches.cut(26))
    assert len(network.sizes) == tried


def test_samples_are_laid_at_their_places():
    block = np.arange(4.0).reshape(2, 2)
    np.testing.assert_array_equal(fill(block, 4, np.array([1, 3])), block[[0, 0, 0, 1]])
    assert fill(block, 2, np.array([0, 1])) is block


def test_features_of_one_length_are_one_array():
    whole = plan_extraction(text_transformer(TEXTS, 0), InputFormat(Texts(), ()))
    assert isinstance(features.extract_samples(whole, TextSamples(TEXTS)), ArraySamples)
    unpooled: Extraction = replace(whole, pooling="none")
    assert isinstance(features.extract_samples(unpooled, TextSamples(TEXTS)), RaggedSamples)
