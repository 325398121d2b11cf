"""Heads: what turns features into decisions."""

from skltransfer.heads._dense import DenseHead, Head, MLPHead, head_arrays, head_from_arrays, head_layers
from skltransfer.heads._encoding import LabelEncoding, read_labels
from skltransfer.heads._linear import (
    LinearHead,
    fit_logistic,
    fit_ridge,
    weighted_moments,
)
from skltransfer.heads._targets import Targets, channel_importance, solve

__all__ = [
    "DenseHead",
    "Head",
    "LabelEncoding",
    "LinearHead",
    "MLPHead",
    "Targets",
    "channel_importance",
    "fit_logistic",
    "fit_ridge",
    "head_arrays",
    "head_from_arrays",
    "head_layers",
    "read_labels",
    "solve",
    "weighted_moments",
]
