"""Fitted estimators in, smaller ones out."""

from skltransfer.compression._distillation import DistillationClassifier, DistillationRegressor
from skltransfer.compression._quantization import quantize

__all__ = ["DistillationClassifier", "DistillationRegressor", "quantize"]
