"""What channels that are kept tell of those that are removed, on samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve
from scipy.linalg.lapack import dpstrf

from skltransfer._inputs.preparation import AnyPreparation, compiled_part
from skltransfer._inputs.samples import Samples
from skltransfer._keras.backend import import_keras, own_settings
from skltransfer._utils.types import Floats
from skltransfer.backbones._backbone import Backbone, assign, build

MOST_SAMPLES, TOGETHER = 256, 8
"""Samples on which channels are looked at, evenly spaced among all; each has many places."""
RIDGE = 1e-6
"""Of the mean square of a channel."""


def channel_products(
    backbone: Backbone, samples: Samples, preparation: AnyPreparation | None, layers: Sequence[str]
) -> dict[str, Floats]:
    """Sum the products of any two channels that a layer takes, over places and samples.

    Parameters
    ----------
    backbone : Backbone
        The network.
    samples : Samples
        What goes through it.
    preparation : Preparation, LogMelSpectrogram or None
        How samples get there.
    layers : sequence of str
        Names of layers of one input each.

    Returns
    -------
    dict of str to ndarray of shape (n_channels, n_channels)
    """
    keras, inside = import_keras(), compiled_part(preparation)
    positions = np.unique(np.linspace(0, len(samples) - 1, MOST_SAMPLES).astype(int)).tolist()
    found: dict[str, Any] = dict.fromkeys(layers, 0.0)
    with own_settings():
        network = build(backbone.architecture)
        assign(network, backbone.weights)
        given = network.inputs[0]
        taken = keras.Model(given, {name: network.get_layer(name).input for name in layers})
        for start in range(0, len(positions), TOGETHER):
            batch = keras.ops.cast(samples.read(positions[start : start + TOGETHER], preparation), given.dtype)
            for name, values in taken(batch if inside is None else inside(batch), training=False).items():
                places = keras.ops.convert_to_numpy(values).reshape(-1, values.shape[-1]).astype(np.float64)
                found[name] = found[name] + places.T @ places
    return found


def spanning(products: Floats, n_kept: int) -> NDArray[np.intp]:
    """Choose channels, one after the other, of which those before tell least.

    Parameters
    ----------
    products : ndarray of shape (n_channels, n_channels)
        Sums of products of any two channels.
    n_kept : int
        How many.

    Returns
    -------
    ndarray of shape (n_kept,)
        Positions, sorted.

    Examples
    --------
    >>> spanning(np.array([[4.0, 4.0, 0.0], [4.0, 4.1, 0.0], [0.0, 0.0, 1.0]]), 2)
    array([1, 2])
    """
    _, order, _, _ = dpstrf(np.asfortranarray(products), tol=0.0)
    return np.sort(order[:n_kept].astype(np.intp) - 1)


def reconstruction(products: Floats, kept: NDArray[np.intp]) -> Floats:
    """Return the combinations of channels that are kept that come nearest to each of all channels.

    Parameters
    ----------
    products : ndarray of shape (n_channels, n_channels)
        Sums of products of any two channels.
    kept : ndarray of shape (n_kept,)
        Positions.

    Returns
    -------
    ndarray of shape (n_kept, n_channels)
    """
    own = products[np.ix_(kept, kept)]
    ridge = RIDGE * np.trace(products) / len(products) + np.finfo(np.float64).tiny
    found: Floats = solve(own + ridge * np.eye(len(kept)), products[kept], assume_a="pos")
    return found
