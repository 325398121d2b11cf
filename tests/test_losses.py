"""Losses, each beside a slow version in NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skltransfer import losses
from skltransfer.losses import Task

OUTPUTS = arrays(np.float64, (5, 3), elements=st.floats(-30, 30))


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
    found = np.asarray(losses.task_loss(task, targets, outputs))
    np.testing.assert_allclose(found, by_hand(task, targets, outputs), rtol=1e-5, atol=1e-5)


@given(OUTPUTS, st.lists(st.booleans(), min_size=5, max_size=5))
def test_missing_targets_do_not_count(outputs, present):
    tasks = (Task("classes", 2), Task("values", 1))
    targets = np.column_stack([np.eye(2)[[0, 1, 0, 1, 1]], np.arange(5.0)])
    weights = np.column_stack([np.ones(5), np.array(present, dtype=float)])
    spoiled = np.where(weights[:, 1:] > 0, targets, np.column_stack([targets[:, :2], np.full(5, 99.0)]))
    found = np.asarray(losses.weighted_loss(tasks, spoiled, weights, outputs))
    parts = by_hand(tasks[0], targets[:, :2], outputs[:, :2]), by_hand(tasks[1], targets[:, 2:], outputs[:, 2:])
    np.testing.assert_allclose(found, parts[0] + weights[:, 1] * parts[1], rtol=1e-5, atol=1e-5)


@given(arrays(np.float64, (4, 3), elements=st.floats(-9, 9)), arrays(np.float64, (4, 3), elements=st.floats(-9, 9)))
def test_pulls_are_squared_distances(now, then):
    expected = 0.5 * np.sum((now - then) ** 2)
    assert float(losses.l2_sp([now[:2], now[2:]], [then[:2], then[2:]])) == pytest.approx(expected, abs=1e-4)
    weights = np.array([0.0, 1.0, 2.0])
    slow = 0.5 * sum(w * np.mean((now[:, c] - then[:, c]) ** 2) for c, w in enumerate(weights))
    assert float(losses.delta(now, then, weights)) == pytest.approx(slow, abs=1e-4)
    assert float(losses.delta(now, now, weights)) == 0.0
