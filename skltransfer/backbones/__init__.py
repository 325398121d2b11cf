"""Networks and their weights as values."""

from skltransfer.backbones._backbone import Backbone, assign, build, building, read
from skltransfer.backbones._builders import standardize
from skltransfer.backbones._cutting import cut, join, weight_depths
from skltransfer.backbones._folding import fold
from skltransfer.backbones._registry import list_backbones, load_backbone, register_backbone

__all__ = [
    "Backbone",
    "assign",
    "build",
    "building",
    "cut",
    "fold",
    "join",
    "list_backbones",
    "load_backbone",
    "read",
    "register_backbone",
    "standardize",
    "weight_depths",
]
