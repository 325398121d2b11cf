"""The choice among candidates that were adapted: scores of different kinds, and vetoes against collapse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.utils import check_random_state

from skltransfer._heads.calibration import DEFAULT_STRENGTH
from skltransfer._heads.head import Head
from skltransfer._heads.solve import solve
from skltransfer._targets.targets import Targets
from skltransfer._targets.task import Task
from skltransfer._utils.types import Floats
from skltransfer.adaptation._diagnostics import N_DIAGNOSED
from skltransfer.domain_shift._measures import a_distance, mutual_information
from skltransfer.domain_shift._reference import collapsed
from skltransfer.domain_shift._shares import ClassShares, estimate_class_shares
from skltransfer.model_selection._target import neighborhood_entropies

SCORES = ("circular", "own_circular", "density")
"""What candidates are ranked by; greater is better."""
FARTHER = 0.02
"""How much farther from the estimated shares of classes than those of the source alone predictions may be."""
WORSE = 0.05
"""How much less of the held-out source may be right, beside two standard errors."""
TIED = 1.5
"""Standard errors within which the scores of two candidates are no different: with 1, two samples would be one."""
APART = 1.5
"""A-distance from which on domains overlap too little for an estimate of the shares of classes."""


class Embedded(NamedTuple):
    """What a candidate decides on: features of source samples, of others that were held out, and of the target."""

    source: Floats
    held_out: Floats
    target: Floats
    head: Head

    def decisions(self, features: Floats) -> Floats:
        """Decision values of its last layer."""
        return features @ self.head.coef + self.head.intercept


class Known(NamedTuple):
    """Targets of the source samples, and of those held out."""

    source: Targets
    held_out: Targets


class Evidence(NamedTuple):
    """What speaks for a candidate without labels of the target, and against it; scores of single samples."""

    candidate: str
    circular: Floats
    own_circular: Floats
    density: Floats
    information: float
    source_accuracy: float
    shares: Floats


def consider(name: str, own: Embedded, plain: Embedded, known: Known) -> Evidence:
    """Look at a candidate.

    Parameters
    ----------
    name : str
        Its name.
    own, plain : Embedded
        What it decides on, and what the network that saw the source alone decides on.
    known : Known
        Labels of the source.

    Returns
    -------
    Evidence
    """
    probabilities = softmax(own.decisions(own.target), axis=1)
    codes, n_classes = probabilities.argmax(axis=1), probabilities.shape[1]
    right = own.decisions(own.held_out).argmax(axis=1) == known.held_out.values.argmax(axis=1)
    weights = known.held_out.weights[:, 0]
    return Evidence(
        name,
        circular=_circular(_standardized(plain.target), codes, _standardized(plain.source, known.source), known.source),
        own_circular=_circular(own.target, codes, own.source, known.source),
        density=neighborhood_entropies(probabilities),
        information=mutual_information(probabilities),
        source_accuracy=float(np.average(right, weights=weights)),
        shares=np.bincount(codes, minlength=n_classes) / len(codes),
    )


def distance(plain: Embedded, seed: int) -> float:
    """Proxy A-distance of the domains, to the network that saw the source alone."""
    random = check_random_state(seed)
    source, target = (random.permutation(domain)[:N_DIAGNOSED] for domain in (plain.source, plain.target))
    return a_distance(source, target, random)


def expected_shares(plain: Embedded, known: Known, apart: float, seed: int) -> ClassShares:
    """Estimate the shares of classes in the target, by the network that saw the source alone.

    Shares are not to be trusted where domains hardly overlap.
    """
    held_out, target = (softmax(plain.decisions(x), axis=1) for x in (plain.held_out, plain.target))
    targets = known.held_out
    found = estimate_class_shares(
        held_out, targets.values.argmax(axis=1), target, sample_weight=targets.weights[:, 0], random_state=seed
    )
    return found.withheld("domains hardly overlap") if apart > APART else found


def decide(considered: Sequence[Evidence], expected: ClassShares, known: Known) -> tuple[list[str], dict[str, Any]]:
    """Rank candidates, of which the first one in `considered` is that of the source alone.

    Returns
    -------
    ranking : list of str
        Candidates that are no worse than the source alone, the best one first; the source alone is the last.
    columns : dict of str to list
        All evidence by candidate.
    """
    vetoes = [_veto(found, considered[0], expected, known) for found in considered]
    passed = [number for number, veto in enumerate(vetoes) if not veto]
    ranks = np.full(len(considered), np.nan)
    votes = [shared_ranks([getattr(considered[number], score) for number in passed]) for score in SCORES]
    ranks[passed] = np.mean(votes, axis=0)
    order = sorted(passed, key=lambda number: (ranks[number], number))
    ranking = [considered[number].candidate for number in order[: order.index(0) + 1]]
    columns = {
        "candidate": [found.candidate for found in considered],
        "rank": ranks.tolist(),
        **{
            name: [float(np.mean(getattr(found, name))) for found in considered]
            for name in (*SCORES, "information", "source_accuracy")
        },
        "largest_share": [float(found.shares.max()) for found in considered],
        "veto": vetoes,
        "chosen": [found.candidate == ranking[0] for found in considered],
    }
    return ranking, columns


def shared_ranks(scores: Sequence[Floats]) -> Floats:
    """Rank candidates by their mean scores, the best one first; those that do not differ from the best share a rank.

    Parameters
    ----------
    scores : sequence of ndarray of shape (n_samples,)
        The scores of each candidate on the same samples; greater is better.

    Returns
    -------
    ndarray of shape (n_candidates,)
        From 1 on. The best candidate ties with all that follow it until one is worse by more than 1.5 standard errors
        of the differences; that one is the best of the next group. Tied candidates have the mean of their ranks.

    Examples
    --------
    >>> shared_ranks([np.array([1, 1, 1, 0]), np.array([1, 1, 0, 1]), np.array([0, 0, 0, 0])]).tolist()
    [1.5, 1.5, 3.0]
    """
    order = np.argsort([-np.mean(score) for score in scores], kind="stable").tolist()
    ranks, first = np.zeros(len(scores)), 0
    while first < len(order):
        best, last = scores[order[first]], first + 1
        while last < len(order) and _tied(best - scores[order[last]]):
            last += 1
        ranks[order[first:last]] = (first + 1 + last) / 2
        first = last
    return ranks


def _tied(differences: Floats) -> bool:
    return bool(differences.mean() <= TIED * differences.std() / np.sqrt(len(differences)))


def _circular(target: Floats, codes: NDArray[np.intp], source: Floats, known: Targets) -> Floats:
    """Say which source samples a classifier has right that learns the target as it was predicted (reverse validation).

    Each sample counts by its weight; the mean is the accuracy.
    """
    classes = np.unique(codes)
    wanted, weights = known.values.argmax(axis=1), known.weights[:, 0] / known.weights[:, 0].mean()
    if len(classes) < 2:
        return (wanted == classes[0]) * weights
    supposed = np.eye(len(classes))[np.searchsorted(classes, codes)]
    task = Task("classes", len(classes))
    back = solve(target, Targets((task,), supposed, np.ones((len(codes), 1))), C=DEFAULT_STRENGTH)
    return (classes[back.decide(source).argmax(axis=1)] == wanted) * weights


def _standardized(features: Floats, known: Targets | None = None) -> Floats:
    """Standardize a domain by its own statistics."""
    weights = None if known is None else known.weights[:, 0]
    mean = np.average(features, axis=0, weights=weights)
    deviation = np.sqrt(np.average(np.square(features - mean), axis=0, weights=weights))
    return (features - mean) / np.where(deviation > 0, deviation, 1.0)


def _veto(found: Evidence, plain: Evidence, expected: ClassShares, known: Known) -> str:
    """Say why a candidate is not to be trusted; nothing if it may be, as always the source alone."""
    if found is plain:
        return ""
    usual = known.source.weights[:, 0] @ known.source.values
    if collapsed(found.shares, usual):
        return f"{found.shares.max():.0%} of the target are predicted as one class"
    if expected.identified:
        off, plainly = (_distance(shares, expected) for shares in (found.shares, plain.shares))
        if off > plainly + FARTHER:
            return f"shares of classes are {off:.0%} off their estimated interval, those of source_only {plainly:.0%}"
    error = np.sqrt(plain.source_accuracy * (1 - plain.source_accuracy) / len(known.held_out))
    if found.source_accuracy < plain.source_accuracy - 2 * error - WORSE:
        return (
            f"{found.source_accuracy:.0%} of the source held out are right, {plain.source_accuracy:.0%} by source_only"
        )
    return ""


def _distance(shares: Floats, expected: ClassShares) -> float:
    """Farthest that a share is outside of its interval."""
    return float(np.maximum(expected.lower - shares, shares - expected.upper).max().clip(0))
