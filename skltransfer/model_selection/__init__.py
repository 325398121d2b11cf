"""Choosing among adapted estimators where the target has no labels: scorers, and splitters that know domains.

The scorers are objects for ``scoring=``. Without metadata routing, they know target samples by their
masked labels (-1 among integers, NaN among floats, None among others); with it, by
``sample_domain``, which they request by themselves.
"""

from skltransfer.model_selection._circular import CircularValidation
from skltransfer.model_selection._splitters import (
    LeaveOneDomainOut,
    SourceTargetShuffleSplit,
    StratifiedDomainShuffleSplit,
)
from skltransfer.model_selection._target import (
    MixValScorer,
    MutualInformationScorer,
    PredictionEntropyScorer,
    SoftNeighborhoodDensity,
)
from skltransfer.model_selection._weighted import DeepEmbeddedValidation, ImportanceWeightedScorer

__all__ = [
    "CircularValidation",
    "DeepEmbeddedValidation",
    "ImportanceWeightedScorer",
    "LeaveOneDomainOut",
    "MixValScorer",
    "MutualInformationScorer",
    "PredictionEntropyScorer",
    "SoftNeighborhoodDensity",
    "SourceTargetShuffleSplit",
    "StratifiedDomainShuffleSplit",
]
