"""Fitted estimators as one file, and back."""

import hashlib
import json
import struct
import sys

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skltransfer import (
    AttentionTransfer,
    AutoencoderTransformer,
    BackboneTransformer,
    DomainAdaptationClassifier,
    DomainAdaptationRegressor,
    GradualUnfreezing,
    LoRA,
    MLPHead,
    TransferClassifier,
    TransferRegressor,
    export,
    load,
    load_backbone,
    save,
    serve,
)
from skltransfer._features import cache as feature_cache
from skltransfer._keras import backend as _backend
from skltransfer.backbones._small import FORMS, SmallArray
from skltransfer.compression import DistillationClassifier, DistillationRegressor, low_rank, prune, quantize
from skltransfer.saving import _container, _writer
from skltransfer.saving._classes import ESTIMATORS

pytestmark = pytest.mark.filterwarnings("ignore::skltransfer.adaptation.AdaptationWarning")  # fits are short here

METHODS = (
    "predict", "predict_proba", "decision_function", "transform", "reconstruct", "score_samples",
)  # fmt: skip
TINY = {"epochs": 1, "random_state": 0}
RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(24, 3))
SERIES = RANDOM.normal(size=(24, 6, 2))
TONES = [RANDOM.normal(size=length).astype("float32") for length in (7000, 8000, 3000, 8000, 2000, 8000)]
TEXTS = ["good film", "a bad and long film about nothing", "fine", "poor thing", "very good", "bad"] * 2
THREE = np.array(["one", "two", "three"])[np.arange(24) % 3]
TWO = np.arange(24) % 2
ADAPTED = {"sample_domain": np.repeat([1, -1], 12)}
SMALL = {"backbone": "small_resnet", **TINY}
MLP = {"backbone": "mlp", **TINY}


def adapted(cls, y=THREE, **parameters):
    return cls(**{**TINY, **parameters}).fit(TABLE, y, sample_domain=np.repeat([1, -1], 12))


def of_a_source():
    source = TransferClassifier(**MLP, head="mlp").fit(TABLE, THREE)
    return adapted(DomainAdaptationClassifier, backbone=FrozenEstimator(source), method="shot", weight=1.0)


