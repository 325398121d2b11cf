"""Losses of domain adaptation, each beside a slow version in NumPy."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skltransfer._keras import backend as _backend
from skltransfer.adaptation._adversarial import (
    classifier_discrepancy,
    domain_loss,
    margin_disparity,
    multilinear_map,
    reverse_gradient,
)
from skltransfer.adaptation._discrepancies import (
    coral,
    jmmd,
    joint_transport,
    mean_distance,
    mmd,
    transport_plan,
)
from skltransfer.adaptation._method import Side, Step
from skltransfer.adaptation._methods import METHODS
from skltransfer.adaptation._predictions import certainty_weights, class_confusion, entropy, information_maximization

pytestmark = pytest.mark.backends

TOLERANCE = 1e-8 if _backend.name() == "tensorflow" else 1e-5
"""On torch and JAX, Keras takes means in single precision."""


def close(expected):
    return pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE)


def batches(n_rows, n_columns, reach=9):
    """Batches without tiny differences, which single precision cannot tell from none."""
    return arrays(np.float64, (n_rows, n_columns), elements=st.integers(-10 * reach, 10 * reach).map(lambda x: x / 10))


SOURCE, TARGET, DECISIONS = batches(5, 3), batches(4, 3), batches(5, 3, reach=30)
WEIGHTS = st.floats(0.1, 5)


def value(function, *tensors, **options):
    """Call in double precision, on every backend."""
    import keras

    with _backend.double_precision():
        return keras.ops.convert_to_numpy(function(*tensors, **options))


def tensorflow_gradients(function, examples):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, *example.shape[1:]), example.dtype) for example in examples])
    def compiled(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            result = function(*tensors)
        return tape.gradient(result, tensors, unconnected_gradients="zero")

    return lambda *tensors: compiled(*(tf.constant(tensor) for tensor in tensors))


def torch_gradients(function, examples):
    import torch

    def find(*tensors):
        tensors = [torch.tensor(tensor, requires_grad=True) for tensor in tensors]
        return torch.autograd.grad(function(*tensors), tensors, materialize_grads=True)

    return find


def jax_gradients(function, examples):
    import jax

    return jax.jit(jax.grad(function, argnums=range(len(examples))))


def gradients(function, *examples):
    """Find gradients by tensors like the examples: compiled where the backend compiles, for any number of rows."""
    makers = {"tensorflow": tensorflow_gradients, "torch": torch_gradients, "jax": jax_gradients}
    find = makers[_backend.name()](function, examples)

    def found(*tensors):
        with _backend.double_precision():
            return [np.asarray(gradient) for gradient in find(*tensors)]

    return found


def scalar(function, tensor):
    """Compose with a sum, for functions that do not return a scalar."""
    from keras import ops

    return ops.sum(function(tensor))


def slow_softmax(decisions):
    return np.array([np.exp(row - row.max()) / sum(np.exp(row - row.max())) for row in decisions])


def slow_entropy(probabilities):
    return -sum(p * np.log(p) for p in probabilities if p > 0)


def slow_covariance(x):
    n, d = x.shape
    means = [sum(x[:, j]) / n for j in range(d)]
    return np.array(
        [[sum((r[i] - means[i]) * (r[j] - means[j]) for r in x) / (n - 1) for j in range(d)] for i in range(d)]
    )


def slow_jmmd(sources, targets, factors=(0.25, 0.5, 1, 2, 4)):
    n, m = len(sources[0]), len(targets[0])
    kernel = np.ones((n + m, n + m))
    for source, target in zip(sources, targets, strict=True):
        rows = [*source, *target]
        distances = np.array([[sum((a - b) ** 2) for b in rows] for a in rows])
        mean = distances.sum() / ((n + m) * (n + m - 1))
        for i in range(n + m):
            for j in range(n + m):
                kernel[i, j] *= np.mean([np.exp(-distances[i, j] / (mean * factor)) for factor in factors])
    signs = [1 / n] * n + [-1 / m] * m
    return sum(signs[i] * signs[j] * kernel[i, j] for i in range(n + m) for j in range(n + m))


def slow_plan(cost, regularization, iterations):
    n, m = cost.shape
    kernel = np.exp(-cost / (regularization * cost.mean()))
    columns = np.ones(m)
    for _ in range(iterations):
        rows = [1 / n / sum(kernel[i] * columns) for i in range(n)]
        columns = np.array([1 / m / sum(kernel[:, j] * rows) for j in range(m)])
    rows = [1 / n / sum(kernel[i] * columns) for i in range(n)]
    return np.array([[rows[i] * kernel[i, j] * columns[j] for j in range(m)] for i in range(n)])


@given(SOURCE, TARGET)
def test_coral_by_hand(source, target):
    slow = np.sum((slow_covariance(source) - slow_covariance(target)) ** 2) / (4 * 3**2)
    assert value(coral, source, target) == close(slow)


@given(SOURCE, TARGET, st.integers(-50, 50))
def test_coral_is_invariant_to_a_shift_and_zero_for_equal_batches(source, target, shift):
    shifted = value(coral, source + shift, target)
    assert shifted == close(value(coral, source, target))
    assert value(coral, source, source) == 0
    assert value(coral, source, source + shift) == close(0)


@given(SOURCE, TARGET)
def test_distance_of_means_by_hand(source, target):
    slow = sum((sum(a) / len(a) - sum(b) / len(b)) ** 2 for a, b in zip(source.T, target.T, strict=True)) / 3
    assert value(mean_distance, source, target) == close(slow)


@given(SOURCE, TARGET)
def test_mmd_by_hand(source, target):
    assume(np.ptp(np.vstack([source, target]), axis=0).max() > 0)
    assert value(mmd, source, target) == close(slow_jmmd([source], [target]))
    single = value(mmd, source, target, factors=[0.7])
    assert single == close(slow_jmmd([source], [target], factors=[0.7]))


@given(SOURCE, TARGET, DECISIONS, batches(4, 2))
def test_jmmd_by_hand(source, target, decisions, others):
    predictions = slow_softmax(decisions[:, :2]), slow_softmax(others)
    assume(np.ptp(np.vstack([source, target]), axis=0).max() > 0)
    assume(np.ptp(np.vstack(predictions), axis=0).max() > 0.1)
    layers = [source, predictions[0]], [target, predictions[1]]
    assert value(jmmd, *layers) == close(slow_jmmd(*layers))


@pytest.mark.parametrize("layers", [1, 2])
@given(source=SOURCE, target=TARGET, seed=st.integers(0, 99))
def test_discrepancies_keep_their_invariants(layers, source, target, seed):
    random = np.random.default_rng(seed)
    rotation = np.linalg.qr(random.normal(size=(3, 3)))[0]
    order = random.permutation(len(source))

    def discrepancy(source, target):
        return value(jmmd, [source, np.tanh(source)][:layers], [target, np.tanh(target)][:layers])

    found = discrepancy(source, target)
    assert -TOLERANCE <= found <= 2
    assert discrepancy(target, source) == close(found)
    assert discrepancy(source, source) == close(0)
    assert discrepancy(source[order], target) == close(found)
    assert value(mmd, source @ rotation, target @ rotation) == close(value(mmd, source, target))


def test_discrepancy_far_from_zero_is_exact_in_single_precision():
    random = np.random.default_rng(0)
    source, target = random.normal(size=(20, 8)), random.normal(size=(30, 8)) + 0.5
    far = [(x + 1000).astype(np.float32) for x in (source, target)]
    assert value(mmd, *far) == pytest.approx(slow_jmmd([source], [target]), abs=1e-4)


@pytest.mark.parametrize("layers", [1, 2])
def test_layers_must_pair_up(layers):
    with pytest.raises(ValueError, match="zip"):
        jmmd([np.eye(2)] * layers, [np.eye(2)] * (3 - layers))


def reversed_and_weighted(x, strength, slopes):
    from keras import ops

    return ops.sum(reverse_gradient(x, strength[0]) * slopes)


REVERSED = gradients(reversed_and_weighted, np.ones((5, 3)), np.ones(1), np.ones((5, 3)))


@given(SOURCE, WEIGHTS)
def test_reversed_gradient(x, strength):
    slopes = np.arange(15.0).reshape(5, 3)
    by_x, _, by_slopes = REVERSED(x, np.array([strength]), slopes)
    np.testing.assert_allclose(by_x, -strength * slopes, rtol=1e-12)
    np.testing.assert_allclose(by_slopes, x, atol=1e-12)
    np.testing.assert_allclose(value(reverse_gradient, x, strength), x, atol=1e-12)


@given(DECISIONS, st.integers(0, 2), st.floats(0.5, 1.0))
def test_domain_loss_by_hand(decisions, domain, certainty):
    wanted = [certainty if number == domain else (1 - certainty) / 2 for number in range(3)]
    slow = [-sum(w * np.log(p) for w, p in zip(wanted, row, strict=True)) for row in slow_softmax(decisions)]
    found = value(domain_loss, decisions, domain, certainty=certainty)
    np.testing.assert_allclose(found, slow, rtol=1e-9)


def dann_term(source, target):
    def told(x, *, frozen=False):
        return x

    sides = [Side(x, None, None, None) for x in (source, target)]
    step = Step((sides[0],), (sides[1],), strength=1.0, adversary=told, decide=None, loss=None)
    return METHODS["dann"].terms(step)["domain"]


def test_gradient_of_samples_assigned_to_the_other_domain_is_not_reversed():
    told, deceiving = [0.2, -0.2], [-0.2, 0.2]
    by_source, by_target = gradients(dann_term, np.ones((2, 2)), np.ones((2, 2)))(
        np.array([told, deceiving]), np.array([deceiving, told])
    )
    assert by_source[0, 0] > 0 > by_source[0, 1]  # a step against it makes the source less like the source
    assert by_target[0, 1] > 0 > by_target[0, 0]
    assert not by_source[1].any()
    assert not by_target[1].any()


@given(SOURCE, batches(5, 2))
def test_multilinear_map_by_hand(features, probabilities):
    slow = [[f * p for f in row for p in other] for row, other in zip(features, probabilities, strict=True)]
    found = value(multilinear_map, features, probabilities)
    assert found.shape == (5, 6)
    np.testing.assert_allclose(found, slow, rtol=1e-12)


@given(DECISIONS)
def test_entropy_by_hand(decisions):
    found = value(entropy, decisions)
    np.testing.assert_allclose(found, [slow_entropy(row) for row in slow_softmax(decisions)], atol=1e-12)
    assert (found >= 0).all()
    assert (found <= np.log(3) + 1e-12).all()


@given(DECISIONS)
def test_certainty_weights_by_hand(decisions):
    slow = np.array([1 + np.exp(-slow_entropy(row)) for row in slow_softmax(decisions)])
    found = value(certainty_weights, decisions)
    np.testing.assert_allclose(found, slow / np.mean(slow), rtol=TOLERANCE)


def test_certainty_weights_have_no_gradient():
    from keras import ops

    def weighted_sum(decisions):
        return ops.sum(certainty_weights(decisions) * decisions[:, 0])

    decisions = np.arange(6.0).reshape(2, 3) ** 2
    (found,) = gradients(weighted_sum, decisions)(decisions)
    np.testing.assert_allclose(found[:, 0], value(certainty_weights, decisions), rtol=TOLERANCE)
    assert not found[:, 1:].any()


@given(DECISIONS, st.sampled_from([1.0, 2.5]))
def test_class_confusion_by_hand(decisions, temperature):
    p = slow_softmax(decisions / temperature)
    weights = np.array([1 + np.exp(-slow_entropy(row)) for row in p])
    weights *= len(p) / sum(weights)
    correlation = np.array([[sum(weights * p[:, i] * p[:, j]) for j in range(3)] for i in range(3)])
    correlation = np.array([row / sum(row) for row in correlation])
    slow = sum(correlation[i, j] for i in range(3) for j in range(3) if i != j) / 3
    assert value(class_confusion, decisions, temperature=temperature) == close(slow)


@given(DECISIONS, st.permutations(range(3)), st.permutations(range(5)))
def test_class_confusion_keeps_its_invariants(decisions, classes, rows):
    found = value(class_confusion, decisions)
    assert 0 <= found <= 1
    assert value(class_confusion, decisions[list(rows)][:, list(classes)]) == close(found)


@given(DECISIONS, DECISIONS)
def test_classifier_discrepancy_by_hand(decisions, others):
    some, other = slow_softmax(decisions), slow_softmax(others)
    slow = sum(abs(some[i, j] - other[i, j]) for i in range(5) for j in range(3)) / 15
    found = value(classifier_discrepancy, decisions, others)
    assert found == close(slow)
    assert 0 <= found <= 2 / 3
    assert value(classifier_discrepancy, others, decisions) == close(found)
    assert value(classifier_discrepancy, decisions, decisions) == 0


@given(DECISIONS, DECISIONS, TARGET, TARGET, WEIGHTS)
def test_margin_disparity_by_hand(source, source_adversary, target, target_adversary, margin):
    agreement, disagreement = 0.0, 0.0
    for row, probabilities in zip(source, slow_softmax(source_adversary), strict=True):
        agreement += np.log(probabilities[np.argmax(row)]) / len(source)
    for row, probabilities in zip(target, slow_softmax(target_adversary), strict=True):
        others = [p for j, p in enumerate(probabilities) if j != np.argmax(row)]
        disagreement += np.log(sum(others)) / len(target)
    found = value(margin_disparity, source, source_adversary, target, target_adversary, margin=margin)
    assert found == close(-margin * agreement - disagreement)


def test_adversary_of_margin_disparity_agrees_on_the_source_alone():
    decisions, opposite = 3 * np.eye(3), 3 * np.roll(np.eye(3), 1, axis=0)
    apart = value(margin_disparity, decisions, decisions, decisions, opposite)
    assert apart < value(margin_disparity, decisions, decisions, decisions, decisions)
    assert apart < value(margin_disparity, decisions, opposite, decisions, opposite)
    by_source, by_adversary, by_target, _ = gradients(margin_disparity, *[decisions] * 4)(*[decisions] * 4)
    assert not by_source.any()
    assert not by_target.any()
    assert by_adversary.any()


COSTS = arrays(np.float64, (5, 4), elements=st.integers(100, 300).map(lambda x: x / 100))


@given(COSTS, st.sampled_from([0.05, 0.3]), st.sampled_from([1, 9]))
def test_transport_plan_by_hand(cost, regularization, iterations):
    found = value(transport_plan, cost, regularization=regularization, iterations=iterations)
    np.testing.assert_allclose(found, slow_plan(cost, regularization, iterations), atol=TOLERANCE)


@given(COSTS)
def test_marginals_of_the_plan_are_uniform(cost):
    plan = value(transport_plan, cost, regularization=0.3)
    assert (plan >= 0).all()
    np.testing.assert_allclose(plan.sum(axis=1), 1 / 5, rtol=TOLERANCE)
    np.testing.assert_allclose(plan.sum(axis=0), 1 / 4, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_default_plan_between_features_is_nearly_uniform(dtype):
    source, target = (np.random.default_rng(seed).normal(size=(32, 20)) for seed in (0, 1))
    cost = np.sum((source[:, None] - target) ** 2, axis=2).astype(dtype)
    plan = value(transport_plan, cost)
    assert plan.dtype == dtype
    np.testing.assert_allclose(plan.sum(axis=1), 1 / 32, rtol=1e-5)
    np.testing.assert_allclose(plan.sum(axis=0), 1 / 32, rtol=1e-3)


def test_plan_with_little_entropy_is_the_assignment():
    from scipy.optimize import linear_sum_assignment

    cost = np.random.default_rng(0).uniform(size=(6, 6))
    plan = value(transport_plan, cost, regularization=0.01, iterations=500)
    rows, columns = linear_sum_assignment(cost)
    assert 6 * plan[rows, columns].min() > 0.95


@settings(max_examples=9)
@given(SOURCE, TARGET, TARGET)
def test_joint_transport_by_hand(source, target, decisions):
    labels = np.eye(3)[[0, 1, 2, 1, 0]]
    logs = np.log(slow_softmax(decisions))
    cost = np.array(
        [
            [2 * sum((s - t) ** 2) - 3 * sum(label * log) for t, log in zip(target, logs, strict=True)]
            for s, label in zip(source, labels, strict=True)
        ]
    )
    plan = value(transport_plan, cost)
    found = value(joint_transport, source, target, labels, decisions, feature_weight=2.0, label_weight=3.0)
    assert found == close(np.sum(plan * cost))


def test_the_plan_of_joint_transport_is_held():
    random = np.random.default_rng(0)
    source, target, decisions = (random.normal(size=(n, 3)) for n in (5, 4, 4))
    labels = np.eye(3)[[0, 1, 2, 1, 0]]

    def loss(target):
        return joint_transport(source, target, labels, decisions, feature_weight=2.0, label_weight=3.0)

    (found,) = gradients(loss, target)(target)
    logs = np.log(slow_softmax(decisions))
    cost = 2 * np.sum((source[:, None] - target) ** 2, axis=2) - 3 * labels @ logs.T
    plan = value(transport_plan, cost)
    slow = [sum(plan[i, j] * 4 * (target[j] - source[i]) for i in range(5)) for j in range(4)]
    np.testing.assert_allclose(found, slow, rtol=TOLERANCE, atol=TOLERANCE)


@given(DECISIONS)
def test_information_maximization_by_hand(decisions):
    probabilities = slow_softmax(decisions)
    slow = np.mean([slow_entropy(row) for row in probabilities]) - slow_entropy(probabilities.mean(axis=0))
    found = value(information_maximization, decisions)
    assert found == close(slow)
    assert -np.log(3) - TOLERANCE <= found <= TOLERANCE


ROWS = {
    "equal rows": np.ones((4, 3)),
    "zeros": np.zeros((4, 3)),
    "one constant feature": np.array([[1.0, 7, 0], [1, 2, 0], [1, 3, 9], [1, 4, 0]]),
    "equal and far away": np.full((4, 3), 1e4 / 3),
    "huge": 1e6 * np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 1, 0]]),
    "one row": np.array([[1.0, 2, 3]]),
}
FUNCTIONS = {
    "coral": coral,
    "mean_distance": mean_distance,
    "mmd": mmd,
    "jmmd": lambda source, target: jmmd([source, target], [target, source]),
    "entropy": lambda source, target: scalar(entropy, source + target),
    "class_confusion": lambda source, target: class_confusion(source),
    "classifier_discrepancy": classifier_discrepancy,
    "margin_disparity": lambda source, target: margin_disparity(source, target, target, source),
    "margin_disparity of a classifier that agrees": lambda source, target: margin_disparity(*[source] * 4),
    "joint_transport": lambda source, target: joint_transport(source, target, 0 * source + 1 / 3, target),
    "information_maximization": lambda source, target: information_maximization(source),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_losses_and_gradients_are_finite_where_data_degenerate(name, dtype):
    slopes = gradients(FUNCTIONS[name], *np.ones((2, 4, 3), dtype))
    for what, rows in ROWS.items():
        source = rows.astype(dtype)
        for target in (source, np.flip(source, axis=1).copy()):
            found = value(FUNCTIONS[name], source, target)
            assert (found.shape, found.dtype) == ((), dtype)
            for tensor in (found, *slopes(source, target)):
                assert tensor.dtype == dtype
                assert np.isfinite(tensor).all(), what
