"""A method that is chosen by trying several, without labels of the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from skltransfer._engine.loop import DivergenceError
from skltransfer._engine.trainable import resolve_trainable
from skltransfer._estimators.fit import fit
from skltransfer._estimators.holdout import HeldOut
from skltransfer._estimators.progress import Unwatched
from skltransfer._inputs.samples import Samples
from skltransfer._targets.domains import Domains
from skltransfer._targets.targets import Targets
from skltransfer.adaptation._committee import (
    IN_DOUBT,
    Embedded,
    Evidence,
    Known,
    consider,
    decide,
    distance,
    expected_shares,
)
from skltransfer.adaptation._diagnostics import warn_of_balance, warn_of_no_help
from skltransfer.adaptation._fitting import AdaptationRecipe, AdaptedModel
from skltransfer.adaptation._source import SourceSamples, hold_out_source

CANDIDATES = ("source_only", "standardize", "adabn", "linear_ot", "mmd", "deepjdot_mcc", "mcc", "shot")
"""What is tried, methods that differ in kind; the first one is what the choice falls back to."""
HELD_OUT = 0.2
"""Share of the source that candidates are judged on."""
MIN_SAMPLES = 10
"""Of the target, and of the source for each class; with fewer nothing is chosen."""
JUDGED = 2000
"""Samples of each domain that candidates are judged by, drawn at random if there are more."""
APART = 1.5
"""A-distance of the domains from which on `fit` warns if nothing better than the source alone was found."""
TABLE_BATCH = 64
"""Mini-batches of tables, by "auto": losses that compare all pairs take long on all samples at once."""

Make = Callable[[str, Domains], AdaptationRecipe]


def choose_method(
    make: Make, known: SourceSamples, targets: Targets, held_out: HeldOut | None
) -> tuple[str, dict[str, list[Any]]]:
    """Try candidates on most of the source and all of the target, and choose one.

    Parameters
    ----------
    make : callable
        From the name of a method and the domains of samples to its recipe.
    known : SourceSamples
        Samples and domains.
    targets : Targets
        Of all samples; those of the target have no weight.
    held_out : tuple of Samples and Targets, or None
        What decides when to stop the training on the source.

    Returns
    -------
    method : str
        What is to be fitted on all samples.
    selection : dict of str to list
        What was found, a row for each candidate that the network allows and that did not diverge.

    Warns
    -----
    AdaptationWarning
        If nothing was better than the source alone and the domains are far apart, or if the shares of classes cannot
        be estimated and the choice, or what is chosen in doubt, predicts those of the source.
    """
    usual = make(CANDIDATES[0], known.domains)
    if not usual.strength or _too_few(targets, known.domains):
        return CANDIDATES[0], {"candidate": [CANDIDATES[0]], "veto": [""], "chosen": [True]}
    seed = usual.parameters.seed
    rest, rest_targets, aside = hold_out_source(known, targets, share=HELD_OUT, seed=seed)
    views, labels = _views(rest, rest_targets, aside, seed)
    considered: list[Evidence] = []
    plain: Embedded | None = None
    for name in CANDIDATES:
        recipe = replace(make(name, rest.domains), trial=True)
        if not _able(recipe, rest.samples):
            continue
        try:
            model = cast(AdaptedModel, fit(recipe, rest.samples, rest_targets, Unwatched(), held_out=held_out))
        except DivergenceError:
            if plain is None:
                raise
            continue
        own = _embedded(model, views, recipe.parameters.memory)
        if plain is None:
            plain = own
        elif recipe.method.renormalizes:  # samples of the source keep the statistics of the source
            own = own._replace(source=plain.source, held_out=plain.held_out)
        considered.append(consider(name, own, plain, labels))
    assert plain is not None
    expected = expected_shares(plain, labels, seed)
    chosen, selection = decide(considered, expected, labels)
    if not expected.identified:
        shares = {evidence.candidate: evidence.shares for evidence in considered}
        plain_shares, in_doubt = shares[CANDIDATES[0]], shares.get(IN_DOUBT, shares[chosen])
        warn_of_balance(chosen, shares[chosen], plain_shares, expected.source_shares, in_doubt)
    if chosen == CANDIDATES[0] and (apart := distance(plain, seed)) > APART:
        warn_of_no_help(apart)
    return chosen, selection


def _too_few(targets: Targets, domains: Domains) -> bool:
    """Whether there are too few samples to hold some out, and to judge by."""
    source = targets.take(domains.source)
    smallest = np.bincount(source.values.argmax(axis=1), minlength=source.values.shape[1]).min()
    return bool(min(smallest, domains.target.sum()) < MIN_SAMPLES)


def _able(recipe: AdaptationRecipe, samples: Samples) -> bool:
    """Whether a candidate can do anything with this network."""
    method, start = recipe.method, recipe.start(samples)
    if method.renormalizes:
        return any(path.endswith("moving_mean") for path in start.backbone.paths)
    n_stages = len(start.backbone.stages)
    trainable = resolve_trainable(recipe.parameters.trainable, pretrained=start.pretrained, n_stages=n_stages)
    return method.by != "features" or trainable.stages > 0 or bool(recipe.layers.hidden)


def _views(rest: SourceSamples, targets: Targets, aside: HeldOut, seed: int) -> tuple[list[Samples], Known]:
    """Draw what candidates are judged by: source samples, some that were held out, and target samples."""
    source, target = _some(rest.domains.source, seed), _some(rest.domains.target, seed)
    held_out = _some(np.ones(len(aside[0]), bool), seed)
    samples = [rest.samples.take(source), aside[0].take(held_out), rest.samples.take(target)]
    return samples, Known(targets.take(source), aside[1].take(held_out))


def _some(mask: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    """Keep as many samples as candidates are judged by."""
    kept = check_random_state(seed).permutation(np.flatnonzero(mask))[:JUDGED]
    return np.isin(np.arange(len(mask)), kept)


def _embedded(model: AdaptedModel, views: list[Samples], memory: Any) -> Embedded:
    assert model.head is not None
    domains = ("source", "source", "target")
    source, held_out, target = (
        model.embedded(samples, domain, memory) for samples, domain in zip(views, domains, strict=True)
    )
    return Embedded(source, held_out, target, model.head)
