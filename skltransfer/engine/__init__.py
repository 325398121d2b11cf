"""The one place where Keras networks are compiled, trained and asked.

Networks are compiled once per structure. A bounded pool lends them; whoever borrows one
sets its weights from arrays and is its only user until it is given back.
"""

from skltransfer.engine._augmentation import Augmentation, ViewRows
from skltransfer.engine._design import (
    NO_PLACES,
    Adaptation,
    Decisions,
    Design,
    Goal,
    Reconstruction,
    design_network,
)
from skltransfer.engine._forward import Forward, forward
from skltransfer.engine._pool import Pool, pool
from skltransfer.engine._statistics import renormalise
from skltransfer.engine._training import Trained, Training, Watcher, prepare, train

__all__ = [
    "NO_PLACES",
    "Adaptation",
    "Augmentation",
    "Decisions",
    "Design",
    "Forward",
    "Goal",
    "Pool",
    "Reconstruction",
    "Trained",
    "Training",
    "ViewRows",
    "Watcher",
    "design_network",
    "forward",
    "pool",
    "prepare",
    "renormalise",
    "train",
]
