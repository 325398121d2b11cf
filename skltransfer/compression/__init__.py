"""Fitted estimators in, smaller ones out."""

from skltransfer.compression._distillation import DistillationClassifier, DistillationRegressor
from skltransfer.compression._low_rank import low_rank
from skltransfer.compression._pruning import prune
from skltransfer.compression._quantization import quantize
from skltransfer.compression._report import CompressionReport, compression_report

__all__ = [
    "CompressionReport",
    "DistillationClassifier",
    "DistillationRegressor",
    "compression_report",
    "low_rank",
    "prune",
    "quantize",
]
