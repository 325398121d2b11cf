"""The choice among candidates that were adapted: circular validation, and vetoes against collapse."""

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
from skltransfer.adaptation._diagnostics import N_DIAGNOSED, brought_nearer
from skltransfer.domain_shift._identification import LEVEL, reweighted_p_value
from skltransfer.domain_shift._measures import a_distance, mutual_information
from skltransfer.domain_shift._reference import collapsed
from skltransfer.domain_shift._shares import ClassShares, estimate_class_shares
from skltransfer.model_selection._target import neighborhood_entropies

FARTHER = 0.02
"""How much farther from the estimated shares of classes than those of the source alone predictions may be."""
WORSE = 0.05
"""How much less of the held-out source may be right, beside two standard errors."""
IN_DOUBT = "deepjdot_mcc"
"""The candidate that is taken unless another one is plainly ahead: the best single one on pairs for development."""
PLAINLY = 0.1
"""By how much more the score of another one has to be."""
MATCHES_NOTHING = "mcc"
"""The candidate that is taken of two classes where another would make their shares those of the source again."""
NEARER = 0.1
"""By how much nearer to those of the source it would bring them."""


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
    """What speaks for a candidate without labels of the target, and against it."""

    candidate: str
    circular: float
    own_circular: float
    density: float
    information: float
    source_accuracy: float
    shares: Floats

    @property
    def score(self) -> float:
        """Mean of both circular validations."""
        return (self.circular + self.own_circular) / 2


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
        density=float(neighborhood_entropies(probabilities).mean()),
        information=mutual_information(probabilities),
        source_accuracy=float(np.average(right, weights=weights)),
        shares=np.bincount(codes, minlength=n_classes) / len(codes),
    )


def distance(plain: Embedded, seed: int) -> float:
    """Proxy A-distance of the domains, to the network that saw the source alone."""
    random = check_random_state(seed)
    source, target = (random.permutation(domain)[:N_DIAGNOSED] for domain in (plain.source, plain.target))
    return a_distance(source, target, random)


def expected_shares(plain: Embedded, known: Known, seed: int) -> ClassShares:
    """Estimate the shares of classes in the target, by the network that saw the source alone.

    They are withheld where source samples with these shares can still be distinguished from target samples.
    """
    held_out, target = (softmax(plain.decisions(x), axis=1) for x in (plain.held_out, plain.target))
    targets = known.held_out
    found = estimate_class_shares(
        held_out, targets.values.argmax(axis=1), target, sample_weight=targets.weights[:, 0], random_state=seed
    )
    if not found.identified:
        return found
    classes, random = known.source.values.argmax(axis=1), check_random_state(seed)
    p_value = reweighted_p_value(plain.source, classes, found.shares, plain.target, random)
    return found if p_value >= LEVEL else found.withheld(f"features of each class differ (p = {p_value:.2g})")


def decide(considered: Sequence[Evidence], expected: ClassShares, known: Known) -> tuple[str, dict[str, Any]]:
    """Choose a candidate; the first one in `considered` is that of the source alone.

    Returns
    -------
    candidate : str
        The one with the best score, or "deepjdot_mcc" where it is behind by 0.1 at most. Where that would undo what
        may be other shares of two classes, "mcc", which matches no whole domains, if it leaves them more or less as
        they are and is behind by 0.1 at most.
    columns : dict of str to list
        All evidence by candidate.
    """
    vetoes = [_veto(found, considered[0], expected, known) for found in considered]
    passed = [number for number, veto in enumerate(vetoes) if not veto]
    ahead = max(passed, key=lambda number: considered[number].score)
    level = [number for number in passed if considered[number].score >= considered[ahead].score - PLAINLY]
    taken = next((number for number in level if considered[number].candidate == IN_DOUBT), ahead)
    other = next((number for number in level if considered[number].candidate == MATCHES_NOTHING), taken)
    if _balances(considered[taken], considered[other], considered[0], expected):
        taken = other
    names = ("candidate", "score", "circular", "own_circular", "density", "information", "source_accuracy")
    columns: dict[str, list[Any]] = {
        **{name: [getattr(found, name) for found in considered] for name in names},
        "largest_share": [float(found.shares.max()) for found in considered],
        "veto": vetoes,
        "chosen": [number == taken for number in range(len(considered))],
    }
    return considered[taken].candidate, columns


def _balances(found: Evidence, other: Evidence, plain: Evidence, expected: ClassShares) -> bool:
    """Whether a candidate makes the shares of two classes those of the source, and another goes less than half as far.

    Only where these shares cannot be estimated.
    """
    if expected.identified or len(found.shares) != 2:
        return False
    far, less = (brought_nearer(own.shares, plain.shares, expected.source_shares) for own in (found, other))
    return far > NEARER and less < far / 2


def _circular(target: Floats, codes: NDArray[np.intp], source: Floats, known: Targets) -> float:
    """Accuracy on the source of a classifier that learns the target as it was predicted (reverse validation)."""
    classes = np.unique(codes)
    wanted, weights = known.values.argmax(axis=1), known.weights[:, 0]
    if len(classes) < 2:
        return float(np.average(wanted == classes[0], weights=weights))
    supposed = np.eye(len(classes))[np.searchsorted(classes, codes)]
    task = Task("classes", len(classes))
    back = solve(target, Targets((task,), supposed, np.ones((len(codes), 1))), C=DEFAULT_STRENGTH)
    return float(np.average(classes[back.decide(source).argmax(axis=1)] == wanted, weights=weights))


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
