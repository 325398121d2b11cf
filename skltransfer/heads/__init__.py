"""Heads: what turns features into decisions."""

from skltransfer.heads._attention import (
    SMALLEST_SQUARE,
    AttendingHead,
    AttentionHead,
    average_places,
    head_of_channels,
)
from skltransfer.heads._dense import DenseHead, MLPHead
from skltransfer.heads._encoding import LabelEncoding, read_labels
from skltransfer.heads._kinds import Head, HeadLayers, embedding, head_arrays, head_from_arrays, head_layers
from skltransfer.heads._linear import (
    LinearHead,
    fit_logistic,
    fit_ridge,
    weighted_moments,
)
from skltransfer.heads._pseudo_labels import centroid_labels, confident_labels
from skltransfer.heads._targets import Targets, channel_importance, solve

__all__ = [
    "SMALLEST_SQUARE",
    "AttendingHead",
    "AttentionHead",
    "DenseHead",
    "Head",
    "HeadLayers",
    "LabelEncoding",
    "LinearHead",
    "MLPHead",
    "Targets",
    "average_places",
    "centroid_labels",
    "channel_importance",
    "confident_labels",
    "embedding",
    "fit_logistic",
    "fit_ridge",
    "head_arrays",
    "head_from_arrays",
    "head_layers",
    "head_of_channels",
    "read_labels",
    "solve",
    "weighted_moments",
]
