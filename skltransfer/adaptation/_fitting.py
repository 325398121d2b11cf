"""How a network learns from some domains and adapts to others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from skltransfer._engine.job import TrainingData, TrainingJob, TrainingSettings
from skltransfer._engine.loop import train
from skltransfer._engine.trainable import TrainableLayers
from skltransfer._estimators.fit import Phase, Recipe, Setup, Start, State, design_for, settings_for, trainable_spec
from skltransfer._estimators.fitted import FittedModel
from skltransfer._estimators.parameters import FitParameters, check_training, starting_backbone
from skltransfer._features.blocks import with_blocks
from skltransfer._features.extraction import Extraction, plan_extraction
from skltransfer._features.split import SplitNetwork, split_network
from skltransfer._heads.calibration import DEFAULT_STRENGTH
from skltransfer._heads.goal import Decisions
from skltransfer._heads.head import Head, HeadLayers
from skltransfer._heads.solve import solve
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import Samples
from skltransfer._targets.domains import Domains
from skltransfer._targets.labels import LabelEncoding
from skltransfer._targets.targets import Targets
from skltransfer._targets.values import ValueEncoding
from skltransfer._utils.types import Array, Floats
from skltransfer.adaptation._batchnorm import renormalize
from skltransfer.adaptation._blocks import BlockScale, ScaledSamples, scale_blocks
from skltransfer.adaptation._diagnostics import (
    MIN_SAMPLES,
    draw,
    measure_domains,
    warn_of_negative_transfer,
    warn_of_scales,
)
from skltransfer.adaptation._goal import Adaptation
from skltransfer.adaptation._label_shift import corrected
from skltransfer.adaptation._method import Method
from skltransfer.adaptation._methods import METHODS
from skltransfer.backbones._backbone import Backbone
from skltransfer.domain_shift._reference import NOTHING_KEPT, Reference
from skltransfer.domain_shift._shares import ClassShares

ADVERSARIAL_RATE = 1e-3
"""Largest learning rate against an adversary, with ``learning_rate="auto"``."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AdaptationParameters(FitParameters):
    """The parameters of a domain-adaptation estimator in one fit."""

    method: Any = "coral"
    weight: float | str = "auto"
    ramp: str = "sigmoid"
    aligned: str = "embedding"
    head: Any = "auto"
    features: str = "auto"
    source_epochs: int | str = "auto"
    label_shift: str | None = None


@dataclass(frozen=True, eq=False)
class AdaptedModel(FittedModel):
    """A fitted model that has seen two domains.

    Parameters
    ----------
    domain_score : float
        Proxy A-distance of both domains after adaptation; NaN if there are too few samples.
    aligned : callable or None
        What moves features of the source to those of the target, if it was solved for.
    reference : Reference
        Where samples of both domains lie, so that new ones can be compared with them.
    class_shares : ClassShares or None
        Shares of classes in the target, or why they are not identifiable; None if they were not estimated.
    strength : float
        Share of its weight that the method had.
    """

    domain_score: float = np.nan
    aligned: Callable[[Floats], Floats] | None = None
    reference: Reference = NOTHING_KEPT
    class_shares: ClassShares | None = None
    strength: float = 1.0

    def embedded(self, samples: Samples, domain: str, memory: Any = None) -> Floats:
        """Compute the features of samples of the "source" or the "target", those of the source aligned."""
        found = self.features(samples, memory).astype(np.float64)
        return found if domain == "target" or self.aligned is None else self.aligned(found)


