"""Networks and their weights as values."""

from skltransfer.autoencoder._builders import (
    LATENT,
    autoencoder,
    decoded_shape,
    encode,
    log_variances,
    statistics,
    with_log_variance,
)
from skltransfer.backbones._attention import patch_grid, rollout
from skltransfer.backbones._backbone import Backbone, assign, build, building, read
from skltransfer.backbones._builders import STANDARDIZE, patch_side, standardize
from skltransfer.backbones._cutting import cut, join, last_places, weight_depths
from skltransfer.backbones._folding import fold
from skltransfer.backbones._registry import list_backbones, load_backbone, register_backbone
from skltransfer.backbones._text import text_transformer

__all__ = [
    "LATENT",
    "STANDARDIZE",
    "Backbone",
    "assign",
    "autoencoder",
    "build",
    "building",
    "cut",
    "decoded_shape",
    "encode",
    "fold",
    "join",
    "last_places",
    "list_backbones",
    "load_backbone",
    "log_variances",
    "patch_grid",
    "patch_side",
    "read",
    "register_backbone",
    "rollout",
    "standardize",
    "statistics",
    "text_transformer",
    "weight_depths",
    "with_log_variance",
]
