"""The choice between the frozen network and a fine-tuned one, on samples held out, within a budget."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from skltransfer._engine.loop import DivergenceError
from skltransfer._estimators.fit import MIN_STEPS, fine_tuning_rate, fit
from skltransfer._estimators.fitted import FittedModel
from skltransfer._estimators.holdout import HeldOut, fold_masks, hold_out
from skltransfer._estimators.progress import FitMonitor, Unwatched
from skltransfer._estimators.reading import Labeled
from skltransfer._heads.parameters import head_layers
from skltransfer._heads.solve import sample_losses
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import Samples
from skltransfer._targets.labels import LabelEncoding
from skltransfer._targets.targets import Targets
from skltransfer._targets.values import ValueEncoding
from skltransfer._utils.types import Floats
from skltransfer.backbones._backbone import Backbone
from skltransfer.supervised._fitting import SupervisedParameters, SupervisedRecipe

SHARE = 0.25
"""Of the samples, which the trials hold out."""
FOLDS = 4
"""Of a table, each of which is held out once."""
FEWEST, FEWEST_OF_CLASS = 80, 4
"""Samples, and samples of each class, from which some are held out."""
PASSES = (0, 20, 40)
"""Budgets from which one way of fine-tuning is tried, two, and three."""
BATCH_SIZES, FASTEST, MANY_EPOCHS = (8, 32), 1e-3, 10
"""Mini-batches of the trials, their largest learning rate, and epochs from which on a smaller one does."""
AVERAGES = {"": 1.0, ", averaged": 0.5}
"""Weights of the fine-tuned network in averages with the pretrained one."""
DOUBT = 10
"""A temperature is that of the samples held out, and of so many more for which it is 1."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What came of a fit on samples held out.

    Parameters
    ----------
    name : str
        Which layers were fine-tuned.
    recipe : SupervisedRecipe
        By which all samples are fitted.
    trained : FittedModel or None
        The network that the recipe solves a head above; None if it is frozen, or trained once more.
    temperature : float
        What decision values are divided by.
    losses : ndarray of shape (n_held_out,)
        Of each sample held out, with that temperature and labels that one more sample makes doubtful, so that a few
        which are all right do not make any network certain; infinite if the training diverged.
    """

    name: str
    recipe: SupervisedRecipe
    trained: FittedModel | None
    temperature: float
    losses: Floats


def fit_head(
    own: SupervisedParameters,
    format: InputFormat,
    encoding: LabelEncoding | ValueEncoding,
    known: Labeled,
    targets: Targets,
    monitor: FitMonitor,
    *,
    earlier: FittedModel | None,
    held_out: HeldOut | None = None,
) -> FittedModel:
    """Fit a head to labeled samples, on a network that may be fine-tuned."""
    recipe = SupervisedRecipe(own, format, encoding, head_layers(own.head), earlier)
    fitted = fit if own.budget is None else fit_within_budget
    return fitted(recipe, known.samples, targets, monitor, held_out=held_out, groups=known.groups)


def fit_within_budget(
    recipe: SupervisedRecipe,
    samples: Samples,
    targets: Targets,
    monitor: FitMonitor,
    *,
    held_out: HeldOut | None = None,
    groups: Any = None,
) -> FittedModel:
    """Fit the frozen network or a fine-tuned one, whichever is better on samples held out.

    Above a fine-tuned network that is better, or above averages of pretrained and fine-tuned weights, a linear head
    is solved on all samples. Other heads, and networks of tables, are trained once more, on all samples. A network of a
    table has to be better by more than a standard error.

    Parameters
    ----------
    recipe : SupervisedRecipe
        Of the frozen network.
    samples, targets : Samples, Targets
        What is learned from.
    monitor : FitMonitor
        Follows the last fit, and not the trials.
    held_out : tuple of Samples and Targets, optional
        What decides; else a quarter of the samples is set aside, and of a table each quarter in turn.
    groups : array-like of shape (n_samples,), optional
        Samples of one group are held out together.

    References
    ----------
    Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022 (averages of weights).
    """
    backbone = _checked(recipe, samples)
    if held_out is None and _too_few(targets):
        warnings.warn(
            f"budget: expected at least {FEWEST} samples, {FEWEST_OF_CLASS} of each class, to hold some out and see "
            f"whether fine-tuning is better. Got {len(targets)}; the network stays frozen. Pass more samples, or X_val "
            "and y_val.",
            stacklevel=2,
        )
        return fit(recipe, samples, targets, monitor, groups=groups)
    with monitor.showing():
        if recipe.on_kernels and held_out is None:
            trials = list(_trials_on_folds(recipe, backbone, samples, targets, groups))
        else:
            trials = list(_trials(recipe, backbone, samples, targets, held_out, groups))
    best = _best(trials, by_standard_error=recipe.on_kernels)
    model = fit(best.recipe, samples, targets, monitor, held_out=held_out, groups=groups)
    if best is not trials[0]:
        model = model.divided_by(best.temperature)
    if best.trained is not None:
        model = replace(model, history=best.trained.history, n_epochs=best.trained.n_epochs)
    return replace(model, selection=_rows(trials, best, model))


def _checked(recipe: SupervisedRecipe, samples: Samples) -> Backbone:
    """Return the network, if there is something to choose."""
    own, start = recipe.parameters, recipe.start(samples)
    if own.trainable != "auto" or not start.pretrained or own.warm_start or own.once:
        got = "warm_start=True" if own.warm_start else f"trainable={own.trainable!r}"
        got = "a call of partial_fit" if own.once else got
        raise ValueError(
            "budget is for a pretrained backbone with trainable='auto', where fit chooses between the frozen network "
            f"and a fine-tuned one. Got {got} and "
            f"{'a pretrained' if start.pretrained else 'an untrained'} backbone; pass budget=None."
        )
    return start.backbone


def _too_few(targets: Targets) -> bool:
    strata = targets.strata()
    return len(targets) < FEWEST or (strata is not None and np.bincount(strata).min() < FEWEST_OF_CLASS)


def _trials(
    recipe: SupervisedRecipe, backbone: Backbone, samples: Samples, targets: Targets, held_out: HeldOut | None,
    groups: Any,
) -> Iterator[Trial]:  # fmt: skip
    """Fit the frozen network, then fine-tuned ones, without the samples held out."""
    own, share = recipe.parameters, 1.0 if held_out else 1.0 - SHARE
    frozen = replace(recipe, parameters=replace(own, budget=None))
    ways = _ways(recipe, backbone, len(targets), share)
    if held_out is None:
        samples, targets, held_out = hold_out(samples, targets, groups, share=SHARE, seed=own.seed)
        groups = None

    def run(one: SupervisedRecipe) -> FittedModel:
        if not _solves_above(recipe):  # callbacks follow the last training
            one = replace(one, parameters=replace(one.parameters, callbacks=None))
        return fit(one, samples, targets, Unwatched(), held_out=held_out, groups=groups)

    def judged(name: str, last: SupervisedRecipe, trained: FittedModel | None, model: FittedModel) -> Trial:
        return _judged(name, last, trained, held_out[1], model.decisions(held_out[0], own.memory))

    yield judged("frozen", frozen, None, run(frozen))
    for name, parameters in ways:
        tuned = replace(recipe, parameters=parameters)
        try:
            model = run(tuned)
        except DivergenceError:
            yield Trial(name, tuned, None, np.nan, np.full(len(held_out[1]), np.inf))
            continue
        if not _solves_above(recipe):
            yield judged(name, tuned, None, model)
            continue
        for end, weight in AVERAGES.items():
            above = replace(frozen, parameters=replace(frozen.parameters, backbone=_between(backbone, model, weight)))
            yield judged(name + end, above, model, run(above))


def _trials_on_folds(
    recipe: SupervisedRecipe, backbone: Backbone, samples: Samples, targets: Targets, groups: Any
) -> Iterator[Trial]:
    """Fit kernels and a network of a table without each fold, and judge them by all samples."""
    own = recipe.parameters
    folds = list(fold_masks(targets, groups, n_folds=FOLDS, seed=own.seed))
    kernels = ("frozen", replace(own, budget=None))
    for name, parameters in (kernels, *_ways(recipe, backbone, len(targets), 1.0)):
        last = replace(recipe, parameters=parameters)
        unwatched = replace(last, parameters=replace(parameters, callbacks=None))
        decisions = np.empty(targets.values.shape)
        try:
            for out in folds:
                held_out = samples.take(out), targets.take(out)
                related = None if groups is None else np.asarray(groups)[~out]
                rest = samples.take(~out), targets.take(~out)
                model = fit(unwatched, *rest, Unwatched(), held_out=held_out, groups=related)
                decisions[out] = model.decisions(held_out[0], own.memory)
        except DivergenceError:
            yield Trial(name, last, None, np.nan, np.full(len(targets), np.inf))
            continue
        yield _judged(name, last, None, targets, decisions)


def _judged(
    name: str, last: SupervisedRecipe, trained: FittedModel | None, targets: Targets, decisions: Floats
) -> Trial:
    targets = targets.smoothed(1.0 / (len(targets) + 2))  # one more sample counts as wrong
    temperature = _temperature(targets, decisions)
    return Trial(name, last, trained, temperature, sample_losses(targets, decisions / temperature))


def _best(trials: list[Trial], *, by_standard_error: bool) -> Trial:
    """Return the trial of the smallest loss; on request the first one unless it is a standard error above that."""
    best = min(trials, key=lambda trial: trial.losses.mean())
    gain = trials[0].losses.mean() - best.losses.mean()
    return trials[0] if by_standard_error and not gain > _standard_error(trials[0], best) else best


def _solves_above(recipe: SupervisedRecipe) -> bool:
    """Whether a head is solved above a network that was fine-tuned."""
    return not (recipe.layers.hidden or recipe.layers.n_heads or recipe.on_kernels)


def _between(backbone: Backbone, tuned: FittedModel, weight: float) -> Backbone:
    """Return the pretrained network with weights that are averages; ``weight`` is that of the fine-tuned ones."""
    pairs = zip(backbone.weights, tuned.backbone.weights, strict=True)
    return backbone.with_weights([((1 - weight) * start + weight * end).astype(start.dtype) for start, end in pairs])


def _ways(
    recipe: SupervisedRecipe, backbone: Backbone, n_samples: int, share: float
) -> Iterator[tuple[str, SupervisedParameters]]:
    """List ways of fine-tuning by their names; ``share`` of the samples is trained on in trials."""
    own = recipe.parameters
    assert own.budget is not None
    off = replace(own, budget=None)
    if recipe.on_kernels:  # an epoch of a table's network takes no time
        yield "mlp", replace(off, trainable="all")
        return
    n_ways = sum(own.budget >= passes for passes in PASSES)
    epochs = max(1, int(own.budget / (n_ways * share + (not _solves_above(recipe)))))
    spent = _spending(off, epochs, n_samples, is_image=recipe.format.kind.is_image)
    fast = min((3 if epochs >= MANY_EPOCHS else 10) * fine_tuning_rate(backbone), FASTEST)
    ways = {"all": ("all", fast), "lora": ("lora", "auto"), "all, slowly": ("all", fast / 10)}
    for name, (trainable, rate) in list(ways.items())[:n_ways]:
        yield name, replace(spent, trainable=trainable, learning_rate=_own(own.learning_rate, rate))


def _spending(own: SupervisedParameters, epochs: int, n_samples: int, *, is_image: bool) -> SupervisedParameters:
    """Settle what the user leaves as it is, so that few epochs go far."""
    batch_size = int(np.clip(n_samples * epochs // MIN_STEPS, *BATCH_SIZES))
    return replace(
        own,
        epochs=epochs if own.epochs == "auto" else min(epochs, int(own.epochs)),
        batch_size=_own(own.batch_size, batch_size),
        layer_decay=0.9 if own.layer_decay == 1.0 else own.layer_decay,
        label_smoothing=own.label_smoothing or 0.1,
        augmentation="flip_shift" if is_image and own.augmentation is None else own.augmentation,
    )


def _own(given: Any, settled: Any) -> Any:
    return settled if given == "auto" else given


def _standard_error(one: Trial, other: Trial) -> float:
    """Compute the standard error of the difference of two mean losses; NaN if one of them is infinite."""
    if not np.isfinite(one.losses + other.losses).all():
        return np.nan
    return float(np.std(one.losses - other.losses) / np.sqrt(max(len(one.losses) - 1, 1)))


def _temperature(targets: Targets, decisions: Floats) -> float:
    """Return the temperature of the smallest loss, drawn towards 1 where samples are few."""
    if all(task.kind == "values" for task in targets.tasks):
        return 1.0

    def loss(logarithm: float) -> float:
        return float(sample_losses(targets, decisions * np.exp(-logarithm)).mean())

    found = minimize_scalar(loss, bounds=(-4.0, 4.0), method="bounded")
    return float(np.exp(found.x * len(targets) / (len(targets) + DOUBT)))


def _rows(trials: list[Trial], best: Trial, model: FittedModel) -> dict[str, list[Any]]:
    """List the trials before what was tried for the head."""
    rows = [
        {"task": 0, "step": "trainable", "candidate": trial.name, "error": float(trial.losses.mean()),
         "standard_error": _standard_error(trials[0], trial), "temperature": trial.temperature, "chosen": trial is best}
        for trial in trials
    ]  # fmt: skip
    return {name: [row[name] for row in rows] + list(model.selection.get(name, ())) for name in rows[0]}
