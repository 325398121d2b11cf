"""Estimators that learn from domains with labels and adapt to domains without."""

from skltransfer.adaptation._classifier import DomainAdaptationClassifier
from skltransfer.adaptation._diagnostics import AdaptationWarning
from skltransfer.adaptation._method import Side
from skltransfer.adaptation._regressor import DomainAdaptationRegressor

__all__ = ["AdaptationWarning", "DomainAdaptationClassifier", "DomainAdaptationRegressor", "Side"]
