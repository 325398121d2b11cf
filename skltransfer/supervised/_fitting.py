"""What the estimators share that put a head on a backbone and may move it."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skltransfer._engine.augmentation import Augmentation, AugmentedSamples, augmentation_json
from skltransfer._engine.design import Design
from skltransfer._engine.job import TrainingData, TrainingResult, TrainingSettings
from skltransfer._engine.metrics import Metrics, read_metrics
from skltransfer._engine.trainable import TrainableLayers, resolve_trainable
from skltransfer._estimators.base import AUDIO_PARAMETERS
from skltransfer._estimators.fit import Held, TrainedEstimator
from skltransfer._estimators.progress import FitWatcher
from skltransfer._features.extraction import Extraction, extract, plan_extraction
from skltransfer._features.split import SplitNetwork, split_network
from skltransfer._heads.attention import AttendingHead, average_places
from skltransfer._heads.goal import Decisions
from skltransfer._heads.kinds import Head, HeadLayers, head_arrays, head_from_arrays, head_layers
from skltransfer._heads.solve import channel_importance, solve
from skltransfer._heads.solver import LinearHead
from skltransfer._inputs.samples import Samples
from skltransfer._targets.targets import Targets
from skltransfer._utils.types import Array
from skltransfer._validation import unknown_name
from skltransfer.backbones._backbone import Backbone
from skltransfer.supervised._attention_maps import METHODS, Maps, grad_cam_maps, head_maps, rollout_maps, settle_method
from skltransfer.supervised._attention_transfer import AttentionTransfer, TeacherMaps, attention_pull, plan_teacher

QUERY_RATE, QUERY_SHARE = 0.03, 0.01
"""Where only the queries of attention learn: their learning rate, and the share of C by which the linear layer above
them is solved meanwhile; see `docs/design.md`."""


class _Plan(NamedTuple):
    """The network of a fit, whole and split; what moves in it, the layers of the head, a teacher, and samples by epoch."""

    whole: Extraction
    split: SplitNetwork
    moves: TrainableLayers
    layers: HeadLayers
    teacher: TeacherMaps | None
    views: list[Samples]


class _Learning(NamedTuple):
    """How a head is trained, in which network, and whether the queries of attention learn alone."""

    training: TrainingSettings
    design: Design
    queries_alone: bool


class TunedEstimator(TrainedEstimator):
    """Base of the estimators that fit a head, and may fine-tune the backbone below it."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TrainedEstimator._parameter_constraints,
        **AUDIO_PARAMETERS,
        "head": "no_validation",
        "attention_transfer": [Interval(Real, 0, None, closed="left"), AttentionTransfer],
        "metrics": [list, tuple, None],
        "mixup": [Interval(Real, 0, None, closed="left")],
        "n_views": [Interval(Integral, 2, None, closed="left")],
        "solve_head": ["boolean"],
    }

    _head: Head

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_head")

    @abstractmethod
    def _directions(self, targets: Any, n_samples: int) -> Callable[[Array, slice], Array]:
        """Return how the decision values of some samples add up to what is explained."""

    def attention_maps(self, X: Any, *, method: str = "auto", targets: Any = None) -> Maps:
        """Show where the network looks: how much each place of each sample counts.

        Parameters
        ----------
        X : array-like, or sequence of paths, PIL images or texts
            Samples like those that `fit` saw.
        method : {"auto", "head", "rollout", "grad_cam"}, default="auto"
            "head" gives the weights of an attention head, a mean over its queries. "rollout"
            multiplies the attention of all blocks of a transformer, half of each being what
            passes by it. "grad_cam" weighs the channels of the last grid by the gradient of
            the decision, and keeps what speaks for it; the weights of an attention head are
            held still. "auto" is the first of them that the network has.
        targets : array-like of shape (n_samples,) or (n_samples, n_tasks), default=None
            The labels that "grad_cam" explains; None explains what is predicted.

        Returns
        -------
        ndarray of shape (n_samples, height, width) or (n_samples, n_steps), or list of ndarray
            Each sample sums to 1. Images have the grid of the last features, or of the patches;
            texts have an array of shape (n_tokens,) each, in the order of
            ``backbone_.tokenization.tokens(text)``.

        Raises
        ------
        ValueError
            If the network has no such maps.

        References
        ----------
        Abnar & Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020.

        Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
        Localization", ICCV 2017.
        """
        check_is_fitted(self)
        if method not in METHODS:
            raise unknown_name("method", method, METHODS)
        samples, head, backbone = self._read(X, reset=False), self._head, self.backbone_
        method = settle_method(method, head, backbone)
        if method == "rollout":
            return rollout_maps(plan_extraction(backbone, self._format, image_size=self.image_size), samples)
        if method == "head":
            assert isinstance(head, AttendingHead)
            return head_maps(head, self._network, samples, backbone, self.memory)
        return grad_cam_maps(
            head, self._network, samples, backbone, self.memory, self._directions(targets, len(samples))
        )

    def _fit_samples(
        self,
        samples: Samples,
        targets: Targets,
        *,
        C: float,
        held: Held = None,
        groups: Any = None,
        label_smoothing: float = 0.0,
        once: bool = False,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Fit to targets; ``held`` decides when to stop; ``once`` takes one more epoch from where the fit stands."""
        head: Head | None = self.__dict__.pop("_head", None)  # from here on, until all is done, this is not fitted
        proceed = head is not None and (once or self.warm_start)
        backbone = self.backbone_ if proceed else self._starting_backbone(samples)
        self._pretrained = self._pretrained if proceed else backbone.pretrained
        self._parts = self._parts + 1 if proceed and once else 0
        moves = resolve_trainable(self.trainable, pretrained=self._pretrained, n_stages=len(backbone.stages))
        self._check_together(moves)
        metrics = read_metrics(self.metrics, targets.tasks, *self._units())
        layers = head_layers(self.head)
        solved = moves.stages == 0 and not layers.hidden and not layers.n_heads and not once
        if self.early_stopping and held is None and not solved:
            samples, targets, held = self._hold_out(samples, targets, groups)
        if not proceed:
            backbone = self._standardized(backbone, samples, targets.weights.max(axis=1))
        whole = self._extraction(backbone, layers)
        split = split_network(whole, moves.stages, samples, self.memory)
        teacher = self._lesson(whole, split, samples)
        plan = _Plan(whole, split, moves, layers, teacher, self._views(split, samples, teacher))
        learning = None if solved else self._learning(plan, targets, once)
        context = self._init_callback_context(max_subtasks=0 if learning is None else learning.training.epochs)
        context.call_on_fit_task_begin(estimator=self, **(data or {}))
        self.history_: dict[str, list[float]] = {}
        if learning is None:
            features = np.concatenate([split.features(view, self.memory) for view in plan.views])
            head = solve(features, targets.repeated(len(plan.views)), C=C)
        else:
            watcher = FitWatcher(
                self,
                context,
                verbose=int(self.verbose),
                data=data,
                attributes=lambda trained: self._state(
                    split.with_weights(trained.weights), backbone, _head_of(trained, split)
                ),
            )
            head, split = self._learn_head(
                plan, learning, samples, targets, held, head if proceed else None, C, label_smoothing, watcher, metrics
            )
        self.__dict__.update(self._state(split, backbone, head))
        self._parts += max(len(self.history_.get("loss", ())) - 1, 0)
        context.call_on_fit_task_end(estimator=self, **(data or {}), reconstruction_attributes={})

    def _units(self) -> tuple[Any, Any]:
        """Mean and scale of values before they were standardised."""
        return 0.0, 1.0

    def _state(self, split: SplitNetwork, backbone: Backbone, head: Head) -> dict[str, Any]:
        """Return the attributes that make this estimator a fitted one."""
        n_iter = head.n_iter if isinstance(head, LinearHead) else head.last.n_iter
        return {"_network": split, "backbone_": split.joined(backbone), "_head": head, "n_iter_": n_iter}

    def _check_together(self, moves: TrainableLayers) -> None:
        super()._check_together(moves)
        if self.mixup and self._format.kind == "texts":
            raise ValueError("mixup mixes numbers. Got texts; pass mixup=0.")
        if attention_pull(self.attention_transfer)[0] and not moves.stages:
            raise ValueError(
                f"attention_transfer pulls feature maps, and the head alone moves. Got trainable={self.trainable!r}; "
                "pass attention_transfer=0, or a trainable that moves stages."
            )

    def _lesson(self, whole: Extraction, split: SplitNetwork, samples: Samples) -> TeacherMaps | None:
        _, teacher = attention_pull(self.attention_transfer)
        if teacher is None:
            return None
        return plan_teacher(teacher, self._format, whole.backbone, split, samples, self.memory)

    def _learning(self, plan: _Plan, targets: Targets, once: bool) -> _Learning:
        """Settle how the head, and what moves below it, is trained, and compile it."""
        frozen = plan.moves.stages == 0 and self._pretrained
        queries_alone = bool(plan.layers.n_heads and frozen and self.solve_head and not once)
        training = self._training(
            len(targets), plan.moves, once, {"attention_transfer": attention_pull(self.attention_transfer)[0]},
            mixup=float(self.mixup), **self._stopping(),
        )  # fmt: skip
        if queries_alone and self.learning_rate == "auto":
            training = replace(training, learning_rate=QUERY_RATE)
        goal = Decisions(targets.tasks, *plan.layers, queries_alone)
        return _Learning(training, self._planned(plan, goal), queries_alone)

    def _learn_head(
        self,
        plan: _Plan,
        learning: _Learning,
        samples: Samples,
        targets: Targets,
        held: Held,
        head: Head | None,
        C: float,
        label_smoothing: float,
        watcher: FitWatcher,
        metrics: Metrics | None,
    ) -> tuple[Head, SplitNetwork]:
        """Train from a head, or from where heads start; return the head and the network below it."""
        split = plan.split
        taken = [split.samples(view, self.memory) for view in plan.views]
        averages = partial(self._averages, plan.whole, split, samples, taken)
        start, importance = self._starts(
            averages, targets, head, plan.layers, C * QUERY_SHARE if learning.queries_alone else C
        )
        data = TrainingData(
            [self._taught(plan, view, own) for view, own in zip(plan.views, taken, strict=True)],
            targets.normalised().smoothed(label_smoothing),
            validation=None if held is None else self._held(plan, *held),
        )
        training = learning.training
        if importance is not None:
            training = replace(training, values={**training.values, "importance": self.delta * importance})
        trained = self._train(learning.design, training, split, watcher, data, start, metrics)
        self.history_ = trained.history
        found = _head_of(trained, split)
        if learning.queries_alone:
            found = self._solved_again(found, split, taken, targets, C)
        return found, split.with_weights(trained.weights)

    def _taught(self, plan: _Plan, samples: Samples, taken: Samples) -> Samples:
        """Samples as the part that moves takes them, beside what a teacher says."""
        above = plan.split.above
        return (
            taken if plan.teacher is None or above is None else plan.teacher.beside(samples, taken, above.preparation)
        )

    def _held(self, plan: _Plan, samples: Samples, targets: Targets) -> tuple[Samples, Targets]:
        return self._taught(plan, samples, plan.split.samples(samples, self.memory)), targets.normalised()

    def _views(self, split: SplitNetwork, samples: Samples, teacher: TeacherMaps | None) -> list[Samples]:
        """Samples as they are, and changed at random for a part that stays as it is, or for a teacher."""
        if self.augmentation is None or (split.below is None and teacher is None):
            return [samples]
        change = Augmentation(augmentation_json(self.augmentation), self._format, self._seed())
        views = [samples, *(AugmentedSamples(samples, change, view) for view in range(1, self.n_views))]
        start = self._parts % len(views)
        return [*views[start:], *views[:start]]

    def _extraction(self, backbone: Backbone, layers: HeadLayers) -> Extraction:
        """Settle how samples become features, which attention takes before they are pooled."""
        whole = plan_extraction(backbone, self._format, image_size=self.image_size)
        return replace(whole, pooling="none") if layers.n_heads else whole

    def _averages(self, whole: Extraction, split: SplitNetwork, samples: Samples, taken: list[Samples]) -> Array:
        """Average-pooled features, from those before pooling where they are at hand."""
        if split.above is not None or whole.pooling != "none":
            return extract(replace(whole, pooling="avg"), samples, memory=self.memory)
        return average_places(split.blocks_of(taken[0]), padded=whole.backbone.padded)

    def _solved_again(self, head: Head, split: SplitNetwork, taken: list[Samples], targets: Targets, C: float) -> Head:
        """Solve the linear layer for the weights of places that were learned."""
        assert isinstance(head, AttendingHead)
        pooled = np.concatenate([head.pool(maps) for view in taken for maps in split.blocks_of(view)])
        last = solve(pooled, targets.repeated(len(taken)), C=C)
        return replace(head, then=replace(last, n_iter=head.last.n_iter))

    def _starts(
        self, averages: Callable[[], Array], targets: Targets, head: Head | None, layers: HeadLayers, C: float
    ) -> tuple[list[Array] | None, Array | None]:
        """Head to start from, and how much each feature counts in the pull of DELTA."""
        wanted = head is None and self.solve_head and self._pretrained
        start = None if head is None else head_arrays(head)
        if layers.hidden or not (wanted or self.delta):
            return start, None
        features = averages()
        solved = solve(features, targets, C=C)
        importance = channel_importance(features, targets, solved) if self.delta else None
        if wanted:
            queries = [np.zeros((features.shape[1], layers.n_heads))] if layers.n_heads else []
            start = [*queries, *head_arrays(solved)]
        return start, importance

    def _planned(self, plan: _Plan, goal: Decisions) -> Design:
        """Settle the network that is trained."""
        teacher, (shape, dtype) = plan.teacher, self._sample(plan.split, plan.views[0])
        inside = self.augmentation is not None and plan.split.below is None and teacher is None
        taught = 0 if teacher is None else teacher.n_places
        sample = ((taught + math.prod(shape),), "float32") if taught else (shape, dtype)
        return self._design(
            plan.split,
            plan.moves,
            (sample[0], "float32" if self.mixup and sample[1] == "uint8" else sample[1]),
            goal,
            augmentation=augmentation_json(self.augmentation) if inside else None,
            attended=bool(attention_pull(self.attention_transfer)[0]) and teacher is None,
            taught=taught,
            raw=shape if taught else None,
        )

    def _decide(self, X: Any) -> Array:
        """Decision values of shape (n_samples, n_outputs)."""
        samples = self._read(X, reset=False)
        if isinstance(self._head, AttendingHead):
            return np.concatenate([self._head(maps) for maps in self._network.blocks(samples, self.memory)])
        return self._head(self._network.features(samples, self.memory))


def _head_of(trained: TrainingResult, split: SplitNetwork) -> Head:
    return head_from_arrays(trained.head, trained.epochs, padded=split.padded)
