"""Samples that training does not see, for early stopping."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    train_test_split,
)  # fmt: skip

from skltransfer._inputs.samples import Samples
from skltransfer._targets.targets import Targets

HeldOut = tuple[Samples, Targets]


def hold_out(
    samples: Samples, targets: Targets, groups: Any, *, share: float, seed: int
) -> tuple[Samples, Targets, HeldOut]:
    """Set samples aside: whole groups if given, and some of each class.

    Parameters
    ----------
    samples, targets : Samples, Targets
        All of them.
    groups : array-like of shape (n_samples,) or None
        Samples of one group are held out together.
    share : float
        Share of the samples to hold out.
    seed : int
        Draws them.

    Returns
    -------
    samples, targets, held_out
        Those that are left, and those held out.
    """
    out = held_mask(targets, groups, share=share, seed=seed)
    return samples.take(~out), targets.take(~out), (samples.take(out), targets.take(out))


def held_mask(targets: Targets, groups: Any, *, share: float, seed: int) -> NDArray[np.bool_]:
    """Return which samples `hold_out` sets aside."""
    everything, strata = np.arange(len(targets)), targets.strata()
    check_split(share, len(targets), strata, groups)
    options: dict[str, Any] = {"random_state": seed}
    if groups is None:
        _, held = train_test_split(everything, test_size=share, stratify=strata, **options)
    elif strata is None:
        held = next(GroupShuffleSplit(1, test_size=share, **options).split(everything, groups=groups))[1]
    else:
        folds = StratifiedGroupKFold(max(2, round(1 / share)), shuffle=True, **options)
        held = next(folds.split(everything, strata, groups))[1]
    check_held(strata, held)
    return np.isin(everything, held)


def fold_masks(targets: Targets, groups: Any, *, n_folds: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Yield which samples each fold holds out, so that every sample is held out once.

    Parameters
    ----------
    targets : Targets
        Of all samples. Classes are shared out evenly.
    groups : array-like of shape (n_samples,) or None
        Samples of one group are held out together.
    n_folds : int
        How many folds there are; as many as groups, if these are fewer.
    seed : int
        Draws them.

    Raises
    ------
    ValueError
        If there is one group, or a class of which a fold holds out all samples.
    """
    everything, strata = np.arange(len(targets)), targets.strata()
    if groups is not None:
        n_folds = min(n_folds, len(np.unique(groups)))
        check_split(1 / n_folds, len(targets), strata, groups)
    options: dict[str, Any] = {"n_splits": n_folds, "shuffle": True, "random_state": seed}
    if groups is None:
        folds = KFold(**options) if strata is None else StratifiedKFold(**options)
    else:
        folds = GroupKFold(**options) if strata is None else StratifiedGroupKFold(**options)
    for _, held in folds.split(everything, strata, groups):
        if strata is not None and len(np.setdiff1d(strata, np.delete(strata, held))):
            check_held(strata, held)
        yield np.isin(everything, held)


def check_split(share: float, n_samples: int, classes: NDArray[np.intp] | None, groups: Any) -> None:
    """Raise before it is tried if samples cannot be held out.

    Parameters
    ----------
    share : float
        Share of the samples to hold out.
    n_samples : int
        How many samples there are.
    classes : ndarray of shape (n_samples,) or None
        Class of each sample, if each class has to be on both sides.
    groups : array-like of shape (n_samples,) or None
        Samples of one group stay together.

    Raises
    ------
    ValueError
        If a side would be empty, or without some class.
    """
    n_held = math.ceil(share * n_samples)
    counts = np.array([n_samples]) if classes is None else np.unique(classes, return_counts=True)[1]
    if groups is not None and len(np.unique(groups)) < 2:
        raise ValueError("groups: expected at least 2 groups, one to hold out. Got 1; pass X_val and y_val instead.")
    if min(counts) < 2:
        raise ValueError(
            "early_stopping holds out samples of each class, so it needs 2 of each. Got a class with 1 sample; add "
            "samples, pass X_val and y_val, or early_stopping=False."
        )
    if groups is None and min(n_held, n_samples - n_held) < len(counts):
        raise ValueError(
            f"validation_fraction={share:g} of {n_samples} samples holds out {n_held} of them. Expected at least "
            f"{len(counts)} samples on each side, one of each class; pass another validation_fraction, or X_val "
            "and y_val."
        )


def check_held(classes: NDArray[np.intp] | None, held: NDArray[np.intp]) -> None:
    """Raise ValueError if whole groups held out leave a side without some class."""
    if classes is None:
        return
    wanted, kept = set(classes.tolist()), np.delete(classes, held)
    if set(classes[held].tolist()) != wanted or set(kept.tolist()) != wanted:
        raise ValueError(
            "early_stopping found no whole groups to hold out such that each class is on both sides. Pass X_val and "
            "y_val, or a larger validation_fraction."
        )
