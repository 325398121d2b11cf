"""Transfer learning for scikit-learn, on Keras networks."""

from skltransfer.adaptation import DomainAdaptationClassifier, DomainAdaptationRegressor
from skltransfer.autoencoder import AutoencoderTransformer
from skltransfer.backbones import Backbone, list_backbones, load_backbone, register_backbone
from skltransfer.classifier import TransferClassifier
from skltransfer.domain_shift import domain_report
from skltransfer.extractor import BackboneTransformer
from skltransfer.finetuning import AttentionTransfer, GradualUnfreezing, LoRA
from skltransfer.heads import AttentionHead, MLPHead
from skltransfer.plots import AttentionMapDisplay, DomainShiftDisplay, LatentDisplay, ReconstructionDisplay
from skltransfer.regressor import TransferRegressor

__version__ = "0.1.0"

__all__ = [
    "AttentionHead",
    "AttentionMapDisplay",
    "AttentionTransfer",
    "AutoencoderTransformer",
    "Backbone",
    "BackboneTransformer",
    "DomainAdaptationClassifier",
    "DomainAdaptationRegressor",
    "DomainShiftDisplay",
    "GradualUnfreezing",
    "LatentDisplay",
    "LoRA",
    "MLPHead",
    "ReconstructionDisplay",
    "TransferClassifier",
    "TransferRegressor",
    "domain_report",
    "list_backbones",
    "load_backbone",
    "register_backbone",
]
