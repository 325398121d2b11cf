"""How a head is fitted, and the network below it fine-tuned."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np

from skltransfer._engine.augmentation import Augmentation, AugmentedSamples, augmentation_json
from skltransfer._engine.design import Design
from skltransfer._engine.job import TrainingData, TrainingJob, TrainingSettings
from skltransfer._engine.metrics import Metrics, read_metrics
from skltransfer._engine.trainable import TrainableLayers
from skltransfer._estimators.fit import (
    Phase,
    Recipe,
    Setup,
    Start,
    State,
    column_moments,
    design_for,
    settings_for,
    trainable_spec,
)
from skltransfer._estimators.fitted import FittedModel
from skltransfer._estimators.parameters import FitParameters, check_training, starting_backbone
from skltransfer._features.blocks import block_widths, with_blocks
from skltransfer._features.extraction import Extraction, extract, plan_extraction
from skltransfer._features.split import SplitNetwork, StreamedFeatures, split_network
from skltransfer._heads.automatic import Blocks, solve_automatically
from skltransfer._heads.calibration import DEFAULT_STRENGTH
from skltransfer._heads.goal import Decisions
from skltransfer._heads.head import Head, HeadLayers, average_places
from skltransfer._heads.solve import channel_importance, solve
from skltransfer._heads.streamed import HELD_BYTES, SEEN, solve_streamed
from skltransfer._inputs.samples import Samples
from skltransfer._targets.labels import LabelEncoding
from skltransfer._targets.targets import Targets
from skltransfer._targets.values import ValueEncoding
from skltransfer._utils.hashing import DIGEST_BYTES, content_hash
from skltransfer._utils.types import Array
from skltransfer.backbones._kernels import kernel_features
from skltransfer.supervised._attention_transfer import TeacherMaps, attention_strength, plan_teacher
from skltransfer.supervised._forest import forest_rows

NOT_TRAINING = (
    "seed", "once", "random_state", "backbone", "image_size", "memory", "runtime", "trainable", "warm_start",
    "features", "head", "C", "budget",
)  # fmt: skip
"""Parameters that do not say how a network is trained; where one of the others is set, one is."""
FEWEST_FOR_TREES = 50
"""Samples of a table from which a forest is measured beside the head."""
QUERY_RATE, QUERY_SHARE = 0.03, 0.01
"""Where only the queries of attention are trained: their learning rate, and the share of C at which the linear layer
above them is solved meanwhile; see `docs/design.md`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SupervisedParameters(FitParameters):
    """The parameters of a classifier or regressor in one fit; ``C`` is the inverse strength of its penalty."""

    features: Any = "last"
    C: float | str = "auto"
    head: Any = "linear"
    attention_transfer: Any = 0.0
    mixup: float = 0.0
    label_smoothing: float = 0.0
    n_views: int = 4
    solve_head: bool = True
    metrics: Any = None
    budget: float | None = None

    @property
    def strength(self) -> float:
        """Inverse strength of the penalty of a head that training starts from."""
        return DEFAULT_STRENGTH if self.C == "auto" else float(self.C)


def inverse_strength(alpha: float | str) -> float | str:
    """Return ``C`` for the penalty of a regressor."""
    return "auto" if alpha == "auto" else 1.0 / float(alpha)