@dataclass(frozen=True, eq=False)
class AdaptationRecipe(Recipe):
    """A training on the source alone, then one that adapts.

    Parameters
    ----------
    method : Method
        How domains are aligned.
    encoding : LabelEncoding or ValueEncoding
        What labels or values mean.
    layers : HeadLayers
        The layers of the head.
    domains : Domains
        The domain of each sample.
    source_model : FittedModel or None
        Where the fit starts, if the source was learned before.
    class_shares : ClassShares or None
        Shares of classes in the target, if they were estimated.
    strength : float
        Share of its weight that the method has, by how far domains are apart.
    trial : bool
        Whether it is one of several that are compared, without diagnostics.
    """

    parameters: AdaptationParameters
    method: Method
    encoding: LabelEncoding | ValueEncoding
    layers: HeadLayers
    domains: Domains
    source_model: FittedModel | None
    class_shares: ClassShares | None = None
    strength: float = 1.0
    trial: bool = False

    def start(self, samples: Samples) -> Start:
        """Load the backbone, or take the network that learned the source."""
        if not self.trial:
            warn_of_scales(samples, self.domains)
        if self.source_model is None:
            backbone = starting_backbone(self.parameters, self.format, samples)
            return Start(backbone, backbone.pretrained)
        model = self.source_model
        assert model.head is not None
        return Start(model.backbone, model.backbone.pretrained, model.head.arrays, continued=True)

    def check(self, trainable: TrainableLayers, targets: Targets) -> None:
        """Refuse a method that cannot do anything here."""
        check_training(self.parameters, self.format, trainable)
        own, method, frozen = self.parameters, self.method, not trainable.stages
        if self.layers.n_heads:
            raise ValueError(
                "The 'head' parameter must be 'linear', 'mlp' or MLPHead(…) for domains to be aligned. Got "
                f"{own.head!r} instead."
            )
        if method.by == "features" and frozen and not self.layers.hidden:
            raise ValueError(
                f"method={own.method!r} aligns features. Got trainable={own.trainable!r} with head={own.head!r}, "
                "which leave them as they are; pass head='mlp', or fine-tune some stages."
            )
        if method.by == "features" and frozen and own.aligned == "backbone":
            raise ValueError(
                "aligned='backbone' aligns features of the backbone, so some of its stages have to be fine-tuned. Got "
                f"trainable={own.trainable!r}; fine-tune some stages, or pass aligned='embedding'."
            )
        beside = () if self.source_model is None else self.source_model.extraction.beside
        if beside and (not frozen or method.predicts or method.renormalizes):
            raise ValueError(
                "backbone=FrozenEstimator(…): expected an estimator that decides on the last stage, as its network is "
                f"to be changed. Got one that decides on {len(beside)} blocks beside it; fit it with features='last'."
            )
        if targets.tasks[0].kind == "values" and method.classes:
            able = ", ".join(repr(name) for name, known in METHODS.items() if not known.classes)
            raise ValueError(
                f"method={own.method!r} works by probabilities of classes, which a regressor has not. Pass one of "
                f"{able}."
            )

    def holds_out(self, trainable: TrainableLayers) -> bool:
        """Whether samples are still to be held out: those of the source are already."""
        return False

    def column_weights(self, targets: Targets) -> Floats:
        """Both domains count the same in the statistics of columns, if both are trained on."""
        weights, target = targets.weights[:, 0], self.domains.target
        if self.method.needs_target and target.any():
            return weights / weights.sum() + target / target.sum()
        return weights

    def split(self, start: Start, trainable: TrainableLayers, samples: Samples) -> SplitNetwork:
        """Split the network; of texts, a hidden layer of a head on a frozen network sees words as well."""
        whole = whole_network(self.parameters, self.format, start.backbone)
        if self.source_model is not None:
            whole = replace(whole, beside=self.source_model.extraction.beside)
        elif self._takes_words(whole, trainable):
            whole = with_blocks(whole)
        return split_network(whole, trainable.stages, samples, self.parameters.memory)

    def phases(self, setup: Setup) -> list[Phase]:
        """Settle the training on the source alone, and the one that adapts."""
        own, method, domains = self.parameters, self.method, self.domains
        if self._solved(setup):
            return []
        larger = max(int(domains.source.sum()), int(domains.target.sum()))
        weight = self.strength * method.weight if own.weight == "auto" else float(own.weight)
        settings = settings_for(
            own, larger, setup.start, setup.trainable, table=self.format.kind.is_table,
            values={"strength": weight, "ramp": own.ramp},
        )  # fmt: skip
        first, phases = self._n_source_epochs(settings.epochs), []
        if first:
            phases.append(self._source_phase(setup, replace(settings, epochs=first)))
        if settings.epochs > first:
            rate = settings.learning_rate
            if own.learning_rate == "auto" and method.adversary is not None:
                rate = min(rate, ADVERSARIAL_RATE)
            n_epochs = settings.epochs - first
            adapting = replace(settings, epochs=n_epochs, warmup=0.0, learning_rate=rate * method.rate, patience=None)
            phases.append(self._adapting_phase(setup, adapting))
        return phases

    def finish(self, setup: Setup, states: Sequence[State], history: dict[str, list[float]]) -> AdaptedModel:
        """Take the statistics of the target if the method does, and measure what became of the domains."""
        own, backbone, state = self.parameters, setup.start.backbone, states[-1]
        unadapted = states[-2] if self._adapts() else None
        if self.method.renormalizes and self.domains.target.any():
            unadapted, target = state, setup.samples.take(self.domains.target)
            network = renormalized(own, self.format, state.network.joined(backbone), target)
            state = State(network, state.head)
        elif self.method.aligns is not None:
            unadapted = state
        model = self._model(setup, state, history)
        if self.trial:
            return model
        assert model.head is not None
        head, sample = (
            corrected(model.head, setup.targets, self.class_shares),
            draw(setup.samples, self.domains, own.seed),
        )
        model, classes = replace(model, head=head), setup.targets.strata() is not None
        score, reference = measure_domains(
            partial(model.embedded, memory=own.memory), sample, own.seed, head, classes=classes
        )
        if unadapted is not None and unadapted.head is not None and classes and len(sample.target) >= MIN_SAMPLES:
            before = replace(
                model,
                network=unadapted.network,
                head=corrected(self._head(setup, unadapted, history), setup.targets, self.class_shares),
            )
            source = setup.targets.values.T @ setup.targets.weights[:, 0]
            warn_of_negative_transfer(
                _probabilities(before, sample.target, own), _probabilities(model, sample.target, own), source
            )
        return replace(
            model,
            domain_score=score,
            reference=NOTHING_KEPT if self.method.predicts else reference,
            class_shares=self.class_shares,
            strength=self.strength,
        )

    def interim(self, setup: Setup, state: State, history: dict[str, list[float]]) -> FittedModel:
        """Make the fitted model without its diagnostics."""
        return self._model(setup, state, history)

    def _model(self, setup: Setup, state: State, history: dict[str, list[float]]) -> AdaptedModel:
        """Put all together, and solve the last layer on aligned features if the method does."""
        head = None if state.head is None else self._head(setup, state, history)
        model = AdaptedModel(
            self.format, state.network, state.network.joined(setup.start.backbone), head, self.encoding,
            setup.start.pretrained, history=history,
        )  # fmt: skip
        if self.method.aligns is None:
            return model
        source, memory = self.domains.source, self.parameters.memory
        targets = setup.targets.take(source)
        known, unknown = (
            model.features(setup.samples.take(mask), memory).astype(np.float64) for mask in (source, ~source)
        )
        aligned = self.method.aligns(known, targets.weights[:, 0], unknown)
        last = solve(aligned(known), targets, C=DEFAULT_STRENGTH)
        head = last if head is None else replace(head, coef=last.coef, intercept=last.intercept)
        return replace(model, head=head, aligned=aligned)

    def _takes_words(self, whole: Extraction, trainable: TrainableLayers) -> bool:
        """Whether a hidden layer learns from several blocks: what is aligned is its output, never a sparse block."""
        fixed = not (trainable.stages or self.method.predicts or self.method.renormalizes)
        texts, deep = whole.backbone.tokenization is not None, bool(self.layers.hidden)
        return self.parameters.features == "auto" and fixed and texts and deep

    def _scale(self, setup: Setup) -> BlockScale | None:
        """Find the scale of blocks of features; None if there are none, or a start knows it already."""
        below = setup.network.below
        if self.source_model is not None or below is None or not below.beside:
            return None
        features, weights = setup.network.features(setup.samples, self.parameters.memory), setup.targets.weights[:, 0]
        far = self.domains.target
        counts = weights / weights.sum() + (far / far.sum() if far.any() else 0)
        return scale_blocks(below, features, setup.targets, self.domains.source & (weights > 0), counts)

    def _adapts(self) -> bool:
        """Whether there is a training that adapts."""
        return bool(self.domains.target.any()) and self.method.trains

    def _solved(self, setup: Setup) -> bool:
        """Whether there is nothing to train: features are as they are, and the last layer is solved."""
        return self.method.aligns is not None and not (setup.trainable.stages or self.layers.hidden)

    def _n_source_epochs(self, n_epochs: int) -> int:
        """How many epochs see the source alone."""
        own, learns = self.parameters, bool(self.domains.source.any())
        if not learns or not self._adapts():
            return n_epochs if learns else 0
        if own.source_epochs == "auto":
            return math.ceil((1 / 3 if self.method.labeled else 3 / 4) * n_epochs)
        if int(own.source_epochs) >= n_epochs:
            raise ValueError(
                f"source_epochs: expected fewer than the {n_epochs} epochs, so that some are left to adapt. Got "
                f"{own.source_epochs}; pass more epochs, or method='source_only'."
            )
        return int(own.source_epochs)

    def _source_phase(self, setup: Setup, settings: TrainingSettings) -> Phase:
        goal = Decisions(setup.targets.tasks, *self.layers[:2])
        return self._phase(setup, settings, goal, self.domains.source, None, loss_name="source")

    def _adapting_phase(self, setup: Setup, settings: TrainingSettings) -> Phase:
        used = self.domains.target | (self.domains.source & self.method.source)
        groups, n_sources = _numbered(self.domains.codes[used])
        shares = _shares(groups, n_sources, settings.batch_size)
        goal = Adaptation(
            setup.targets.tasks, *self.layers[:2], method=self.method, samples=shares, n_sources=n_sources,
            deep=self.parameters.aligned == "embedding",
        )  # fmt: skip
        return self._phase(setup, replace(settings, batch_size=sum(shares)), goal, used, groups)

    def _phase(
        self, setup: Setup, settings: TrainingSettings, goal: Decisions, used: NDArray[np.bool_],
        groups: NDArray[np.intp] | None, loss_name: str | None = None,
    ) -> Phase:  # fmt: skip
        own, network, scale = self.parameters, setup.network, self._scale(setup)

        def taken(samples: Samples) -> Samples:
            found = network.samples(samples, own.memory)
            return found if scale is None else ScaledSamples(found, scale)

        samples = taken(setup.samples.take(used))
        spec = trainable_spec(network, setup.samples, own.memory) if scale is None else samples.layout(None)
        design = design_for(own, network, setup.start, setup.trainable, spec, goal)
        held_out = None if setup.held_out is None else (taken(setup.held_out[0]), setup.held_out[1].normalized())
        data = TrainingData([samples], setup.targets.take(used), held_out, groups)

        def job(state: State) -> TrainingJob:
            above = state.network.above
            return TrainingJob(design, settings, data, None if above is None else above.backbone, state.head)

        return Phase(design, settings, job, loss_name)

    def _head(self, setup: Setup, state: State, history: dict[str, list[float]]) -> Head:
        assert state.head is not None, "there is a start, or a phase that draws one"
        scale = self._scale(setup)
        arrays = state.head if scale is None else scale.folded(state.head)
        return Head.from_arrays(arrays, len(history.get("loss", [])), padded=state.network.padded)


