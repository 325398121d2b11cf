"""How the samples of one domain are brought together with those of another: the methods of domain adaptation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

from skltransfer._validation import unknown_name
from skltransfer.adaptation._adversarial import (
    classifier_discrepancy,
    domain_loss,
    margin_disparity,
    multilinear_map,
    reverse_gradient,
)
from skltransfer.adaptation._discrepancies import coral, jmmd, joint_transport, mmd
from skltransfer.adaptation._predictions import certainty_weights, class_confusion, entropy, information_maximisation

DANN_CERTAINTY = 0.8
"""How sure of a domain its adversary should be."""


class Side(NamedTuple):
    """What a network makes of samples of one domain, or of several.

    Parameters
    ----------
    features : tensor of shape (n_samples, n_features)
        What is brought together: the embedding, which the last layer decides on, or what is
        below the hidden layers.
    decisions : tensor of shape (n_samples, n_outputs)
        Its decision values.
    targets : tensor of shape (n_samples, n_outputs)
        Probabilities of classes, or values: true ones of a source, and of a target domain
        what the method supposes.
    weights : tensor of shape (n_samples,)
        How much each of them counts; 0 where nothing is supposed.
    """

    features: Any
    decisions: Any
    targets: Any
    weights: Any


class Adversary(Protocol):
    """A network that works against the features; ``frozen`` keeps its own weights from learning."""

    def __call__(self, x: Any, *, frozen: bool = False) -> Any:
        """Compute its decision values."""


@dataclass(frozen=True)
class Step:
    """What a method sees in one step of the training.

    Parameters
    ----------
    sources, targets : tuple of Side
        One for each domain; each source has the same number of samples, and each target.
    strength : tensor of shape ()
        ``weight`` as far as it is ramped up.
    adversary : Adversary
        See `Method`.
    decide : callable
        From features to decision values.
    loss : callable
        From targets and decision values to the loss of each sample.
    """

    sources: tuple[Side, ...]
    targets: tuple[Side, ...]
    strength: Any
    adversary: Adversary
    decide: Callable[[Any], Any]
    loss: Callable[[Any, Any], Any]

    @property
    def source(self) -> Side:
        """Samples of all sources."""
        return _together(self.sources)

    @property
    def target(self) -> Side:
        """Samples of all targets."""
        return _together(self.targets)

    def fitted(self, side: Side, decisions: Any = None) -> Any:
        """Mean loss of decisions about some samples, by their weights."""
        from keras import ops

        found = self.loss(side.targets, side.decisions if decisions is None else decisions)
        return ops.mean(side.weights * found)

    def apart(self, distance: Callable[[Side, Side], Any]) -> Any:
        """Mean distance of the sources from the target, by the weights of their samples."""
        from keras import ops

        target = self.target
        if len(self.sources) == 1:
            return self.strength * distance(self.sources[0], target)
        shares = ops.stack([ops.sum(source.weights) for source in self.sources])
        distances = ops.stack([distance(source, target) for source in self.sources])
        return self.strength * ops.sum(shares * distances) / ops.maximum(ops.sum(shares), 1e-12)

    def discriminated(self, loss: Callable[[Side, int], Any]) -> Any:
        """Mean loss of an adversary that tells each domain from the others, each of which counts the same."""
        from keras import ops

        found = [ops.mean(loss(side, number)) for number, side in enumerate((*self.sources, *self.targets))]
        n_sources, n_targets = len(self.sources), len(self.targets)
        return 0.5 * (sum(found[:n_sources]) / n_sources + sum(found[n_sources:]) / n_targets)


def _together(sides: tuple[Side, ...]) -> Side:
    from keras import ops

    return sides[0] if len(sides) == 1 else Side(*(ops.concatenate(parts) for parts in zip(*sides, strict=True)))


Terms = Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """How domains are brought together.

    Parameters
    ----------
    terms : callable
        From a `Step` to terms of the loss, which are added to that of the source.
    weight : float
        What ``weight="auto"`` means.
    adversary : {"domains", "decisions", "margin"} or None
        What a second network decides: which domain a sample is from, or, by one layer or
        several, what the first decides.
    supposes : {"confident", "centroids"} or None
        How targets are supposed, anew before each epoch.
    source : bool
        Whether samples of a source are needed once the network is trained on them; without
        them, the last layer stays as it is.
    anchored : bool
        Whether features of the source are those of the network that the source trained, and
        its last layer stays as it is.
    by : {"features", "decisions"} or None
        What it works by.
    renormalises : bool
        Whether batch normalisations take the statistics of the target in the end.
    predicts : bool
        Whether it adapts to the samples that are predicted, and not in `fit`.
    rate : float
        Share of the learning rate at which it adapts.
    classes : bool
        Whether it needs probabilities of classes, which predicted numbers have not.
    """

    terms: Callable[[Step], Terms]
    weight: float = 1.0
    adversary: Literal["domains", "decisions", "margin"] | None = None
    supposes: Literal["confident", "centroids"] | None = None
    source: bool = True
    anchored: bool = False
    by: Literal["features", "decisions"] | None = "features"
    renormalises: bool = False
    predicts: bool = False
    rate: float = 1.0
    classes: bool = False

    @property
    def labelled(self) -> bool:
        """Tell whether labels of the source go on to teach the network while it adapts."""
        return self.source and not self.anchored

    @property
    def trains(self) -> bool:
        """Tell whether adapting is a training of its own in `fit`."""
        return self.terms is not _none and not self.predicts


def _none(step: Step) -> Terms:
    return {}


def _coral(step: Step) -> Terms:
    return {"coral": step.apart(lambda source, target: coral(source.features, target.features))}


def _mmd(step: Step) -> Terms:
    return {"mmd": step.apart(lambda source, target: mmd(source.features, target.features))}


def _jmmd(step: Step) -> Terms:
    def layers(side: Side) -> list[Any]:
        return [side.features, _probabilities(side)]

    return {"jmmd": step.apart(lambda source, target: jmmd(layers(source), layers(target)))}


def _dann(step: Step) -> Terms:
    from keras import ops

    def loss(side: Side, domain: int) -> Any:
        found = ops.stop_gradient(domain_loss(step.adversary(side.features), domain))
        told = ops.cast(found < math.log(len(step.sources) + len(step.targets)), found.dtype)
        features = reverse_gradient(side.features, step.strength * told[:, None])
        return domain_loss(step.adversary(features), domain, certainty=DANN_CERTAINTY)

    return {"domain": step.discriminated(loss)}


def _cdan(step: Step, *, weigh: Callable[[Any], Any] | None = None) -> Terms:
    from keras import ops

    def loss(side: Side, domain: int) -> Any:
        features = reverse_gradient(side.features, step.strength)
        products = multilinear_map(features, ops.stop_gradient(_probabilities(side)))
        found = domain_loss(step.adversary(products), domain)
        return found if weigh is None else weigh(side.decisions) * found

    return {"domain": step.discriminated(loss)}


def _adda(step: Step) -> Terms:
    from keras import ops

    source, target = step.source.features, step.target.features

    def seen_as(number: int, x: Any, *, frozen: bool = False) -> Any:
        return -ops.mean(ops.log_softmax(step.adversary(x, frozen=frozen), axis=-1)[:, number])

    found = seen_as(0, ops.stop_gradient(source)) + seen_as(1, ops.stop_gradient(target))
    unsure = 0.5 * (seen_as(0, target, frozen=True) + seen_as(1, target, frozen=True))
    return {"domain": found, "unsure": step.strength * unsure}


def _mcd(step: Step) -> Terms:
    target = reverse_gradient(step.target.features, step.strength)
    return {
        "second": step.fitted(step.source, step.adversary(step.source.features)),
        "discrepancy": -classifier_discrepancy(step.decide(target), step.adversary(target)),
    }


def _mdd(step: Step) -> Terms:
    from keras import ops

    source, target = step.source, step.target
    found = margin_disparity(
        ops.stop_gradient(source.decisions),
        step.adversary(reverse_gradient(source.features, step.strength)),
        ops.stop_gradient(target.decisions),
        step.adversary(reverse_gradient(target.features, step.strength)),
    )
    return {"disparity": found}


def _mcc(step: Step) -> Terms:
    return {"confusion": step.strength * class_confusion(step.target.decisions)}


def _deepjdot(step: Step) -> Terms:
    def distance(source: Side, target: Side) -> Any:
        return joint_transport(source.features, target.features, source.targets, target.decisions)

    return {"transport": step.apart(distance)}


def _self_training(step: Step) -> Terms:
    return {"supposed": step.strength * step.fitted(step.target)}


def _shot(step: Step) -> Terms:
    target = step.target
    return {
        "information": step.strength * information_maximisation(target.decisions),
        "supposed": 0.3 * step.strength * step.fitted(target),
    }


def _tent(step: Step) -> Terms:
    from keras import ops

    return {"entropy": step.strength * ops.mean(entropy(step.target.decisions))}


def _probabilities(side: Side) -> Any:
    from keras import ops

    return ops.softmax(side.decisions, axis=-1)


METHODS: dict[str, Method] = {
    "source_only": Method(_none, by=None),
    "adabn": Method(_none, by=None, renormalises=True),
    "coral": Method(_coral),
    "mmd": Method(_mmd, weight=10.0),
    "jmmd": Method(_jmmd, weight=10.0, classes=True),
    "dann": Method(_dann, adversary="domains"),
    "cdan": Method(_cdan, weight=0.3, adversary="domains", classes=True),
    "cdan_e": Method(partial(_cdan, weigh=certainty_weights), weight=0.3, adversary="domains", classes=True),
    "adda": Method(_adda, adversary="domains", anchored=True, rate=0.01),
    "mcd": Method(_mcd, weight=0.3, adversary="decisions", classes=True),
    "mdd": Method(_mdd, weight=0.01, adversary="margin", classes=True),
    "mcc": Method(_mcc, by="decisions", classes=True),
    "deepjdot": Method(_deepjdot, weight=10.0, classes=True),
    "self_training": Method(_self_training, supposes="confident", by="decisions", classes=True),
    "shot": Method(_shot, supposes="centroids", source=False, rate=0.1, classes=True),
    "tent": Method(_tent, by="decisions", source=False, predicts=True, classes=True),
}


@dataclass(frozen=True)
class _Own:
    """Terms of a function of the source and the target; equal for equal functions."""

    distance: Callable[[Side, Side], Any]

    def __call__(self, step: Step) -> Terms:
        return {"own": step.strength * self.distance(step.source, step.target)}


def settle_method(method: Any) -> Method:
    """Find a method by its name, or make one of a function.

    Parameters
    ----------
    method : str or callable
        A name in `METHODS`, or a function of two `Side` that gives a tensor of shape ().

    Raises
    ------
    ValueError
        If the name is not known.

    Examples
    --------
    >>> settle_method("dann").adversary
    'domains'
    """
    if callable(method):
        return Method(_Own(method))
    if method not in METHODS:
        raise unknown_name("method", method, tuple(METHODS))
    return METHODS[method]
