"""Every estimator on every kind of input, with every ``trainable`` and every head.

By default each pair of these occurs in some combination; with ``SKLTRANSFER_ALL_COMBINATIONS`` set, all of
them are tried.
"""

import os
import pickle
import re
from dataclasses import replace
from functools import cache, partial
from itertools import product

import numpy as np
import pytest
from PIL import Image

from skltransfer import (
    AutoencoderTransformer,
    BackboneTransformer,
    DomainAdaptationClassifier,
    DomainAdaptationRegressor,
    GradualUnfreezing,
    LoRA,
    TransferClassifier,
    TransferRegressor,
    load_backbone,
)
from skltransfer._inputs.texts import learn_tokenization
from skltransfer.adaptation import AdaptationWarning
from skltransfer.adaptation._methods import METHODS
from skltransfer.backbones._backbone import building
from skltransfer.backbones._builders import small_transformer
from skltransfer.backbones._conversion import from_keras
from skltransfer.backbones._text import text_encoder

N = 8
TEXTS = ["so good", "I hated it", "a film", "great acting and a story", "dull", "bad " * 12, "not bad", "a dull film"]
LABELS, VALUES = np.array(["a", "b"] * (N // 2)), np.linspace(-1.0, 1.0, N)
DOMAIN = np.repeat([1, -1], N // 2)

ESTIMATORS = {
    "classifier": TransferClassifier,
    "regressor": TransferRegressor,
    "adapting classifier": partial(DomainAdaptationClassifier, method="mcc"),
    "adapting regressor": partial(DomainAdaptationRegressor, method="coral"),
}
KINDS = ("table", "sequences", "image arrays", "image files", "texts", "audio")
TRAINABLES = {
    "auto": "auto", "head": "head", "1": 1, "all": "all", "norm": "norm", "lora": "lora", "rank 2": LoRA(rank=2),
    "gradual": GradualUnfreezing(),
}  # fmt: skip
HEADS = ("linear", "mlp", "attention")

REFUSED = [
    (
        r"The 'head' parameter must be 'linear', 'mlp' or MLPHead\(…\) for domains",
        lambda name, kind, trainable, head: name.startswith("adapting") and head == "attention",
    ),
    (
        r"method='coral' aligns features\. Got trainable='(auto|head)' with head='linear'",
        lambda name, kind, trainable, head: (
            name == "adapting regressor" and trainable in ("auto", "head") and head == "linear"
        ),
    ),
    (
        r"trainable: none of the last 1 stages of the backbone has a normalization",
        lambda name, kind, trainable, head: kind == "table" and trainable == "norm",
    ),
    (
        "head='attention' weighs the places of a grid or sequence. Got a backbone that gives one vector",
        lambda name, kind, trainable, head: kind == "table" and head == "attention",
    ),
]
"""Which combinations are refused, and with which sentence; the first that holds counts."""


@cache
def samples(kind, folder):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (N, 32, 32, 3)).astype(np.uint8)
    if kind == "image files":
        paths = [folder / f"{i}.png" for i in range(N)]
        for path, image in zip(paths, pixels, strict=True):
            Image.fromarray(image).save(path)
        return paths
    return {
        "table": random.normal(size=(N, 6)),
        "sequences": random.normal(size=(N, 16, 2)).astype(np.float32),
        "image arrays": pixels,
        "texts": TEXTS,
        "audio": random.normal(size=(N, 2000)).astype(np.float32) / 8,
    }[kind]


def tiny_cnn(input_shape):
    from keras import Input, Model, layers

    inputs = x = Input(input_shape)
    for number, (filters, stride) in enumerate([(4, 4), (8, 2)]):
        x = layers.Conv2D(filters, 3, stride, padding="same", name=f"conv{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(layers.BatchNormalization(name=f"norm{number}")(x))
    return Model(inputs, x)


@cache
def backbone(kind):
    """A tiny network, said to be pretrained."""
    if kind == "texts":
        words = learn_tokenization(TEXTS)
        with building(0):
            sizes = {"longest": words.longest, "width": 8, "depth": 1, "n_heads": 2, "inner": 8, "epsilon": 1e-6}
            network = text_encoder(vocabulary=words.n_tokens, name="tiny", **sizes)
            return from_keras(network, tokenization=words, padded=True)
    if kind == "table":
        source, shape = "mlp", (6,)
    elif kind == "sequences":
        source, shape = partial(small_transformer, width=8, depth=1, n_heads=2), (16, 2)
    else:
        source, shape = tiny_cnn, (None, None, 3)
    return replace(load_backbone(source, input_shape=shape, random_state=0), pretrained=True)


def options(kind):
    return {"sample_rate": 4000} if kind == "audio" else {"image_size": 32} if kind.startswith("image") else {}


def combinations():
    """Yield all combinations, or some in which each pair of values occurs."""
    everything = list(product(ESTIMATORS, KINDS, TRAINABLES, HEADS))
    if os.environ.get("SKLTRANSFER_ALL_COMBINATIONS"):
        return everything
    chosen, missing = [], {pair for one in everything for pair in pairs(one)}
    while missing:
        best = max(everything, key=lambda one: len(missing & pairs(one)))
        chosen.append(best)
        missing -= pairs(best)
    return chosen


def pairs(one):
    numbered = list(enumerate(one))
    return {(a, b) for a in numbered for b in numbered if a[0] < b[0]}


@pytest.mark.parametrize(("name", "kind", "trainable", "head"), combinations())
def test_each_works_with_each(name, kind, trainable, head, tmp_path_factory):
    X = samples(kind, tmp_path_factory.getbasetemp())
    y = LABELS if name.endswith("classifier") else VALUES
    domain = {"sample_domain": DOMAIN} if name.startswith("adapting") else {}
    estimator = ESTIMATORS[name](
        backbone(kind), trainable=TRAINABLES[trainable], head=head, epochs=2, batch_size=N, random_state=0,
        **options(kind),
    )  # fmt: skip
    sentence = next((text for text, holds in REFUSED if holds(name, kind, trainable, head)), None)
    if sentence is not None:
        with pytest.raises(ValueError, match=sentence):
            estimator.fit(X, y, **domain)
        return
    estimator.fit(X, y, **domain)
    check_predictions(estimator, X)


@pytest.mark.parametrize(("name", "kind"), [*product(["classifier"], KINDS), ("regressor", "table")])
def test_a_budget_for_each(name, kind, tmp_path_factory):
    X = samples(kind, tmp_path_factory.getbasetemp())
    y = LABELS if name == "classifier" else VALUES
    estimator = ESTIMATORS[name](backbone(kind), budget=2, random_state=0, **options(kind))
    estimator.fit(X, y, X_val=X, y_val=y)
    assert estimator.selection_["candidate"][:2] == ["frozen", "all"]
    check_predictions(estimator, X)


@pytest.mark.filterwarnings("ignore::skltransfer.adaptation.AdaptationWarning")  # two epochs adapt nothing
@pytest.mark.parametrize(("kind", "method"), [*product(KINDS, ["auto", "linear_ot"]), ("table", "deepjdot_mcc")])
def test_adaptation_that_chooses_or_is_solved(kind, method, tmp_path_factory):
    X = samples(kind, tmp_path_factory.getbasetemp())
    many = np.concatenate([X] * 6) if isinstance(X, np.ndarray) else list(X) * 6
    domain, y = np.repeat([1, -1], 3 * N), np.tile(LABELS, 6)
    estimator = DomainAdaptationClassifier(
        backbone(kind), method=method, weight=1.0, label_shift="auto", epochs=2, random_state=0, **options(kind)
    )
    estimator.fit(many, y, sample_domain=domain)
    assert sum(estimator.selection_.get("chosen", [True])) == 1
    assert estimator.model_.class_shares is not None
    check_predictions(estimator, X)


@pytest.mark.filterwarnings("ignore::skltransfer.adaptation.AdaptationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_adapted_where_both_domains_are_alike(kind, tmp_path_factory):
    X = samples(kind, tmp_path_factory.getbasetemp())
    many = np.concatenate([X] * 4) if isinstance(X, np.ndarray) else list(X) * 4
    clf = DomainAdaptationClassifier(
        backbone(kind), method="mmd", head="mlp", epochs=2, random_state=0, **options(kind)
    )
    with pytest.warns(AdaptationWarning, match="No difference of source and target was found"):
        clf.fit(many, np.tile(LABELS, 4), sample_domain=np.repeat([1, -1], 2 * N))
    assert clf.adaptation_strength_ == 0
    check_predictions(clf, X)


def check_predictions(estimator, X):
    found, copy = estimator.predict(X), pickle.loads(pickle.dumps(estimator))
    assert found.shape == (N,)
    if hasattr(estimator, "predict_proba"):
        shares = estimator.predict_proba(X)
        assert shares.shape == (N, len(estimator.classes_))
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
        assert shares.min() >= 0
        assert estimator.classes_[shares.argmax(axis=1)].tolist() == found.tolist()
        np.testing.assert_array_equal(copy.predict_proba(X), shares)
    else:
        assert np.isfinite(found).all()
        assert np.abs(found).max() < 100
    np.testing.assert_array_equal(copy.predict(X), found)


@pytest.mark.parametrize("pooling", ["avg", "max", "flatten"])
@pytest.mark.parametrize("kind", KINDS)
def test_features_of_each(kind, pooling, tmp_path_factory):
    X = samples(kind, tmp_path_factory.getbasetemp())
    transformer = BackboneTransformer(backbone(kind), pooling=pooling, **options(kind))
    if kind == "texts" and pooling == "flatten":
        with pytest.raises(ValueError, match="pooling='flatten' needs samples of one length"):
            transformer.fit(X)
        return
    found = transformer.fit_transform(X)
    assert found.shape == (N, len(transformer.get_feature_names_out()))
    assert np.isfinite(found).all()
    assert len(np.unique(found, axis=0)) == N
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(transformer)).transform(X), found)


UNRESTORED = {
    "texts": "Got texts, which have no values to restore",
    "audio": "expected a table, images or sequences. Got sounds",
}


@pytest.mark.parametrize("trainable", TRAINABLES)
@pytest.mark.parametrize("kind", ["table", "image arrays"])
def test_autoencoders_of_each(kind, trainable, tmp_path_factory):
    X = samples(kind, tmp_path_factory.getbasetemp())
    coder = AutoencoderTransformer(
        backbone(kind), latent_dim=2, trainable=TRAINABLES[trainable], epochs=1, random_state=0, **options(kind)
    )
    if kind == "table" and trainable == "norm":
        with pytest.raises(ValueError, match=r"trainable: none of the last \d stages of the backbone has a normal"):
            coder.fit(X)
        return
    latent = coder.fit(X).transform(X)
    assert latent.shape == (N, 2)
    assert np.isfinite(latent).all()
    assert np.shape(coder.reconstruct(X)) == X.shape
    assert np.isfinite(coder.score_samples(X)).all()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(coder)).transform(X), latent)


