"""Alignments of features that are solved, not trained: source samples are moved to where target samples lie."""

from __future__ import annotations

import numpy as np

from skltransfer._utils.types import Floats
from skltransfer.adaptation._method import Method, no_terms
from skltransfer.domain_shift._alignments import Affine, centered, standardize

KEPT = 0.9
"""Share of the variance of each domain that is in the subspaces that are aligned."""


def subspace_alignment(source: Floats, weights: Floats, target: Floats) -> Affine:
    """Express the main axes of the source by those of the target.

    Parameters
    ----------
    source, weights, target
        As in `skltransfer.domain_shift._alignments.standardize`.

    Returns
    -------
    Affine
        From the source to the span of the target's main axes. There are as many axes as have 0.9 of the variance
        in each domain; the paper finds their number by a bound on how far axes of two draws differ.

    References
    ----------
    Fernando, Habrard, Sebban & Tuytelaars, "Unsupervised Visual Domain Adaptation Using Subspace
    Alignment", ICCV 2013.
    """
    mean, axes = _axes(source, weights)
    new_mean, new_axes = _axes(target, np.ones(len(target)))
    n_axes = max(min(axes.shape[1], new_axes.shape[1]), 1)
    axes, new_axes = axes[:, :n_axes], new_axes[:, :n_axes]
    matrix = axes @ (axes.T @ new_axes) @ new_axes.T
    return Affine(matrix, new_mean - mean @ matrix)


def linear_ot(source: Floats, weights: Floats, target: Floats) -> Affine:
    """Transport the source onto the target as if both were Gaussian, at the least squared distance.

    Parameters
    ----------
    source, weights, target
        As in `skltransfer.domain_shift._alignments.standardize`.

    Returns
    -------
    Affine
        After it, mean and covariance of the source are those of the target, but for shrinkage: correlations are
        multiplied by n_samples / (n_samples + n_features), so that few samples of many columns have a map.

    References
    ----------
    Flamary, Lounici & Ferrari, "Concentration Bounds for Linear Monge Mapping Estimation and
    Optimal Transport Domain Adaptation", arXiv:1905.10155, 2019.
    """
    mean, covariance = _covariance(source, weights)
    new_mean, new_covariance = _covariance(target, np.ones(len(target)))
    root, inverse = _powers(covariance)
    matrix = inverse @ _powers(root @ new_covariance @ root)[0] @ inverse
    return Affine(matrix, new_mean - mean @ matrix)


def _covariance(samples: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted mean, and the covariance with correlations shrunk."""
    mean, near = centered(samples, weights)
    covariance = near.T @ near / len(samples)
    kept = len(samples) / (len(samples) + samples.shape[1])
    return mean, kept * covariance + (1 - kept) * np.diag(np.diag(covariance))


def _axes(samples: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Mean, and the principal axes that have most of the variance, the longest first."""
    mean, near = centered(samples, weights)
    lengths, axes = np.linalg.eigh(near.T @ near)
    lengths, axes = np.maximum(lengths[::-1], 0.0), axes[:, ::-1]
    shares = np.cumsum(lengths) / max(lengths.sum(), 1e-300)
    return mean, axes[:, : int(np.searchsorted(shares, KEPT)) + 1]


def _powers(covariance: Floats) -> tuple[Floats, Floats]:
    """Square root of a covariance, and its inverse on the axes that have a length."""
    lengths, axes = np.linalg.eigh(covariance)
    kept = lengths > max(lengths[-1], 0.0) * len(lengths) * np.finfo(np.float64).eps
    roots, axes = np.sqrt(lengths[kept]), axes[:, kept]
    return (axes * roots) @ axes.T, (axes / roots) @ axes.T


METHODS: dict[str, Method] = {
    "standardize": Method(no_terms, by=None, aligns=standardize),
    "subspace_alignment": Method(no_terms, by=None, aligns=subspace_alignment),
    "linear_ot": Method(no_terms, by=None, aligns=linear_ot),
}
"""The methods by an affine map of the source; above are the papers."""
