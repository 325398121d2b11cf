"""Networks with fewer channels."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length

from skltransfer._utils.types import Array, Floats
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._graph import Call, calls_in_order
from skltransfer.compression._fitted import LINEAR, check_compressible
from skltransfer.compression._imitation import imitating, known_targets
from skltransfer.compression._reconstruction import channel_products, reconstruction, spanning
from skltransfer.supervised._classifier import TransferClassifier
from skltransfer.supervised._regressor import TransferRegressor

SUMS = ("Add", "Average", "Maximum", "Minimum", "Subtract", "Multiply")
"""Layers whose inputs have the same channels."""
BY_CHANNEL = (
    "Activation", "AlphaDropout", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "BatchNormalization",
    "DepthwiseConv1D", "DepthwiseConv2D", "Dropout", "ELU", "GaussianNoise", "GlobalAveragePooling1D",
    "GlobalAveragePooling2D", "GlobalAveragePooling3D", "GlobalMaxPooling1D", "GlobalMaxPooling2D",
    "GlobalMaxPooling3D", "Identity", "LeakyReLU", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "ReLU",
    "SpatialDropout1D", "SpatialDropout2D", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D",
)  # fmt: skip
"""Layers that give a channel for each that they take."""
WIDTH = 8
"""Numbers of channels are multiples of it, where there are at least twice as many."""


def prune(estimator: Any, X: Any, y: Any, *, sparsity: float = 0.5, epochs: int = 5) -> Any:
    """Remove channels from a fitted estimator's network, and fine-tune what is left.

    Channels are removed from all layers at once that have to have the same, as those of depthwise convolutions; those
    in which layers are added up stay, unless there are no others. Of each such group, those channels are kept, one
    after the other, of which those before tell least on 256 of the samples, and the kernels of layers that took the
    others get what the kept ones tell of them, by least squares. What the network takes and gives keeps its channels.
    Then all layers are fine-tuned, with the estimator's own parameters of training, to give the answers that it gave
    before, beside the labels.

    Parameters
    ----------
    estimator : TransferClassifier or TransferRegressor
        Fitted; it is not changed.
    X, y : as in `fit`
        Samples to fine-tune on. Labels and values may be missing, marked as for `DistillationClassifier` and
        `DistillationRegressor`: more samples than have labels bring the answers nearer.
    sparsity : float, default=0.5
        Share of the channels that is removed, above 0 and below 1, of each group that loses some.
    epochs : int, default=5
        Of fine-tuning.

    Returns
    -------
    estimator
        Fitted, of the same class and with the same parameters.

    Raises
    ------
    TypeError
        If this is no such estimator.
    NotFittedError
        If it is not fitted.
    ValueError
        If ``sparsity`` or ``epochs`` is no such number, or no channels of the network can be removed.

    Notes
    -----
    A pretrained network with a few hundred samples to fine-tune on loses what its channels knew: there, `quantize`
    keeps more.

    References
    ----------
    He, Zhang & Sun, "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017 (least squares).

    Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network", 2015 (the answers of before).

    Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023 (groups of channels).

    Examples
    --------
    >>> from skltransfer import TransferClassifier
    >>> from skltransfer.compression import prune
    >>> from skltransfer.datasets import load_fashion_sample
    >>> sample = load_fashion_sample()
    >>> clf = TransferClassifier("small_resnet", epochs=2, random_state=0).fit(sample.images, sample.target)
    >>> pruned = prune(clf, sample.images, sample.target, epochs=1)
    >>> pruned.backbone_.n_parameters < clf.backbone_.n_parameters
    True
    """
    if not isinstance(sparsity, Real) or not 0 < sparsity < 1:
        raise ValueError(f"sparsity: expected a number above 0 and below 1. Got {sparsity!r}.")
    if not isinstance(epochs, Integral) or epochs < 1:
        raise ValueError(f"epochs: expected a whole number of at least 1. Got {epochs!r}.")
    check_compressible(estimator)
    if not isinstance(estimator, TransferClassifier | TransferRegressor):
        raise TypeError(
            f"estimator: expected a TransferClassifier or TransferRegressor. Got a {type(estimator).__name__}; prune "
            "one, and pass its backbone_ on."
        )
    extraction, samples = estimator.model_.extraction, estimator._read_known(X)
    check_consistent_length(range(len(samples)), y)
    labels = known_targets(estimator, y)
    products = partial(channel_products, extraction.backbone, samples, extraction.preparation)
    smaller = narrowed(extraction.backbone, float(sparsity), products)
    found = copy.copy(estimator)
    found.model_ = imitating(estimator, smaller, samples, labels, epochs=int(epochs))
    return found


@dataclass
class Channels:
    """Layers that have to have the same channels.

    Parameters
    ----------
    n_channels : int
        How many.
    fixed : bool
        Whether they have to stay.
    summed : bool
        Whether several layers are added up in them, and so on from block to block.
    """

    n_channels: int
    fixed: bool = False
    summed: bool = False
    joined: Channels | None = field(default=None, repr=False)

    def root(self) -> Channels:
        """Return those with which they were joined."""
        return self if self.joined is None else self.joined.root()

    def join(self, other: Channels) -> None:
        """Let two have the same channels from now on."""
        one, other = self.root(), other.root()
        if one is not other:
            one.fixed |= other.fixed
            one.summed |= other.summed
            other.joined = one


Groups = dict[str, tuple[Channels | None, Channels]]
"""Of each layer that has weights by channel: what it takes, if it mixes these, and what it gives."""


def narrowed(backbone: Backbone, sparsity: float, products: Callable[[list[str]], dict[str, Floats]]) -> Backbone:
    """Return a network with fewer channels, whose layers make up for those that they no longer take."""
    network = json.loads(backbone.architecture)
    groups = channel_groups(network)
    roots = {name: takes.root() for name, (takes, _) in groups.items() if takes is not None}
    takers = {name: root for name, root in roots.items() if not root.fixed}
    if not takers:
        raise ValueError(
            f"sparsity: expected a network with channels between its layers. Got {backbone.name!r}, none of whose can "
            "be removed; try low_rank or quantize."
        )
    takers = {name: root for name, root in takers.items() if not root.summed} or takers
    known = products(list(takers))
    kept = _kept(backbone, takers, known, sparsity)
    for layer in network["config"]["layers"]:
        layer.pop("build_config", None)
        name, width = layer["config"]["name"], LINEAR.get(layer["class_name"])
        if width is not None and id(groups[name][1].root()) in kept:
            layer["config"][width] = len(kept[id(groups[name][1].root())])
    weights = tuple(
        _taken(path, array, groups, kept, known) for path, array in zip(backbone.paths, backbone.weights, strict=True)
    )
    without: dict[str, Any] = {"classifier": None, "decoder": None, "log_variance": None}
    return replace(backbone, architecture=json.dumps(network, sort_keys=True), weights=weights, **without)


def channel_groups(network: Any) -> Groups:
    """Find which layers of a serialized network have to have the same channels."""
    layers = {layer["config"]["name"]: layer for layer in network["config"]["layers"]}
    gives: dict[Any, Channels] = {}
    groups: Groups = {}
    for call in calls_in_order(network):
        layer = layers[call.layer]
        taken = [gives[tensor[:2]].root() for tensor, _ in call.takes]
        given = _given(layer, call, taken)
        if layer["class_name"] in LINEAR and call.number == 0:
            groups[call.layer] = taken[0], given
        elif call.number == 0:
            groups[call.layer] = None, given
        gives[call.layer, call.number] = given
    end = network["config"]["output_layers"]
    while isinstance(end[0], list):
        end = end[0]
    gives[end[0], end[1]].root().fixed = True
    return groups


def _given(layer: Any, call: Call, taken: list[Channels]) -> Channels:
    """Return the channels that a layer gives; what it takes is fixed if it needs all of that."""
    config, kind = layer["config"], layer["class_name"]
    last = config.get("data_format") in (None, "channels_last") and config.get("axis", -1) in (-1, [-1], [3], 3)
    plain = last and config.get("activation") != "softmax" and len(layer["inbound_nodes"]) == 1
    if plain and kind in LINEAR and config.get("groups", 1) == 1:
        return Channels(int(config[LINEAR[kind]]))
    if plain and kind in BY_CHANNEL and config.get("depth_multiplier", 1) == 1:
        return taken[0]
    if plain and kind in SUMS and len({one.n_channels for one in taken}) == 1:
        for one in taken[1:]:
            taken[0].join(one)
        taken[0].root().summed = True
        return taken[0].root()
    for one in taken:
        one.fixed = True
    shape = next((shape for _, shape in call.takes), config.get("batch_shape") or (None,))
    return Channels(int(shape[-1] or 0), fixed=True)


def _kept(
    backbone: Backbone, takers: Mapping[str, Channels], products: Mapping[str, Floats], sparsity: float
) -> dict[int, NDArray[np.intp]]:
    """Choose the channels that each group keeps, by what the layers that take them make of them."""
    wanted: dict[int, Any] = {}
    weights = dict(zip(backbone.paths, backbone.weights, strict=True))
    for name, own in products.items():
        kernel = np.moveaxis(np.asarray(weights[f"{name}/kernel"], np.float64), -2, 0)
        norms = np.linalg.norm(kernel.reshape(len(kernel), -1), axis=1)
        weighted, key = own * np.outer(norms, norms), id(takers[name])
        wanted[key] = wanted.get(key, 0.0) + weighted / max(np.trace(weighted), 1e-12)
    kept = {}
    for key, together in wanted.items():
        n_kept = max(1, round(len(together) * (1 - sparsity)))
        n_kept = -(-n_kept // WIDTH) * WIDTH if n_kept >= WIDTH else n_kept
        if n_kept < len(together):
            kept[key] = spanning(together, n_kept)
    return kept


def _taken(
    path: str, array: Array, groups: Groups, kept: dict[int, NDArray[np.intp]], products: Mapping[str, Floats]
) -> Array:
    """Return a weight without the channels that are removed, what these told put into those that are kept."""
    name = path.partition("/")[0]
    takes, gives = groups[name]
    own = kept.get(id(gives.root()))
    if takes is not None and array.ndim > 1:
        within = kept.get(id(takes.root()))
        if within is not None:
            array = (reconstruction(products[name], within) @ np.asarray(array, np.float64)).astype(array.dtype)
        return array if own is None else array[..., own]
    if own is None:
        return array
    return array[own] if array.ndim == 1 else array[..., own, :]
