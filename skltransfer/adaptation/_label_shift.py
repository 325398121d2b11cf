"""Other shares of classes in the target: found before training, and allowed for in its result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.utils import check_random_state

from skltransfer._heads.head import Head
from skltransfer._targets.domains import Domains
from skltransfer._targets.targets import Targets
from skltransfer._utils.types import Array, Floats
from skltransfer.domain_shift._identification import LEVEL, MIN_SAMPLES, identify
from skltransfer.domain_shift._measures import standardized
from skltransfer.domain_shift._shares import ClassShares

MOST_SAMPLES = 2000
"""Of each domain, drawn at random if there are more."""
SMALLEST_SHARE = 1e-3


def some_of_each(targets: Targets, domains: Domains, seed: int) -> Array | None:
    """Draw which samples shares are estimated on; None if there are too few of a domain or of a class."""
    random, drawn, classes = check_random_state(seed), np.zeros(len(targets), bool), targets.strata()
    for own in (domains.source & (targets.weights[:, 0] > 0), domains.target):
        drawn[random.permutation(np.flatnonzero(own))[:MOST_SAMPLES]] = True
    assert classes is not None
    counts = np.bincount(classes[drawn & domains.source], minlength=targets.values.shape[1])
    enough = min(counts.sum(), (drawn & domains.target).sum()) >= MIN_SAMPLES and counts.min() >= 2
    return drawn if enough else None


def find_shares(features: Floats, targets: Targets, domains: Domains, seed: int) -> ClassShares:
    """Estimate the shares of classes in the target, on features that no training has touched.

    Returns
    -------
    ClassShares
        Without shares, and with the reason, unless they are identifiable and differ from those of the source.
    """
    features, classes = features.astype(np.float64), targets.strata()
    assert classes is not None
    near, far = standardized(features[domains.source], features[domains.target])
    found = identify(near, classes[domains.source], far, check_random_state(seed))
    shares, p_value = found.shares, max(found.shares.p_value, found.label_p_value)
    if shares.identified and p_value >= LEVEL:
        return shares.withheld(f"no shift of class shares is seen (p = {p_value:.2g})")
    return shares


def corrected(head: Head, targets: Targets, shares: ClassShares | None) -> Head:
    """Bring predicted probabilities from the shares that were trained on to those of the target."""
    if shares is None or not shares.identified:
        return head
    ratio = np.maximum(shares.shares, SMALLEST_SHARE) / _trained(targets)
    return replace(head, intercept=(head.intercept + np.log(ratio)).astype(head.intercept.dtype))


def _trained(targets: Targets) -> Array:
    totals = targets.values.T @ targets.weights[:, 0]
    return totals / totals.sum()
