import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from skltransfer import AttentionTransfer, GradualUnfreezing, LoRA, MLPHead
from skltransfer._engine.augmentation import AUGMENTATIONS, _named_augmentation, augmentation_json
from skltransfer._engine.schedules import rate_factor, stage_shares
from skltransfer._engine.trainable import resolve_trainable
from skltransfer._estimators.holdout import check_held, check_split
from skltransfer._heads.parameters import head_layers


@pytest.mark.parametrize(
    ("trainable", "pretrained", "stages", "kind"),
    [
        ("auto", True, 0, "weights"),
        ("auto", False, 5, "weights"),
        ("head", False, 0, "weights"),
        ("all", True, 5, "weights"),
        (2, True, 2, "weights"),
        (np.int64(5), True, 5, "weights"),
        ("norm", True, 5, "norm"),
        ("lora", True, 5, "lora"),
        (LoRA(2, where=3), True, 3, "lora"),
        (GradualUnfreezing(2, stages=4), True, 4, "weights"),
    ],
)
def test_which_layers_are_fine_tuned(trainable, pretrained, stages, kind):
    moves = resolve_trainable(trainable, pretrained=pretrained, n_stages=5)
    assert (moves.stages, moves.kind) == (stages, kind)


@pytest.mark.parametrize(
    ("trainable", "message"),
    [
        ("lorra", r"Got trainable='lorra'; known: .* Did you mean 'lora'\?"),
        (6, r"trainable: expected 'all' or a number of stages from 1 to 5, which is how many .* has\. Got 6"),
        (0, r"from 1 to 5, .* Got 0"),
        (-1, r"from 1 to 5, .* Got -1"),
        (True, "Got trainable=True; known"),
        (2.0, r"Got trainable=2\.0; known"),
        (None, "Got trainable=None; known"),
        ([1], r"Got trainable=\[1\]; known"),
        (LoRA(0), r"LoRA\(rank=…\): expected an int of at least 1\. Got 0"),
        (LoRA(alpha="big"), r"LoRA\(alpha=…\): expected a positive, finite number or None\. Got 'big'"),
        (LoRA(where=9), r"LoRA\(where=…\): expected 'all' or a number of stages from 1 to 5"),
        (GradualUnfreezing(0), r"GradualUnfreezing\(every=…\): expected an int of at least 1"),
        (GradualUnfreezing(stages=7), r"GradualUnfreezing\(stages=…\): .* from 1 to 5"),
    ],
)
def test_wrong_trainable_is_refused(trainable, message):
    with pytest.raises(ValueError, match=message):
        resolve_trainable(trainable, pretrained=True, n_stages=5)


@pytest.mark.parametrize(
    "value",
    [
        LoRA(3, alpha=6.0, where=2),
        GradualUnfreezing(3, stages=2),
        MLPHead((4, 5)),
        AttentionTransfer(2.0, teacher="efficientnet_lite0"),
    ],
)
def test_values_are_cloned_and_searched_like_estimators(value):
    assert clone(value).get_params() == value.get_params()
    name = next(iter(value.get_params()))
    assert clone(value).set_params(**{name: 7}).get_params()[name] == 7


def test_gradual_unfreezing_goes_down_from_the_head():
    moves = resolve_trainable(GradualUnfreezing(2, stages=3), pretrained=True, n_stages=5)
    assert [moves.n_trainable_stages(epoch) for epoch in range(9)] == [0, 0, 1, 1, 2, 2, 3, 3, 3]


@given(st.sampled_from(["cosine", "constant"]), st.floats(0, 0.99), st.floats(0, 0.999))
def test_rates_stay_between_nothing_and_all(schedule, warmup, progress):
    assert 0 <= rate_factor(schedule, progress, warmup) <= 1


def test_cosine_falls_after_a_linear_warm_up():
    factors = [rate_factor("cosine", p, 0.5) for p in (0.125, 0.25, 0.5, 0.75, 0.999)]
    np.testing.assert_allclose(factors, [0.25, 0.5, 1.0, 0.5, 0.0], atol=1e-4)
    assert rate_factor("constant", 0.9, 0.5) == 1.0


@given(st.lists(st.integers(0, 6), min_size=1), st.integers(0, 7), st.floats(0.1, 1))
def test_learning_rates_fall_with_depth_and_are_0_in_frozen_layers(depths, moving, decay):
    shares = stage_shares(depths, moving, decay)
    for depth, share in zip(depths, shares, strict=True):
        assert share == pytest.approx(decay ** (depth + 1) if depth < moving else 0.0)


@pytest.mark.parametrize(
    ("augmentation", "error", "message"),
    [
        ("flop", ValueError, "Got augmentation='flop'; known: 'flip', .* Did you mean 'flip'"),
        (3, TypeError, "expected a name, a Keras layer or None. Got int; known names: 'flip'"),
        (lambda x: x, TypeError, "Got function"),
    ],
)
def test_unknown_augmentation_is_refused(augmentation, error, message):
    with pytest.raises(error, match=message):
        augmentation_json(augmentation)


def test_names_of_augmentations_always_mean_the_same_network():
    known = {name: augmentation_json(name) for name in AUGMENTATIONS}
    assert len(set(known.values())) == len(AUGMENTATIONS)
    _named_augmentation.cache_clear()
    assert {name: augmentation_json(name) for name in AUGMENTATIONS} == known


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("liner", "The 'head' parameter must be 'linear', 'mlp' or MLPHead"),
        (MLPHead((0,)), r"MLPHead\(hidden=…\): expected whole numbers of units of at least 1. Got \(0,\)"),
        (MLPHead(64), r"MLPHead\(hidden=…\): expected whole numbers of units of at least 1. Got 64"),
        (MLPHead(dropout=1.0), r"MLPHead\(dropout=…\): expected a share from 0 to below 1. Got 1.0"),
    ],
)
def test_unknown_head_is_refused(head, message):
    with pytest.raises(ValueError, match=message):
        head_layers(head)


CODES = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2])


@pytest.mark.parametrize(
    ("share", "classes", "groups", "message"),
    [
        (0.5, CODES, None, "Got a class with 1 sample; add samples, pass X_val and y_val, or early_stopping=False"),
        (
            0.1,
            CODES % 3 % 2,
            None,
            r"validation_fraction=0.1 of 9 samples holds out 1 of them. Expected at least 2 samples",
        ),
        (0.9, CODES % 2, None, "holds out 9 of them. Expected at least 2 samples on each side"),
        (0.1, None, np.zeros(9), "expected at least 2 groups, one to hold out. Got 1"),
    ],
)
def test_samples_that_cannot_be_held_out_are_refused(share, classes, groups, message):
    with pytest.raises(ValueError, match=message):
        check_split(share, 9, classes, groups)


def test_groups_that_leave_a_class_out_are_refused():
    with pytest.raises(ValueError, match="no whole groups to hold out such that each class is on both sides"):
        check_held(CODES, np.array([0, 1]))
    check_held(CODES % 2, np.array([0, 4]))
