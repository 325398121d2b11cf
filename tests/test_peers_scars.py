"""What users of other packages suffered from, as regression tests."""

import ast
import copy
import dataclasses
import inspect
import io
import pickle
import random
import re
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skltransfer import (
    AutoencoderTransformer,
    BackboneTransformer,
    DomainAdaptationClassifier,
    DomainAdaptationRegressor,
    LoRA,
    MLPHead,
    TransferClassifier,
    TransferRegressor,
    load_backbone,
)
from skltransfer._estimators.parameters import FitParameters
from skltransfer._estimators.progress import FitMonitor
from skltransfer._estimators.reading import read_new
from skltransfer._features import cache as feature_cache
from skltransfer.adaptation._fitting import AdaptationParameters
from skltransfer.autoencoder._fitting import AutoencoderParameters
from skltransfer.supervised._fitting import SupervisedParameters

QUICK = {"input_shape": (28, 28), "image_size": 28}
SET = [
    TransferClassifier("small_cnn", input_shape=[28, 28, 1], image_size=(28, 28), trainable="all", C=2.0, epochs=1,
                       batch_size=8, learning_rate=0.1, weight_decay=0.1, class_weight="balanced", random_state=3),
    TransferClassifier(backbone=load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0)),
    BackboneTransformer("MobileNetV2", input_shape=(28, 28), image_size=40, stage=3, pooling="max", random_state=1),
]  # fmt: skip


def models(flat, labels):
    yield TransferClassifier(**QUICK).fit(flat, labels)
    yield TransferClassifier("small_cnn", **QUICK, epochs=2, random_state=0).fit(flat, labels)
    yield TransferClassifier(epochs=5, random_state=0).fit(flat[:, ::40], labels)


def ask(model, flat):
    return model.predict_proba(flat if model.input_shape else flat[:, ::40])


@pytest.mark.parametrize("estimator", SET)
def test_clone_keeps_every_parameter(estimator):
    assert clone(estimator).get_params() == estimator.get_params()


@pytest.mark.parametrize("estimator", [SET[0], SET[1], BackboneTransformer(image_size=28)])
def test_fit_changes_none_of_its_arguments(estimator, images, labels):
    estimator = clone(estimator)
    weights = np.linspace(0.5, 1.5, len(labels))
    before = copy.deepcopy((estimator.get_params(), images, labels, weights))
    kwargs = {"sample_weight": weights} if isinstance(estimator, TransferClassifier) else {}
    estimator.fit(images, labels, **kwargs)
    assert estimator.get_params() == before[0]
    for old, new in zip(before[1:], (images, labels, weights), strict=True):
        np.testing.assert_array_equal(old, new)


def test_keras_model_passed_in_stays_bit_identical(images, labels):
    model = load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0).to_keras()
    before = [np.array(weight) for weight in model.weights]
    TransferClassifier(model, trainable="all", epochs=2, random_state=0).fit(images, labels)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_pretrained_weights_survive_clone_and_a_fit_at_learning_rate_zero(images, labels):
    lite0 = load_backbone("efficientnet_lite0")
    estimator = clone(TransferClassifier(lite0, trainable="all", image_size=32, epochs=1, learning_rate=0.0))
    fitted = estimator.fit(images[:8], labels[:8])
    for old, new in zip(lite0.weights, fitted.backbone_.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_string_labels_come_back_and_columns_match(flat, labels):
    clf = TransferClassifier(**QUICK, C=10).fit(flat, labels)
    assert clf.classes_.tolist() == sorted(set(labels))
    assert clf.predict(flat).dtype.kind == "U"
    np.testing.assert_array_equal(clf.classes_[clf.predict_proba(flat).argmax(axis=1)], clf.predict(flat))


def test_check_is_fitted_answers_at_once_and_loads_nothing(monkeypatch):
    monkeypatch.setattr("skltransfer.backbones._registry._load", lambda *_: pytest.fail("a network was loaded"))
    for estimator in (TransferClassifier(), BackboneTransformer()):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            check_is_fitted(estimator)


def through_joblib(model):
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


def through_skops(model):
    data = skops.io.dumps(model)
    return skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))


@pytest.mark.parametrize("travel", [
    lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy, through_joblib, through_skops,
], ids=["pickle", "deepcopy", "joblib", "skops"])  # fmt: skip
def test_round_trips_predict_the_same(travel, flat, labels):
    for model in models(flat, labels):
        feature_cache.process_store.clear()
        np.testing.assert_array_equal(ask(travel(model), flat), ask(model, flat))


TINY = {"epochs": 1, "random_state": 0}


