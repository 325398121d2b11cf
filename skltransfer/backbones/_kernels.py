"""Features of kernels between samples of numbers, as a network."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from skltransfer._utils.hashing import content_hash
from skltransfer._utils.types import Array, Floats
from skltransfer.backbones._backbone import Backbone, building
from skltransfer.backbones._builders import standardize, standardizing
from skltransfer.backbones._conversion import from_keras

KERNELS, KERNEL = "kernels", "medium"
"""Layers whose outputs are all kernels, and the one of them that is a block of its own."""
WIDTHS = {"wide": 0.3, KERNEL: 1.0, "narrow": 3.0}
"""Gaussian kernels, and the inverse of their squared width, times the number of columns."""
MAX_LANDMARKS, ROUND = 512, 32
NEGLIGIBLE = 1e-8
"""Share of the largest eigenvalue below which an axis is left out. On PyTorch and JAX, Keras computes parts of a
network in single precision, whatever its dtype."""


def kernel_features(samples: Floats, mean: Array, scale: Array) -> Backbone:
    """Make a network whose inner products are Gaussian kernels of standardized samples.

    They are those of the kernels themselves among the samples, and their projection onto the samples elsewhere.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, n_columns)
        What the kernels are between; of more than `MAX_LANDMARKS` different ones, so many.
    mean, scale : ndarray of shape (n_columns,)
        Of each column.

    Returns
    -------
    Backbone
        Maps ``(samples, n_columns)`` to the features of three kernels, beside each other.

    References
    ----------
    Williams & Seeger, "Using the Nyström Method to Speed Up Kernel Machines", NIPS 2000.
    """
    marks = (_landmarks(samples) - mean) / scale
    n_marks, n_columns = marks.shape
    n_places = -(-n_marks // ROUND) * ROUND
    squares = np.square(marks).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * marks @ marks.T, 0.0)
    arrays: dict[str, Array] = {}
    for name, width in WIDTHS.items():
        gamma = width / n_columns
        directions, offsets = np.zeros((n_columns, n_places)), np.zeros(n_places)
        directions[:, :n_marks], offsets[:n_marks] = 2 * gamma * marks.T, -gamma * squares
        whitening = np.zeros((n_places, n_places))
        whitening[:n_marks, :n_marks] = _inverse_root(np.exp(-gamma * distances))
        arrays |= {
            f"{name}_products/kernel": directions, f"{name}_products/bias": offsets,
            f"{name}_squares/kernel": np.full((n_columns, n_places), -gamma), f"{name}/kernel": whitening,
        }  # fmt: skip
    network = _network(n_columns, n_places)
    weights = [arrays.get(path, array) for path, array in zip(network.paths, network.weights, strict=True)]
    return standardize(network.with_weights(weights), mean, scale)


def _landmarks(samples: Floats) -> Floats:
    """Choose among different samples, whatever their order."""
    samples = np.unique(samples, axis=0)
    if len(samples) <= MAX_LANDMARKS:
        return samples
    order = np.argsort([content_hash(sample) for sample in samples])
    return samples[np.sort(order[:MAX_LANDMARKS])]


def _inverse_root(gram: Floats) -> Floats:
    """Return a square root of the inverse, where it does not amplify rounding."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > values[-1] * NEGLIGIBLE
    return vectors[:, kept] / np.sqrt(values[kept]) @ vectors[:, kept].T


@lru_cache(maxsize=16)
def _network(n_columns: int, n_places: int) -> Backbone:
    """Build it of ordinary layers: the exponential of a product less two squares is a Gaussian kernel."""
    with building(0):
        return from_keras(_layers(n_columns, n_places))


def _layers(n_columns: int, n_places: int) -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((n_columns,), name="row", dtype="float64")
    x = standardizing(inputs, "float64")
    squared = layers.Multiply(dtype="float64", name="squared")([x, x])
    found = []
    for name in WIDTHS:
        products = layers.Dense(n_places, dtype="float64", name=f"{name}_products")(x)
        squares = layers.Dense(n_places, use_bias=False, dtype="float64", name=f"{name}_squares")(squared)
        exponent = layers.Add(dtype="float64", name=f"{name}_exponent")([products, squares])
        kernel = layers.Activation("exponential", dtype="float64", name=f"{name}_kernel")(exponent)
        found.append(layers.Dense(n_places, use_bias=False, dtype="float64", name=name)(kernel))
    return keras.Model(inputs, layers.Concatenate(dtype="float64", name=KERNELS)(found), name=KERNELS)