@dataclass(frozen=True, eq=False)
class SupervisedRecipe(Recipe):
    """A head, solved or trained, on a network that may be fine-tuned.

    Parameters
    ----------
    encoding : LabelEncoding or ValueEncoding
        What labels or values mean.
    layers : HeadLayers
        The layers of the head.
    earlier : FittedModel or None
        Of an earlier fit that may be continued.
    """

    parameters: SupervisedParameters
    encoding: LabelEncoding | ValueEncoding
    layers: HeadLayers
    earlier: FittedModel | None

    def start(self, samples: Samples) -> Start:
        """Continue the earlier fit, or load the backbone."""
        own, earlier = self.parameters, self.earlier
        if earlier is not None and earlier.head is not None and (own.once or own.warm_start):
            return Start.again(earlier, earlier.head.arrays, once=own.once)
        backbone = starting_backbone(own, self.format, samples)
        return Start(backbone, backbone.pretrained or self.on_kernels)

    def adjusted(self, start: Start, samples: Samples, targets: Targets) -> Start:
        """Give a table features of kernels, where nothing is trained below its head."""
        if not self.on_kernels:
            return super().adjusted(start, samples, targets)
        values = np.asarray(samples.read(range(len(samples))))
        mean, scale = column_moments(samples, self.column_weights(targets))
        return replace(start, backbone=kernel_features(values, mean, scale))

    def check(self, trainable: TrainableLayers, targets: Targets) -> None:
        """Refuse parameters that contradict each other, or the samples."""
        check_training(self.parameters, self.format, trainable)
        self._metrics()
        if self.parameters.mixup and not self.format.kind.is_mixable:
            raise ValueError(f"mixup mixes numbers. Got {self.format.describe()}; pass mixup=0.")
        if attention_strength(self.parameters.attention_transfer)[0] and not trainable.stages:
            raise ValueError(
                "attention_transfer is a loss on feature maps, and only the head is trained. Got "
                f"trainable={self.parameters.trainable!r}; pass attention_transfer=0, or fine-tune some stages."
            )

    def holds_out(self, trainable: TrainableLayers) -> bool:
        """Whether samples are held out: not where the head is solved, and not by `partial_fit`."""
        return self.parameters.early_stopping and not (self._solved(trainable) or self.parameters.once)

    def split(self, start: Start, trainable: TrainableLayers, samples: Samples) -> SplitNetwork:
        """Split the network; attention takes features before they are pooled."""
        whole = self._with_blocks(self._whole(start), trainable)
        return split_network(whole, trainable.stages, samples, self.parameters.memory)

    def phases(self, setup: Setup) -> list[Phase]:
        """Train the head and the layers that are fine-tuned, unless the head alone is solved."""
        if self._solved(setup.trainable):
            return []
        own, teacher = self.parameters, self._teacher(setup)
        strength = attention_strength(own.attention_transfer)[0]
        queries_alone = self._queries_alone(setup)
        settings = settings_for(
            own, len(setup.targets), setup.start, setup.trainable, table=self.format.kind.is_table,
            values={"attention_transfer": strength}, mixup=float(own.mixup),
        )  # fmt: skip
        if queries_alone and own.learning_rate == "auto":
            settings = replace(settings, learning_rate=QUERY_RATE)
        views = self._views(setup, teacher)
        design = self._design(setup, self._goal(setup), views[0], teacher)
        return [Phase(design, settings, partial(self._job, setup, design, settings, views, teacher))]

    def finish(self, setup: Setup, states: Sequence[State], history: dict[str, list[float]]) -> FittedModel:
        """Solve the head where it is solved, and put all together."""
        state, selection = states[-1], dict[str, list[Any]]()
        if self._solved(setup.trainable):
            head, selection = self._solved_head(setup)
        else:
            assert state.head is not None
            head = Head.from_arrays(state.head, len(history["loss"]), padded=state.network.padded)
            if self._queries_alone(setup):
                head = self._solved_above_queries(setup, head)
        return FittedModel(
            self.format, state.network, state.network.joined(setup.start.backbone), head, self.encoding,
            setup.start.pretrained, setup.n_epochs_after(history), history, selection=selection,
            training=state.training,
        )  # fmt: skip

    @property
    def on_kernels(self) -> bool:
        """Whether there is a table, and neither a network nor how it is trained was asked for."""
        own = self.parameters
        training = (field for field in fields(own) if field.name not in NOT_TRAINING)
        default = all(getattr(own, field.name) in (field.default, []) for field in training)
        asked = own.once or self.layers.hidden or self.layers.n_heads or own.trainable not in ("auto", "head")
        return self.format.kind.is_table and own.backbone == "auto" and own.features == "auto" and default and not asked

    def _solved(self, trainable: TrainableLayers) -> bool:
        """Whether the head is linear, on frozen features, so that it is solved to convergence."""
        return not (trainable.stages or self.layers.hidden or self.layers.n_heads or self.parameters.once)

    def _queries_alone(self, setup: Setup) -> bool:
        """Whether only the queries of attention are trained, below a solved layer."""
        own, frozen = self.parameters, setup.trainable.stages == 0 and setup.start.pretrained
        return bool(self.layers.n_heads and frozen and own.solve_head and not own.once)

    def _goal(self, setup: Setup) -> Decisions:
        return Decisions(setup.targets.tasks, *self.layers, self._queries_alone(setup))

    def _whole(self, start: Start) -> Extraction:
        own = self.parameters
        whole = plan_extraction(start.backbone, self.format, image_size=own.image_size, runtime=own.runtime)
        return replace(whole, pooling="none") if self.layers.n_heads else whole

    def _with_blocks(self, whole: Extraction, trainable: TrainableLayers) -> Extraction:
        """Add blocks of features for a linear head on a frozen network; training goes on with those that it has."""
        own, earlier = self.parameters, self.earlier
        if trainable.stages or self.layers.hidden or self.layers.n_heads or own.features == "last":
            return whole
        if own.once:
            return whole if earlier is None else replace(whole, beside=earlier.extraction.beside)
        return with_blocks(whole)

    def _teacher(self, setup: Setup) -> TeacherMaps | None:
        _, teacher = attention_strength(self.parameters.attention_transfer)
        if teacher is None:
            return None
        memory, backbone = self.parameters.memory, setup.start.backbone
        return plan_teacher(teacher, self.format, backbone, setup.network, setup.samples, memory)

    def _views(self, setup: Setup, teacher: TeacherMaps | None) -> list[Samples]:
        """Return the samples as they are, and augmented ones where a frozen part, or a teacher, sees them."""
        own, samples = self.parameters, setup.samples
        if own.augmentation is None or (setup.network.below is None and teacher is None):
            return [samples]
        change = Augmentation(augmentation_json(own.augmentation), self.format, own.seed)
        views = [samples, *(AugmentedSamples(samples, change, view) for view in range(1, own.n_views))]
        first = setup.start.n_epochs % len(views)
        return [*views[first:], *views[:first]]

    def _design(self, setup: Setup, goal: Decisions, samples: Samples, teacher: TeacherMaps | None) -> Design:
        """Settle the network that is trained."""
        own, (shape, dtype) = self.parameters, trainable_spec(setup.network, samples, self.parameters.memory)
        inside = own.augmentation is not None and setup.network.below is None and teacher is None
        n_places = 0 if teacher is None else teacher.n_places
        spec = ((n_places + math.prod(shape),), "float32") if n_places else (shape, dtype)
        return design_for(
            own, setup.network, setup.start, setup.trainable,
            (spec[0], "float32" if own.mixup and spec[1] == "uint8" else spec[1]), goal,
            augmentation=augmentation_json(own.augmentation) if inside else None,
            attention_transfer=bool(attention_strength(own.attention_transfer)[0]) and teacher is None,
            n_teacher_places=n_places,
            sample_shape=shape if n_places else None,
        )  # fmt: skip

    def _job(
        self, setup: Setup, design: Design, settings: TrainingSettings, views: list[Samples],
        teacher: TeacherMaps | None, state: State,
    ) -> TrainingJob:  # fmt: skip
        """Settle what is trained on, from which weights of the head."""
        own, network = self.parameters, setup.network
        taken = [network.samples(view, own.memory) for view in views]
        averages = partial(self._averages, setup, taken)
        head, importance = self._head_start(setup, state, averages)
        if importance is not None:
            settings = replace(settings, values={**settings.values, "importance": own.delta * importance})
        held_out = None
        if setup.held_out is not None:
            samples, targets = setup.held_out
            seen = self._taught(setup, teacher, samples, network.samples(samples, own.memory))
            held_out = seen, targets.normalized()
        data = TrainingData(
            [self._taught(setup, teacher, view, own_view) for view, own_view in zip(views, taken, strict=True)],
            setup.targets.normalized().smoothed(own.label_smoothing),
            held_out,
        )
        body = None if network.above is None else network.above.backbone
        return TrainingJob(design, settings, data, body, head, self._metrics(), setup.start.training, own.once)

    def _metrics(self) -> Metrics | None:
        """Settle what is measured in each epoch, in the units of values."""
        return read_metrics(self.parameters.metrics, self.encoding.tasks, *self.encoding.units)

    def _taught(self, setup: Setup, teacher: TeacherMaps | None, samples: Samples, taken: Samples) -> Samples:
        """Return samples as the trainable part takes them, beside the maps of a teacher."""
        above = setup.network.above
        return taken if teacher is None or above is None else teacher.beside(samples, taken, above.preparation)

    def _averages(self, setup: Setup, taken: list[Samples]) -> Array:
        """Compute average-pooled features, from those before pooling where they are at hand."""
        whole, network = self._whole(setup.start), setup.network
        if network.above is not None or whole.pooling != "none":
            return extract(replace(whole, pooling="avg"), setup.samples, memory=self.parameters.memory)
        return average_places(network.blocks_of(taken[0]), padded=whole.backbone.padded)

    def _head_start(
        self, setup: Setup, state: State, averages: Callable[[], Array]
    ) -> tuple[list[Array] | None, Array | None]:
        """Find weights of the head to start from, and the importance of each channel in the DELTA penalty."""
        own, layers = self.parameters, self.layers
        carried = state.head if self._fits(setup) else None
        wanted = carried is None and own.solve_head and setup.start.pretrained
        if layers.hidden or not (wanted or own.delta):
            return carried, None
        features = averages()
        solved = solve(features, setup.targets, C=own.strength * (QUERY_SHARE if self._queries_alone(setup) else 1.0))
        importance = channel_importance(features, setup.targets, solved) if own.delta else None
        if not wanted:
            return carried, importance
        queries = [np.zeros((features.shape[1], layers.n_heads))] if layers.n_heads else []
        return [*queries, *solved.arrays], importance

    def _fits(self, setup: Setup) -> bool:
        """Whether the head of an earlier fit takes the features of this one."""
        below = setup.network.below if setup.network.above is None else None
        beside = () if below is None else below.beside
        return self.earlier is None or self.earlier.extraction.beside == beside

    def _solved_head(self, setup: Setup) -> tuple[Head, dict[str, list[Any]]]:
        """Solve the linear head on the features of all views, in memory if they fit in there.

        Where no groups are given, equal samples are held out together, so that one that is there twice counts as one
        of twice the weight, and those of a sample's views.
        """
        views, extraction, C = self._views(setup, None), setup.network.below, self.parameters.C
        assert extraction is not None
        rows = StreamedFeatures(setup.network, views, self.parameters.memory)
        streamed = len(rows) > SEEN and len(rows) * rows.n_features * 4 > HELD_BYTES
        features = None if streamed else rows.together()
        names = _names(setup.samples, None if self.format.kind.is_numeric else features)
        groups = names if setup.groups is None else np.asarray(setup.groups)
        n_features = rows.n_features if features is None else features.shape[1]
        blocks = Blocks(extraction.outputs, block_widths(extraction, n_features))
        targets = setup.targets.repeated(len(views))
        options: dict[str, Any] = {
            "C": None if C == "auto" else float(C), "groups": np.tile(groups, len(views)),
            "names": np.tile(names, len(views)),
        }  # fmt: skip
        if features is None:
            head, selection = solve_streamed(rows, targets, blocks, **options)
        else:
            head, selection = solve_automatically(features, targets, blocks, **options)
        if self.on_kernels and selection and len(setup.targets) >= FEWEST_FOR_TREES:
            table = np.asarray(setup.samples.read(range(len(setup.samples))))
            for row in forest_rows(table, setup.targets, groups, self.parameters.seed):
                selection = {name: [*values, row[name]] for name, values in selection.items()}
        return head, selection

    def _solved_above_queries(self, setup: Setup, head: Head) -> Head:
        """Solve the linear layer for the attention weights that were learned."""
        network, views = setup.network, self._views(setup, None)
        taken = [network.samples(view, self.parameters.memory) for view in views]
        pooled = np.concatenate([head.pool(maps) for view in taken for maps in network.blocks_of(view)])
        last = solve(pooled, setup.targets.repeated(len(taken)), C=self.parameters.strength)
        return replace(head, coef=last.coef, intercept=last.intercept)


def _names(samples: Samples, features: Array | None) -> Array:
    """Give equal samples one name: by their features, which are the same in whichever form a sample comes.

    Those of a network that was adjusted to all samples hang on their order, by rounding: there, by the numbers.
    """
    if features is None:
        names = [samples.digest(i) for i in range(len(samples))]
    else:
        names = [content_hash(sample) for sample in np.ascontiguousarray(features[: len(samples)])]
    return np.array(names, dtype=f"S{DIGEST_BYTES}")
