"""Which classes a file may name: all others are refused, and nothing is imported because of a name in a file."""

from __future__ import annotations

from typing import Any

from skltransfer._engine.job import TrainingState
from skltransfer._engine.pooling import Output
from skltransfer._engine.trainable import GradualUnfreezing, LoRA
from skltransfer._estimators.fitted import FittedModel
from skltransfer._features.extraction import Extraction
from skltransfer._features.split import SplitNetwork
from skltransfer._heads.head import Head
from skltransfer._heads.parameters import AttentionHead, MLPHead
from skltransfer._inputs.audio import LogMelSpectrogram
from skltransfer._inputs.formats import Layout
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.texts import Tokenization
from skltransfer._targets.labels import LabelEncoding
from skltransfer._targets.values import ValueEncoding
from skltransfer.adaptation._classifier import DomainAdaptationClassifier
from skltransfer.adaptation._fitting import AdaptedModel
from skltransfer.adaptation._regressor import DomainAdaptationRegressor
from skltransfer.autoencoder._autoencoder import AutoencoderTransformer
from skltransfer.autoencoder._fitted import FittedAutoencoder
from skltransfer.backbones._backbone import Backbone
from skltransfer.compression._distillation import DistillationClassifier, DistillationRegressor
from skltransfer.domain_shift._alignments import Affine
from skltransfer.domain_shift._reference import Place, Reference
from skltransfer.domain_shift._shares import ClassShares
from skltransfer.supervised._attention_transfer import AttentionTransfer
from skltransfer.supervised._classifier import TransferClassifier
from skltransfer.supervised._regressor import TransferRegressor
from skltransfer.supervised._transformer import BackboneTransformer


def _by_name(*classes: Any) -> dict[str, Any]:
    return {each.__name__: each for each in classes}


VALUES = _by_name(
    AdaptedModel, Affine, Backbone, ClassShares, Extraction, FittedAutoencoder, FittedModel, Head, InputFormat,
    LabelEncoding, Layout, LogMelSpectrogram, Output, Place, Preparation, Reference, SplitNetwork, Tokenization,
    TrainingState, ValueEncoding,
)  # fmt: skip
"""Immutable values: dataclasses and named tuples."""

ESTIMATORS = _by_name(
    AutoencoderTransformer, BackboneTransformer, DistillationClassifier, DistillationRegressor,
    DomainAdaptationClassifier, DomainAdaptationRegressor, TransferClassifier, TransferRegressor,
)  # fmt: skip
"""What `save` takes."""

PARAMETERS = _by_name(AttentionHead, AttentionTransfer, GradualUnfreezing, LoRA, MLPHead)
"""Parameters of these that have parameters of their own."""

LEARNED: dict[Any, dict[str, Any]] = {
    BackboneTransformer: {"model_": FittedModel},
    TransferClassifier: {"model_": FittedModel},
    TransferRegressor: {"model_": FittedModel},
    AutoencoderTransformer: {"model_": FittedAutoencoder},
    DomainAdaptationClassifier: {"model_": AdaptedModel},
    DomainAdaptationRegressor: {"model_": AdaptedModel},
    DistillationClassifier: {"student_": TransferClassifier},
    DistillationRegressor: {"student_": TransferRegressor},
}
"""What a fit leaves, and of which class it is."""

HINTS: dict[str, Any] = {"encoding": LabelEncoding | ValueEncoding | None, "aligned": Affine | None}
"""Types of fields that are annotated with more than a file may hold."""
