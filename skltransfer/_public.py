"""What `skltransfer` shows, imported when the first of it is asked for."""

from skltransfer._engine.trainable import GradualUnfreezing, LoRA
from skltransfer._heads.parameters import AttentionHead, MLPHead
from skltransfer.adaptation._classifier import DomainAdaptationClassifier
from skltransfer.adaptation._regressor import DomainAdaptationRegressor
from skltransfer.autoencoder._autoencoder import AutoencoderTransformer
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._registry import list_backbones, load_backbone, register_backbone
from skltransfer.domain_shift._report import domain_report
from skltransfer.plots._adaptation import AdaptationSelectionDisplay
from skltransfer.plots._attention import AttentionMapDisplay
from skltransfer.plots._embedding import EmbeddingDisplay
from skltransfer.plots._forecast import LearningCurveForecastDisplay
from skltransfer.plots._history import HistoryDisplay
from skltransfer.plots._latent import LatentDisplay
from skltransfer.plots._ranking import BackboneRankingDisplay
from skltransfer.plots._reconstruction import ReconstructionDisplay
from skltransfer.plots._selection import SelectionDisplay
from skltransfer.plots._shift import DomainShiftDisplay
from skltransfer.reporting._report import report
from skltransfer.saving._save import load, save
from skltransfer.supervised._attention_transfer import AttentionTransfer
from skltransfer.supervised._classifier import TransferClassifier
from skltransfer.supervised._regressor import TransferRegressor
from skltransfer.supervised._transformer import BackboneTransformer
from skltransfer.transferability._ranking import rank_backbones

__all__ = [
    "AdaptationSelectionDisplay",
    "AttentionHead",
    "AttentionMapDisplay",
    "AttentionTransfer",
    "AutoencoderTransformer",
    "Backbone",
    "BackboneRankingDisplay",
    "BackboneTransformer",
    "DomainAdaptationClassifier",
    "DomainAdaptationRegressor",
    "DomainShiftDisplay",
    "EmbeddingDisplay",
    "GradualUnfreezing",
    "HistoryDisplay",
    "LatentDisplay",
    "LearningCurveForecastDisplay",
    "LoRA",
    "MLPHead",
    "ReconstructionDisplay",
    "SelectionDisplay",
    "TransferClassifier",
    "TransferRegressor",
    "domain_report",
    "list_backbones",
    "load",
    "load_backbone",
    "rank_backbones",
    "register_backbone",
    "report",
    "save",
]
