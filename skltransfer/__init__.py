"""Transfer learning for scikit-learn, on Keras networks."""

from skltransfer.backbones import Backbone, list_backbones, load_backbone, register_backbone
from skltransfer.classifier import TransferClassifier
from skltransfer.extractor import BackboneTransformer
from skltransfer.finetuning import GradualUnfreezing, LoRA
from skltransfer.heads import MLPHead
from skltransfer.regressor import TransferRegressor

__version__ = "0.1.0"

__all__ = [
    "Backbone",
    "BackboneTransformer",
    "GradualUnfreezing",
    "LoRA",
    "MLPHead",
    "TransferClassifier",
    "TransferRegressor",
    "list_backbones",
    "load_backbone",
    "register_backbone",
]