@pytest.mark.parametrize("kind", ["sequences", "image files", "texts", "audio"])
def test_autoencoders_of_other_kinds(kind, tmp_path_factory):
    X = samples(kind, tmp_path_factory.getbasetemp())
    own = options(kind) if kind == "image files" else {}
    coder = AutoencoderTransformer(
        backbone("sequences") if kind == "sequences" else "auto", latent_dim=2, epochs=1, random_state=0, **own
    )
    if kind == "texts":
        with pytest.raises(ValueError, match=UNRESTORED[kind]):
            coder.fit(X)
        return
    assert coder.fit(X).transform(X).shape == (N, 2)


@pytest.mark.parametrize("method", METHODS)
def test_texts_of_two_domains_by_each_method(method):
    clf = DomainAdaptationClassifier(
        backbone("texts"), method=method, head="mlp", epochs=3, batch_size=N, random_state=0
    )
    if method in ("adabn", "tent"):  # a transformer has no batch normalization
        with pytest.raises(ValueError, match="has no batch normalization whose statistics could be those of another"):
            clf.fit(TEXTS, LABELS, sample_domain=DOMAIN).predict(TEXTS)
        return
    clf.fit(TEXTS, LABELS, sample_domain=DOMAIN)
    check_predictions(clf, TEXTS)
    assert clf.transform(TEXTS).shape == (N, 128)


