"""Measures of what classes of the source say about classes of the target."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from scipy.special import xlogy
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from skltransfer._utils.types import Array, Floats
from skltransfer.domain_shift._measures import Random, check_features
from skltransfer.transferability._reading import read_classes, read_features, read_target_classes

VARIANCE = 0.8
"""Share of the variance that principal components keep for N-LEEP, as in its paper."""
COMPONENTS_PER_CLASS = 5
SAMPLES_PER_COMPONENT = 5
"""A component has so many samples on average, if their number is "auto": one of a single sample knows its class."""


def leep(probabilities: Any, y: Any) -> float:
    """Log expected empirical prediction of target labels by a classifier of source classes.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_source_classes)
        What the classifier of the source predicts for samples of the target; at least 0, and 1
        in sum for each sample.
    y : array-like of shape (n_samples,)
        Classes of these samples.

    Returns
    -------
    float
        Mean log likelihood of the labels in nats, at most 0; higher is better.

    Raises
    ------
    ValueError
        If probabilities are none, or y is not a class for each sample.

    References
    ----------
    Nguyen, Hassner, Seeger & Archambeau, "LEEP: A New Measure to Evaluate Transferability of
    Learned Representations", ICML 2020.

    Examples
    --------
    >>> leep([[1, 0], [1, 0], [0, 1], [0, 1]], ["a", "a", "b", "b"])
    0.0
    >>> round(leep([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.1, 0.9]], ["a", "a", "b", "b"]), 3)
    -0.388
    """
    source = check_features(probabilities, "probabilities")
    sums = source.sum(axis=1)
    if (source < 0).any() or not np.allclose(sums, 1, atol=1e-3):
        raise ValueError(
            f"probabilities: expected values of at least 0 whose sum is 1 for each sample. Got a smallest value of "
            f"{source.min():g}, and sums from {sums.min():g} to {sums.max():g}; pass what predict_proba gives."
        )
    return _expected_log(source / sums[:, None], read_target_classes(y, len(source)))


def n_leep(
    features: Any, y: Any, *, n_components: int | str = "auto", random_state: int | Random | None = None
) -> float:
    """LEEP with components of a Gaussian mixture of the features in place of source classes.

    Features are projected onto the principal components that keep 80 % of their variance. Along
    these, components of the mixture have covariances of their own that are diagonal.

    Parameters
    ----------
    features : array-like of shape (n_samples, n_features)
        Features of samples of the target.
    y : array-like of shape (n_samples,)
        Classes of these samples.
    n_components : int or "auto", default="auto"
        Components of the mixture. "auto" is 5 for each class, as in the paper, but at most one
        for 5 samples.
    random_state : int, RandomState instance or None, default=None
        Draws where the mixture starts.

    Returns
    -------
    float
        Mean log likelihood of the labels in nats, at most 0; higher is better.

    Raises
    ------
    ValueError
        If features are not finite numbers, y is not a class for each sample, or there are fewer
        samples than components.

    References
    ----------
    Li et al., "Ranking Neural Checkpoints", CVPR 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> -0.4 < n_leep(X, y, random_state=0) < -0.05
    True
    """
    table = read_features(features)
    classes = read_target_classes(y, len(table))
    wanted = _n_components(n_components, len(table), classes.max() + 1)
    reduced = PCA(VARIANCE, svd_solver="full").fit_transform(table)
    mixture = GaussianMixture(wanted, covariance_type="diag", random_state=random_state)
    return _expected_log(mixture.fit(reduced).predict_proba(reduced), classes)


def nce(source_labels: Any, y: Any) -> float:
    """Negative conditional entropy of target labels, given source labels of the same samples.

    Parameters
    ----------
    source_labels : array-like of shape (n_samples,)
        Classes of the source, such as a classifier of the source predicts.
    y : array-like of shape (n_samples,)
        Classes of the target.

    Returns
    -------
    float
        In nats, at most 0, where source labels determine those of the target; higher is better.

    Raises
    ------
    ValueError
        If there is not one source label and one class for each sample.

    References
    ----------
    Tran, Nguyen & Hassner, "Transferability and Hardness of Supervised Classification Tasks",
    ICCV 2019.

    Examples
    --------
    >>> nce(["cat", "cat", "car", "car"], ["animal", "animal", "thing", "thing"])
    0.0
    >>> round(nce([0, 0, 1, 1], ["a", "b", "a", "b"]), 3)
    -0.693
    """
    given = read_classes(source_labels, len(source_labels), "source_labels")
    classes = read_target_classes(y, len(given))
    joint = np.zeros((classes.max() + 1, given.max() + 1))
    np.add.at(joint, (classes, given), 1 / len(given))
    return min(0.0, float((xlogy(joint, joint) - xlogy(joint, joint.sum(axis=0))).sum()))


def _expected_log(source: Floats, classes: Array) -> float:
    """Mean log likelihood of classes, predicted by way of their shares in each source class."""
    target = np.eye(classes.max() + 1)[classes]
    joint = target.T @ source
    present = joint.sum(axis=0) > 0
    conditional = joint[:, present] / joint[:, present].sum(axis=0)
    likelihood = (source[:, present] @ conditional.T * target).sum(axis=1)
    return min(0.0, float(np.log(likelihood).mean()))


def _n_components(wanted: int | str, n_samples: int, n_classes: int) -> int:
    if isinstance(wanted, str) and wanted == "auto":
        return max(2, min(COMPONENTS_PER_CLASS * n_classes, n_samples // SAMPLES_PER_COMPONENT))
    if not isinstance(wanted, Integral) or not 1 <= wanted <= n_samples:
        raise ValueError(
            f"n_components: expected 'auto', or an int from 1 to the number of samples, {n_samples}. Got {wanted!r}."
        )
    return int(wanted)
