"""Predictors that run what `skltransfer.export.save` wrote, without Keras, its backends and scikit-learn."""

from skltransfer.serve._app import create_app
from skltransfer.serve._load import load
from skltransfer.serve._occlusion import occlusion_maps
from skltransfer.serve._predictors import (
    Predictor,
    ServedAutoencoder,
    ServedClassifier,
    ServedPipelineClassifier,
    ServedRegressor,
)

__all__ = [
    "Predictor", "ServedAutoencoder", "ServedClassifier", "ServedPipelineClassifier", "ServedRegressor", "create_app",
    "load", "occlusion_maps",
]  # fmt: skip
