"""Normalizations that take their statistics from other samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import gen_batches

from skltransfer._engine.trainer import all_layers, assign_all
from skltransfer._inputs.preparation import AnyPreparation
from skltransfer._inputs.samples import Samples
from skltransfer._keras.backend import import_keras, own_settings
from skltransfer.backbones._backbone import Backbone, build, read

STATISTICS_BATCH = 256


def renormalize(backbone: Backbone, preparation: AnyPreparation | None, samples: Samples) -> Backbone:
    """Let batch normalizations take means and variances from these samples (AdaBN).

    Parameters
    ----------
    backbone : Backbone
        The network.
    preparation : Preparation, Tokenization, LogMelSpectrogram or None
        How samples are prepared for it.
    samples : Samples
        Samples of the domain that it is to see; each batch is normalized by itself, and the
        statistics of all are averaged.

    Returns
    -------
    Backbone
        The same network, with other statistics.

    Raises
    ------
    ValueError
        If there is no batch normalization in it.

    References
    ----------
    Li et al., "Adaptive Batch Normalization for Practical Domain Adaptation", Pattern
    Recognition 2018.
    """
    with own_settings():
        return _renormalize(backbone, preparation, samples)


def _renormalize(backbone: Backbone, preparation: AnyPreparation | None, samples: Samples) -> Backbone:
    ops = import_keras().ops
    network = build(backbone.architecture)
    assign_all(network.weights, backbone.weights)
    norms = _all_norms(network)
    if not norms:
        raise ValueError(
            f"The backbone {backbone.name!r} has no batch normalization whose statistics could be those of another "
            "domain. Pass another method, or another backbone."
        )
    seen = 0
    for some in gen_batches(len(samples), STATISTICS_BATCH):
        batch = samples.read(np.arange(len(samples))[some], preparation)
        for norm in norms:
            norm.momentum = seen / (seen + len(batch))
        x = ops.convert_to_tensor(batch, network.inputs[0].dtype)
        network(x if preparation is None else preparation(x), training=True)
        seen += len(batch)
    return backbone.with_weights(read(network.weights))


def _all_norms(network: Any) -> list[Any]:
    """Let normalizations learn their statistics, without dropout."""
    norms = []
    for layer in all_layers(network):
        if hasattr(layer, "moving_mean"):
            layer.trainable = True
            norms.append(layer)
        elif hasattr(layer, "rate") and hasattr(layer, "seed_generator"):
            layer.rate = 0.0
    return norms
