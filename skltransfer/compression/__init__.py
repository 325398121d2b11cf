"""Fitted estimators in, smaller ones out."""

from skltransfer.compression._distillation import DistillationClassifier, DistillationRegressor

__all__ = ["DistillationClassifier", "DistillationRegressor"]