@pytest.mark.parametrize(
    ("estimator", "ask"),
    [
        (TransferClassifier("small_cnn", trainable=LoRA(2), head=MLPHead((8,)), **TINY), "predict_proba"),
        (TransferRegressor("small_resnet", trainable="norm", head="attention", **TINY), "predict"),
        (BackboneTransformer(image_size=28, stage=3), "transform"),
        (AutoencoderTransformer(hidden=(8, 8), variational=True, **TINY), "score_samples"),
        (DomainAdaptationClassifier("small_cnn", method="shot", weight=1.0, **TINY), "predict_proba"),
        (DomainAdaptationClassifier("small_cnn", method="linear_ot", **TINY), "predict_proba"),
        (DomainAdaptationRegressor("small_cnn", method="coral", weight=1.0, **TINY), "predict"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_skops_brings_every_estimator_back(estimator, ask, images, labels):
    y = images.mean(axis=(1, 2)) if estimator.__class__.__name__.endswith("Regressor") else labels
    adapts = {"sample_domain": np.repeat([1, -1], 20)} if hasattr(estimator, "method") else {}
    fitted = estimator.fit(images, y, **adapts)
    data = skops.io.dumps(fitted)
    again = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
    feature_cache.process_store.clear()
    expected = getattr(fitted, ask)(images)
    feature_cache.process_store.clear()
    np.testing.assert_array_equal(getattr(again, ask)(images), expected)
    assert again.backbone_ == fitted.backbone_


ESTIMATORS = {
    TransferClassifier: SupervisedParameters,
    TransferRegressor: SupervisedParameters,
    BackboneTransformer: FitParameters,
    AutoencoderTransformer: AutoencoderParameters,
    DomainAdaptationClassifier: AdaptationParameters,
    DomainAdaptationRegressor: AdaptationParameters,
}


def names_read(*paths):
    """Attributes and keys that code reads, each with the name of what it is read of, such as ("self", "memory")."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                yield getattr(node.value, "id", getattr(node.value, "attr", "")), node.attr
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "get":
                yield "get", getattr(node.args[0], "value", "")


def parameters_read(estimator):
    """Parameters that methods of an estimator read, or what is given its values for one fit."""
    classes = {Path(inspect.getfile(cls)) for cls in estimator.__mro__ if cls.__module__.startswith("skltransfer")}
    methods = {
        name
        for of, name in names_read(*classes, *(Path(inspect.getfile(part)) for part in (FitMonitor, read_new)))
        if of in ("self", "get", "_estimator", "estimator")
    }
    folders = {Path(inspect.getfile(cls)).parent for cls in (estimator, FitParameters)}
    values = {
        name
        for of, name in names_read(*(path for folder in folders for path in folder.glob("*.py")))
        if of in ("own", "parameters")
    }
    return methods | values & {field.name for field in dataclasses.fields(ESTIMATORS[estimator])}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_parameter_is_read(estimator):
    assert set(inspect.signature(estimator).parameters) - parameters_read(estimator) == set()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_documented_defaults_are_those_of_the_signature(estimator):
    sections = inspect.getdoc(estimator).split("Parameters\n----------\n")[1].split("\n\n")[0]
    told = re.findall(r"^(\w+) : .*default=(.*)$", sections, re.MULTILINE)
    assert [(name, ast.literal_eval(default)) for name, default in told] == [
        (name, parameter.default) for name, parameter in inspect.signature(estimator).parameters.items()
    ]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_documented_attributes_are_those_after_fit(estimator, flat, labels):
    import pandas as pd

    section = inspect.getdoc(estimator).split("Attributes\n----------\n")[1].split("\n\n")[0]
    told = set(re.findall(r"^(\w+) : ", section, re.MULTILINE))
    y = np.arange(len(labels)) / 40 if estimator.__name__.endswith("Regressor") else labels
    new = estimator(**QUICK)
    assert not any(hasattr(new, name) for name in told)
    fitted = new.fit(pd.DataFrame(flat, columns=[f"p{i}" for i in range(784)]), y)
    assert {name for name in dir(fitted) if name.endswith("_") and not name.startswith("_")} == told


@pytest.mark.parametrize("backbone", ["small_cnn", "mlp", "auto"])
def test_same_random_state_is_bit_identical_and_global_seeds_stay(backbone, flat, labels):
    import keras

    X, options = (flat[:, ::40], {}) if backbone == "mlp" else (flat, QUICK)
    keras.utils.set_random_seed(1)
    keras.random.normal((1,))
    generator = keras.src.random.seed_generator.global_seed_generator()
    before = (random.getstate(), np.random.get_state()[1].tolist(), np.array(generator.state).tolist())
    results = []
    for _ in range(2):
        feature_cache.process_store.clear()
        clf = TransferClassifier(backbone, **options, epochs=3, random_state=7).fit(X, labels)
        results.append(clf.predict_proba(X))
    np.testing.assert_array_equal(*results)
    after = (random.getstate(), np.random.get_state()[1].tolist(), np.array(generator.state).tolist())
    assert before == after


def test_a_hundred_fits_leave_memory_flat(flat, labels, tmp_path):
    np.savez(tmp_path / "known.npz", flat=flat, labels=labels)
    script = f"""
import gc, numpy as np, psutil
from skltransfer import TransferClassifier
known, sizes = np.load("known.npz"), []
for i in range(100):
    clf = TransferClassifier("small_cnn", **{QUICK}, epochs=1, random_state=i).fit(known["flat"], known["labels"])
    clf.predict(known["flat"])
    if i in (49, 99):
        gc.collect()
        sizes.append(psutil.Process().memory_info().rss)
print(sizes[1] / sizes[0])
"""
    command = [sys.executable, "-c", script]  # a process of its own, as tests before this one leave what is freed later
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert float(done.stdout.splitlines()[-1]) <= 1.05
