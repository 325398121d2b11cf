"""Transfer learning for scikit-learn, on Keras networks."""

# ruff: noqa: F405 (names of __all__ are found when they are asked for)

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from skltransfer._version import __version__ as __version__

if TYPE_CHECKING:
    from skltransfer._public import *  # noqa: F403

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

_TASKS = (
    "adaptation", "autoencoder", "backbones", "compression", "datasets", "domain_shift", "export", "model_selection",
    "plots", "serve", "supervised", "transferability",
)  # fmt: skip
"""Folders that are attributes of the package without an import of their own."""


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(_import_module("skltransfer._public"), name)
    if name in _TASKS:
        return _import_module(f"skltransfer.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_TASKS})
