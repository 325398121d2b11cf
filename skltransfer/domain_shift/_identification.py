"""Whether shares of classes are identifiable, as far as tests of the features say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skltransfer._utils.types import Array
from skltransfer.domain_shift import _measures as measures
from skltransfer.domain_shift._shares import ClassShares, estimate_class_shares

LEVEL = 0.05 / 3
"""Of p-values: three tests are read, and no shift is to be found in 19 of 20 pairs of equal domains."""
MIN_SAMPLES = 10


class Identified(NamedTuple):
    """Shares of classes in the target, where features allow it, and what was measured on the way."""

    shares: ClassShares
    source_error: float
    label_p_value: float
    reweighted_p_value: float
    predicted: NDArray[np.intp]


def identify(source: Array, classes: Array, target: Array, random: measures.Random) -> Identified:
    """Estimate shares of classes by a logistic regression, and withhold them if features of each class differ.

    Parameters
    ----------
    source, target : ndarrays of shape (n_samples, n_features)
        Features of both domains, standardized.
    classes : ndarray of int, shape (n_source,)
        Classes of the source, from 0, each of at least 2 samples.
    random : RandomState
        Draws folds, bootstrap samples and permutations.

    Returns
    -------
    Identified
        Shares are withheld where predictions say so, and where source samples with these shares can
        still be distinguished from target samples.
    """
    found = measures.predict_classes(source, classes, target, random)
    shares = estimate_class_shares(found.probabilities, classes, found.target_probabilities, random_state=random)
    p_value = np.nan
    if shares.identified:
        p_value = reweighted_p_value(source, classes, shares.shares, target, random)
        if np.isnan(p_value):
            shares = shares.withheld("the source has too few samples to have these shares")
        elif p_value < LEVEL:
            shares = shares.withheld(
                f"features differ even between the target and source samples with these shares (p = {p_value:.2g})"
            )
    predicted = found.target_probabilities.argmax(axis=1)
    return Identified(shares, found.error, found.p_value, p_value, predicted)


def reweighted_p_value(source: Array, classes: Array, shares: Array, target: Array, random: measures.Random) -> float:
    """Test whether source samples with these shares of classes can be distinguished from target samples.

    Returns
    -------
    float
        The p-value of a kernel test and a classifier test together; NaN if the source has too few samples for it.
    """
    samples = measures.with_shares(classes, np.where(shares < 1 / len(target), 0, shares), random)
    if len(samples) < MIN_SAMPLES:
        return np.nan
    mmd = measures.mmd_test(source[samples], target, random_state=random)[1]
    return min(1.0, 2 * min(mmd, measures.classifier_test(source[samples], target, random)[1]))