def _probabilities(model: FittedModel, samples: Samples, own: FitParameters) -> Floats:
    return softmax(model.decisions(samples, own.memory).astype(np.float64), axis=1)


def untouched_features(own: FitParameters, format: InputFormat, samples: Samples, start: FittedModel | None) -> Array:
    """Compute features as they are before any training: the columns themselves of a table."""
    if start is not None:
        return start.network.features(samples, own.memory)
    if format.kind.is_table:
        return np.asarray(samples.read(range(len(samples))))
    whole = whole_network(own, format, starting_backbone(own, format, samples))
    return SplitNetwork(whole, None, 0).features(samples, own.memory)


def whole_network(own: FitParameters, format: Any, backbone: Backbone) -> Extraction:
    """Settle how samples go through the network."""
    return plan_extraction(backbone, format, image_size=own.image_size)


def renormalized(own: FitParameters, format: Any, backbone: Backbone, samples: Samples) -> SplitNetwork:
    """Return the network with the batch-normalization statistics of these samples."""
    found = renormalize(backbone, whole_network(own, format, backbone).preparation, samples)
    return SplitNetwork(whole_network(own, format, found), None, 0)


def adapted_to(model: FittedModel, own: AdaptationParameters, method: Method, samples: Samples) -> FittedModel:
    """Adapt a fitted model to the samples that are predicted (TENT)."""
    assert model.head is not None
    assert model.encoding is not None
    whole = renormalized(own, model.format, model.backbone, samples).below
    assert whole is not None
    n_stages, tasks = len(whole.backbone.stages), model.encoding.tasks
    network, trainable = SplitNetwork(None, whole, n_stages), TrainableLayers(n_stages, "norm")
    start, own = Start(whole.backbone, model.pretrained), replace(own, once=True)
    settings = settings_for(
        own, len(samples), start, trainable, table=model.format.kind.is_table,
        values={"strength": method.weight, "ramp": "constant"},
    )  # fmt: skip
    size = min(settings.batch_size, len(samples))
    goal = Adaptation(tasks, *model.head.layers[:2], method=method, samples=(size,), n_sources=0)
    unknown = Targets(tasks, np.zeros((len(samples), tasks[0].n_outputs)), np.zeros((len(samples), 1)))
    design = design_for(own, network, start, trainable, trainable_spec(network, samples, own.memory), goal)
    data = TrainingData([samples], unknown, groups=np.zeros(len(samples), np.intp))
    job = TrainingJob(design, replace(settings, batch_size=size), data, whole.backbone, model.head.arrays)
    return replace(model, network=network.with_weights(train(job).weights))


def _numbered(codes: NDArray[np.int64]) -> tuple[NDArray[np.intp], int]:
    """Give domains numbers from 0, the sources first; return how many these are."""
    known = sorted(set(codes.tolist()), key=lambda code: (code < 0, abs(code)))
    return np.array([known.index(code) for code in codes.tolist()], np.intp), sum(code > 0 for code in known)


def _shares(groups: Array, n_sources: int, batch_size: int) -> tuple[int, ...]:
    """Count samples of each domain in a mini-batch: as many of all sources as of all targets."""
    n_targets = int(groups.max()) + 1 - n_sources
    return (-(-batch_size // max(n_sources, 1)),) * n_sources + (-(-batch_size // n_targets),) * n_targets
