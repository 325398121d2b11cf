"""Classifiers, regressors and feature extractors on pretrained networks."""

from skltransfer.supervised._classifier import TransferClassifier
from skltransfer.supervised._regressor import TransferRegressor
from skltransfer.supervised._transformer import BackboneTransformer

__all__ = ["BackboneTransformer", "TransferClassifier", "TransferRegressor"]
