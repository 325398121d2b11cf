"""How well a pretrained network suits new data, before anything is trained on them, and how far it goes.

Measures take arrays, and a higher one is better. `rank_backbones` cross-validates what is wanted itself,
`learning_curve_forecast` says what more labels would bring, `error_bound` what the error is at most, and
`negative_transfer_check` whether a model without a network is better.
"""

from skltransfer.transferability._bounds import ErrorBound, error_bound
from skltransfer.transferability._forecast import LearningCurveForecast, learning_curve_forecast
from skltransfer.transferability._negative_transfer import NegativeTransferWarning, negative_transfer_check
from skltransfer.transferability._ranking import rank_backbones
from skltransfer.transferability._separation import h_score, k_nn, log_me, trans_rate
from skltransfer.transferability._source_classes import leep, n_leep, nce

__all__ = [
    "ErrorBound",
    "LearningCurveForecast",
    "NegativeTransferWarning",
    "error_bound",
    "h_score",
    "k_nn",
    "learning_curve_forecast",
    "leep",
    "log_me",
    "n_leep",
    "nce",
    "negative_transfer_check",
    "rank_backbones",
    "trans_rate",
]
