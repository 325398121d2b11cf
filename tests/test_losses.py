"""Losses, each beside a slow version in NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skltransfer._engine.penalties import attention_transfer, delta, l2_sp
from skltransfer._keras import backend as _backend
from skltransfer._targets.task import Task, task_loss, weighted_loss
from skltransfer.autoencoder._losses import gaussian_divergence, reconstruction_loss, structural_similarity

pytestmark = pytest.mark.backends

OUTPUTS = arrays(np.float64, (5, 3), elements=st.floats(-30, 30))


def as_array(tensor):
    import keras

    return keras.ops.convert_to_numpy(tensor)


def by_hand(task, targets, outputs):
    rows = []
    for target, output in zip(targets, outputs, strict=True):
        if task.kind == "classes":
            exps = np.exp(output - output.max())
            rows.append(-sum(t * np.log(e / exps.sum()) for t, e in zip(target, exps, strict=True) if t))
        elif task.kind == "labels":
            rows.append(sum(np.log1p(np.exp(-abs(o))) + max(o, 0) - t * o for t, o in zip(target, output, strict=True)))
        else:
            rows.append(0.5 * sum((o - t) ** 2 for t, o in zip(target, output, strict=True)))
    return np.array(rows)


@pytest.mark.parametrize("kind", ["classes", "labels", "values"])
@given(outputs=OUTPUTS)
def test_task_loss_is_the_one_written_by_hand(kind, outputs):
    targets = np.eye(3)[[0, 1, 2, 1, 0]]
    task = Task(kind, 3)
    found = np.asarray(task_loss(task, targets, outputs))
    np.testing.assert_allclose(found, by_hand(task, targets, outputs), rtol=1e-5, atol=1e-5)


@given(OUTPUTS, st.lists(st.booleans(), min_size=5, max_size=5))
def test_missing_targets_do_not_count(outputs, present):
    tasks = (Task("classes", 2), Task("values", 1))
    targets = np.column_stack([np.eye(2)[[0, 1, 0, 1, 1]], np.arange(5.0)])
    weights = np.column_stack([np.ones(5), np.array(present, dtype=float)])
    spoiled = np.where(weights[:, 1:] > 0, targets, np.column_stack([targets[:, :2], np.full(5, 99.0)]))
    found = np.asarray(weighted_loss(tasks, spoiled, weights, outputs))
    parts = by_hand(tasks[0], targets[:, :2], outputs[:, :2]), by_hand(tasks[1], targets[:, 2:], outputs[:, 2:])
    np.testing.assert_allclose(found, parts[0] + weights[:, 1] * parts[1], rtol=1e-5, atol=1e-5)


@given(arrays(np.float64, (4, 3), elements=st.floats(-9, 9)), arrays(np.float64, (4, 3), elements=st.floats(-9, 9)))
def test_l2_sp_and_delta_are_squared_distances(now, then):
    expected = 0.5 * np.sum((now - then) ** 2)
    assert float(l2_sp([now[:2], now[2:]], [then[:2], then[2:]])) == pytest.approx(expected, abs=1e-4)
    weights = np.array([0.0, 1.0, 2.0])
    slow = 0.5 * sum(w * np.mean((now[:, c] - then[:, c]) ** 2) for c, w in enumerate(weights))
    assert float(delta(now, then, weights)) == pytest.approx(slow, abs=1e-4)
    assert float(delta(now, now, weights)) == 0.0


@given(arrays(np.float64, (3, 2, 2, 4), elements=st.floats(-9, 9)), st.floats(0.1, 9))
def test_attention_transfer_by_hand(maps, factor):
    start = np.random.default_rng(0).normal(size=maps.shape)
    slow = 0.0
    for row, other in zip(maps, start, strict=True):
        activities = []
        for one in (row, other):
            activity = np.array([sum(value**2 for value in place) for place in one.reshape(4, 4)])
            activities.append(activity / np.sqrt(sum(activity**2) + 1e-12))
        slow += 0.5 * np.sum((activities[0] - activities[1]) ** 2) / len(maps)
    assert float(attention_transfer(maps, start)) == pytest.approx(slow, abs=1e-4)
    assert float(attention_transfer(factor * start, start)) == pytest.approx(0, abs=1e-6)


PICTURES = arrays(np.float64, (2, 9, 8, 1), elements=st.floats(0, 1))


@given(target=OUTPUTS, output=OUTPUTS)
def test_reconstruction_losses_by_hand(target, output):
    squares, differences = (target - output) ** 2, np.abs(target - output)
    present = np.arange(15).reshape(5, 3) % 4 > 0
    known = [row[there].mean() for row, there in zip(squares, present, strict=True)]
    single = {"rtol": 1e-5, "atol": 1e-12}  # PyTorch and JAX compute in single precision, whose tiny squares are zero
    np.testing.assert_allclose(as_array(reconstruction_loss("mse", target, output)), squares.mean(axis=1), **single)
    np.testing.assert_allclose(as_array(reconstruction_loss("mae", target, output)), differences.mean(axis=1), **single)
    np.testing.assert_allclose(as_array(reconstruction_loss("mse", target, output, present)), known, **single)


def test_missing_values_do_not_count_even_as_nan():
    target = np.array([[np.nan, 1.0], [np.nan, np.nan]])
    found = as_array(reconstruction_loss("mse", target, np.zeros((2, 2)), ~np.isnan(target)))
    np.testing.assert_array_equal(found, [1.0, 0.0])


@given(target=arrays(np.float64, (4, 3), elements=st.floats(0, 1)))
def test_cross_entropy_is_lowest_at_the_target(target):
    at_target = as_array(reconstruction_loss("bce", target, target))
    beside = as_array(reconstruction_loss("bce", target, np.clip(target + 0.1, 0, 1)))
    assert (at_target <= beside + 1e-5).all()


@given(some=PICTURES, others=PICTURES)
def test_structural_similarity_by_hand(some, others):
    expected = []
    for a, b in zip(some[..., 0], others[..., 0], strict=True):
        values = []
        for i in range(3):
            for j in range(2):
                x, y = a[i : i + 7, j : j + 7], b[i : i + 7, j : j + 7]
                covariance = np.mean(x * y) - x.mean() * y.mean()
                luminance = (2 * x.mean() * y.mean() + 1e-4) / (x.mean() ** 2 + y.mean() ** 2 + 1e-4)
                values.append(luminance * (2 * covariance + 9e-4) / (x.var() + y.var() + 9e-4))
        expected.append(np.mean(values))
    with _backend.double_precision():
        np.testing.assert_allclose(as_array(structural_similarity(some, others)), expected, atol=1e-5)
        np.testing.assert_allclose(
            as_array(structural_similarity(some, some)), 1.0, atol=5e-3
        )  # single precision on JAX


@given(mean=arrays(np.float64, (1, 1), elements=st.floats(-2, 2)), spread=st.floats(-1, 1))
def test_divergence_by_numerical_integration(mean, spread):
    x = np.linspace(-30, 30, 20001)
    density = np.exp(-((x - mean[0, 0]) ** 2) / (2 * np.exp(spread))) / np.sqrt(2 * np.pi * np.exp(spread))
    standard = -0.5 * x**2 - 0.5 * np.log(2 * np.pi)
    inside = density > 1e-300
    integrand = density[inside] * (np.log(density[inside]) - standard[inside])
    expected = np.sum(integrand) * (x[1] - x[0])
    found = as_array(gaussian_divergence(mean, np.full((1, 1), spread)))
    np.testing.assert_allclose(found, [expected], rtol=1e-5, atol=1e-5)
