"""Whatever `fit` and `predict` are given: the answer is right, or an error of our own says what is wrong."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from _fuzz import ELEMENTS, PLAIN, SAME, cases, check, tiny
from hypothesis import HealthCheck, given, settings

from skltransfer import BackboneTransformer, TransferClassifier, TransferRegressor

X = np.random.default_rng(0).normal(size=(6, 3))


def test_answers_are_right_or_errors_are_ours():
    outcomes = Counter()

    @settings(max_examples=200, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
    @given(case=cases())
    def one(case):
        outcomes[check(case)] += 1

    one()
    assert outcomes["answered"] > 60
    assert outcomes["refused in fit"] > 15
    assert outcomes["refused afterwards"] > 5
    assert len(ELEMENTS) > len(PLAIN) > 20
    assert len(SAME) > 20


@pytest.mark.parametrize(
    ("make", "samples", "y", "message"),
    [
        (BackboneTransformer, np.zeros((2, 0, 8, 3), np.uint8), None,
         r"expected images of at least one pixel. Got \(0, 8, 3\)"),
        (BackboneTransformer, pd.DataFrame({"a": [1, 2], "b": [[1, 2], [3]]}), None,
         r"expected one number in each cell of a table. Sample 0 has .* in column 1"),
        (BackboneTransformer, pd.DataFrame({"a": [1, 2], "b": [3, "a"]}), None,
         r"expected one number in each cell of a table. Sample 1 has a string in column 1"),
        (BackboneTransformer, pd.DataFrame({"a": [1, 2], "b": [3, pd.NA]}, dtype=object), None, "Input X contains NaN"),
        (BackboneTransformer, pd.DataFrame(ELEMENTS["structured"](i) for i in range(2)), None,
         "expected one number in each cell of a table. Sample 0 has"),
        (BackboneTransformer, np.array([[1, pd.NA], [2, 3]], dtype=object), None, "Input X contains NaN"),
        (TransferClassifier, X, [[0, 1], [1], [0], [1], [0], [1]],
         r"expected one label for each sample.*MultiLabelBinarizer"),
        (TransferRegressor, X, [[0, 1], [1], [0], [1], [0], [1]],
         r"expected one answer in each sample.*MultiLabelBinarizer"),
        (TransferClassifier, X, np.zeros((6, 0)), r"y: expected an answer in each sample. Got .* shape \(6, 0\)"),
        (TransferRegressor, X, np.zeros((6, 0)), r"y: expected an answer in each sample. Got .* shape \(6, 0\)"),
        (TransferRegressor, X, np.arange(6) % 2 * 1e300, r"y: expected values whose variance is a finite number"),
    ],
)  # fmt: skip
def test_what_was_found(make, samples, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make(tiny, random_state=0).fit(samples, y)


def linear(input_shape):
    from keras import Input, Model, layers

    inputs = Input(input_shape)
    return Model(inputs, layers.Dense(2)(inputs))


def test_features_that_are_no_finite_numbers_are_told():
    transformer = BackboneTransformer(linear, random_state=0).fit(X)
    for rows in (np.where(np.arange(6)[:, None] == 4, 1e300, X), np.where(np.arange(6)[:, None] == 4, -1e300, X)):
        with pytest.raises(
            ValueError, match="X: sample 4 has features that are NaN or infinite in the backbone 'linear'"
        ):
            transformer.transform(rows)


def test_labels_of_two_types_are_told_for_one_task_as_for_several():
    y = np.array(["a", 1] * 3, dtype=object)
    for answers in (y, np.stack([y, y], axis=1)):
        with pytest.raises(TypeError, match=r"y: expected labels of one type\. Got int and str"):
            TransferClassifier(tiny).fit(X, answers)


def test_columns_of_too_large_values_are_named():
    with pytest.raises(ValueError, match=r"X: expected values whose variance .* Got values up to 1e\+200 in column 1"):
        TransferClassifier("mlp").fit(X * [1, 0, 1] + [[0, 1e200, 0], [0, 0, 0]] * 3, [0, 1] * 3)


@pytest.mark.parametrize("name", ["small_cnn", "small_resnet"])
def test_network_that_cannot_be_built_for_these_samples(name):
    with pytest.raises(ValueError, match=rf"backbone: '{name}' cannot be built for samples of shape \(3,\)"):
        TransferClassifier(name).fit(X, [0, 1] * 3)
