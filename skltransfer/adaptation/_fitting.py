"""How an estimator learns from some domains and adapts to others."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skltransfer._engine.design import Design
from skltransfer._engine.job import TrainingData, TrainingJob, TrainingSettings
from skltransfer._engine.loop import train
from skltransfer._engine.trainable import TrainableLayers, resolve_trainable
from skltransfer._estimators.base import AUDIO_PARAMETERS
from skltransfer._estimators.fit import TrainedEstimator
from skltransfer._estimators.progress import FitWatcher
from skltransfer._features.extraction import Extraction, plan_extraction
from skltransfer._features.split import SplitNetwork, split_network
from skltransfer._heads.dense import DenseHead
from skltransfer._heads.goal import Decisions
from skltransfer._heads.kinds import Head, HeadLayers, embedding, head_arrays, head_from_arrays, head_layers
from skltransfer._heads.solver import LinearHead
from skltransfer._inputs.samples import Samples
from skltransfer._targets.domains import Domains
from skltransfer._targets.targets import Targets
from skltransfer._targets.task import Task
from skltransfer._utils.types import Array
from skltransfer.adaptation._batchnorm import renormalise
from skltransfer.adaptation._diagnostics import (
    MIN_SAMPLES,
    Sample,
    domain_score,
    draw,
    warn_of_negative_transfer,
    warn_of_scales,
)
from skltransfer.adaptation._goal import Adaptation
from skltransfer.adaptation._methods import METHODS, Method, settle_method
from skltransfer.adaptation._ramp import RAMPS
from skltransfer.adaptation._source import read_source
from skltransfer.backbones._backbone import Backbone

ADVERSARIAL_RATE = 1e-3
"""Largest learning rate against a network that learns as well, if nothing else is said."""


class Stand(NamedTuple):
    """Where a fit stands: the network below the head, and the arrays of the head, None before it is drawn."""

    split: SplitNetwork
    head: list[Array] | None


class Plan(NamedTuple):
    """The method; the network of a fit, whole and split; what moves in it, layers of the head, and where it starts."""

    method: Method
    backbone: Backbone
    split: SplitNetwork
    moves: TrainableLayers
    layers: HeadLayers
    head: list[Array] | None


class Phase(NamedTuple):
    """One training: its network, how long, on which samples, and the number of the domain of each, if that counts."""

    design: Design
    training: TrainingSettings
    samples: Samples
    targets: Targets
    domains: NDArray[np.intp] | None


class AdaptingEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TrainedEstimator):
    """Base of the estimators that adapt: all that `fit` does."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TrainedEstimator._parameter_constraints,
        **AUDIO_PARAMETERS,
        "method": [StrOptions(set(METHODS)), callable],
        "weight": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "ramp": [StrOptions(set(RAMPS))],
        "aligned": [StrOptions({"embedding", "backbone"})],
        "head": "no_validation",
        "source_epochs": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
    }

    __metadata_request__fit: ClassVar[dict[str, Any]] = {"sample_domain": True}
    __metadata_request__predict: ClassVar[dict[str, Any]] = {"sample_domain": True}
    __metadata_request__predict_proba: ClassVar[dict[str, Any]] = {"sample_domain": True}
    __metadata_request__predict_log_proba: ClassVar[dict[str, Any]] = {"sample_domain": True}
    __metadata_request__decision_function: ClassVar[dict[str, Any]] = {"sample_domain": True}
    __metadata_request__score: ClassVar[dict[str, Any]] = {"sample_domain": True}

    _head: Head

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_head")

    def transform(self, X: Any) -> Array:
        """Compute the adapted embedding: what the last layer decides on.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        samples = self._read(X, reset=False)
        network, head = self._seeing(samples)
        return embedding(head, network.features(samples, self.memory))

    @property
    def _n_features_out(self) -> int:
        last = self._head.last if isinstance(self._head, DenseHead) else self._head
        assert isinstance(last, LinearHead)
        return len(last.coef)

    @property
    @abstractmethod
    def _tasks(self) -> tuple[Task, ...]:
        """What is decided."""

    @property
    def _start(self) -> Any:
        """The fitted estimator to start from, if one is given."""
        if not isinstance(self.backbone, FrozenEstimator):
            return None
        start = self.backbone.estimator
        head = getattr(start, "_head", None)
        if not isinstance(head, LinearHead | DenseHead) or is_classifier(start) != is_classifier(self):
            raise ValueError(
                "backbone=FrozenEstimator(…): expected a fitted estimator of skltransfer that predicts what this one "
                f"does, with head='linear' or 'mlp'. Got {start!r}."
            )
        return start

    def _needs(self, sample_domain: Any) -> set[str]:
        """Which samples there have to be."""
        method = settle_method(self.method)
        needs = set() if self._start is not None and not method.source else {"source"}
        return needs | {"target"} if sample_domain is not None and self.method not in ("source_only", "tent") else needs

    def _read_source(
        self, X: Any, y: Any, sample_weight: Any, sample_domain: Any
    ) -> tuple[Samples, Array, Array, Domains]:
        """Return the samples that count, labels and weights of those of the source, and the domain of each sample."""
        samples, name = self._read(X, reset=True), type(self).__name__
        return read_source(samples, y, sample_weight, sample_domain, needs=self._needs(sample_domain), name=name)

    def _fit_samples(self, samples: Samples, targets: Targets, domains: Domains) -> None:
        """Learn from the source, then adapt to the target; targets of other samples have no weight."""
        self.__dict__.pop("_head", None)  # from here on, until all is done, this is not fitted
        warn_of_scales(samples, domains)
        plan = self._plan(samples, targets, domains)
        phases = self._phases(plan, samples, targets, domains)
        context = self._init_callback_context(max_subtasks=sum(phase.training.epochs for phase in phases))
        context.call_on_fit_task_begin(estimator=self)
        stand, unadapted = Stand(plan.split, plan.head), None
        self.history_: dict[str, list[float]] = {}
        for phase in phases:
            unadapted = None if phase.domains is None else stand
            stand = self._carry_out(phase, stand, FitWatcher(self, context, verbose=int(self.verbose)))
        if plan.method.renormalises and domains.target.any():
            unadapted = stand
            stand = Stand(
                self._renormalised(stand.split.joined(plan.backbone), samples.take(domains.target)), stand.head
            )
        self.n_iter_ = len(self.history_.get("loss", []))
        self.backbone_, self._network = stand.split.joined(plan.backbone), stand.split
        self._head = self._head_of(stand)
        self._diagnose(draw(samples, domains, self._seed()), unadapted, targets)
        context.call_on_fit_task_end(estimator=self)

    def _plan(self, samples: Samples, targets: Targets, domains: Domains) -> Plan:
        """Settle the network, what moves in it, and where it starts."""
        method, start = settle_method(self.method), self._start
        backbone = self._starting_backbone(samples) if start is None else start.backbone_
        self._pretrained, self._parts = backbone.pretrained, 0
        moves = resolve_trainable(self.trainable, pretrained=self._pretrained, n_stages=len(backbone.stages))
        layers = head_layers(self.head) if start is None else _layers(start._head)
        self._check_together(moves)
        self._check_method(method, moves, layers, targets)
        if start is None:
            weights = targets.weights[:, 0]
            if method.trains and domains.target.any():
                weights = weights / weights.sum() + domains.target / domains.target.sum()
            backbone = self._standardized(backbone, samples, weights)
        split = split_network(self._whole(backbone), moves.stages, samples, self.memory)
        return Plan(method, backbone, split, moves, layers, None if start is None else head_arrays(start._head))

    def _check_method(self, method: Method, moves: TrainableLayers, layers: HeadLayers, targets: Targets) -> None:
        """Refuse a method that cannot do anything here."""
        if layers.n_heads:
            raise ValueError(
                "The 'head' parameter must be 'linear', 'mlp' or MLPHead(…) for domains to be brought together. Got "
                f"{self.head!r} instead."
            )
        if method.by == "features" and not moves.stages and not layers.hidden:
            raise ValueError(
                f"method={self.method!r} moves features. Got trainable={self.trainable!r} with head={self.head!r}, "
                "which leave them as they are; pass head='mlp', or let some stages move."
            )
        if method.by == "features" and not moves.stages and self.aligned == "backbone":
            raise ValueError(
                "aligned='backbone' brings features of the backbone together, so some of its stages have to move. Got "
                f"trainable={self.trainable!r}; let some stages move, or pass aligned='embedding'."
            )
        if targets.tasks[0].kind == "values" and method.classes:
            able = ", ".join(repr(name) for name, known in METHODS.items() if not known.classes)
            raise ValueError(
                f"method={self.method!r} works by probabilities of classes, which a regressor has not. Pass one of "
                f"{able}."
            )

    def _phases(self, plan: Plan, samples: Samples, targets: Targets, domains: Domains) -> list[Phase]:
        """Settle the training on the source alone, and the one that adapts."""
        larger = max(int(domains.source.sum()), int(domains.target.sum()))
        weight = plan.method.weight if self.weight == "auto" else float(self.weight)
        training = self._training(larger, plan.moves, False, {"strength": weight, "ramp": self.ramp})
        adapts = bool(domains.target.any()) and plan.method.trains
        share = 1 / 3 if plan.method.labelled else 3 / 4
        first, phases = self._first_epochs(training.epochs, share, bool(domains.source.any()), adapts), []
        if first:
            source = replace(training, epochs=first)
            phases.append(self._phase(plan, source, samples, targets, domains.source))
        if training.epochs > first:
            rate = training.learning_rate
            if self.learning_rate == "auto" and plan.method.adversary is not None:
                rate = min(rate, ADVERSARIAL_RATE)
            adapting = replace(
                training, epochs=training.epochs - first, warmup=0.0, learning_rate=rate * plan.method.rate
            )
            used = domains.target | (domains.source & plan.method.source)
            phases.append(self._phase(plan, adapting, samples, targets, used, _numbered(domains.codes[used])))
        return phases

    def _phase(
        self,
        plan: Plan,
        training: TrainingSettings,
        samples: Samples,
        targets: Targets,
        used: NDArray[np.bool_],
        numbered: tuple[NDArray[np.intp], int] | None = None,
    ) -> Phase:
        goal, numbers = Decisions(targets.tasks, *plan.layers[:2]), None
        if numbered is not None:
            numbers, n_sources = numbered
            shares = _shares(numbers, n_sources, training.batch_size)
            training = replace(training, batch_size=sum(shares))
            goal = Adaptation(
                targets.tasks, *plan.layers[:2], method=plan.method, samples=shares, n_sources=n_sources,
                deep=self.aligned == "embedding",
            )  # fmt: skip
        design = self._design(plan.split, plan.moves, self._sample(plan.split, samples), goal)
        return Phase(design, training, plan.split.samples(samples.take(used), self.memory), targets.take(used), numbers)

    def _first_epochs(self, epochs: int, share: float, learns: bool, adapts: bool) -> int:
        """How many epochs see the source alone."""
        if not learns or not adapts:
            return epochs if learns else 0
        if self.source_epochs == "auto":
            return math.ceil(share * epochs)
        if self.source_epochs >= epochs:
            raise ValueError(
                f"source_epochs: expected fewer than the {epochs} epochs, so that some are left to adapt. Got "
                f"{self.source_epochs}; pass more epochs, or method='source_only'."
            )
        return int(self.source_epochs)

    def _carry_out(self, phase: Phase, stand: Stand, watcher: FitWatcher) -> Stand:
        """Train, and add to the history."""
        data = TrainingData([phase.samples], phase.targets, groups=phase.domains)
        trained = self._train(phase.design, phase.training, stand.split, watcher, data, stand.head)
        found = trained.history if phase.domains is not None else {"source": trained.history["loss"], **trained.history}
        before = len(self.history_.get("loss", []))
        for name in dict.fromkeys([*self.history_, *found]):
            past = self.history_.get(name, [np.nan] * before)
            self.history_[name] = past + found.get(name, [np.nan] * trained.epochs)
        return Stand(stand.split.with_weights(trained.weights), trained.head)

    def _head_of(self, stand: Stand) -> Head:
        assert stand.head is not None, "there is a start, or a phase that draws one"
        return head_from_arrays(stand.head, len(self.history_.get("loss", [])), padded=stand.split.padded)

    def _diagnose(self, sample: Sample, unadapted: Stand | None, targets: Targets) -> None:
        """Measure how alike the domains have become, and tell of harm."""

        def embed(samples: Samples) -> Array:
            return embedding(self._head, self._network.features(samples, self.memory))

        self.domain_score_ = domain_score(embed, sample, self._seed())
        if unadapted is None or unadapted.head is None or targets.strata() is None:
            return
        if len(sample.target) >= MIN_SAMPLES:
            features = [split.features(sample.target, self.memory) for split in (unadapted.split, self._network)]
            heads = self._head_of(unadapted), self._head
            before, after = (
                softmax(head(found).astype(np.float64), axis=1) for head, found in zip(heads, features, strict=True)
            )
            warn_of_negative_transfer(before, after, targets.values.T @ targets.weights[:, 0])

    def _whole(self, backbone: Backbone) -> Extraction:
        return plan_extraction(backbone, self._format, image_size=self.image_size)

    def _renormalised(self, backbone: Backbone, samples: Samples) -> SplitNetwork:
        """Return the network with the statistics of these samples."""
        found = renormalise(backbone, self._whole(backbone).preparation, samples)
        return SplitNetwork(self._whole(found), None, 0)

    def _seeing(self, samples: Samples) -> tuple[SplitNetwork, Head]:
        """Network and head for samples that are predicted."""
        method = settle_method(self.method)
        if not method.predicts:
            return self._network, self._head
        whole = self._renormalised(self.backbone_, samples).below
        assert whole is not None
        n_stages = len(whole.backbone.stages)
        split, moves = SplitNetwork(None, whole, n_stages), TrainableLayers(n_stages, "norm")
        training = self._training(len(samples), moves, True, {"strength": method.weight, "ramp": "constant"})
        size = min(training.batch_size, len(samples))
        goal = Adaptation(self._tasks, *_layers(self._head)[:2], method=method, samples=(size,), n_sources=0)
        width = self._tasks[0].n_outputs
        unknown = Targets(self._tasks, np.zeros((len(samples), width)), np.zeros((len(samples), 1)))
        design = self._design(split, moves, self._sample(split, samples), goal)
        data = TrainingData([samples], unknown, groups=np.zeros(len(samples), np.intp))
        settings = replace(training, batch_size=size)
        trained = train(TrainingJob(design, settings, data, whole.backbone, head_arrays(self._head)))
        return split.with_weights(trained.weights), self._head

    def _decide(self, X: Any) -> Array:
        """Decision values of shape (n_samples, n_outputs)."""
        samples = self._read(X, reset=False)
        network, head = self._seeing(samples)
        return head(network.features(samples, self.memory))


def _numbered(codes: NDArray[np.int64]) -> tuple[NDArray[np.intp], int]:
    """Give domains numbers from 0, the sources first; return how many these are."""
    known = sorted(set(codes.tolist()), key=lambda code: (code < 0, abs(code)))
    return np.array([known.index(code) for code in codes.tolist()], np.intp), sum(code > 0 for code in known)


def _shares(numbers: NDArray[np.intp], n_sources: int, batch_size: int) -> tuple[int, ...]:
    """Samples of each domain in a batch: as many of all sources as of all targets."""
    n_targets = int(numbers.max()) + 1 - n_sources
    return (-(-batch_size // max(n_sources, 1)),) * n_sources + (-(-batch_size // n_targets),) * n_targets


def _layers(head: Head) -> HeadLayers:
    hidden = head.hidden if isinstance(head, DenseHead) else ()
    return HeadLayers(tuple(len(bias) for _, bias in hidden), 0.0)
