"""What a method of domain adaptation is, and what it sees in a step of the training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol


class Side(NamedTuple):
    """What a network makes of samples of one domain, or of several.

    Parameters
    ----------
    features : tensor of shape (n_samples, n_features)
        The features that are aligned: the embedding, which the last layer decides on, or what is
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
        """Mean loss of an adversary that discriminates each domain from the others, each of which counts the same."""
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
    """How domains are aligned.

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
        them, the last layer is frozen.
    anchored : bool
        Whether features of the source are those of the network that the source trained, and
        its last layer is frozen.
    by : {"features", "decisions"} or None
        What it works by.
    renormalizes : bool
        Whether batch normalizations take the statistics of the target in the end.
    predicts : bool
        Whether it adapts to the samples that are predicted, and not in `fit`.
    rate : float
        Share of the learning rate at which it adapts.
    classes : bool
        Whether it needs probabilities of classes, which predicted numbers have not.
    aligns : callable or None
        From features of the source, their weights and features of the target to a map that moves
        the first to the second; the last layer is then solved for what it gives.
    """

    terms: Callable[[Step], Terms]
    weight: float = 1.0
    adversary: Literal["domains", "decisions", "margin"] | None = None
    supposes: Literal["confident", "centroids"] | None = None
    source: bool = True
    anchored: bool = False
    by: Literal["features", "decisions"] | None = "features"
    renormalizes: bool = False
    predicts: bool = False
    rate: float = 1.0
    classes: bool = False
    aligns: Callable[[Any, Any, Any], Callable[[Any], Any]] | None = None

    @property
    def labeled(self) -> bool:
        """Whether training on the labels of the source continues while it adapts."""
        return self.source and not self.anchored

    @property
    def trains(self) -> bool:
        """Whether adapting is a training of its own in `fit`."""
        return self.terms is not no_terms and not self.predicts

    @property
    def needs_target(self) -> bool:
        """Whether `fit` makes something else of it where there are target samples."""
        return self.trains or self.aligns is not None


def no_terms(step: Step) -> Terms:
    return {}


def probabilities(side: Side) -> Any:
    from keras import ops

    return ops.softmax(side.decisions, axis=-1)
