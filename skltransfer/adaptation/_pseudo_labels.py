"""Labels of samples without labels, from what a network predicts for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer._utils.types import Floats


def confident_labels(
    probabilities: Floats, *, share: float, threshold: float = 0.0
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Take the most confident predictions of each class (class-balanced self-training).

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Predictions.
    share : float
        From 0 to 1: how many of the samples that are predicted as a class are taken, rounded,
        but at least one.
    threshold : float
        Samples that are predicted with a lower probability are not taken.

    Returns
    -------
    codes : ndarray of shape (n_samples,)
        The predicted class of each sample. The paper divides probabilities by the least one taken
        in each class before it predicts.
    weights : ndarray of shape (n_samples,)
        1.0 for samples that are taken, else 0.0. Of equally confident ones the first is taken.

    References
    ----------
    Zou, Yu, Kumar & Wang, "Unsupervised Domain Adaptation for Semantic Segmentation via
    Class-Balanced Self-TrainingSettings", ECCV 2018.

    Examples
    --------
    >>> codes, weights = confident_labels(np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]]), share=0.5)
    >>> codes.tolist(), weights.tolist()
    ([0, 0, 1], [1.0, 0.0, 1.0])
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share: expected a number from 0 to 1. Got {share!r}.")
    codes, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    weights = np.zeros(len(codes))
    for code in np.unique(codes):
        samples = np.flatnonzero(codes == code)
        samples = samples[np.argsort(-confidence[samples], kind="stable")]
        weights[samples[: max(1, round(share * len(samples)))]] = 1.0
    return codes, weights * (confidence >= threshold)


def centroid_labels(features: Floats, probabilities: Floats) -> NDArray[np.intp]:
    """Label each sample with the nearest of the centroids of classes, by cosine (SHOT).

    The centroids of a first round are means weighted by probabilities, and those of a second
    round are means of the samples that the first gave to a class.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        Features, to which a 1 is appended as in the paper's code.
    probabilities : ndarray of shape (n_samples, n_classes)
        Predictions for the same samples.

    Returns
    -------
    ndarray of shape (n_samples,)
        Codes of classes, of which at least one sample is predicted as such.

    References
    ----------
    Liang, Hu & Feng, "Do We Really Need to Access the Source Data? Source Hypothesis Transfer
    for Unsupervised Domain Adaptation", ICML 2020.

    Examples
    --------
    >>> features = np.array([[9.0], [8.0], [-8.0], [-9.0]])
    >>> probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.1, 0.9]])
    >>> centroid_labels(features, probabilities).tolist()
    [0, 0, 1, 1]
    """
    directions = _unit(np.column_stack([features, np.ones(len(features))]))
    codes, memberships = probabilities.argmax(axis=1), probabilities
    for _ in range(2):
        classes = np.unique(codes)
        centroids = _unit(memberships[:, classes].T @ directions)
        codes = classes[np.argmax(directions @ centroids.T, axis=1)]
        memberships = np.eye(probabilities.shape[1])[codes]
    return codes


def _unit(samples: NDArray[Any]) -> NDArray[Any]:
    return samples / np.linalg.norm(samples, axis=1, keepdims=True)
