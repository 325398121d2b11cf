"""Displays of fitted estimators, in the way of scikit-learn's."""

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

__all__ = [
    "AdaptationSelectionDisplay",
    "AttentionMapDisplay",
    "BackboneRankingDisplay",
    "DomainShiftDisplay",
    "EmbeddingDisplay",
    "HistoryDisplay",
    "LatentDisplay",
    "LearningCurveForecastDisplay",
    "ReconstructionDisplay",
    "SelectionDisplay",
]