TABLES = {
    "a table": lambda: TransferClassifier(random_state=0).fit(TABLE, THREE),
    "labels of several types": lambda: TransferClassifier(**MLP).fit(TABLE, THREE.astype(object)),
    "labels of 0 and 1": lambda: TransferClassifier(random_state=0).fit(TABLE, (TABLE[:, :2] > 0).astype(int)),
    "several tasks": lambda: TransferClassifier(random_state=0).fit(
        TABLE, np.column_stack([THREE.astype(object), TABLE[:, 0] > 0])
    ),
    "dates": lambda: TransferClassifier(**MLP).fit(TABLE, THREE == "one"),
    "values": lambda: TransferRegressor(random_state=0).fit(TABLE, 100 + 10 * TABLE[:, 0]),
    "two targets": lambda: TransferRegressor(**MLP).fit(TABLE, 5 * TABLE[:, :2]),
    "adapted": lambda: adapted(DomainAdaptationClassifier, method="mcc", weight=1.0),
    "aligned": lambda: adapted(DomainAdaptationClassifier, method="linear_ot"),
    "of a source": of_a_source,
    "of shifted labels": lambda: adapted(DomainAdaptationClassifier, method="dann", label_shift="auto"),
    "at test time": lambda: adapted(DomainAdaptationClassifier, method="tent"),
    "adapted values": lambda: adapted(DomainAdaptationRegressor, TABLE[:, 0], method="coral", weight=1.0),
    "an autoencoder": lambda: AutoencoderTransformer(latent_dim=2, **TINY).fit(TABLE),
    "variational": lambda: AutoencoderTransformer(latent_dim=2, variational=1.0, **TINY).fit(TABLE),
    "a student": lambda: DistillationClassifier(LogisticRegression(), TransferClassifier(**MLP)).fit(TABLE, THREE),
    "a student of values": lambda: DistillationRegressor(
        FrozenEstimator(TransferRegressor(random_state=0).fit(TABLE, TABLE[:, 0])), TransferRegressor(**MLP)
    ).fit(TABLE, TABLE[:, 0]),
}
PICTURES = {
    "frozen": lambda X, y: TransferClassifier(image_size=32).fit(X, y),
    "a network that was passed": lambda X, y: TransferClassifier(
        load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0), trainable="head"
    ).fit(X, y),
    "trained": lambda X, y: TransferClassifier(**SMALL).fit(X / 255.0, y),
    "a trained stage": lambda X, y: TransferClassifier(**SMALL, trainable=1, head="attention").fit(X, y),
    "unfrozen": lambda X, y: TransferClassifier(**SMALL, trainable=GradualUnfreezing(stages=2)).fit(X, y),
    "adapters": lambda X, y: TransferRegressor(**SMALL, trainable=LoRA(2), head=MLPHead((8,))).fit(X, X.mean((1, 2))),
    "a teacher": lambda X, y: TransferClassifier(
        **SMALL, trainable="all", attention_transfer=AttentionTransfer("small_cnn", weight=0.5)
    ).fit(X, y),
    "flattened": lambda X, y: BackboneTransformer("small_resnet", stage="auto", input_shape=(28, 28)).fit(
        X.reshape(len(X), -1)
    ),
    "encoded": lambda X, y: AutoencoderTransformer(latent_dim=4, **TINY).fit(X),
    "in 8 bits": lambda X, y: quantize(TransferClassifier(**SMALL).fit(X, y), "int8"),
    "in 4 bits": lambda X, y: quantize(TransferClassifier(**SMALL).fit(X, y), "int4"),
    "of low rank": lambda X, y: low_rank(TransferClassifier(**SMALL).fit(X, y), 0.5),
    "pruned": lambda X, y: prune(TransferClassifier(**SMALL).fit(X, y), 0.3),
}
OTHERS = {
    "sounds": lambda: (TransferClassifier("small_resnet", trainable="head", sample_rate=16000), TONES),
    "texts": lambda: (TransferClassifier("small_transformer", **TINY), TEXTS),
    "series": lambda: (TransferClassifier("small_transformer", **TINY), SERIES),
}


@pytest.fixture(scope="module")
def fitted(images, labels):
    """Fit by name, each once."""
    known = {}

    def get(name):
        if name not in known:
            if name in TABLES:
                known[name] = TABLES[name](), TABLE
            elif name in OTHERS:
                estimator, X = OTHERS[name]()
                known[name] = estimator.fit(X, np.arange(len(X)) % 2), X
            else:
                estimator = PICTURES[name](images[:16], labels[:16])
                shown = {"flattened": images.reshape(40, -1), "trained": images / 255.0}.get(name, images)
                known[name] = estimator, shown[:16]
        return known[name]

    return get


def answers(estimator, X):
    feature_cache.process_store.clear()
    return {name: getattr(estimator, name)(X) for name in METHODS if hasattr(estimator, name)}


def assert_identical(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, dict | list):
        assert len(found) == len(expected) > 0
        for key in expected if isinstance(expected, dict) else range(len(expected)):
            assert_identical(found[key], expected[key])
        return
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def through_file(estimator, folder):
    save(estimator, folder / "a.skltransfer")
    return load(folder / "a.skltransfer")


@pytest.mark.parametrize("name", [*TABLES, *PICTURES, *OTHERS])
def test_answers_are_bit_identical(name, fitted, tmp_path):
    estimator, X = fitted(name)
    again = through_file(estimator, tmp_path)
    assert type(again) is type(estimator)
    assert_identical(answers(again, X), answers(estimator, X))
    assert again.model_.backbone == estimator.model_.backbone
    assert repr(again.get_params()) == repr(estimator.get_params())
    assert again.n_features_in_ == estimator.n_features_in_
    assert [path.name for path in tmp_path.iterdir()] == ["a.skltransfer"]


def test_every_estimator_is_among_them(fitted):
    assert {type(fitted(name)[0]).__name__ for name in [*TABLES, *PICTURES, *OTHERS]} == set(ESTIMATORS)