TEXT_OPTIONS = {
    "early stopping": {"trainable": 1, "early_stopping": True, "validation_fraction": 0.25},
    "early stopping of a head": {"head": "mlp", "early_stopping": True, "validation_fraction": 0.25},
    "attention transfer": {"trainable": 1, "attention_transfer": 1.0},
    "delta": {"trainable": "all", "delta": 0.1},
    "l2_sp": {"trainable": 1, "l2_sp": 0.1},
    "mixup of features": {"head": "mlp", "mixup": 0.0, "label_smoothing": 0.1},
    "warm start": {"trainable": 1, "warm_start": True},
    "untrained": {"backbone": "small_transformer", "trainable": "auto", "head": "mlp"},
}


@pytest.mark.parametrize("case", TEXT_OPTIONS)
def test_texts_with_each_option(case):
    settings = {"backbone": backbone("texts"), "epochs": 2, "batch_size": N, "random_state": 0, **TEXT_OPTIONS[case]}
    clf = TransferClassifier(**settings).fit(TEXTS, LABELS)
    clf.fit(TEXTS, LABELS)
    check_predictions(clf, TEXTS)


@pytest.mark.parametrize("name", ["classifier", "regressor"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_more_epoch_for_each(name, kind, tmp_path_factory):
    X = samples(kind, tmp_path_factory.getbasetemp())
    estimator = ESTIMATORS[name](backbone(kind), batch_size=N, random_state=0, **options(kind))
    for _ in range(2):
        if name == "classifier":
            estimator.partial_fit(X, LABELS, classes=["a", "b"])
        else:
            estimator.partial_fit(X, VALUES)
    check_predictions(estimator, X)


@pytest.mark.parametrize("head", ["mlp", "attention"])
@pytest.mark.parametrize("name", ["classifier", "regressor"])
def test_heads_on_the_real_encoder_of_texts(minilm, name, head):
    y = LABELS if name == "classifier" else VALUES
    check_predictions(ESTIMATORS[name](head=head, epochs=2, random_state=0).fit(TEXTS, y), TEXTS)


def test_domains_of_texts_with_the_real_encoder(minilm):
    clf = DomainAdaptationClassifier(epochs=2, random_state=0).fit(TEXTS, LABELS, sample_domain=DOMAIN)
    check_predictions(clf, TEXTS)
    assert re.search("minilm", clf.backbone_.name)


@pytest.mark.parametrize("head", HEADS)
def test_heads_on_the_real_network_of_images(head, tmp_path_factory):
    X = samples("image arrays", tmp_path_factory.getbasetemp())
    check_predictions(TransferClassifier(image_size=32, head=head, epochs=1, random_state=0).fit(X, LABELS), X)
