"""Diagnostics of an adaptation without labels of the target."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from skltransfer._heads.head import Head
from skltransfer._inputs.samples import ArraySamples, Samples
from skltransfer._targets.domains import Domains
from skltransfer._utils.types import Array, Floats
from skltransfer.domain_shift._measures import a_distance, mutual_information, scale_mismatch
from skltransfer.domain_shift._reference import Comparison, Place, Reference, collapsed

N_DIAGNOSED = 1000
"""Of each domain, drawn at random if there are more."""
MIN_SAMPLES = 10
WORSE = 0.05
"""By how many nats the information has to fall."""
BALANCED = 0.15
"""By how much nearer to those of the source the share of a class has to be."""
SCALES = 10.0


class AdaptationWarning(UserWarning):
    """Negative transfer is likely, domains have other scales, or samples are unlike those of `fit`."""


class Sample(NamedTuple):
    """Some samples of the source and of the target."""

    source: Samples
    target: Samples


def draw(samples: Samples, domains: Domains, seed: int) -> Sample:
    """Draw samples to judge by."""
    random = check_random_state(seed)

    def some(mask: NDArray[np.bool_]) -> Samples:
        chosen = random.permutation(np.flatnonzero(mask))[:N_DIAGNOSED]
        return samples.take(np.isin(np.arange(len(samples)), chosen))

    return Sample(some(domains.source), some(domains.target))


def measure_domains(
    embed: Callable[[Samples, str], Array], sample: Sample, seed: int, head: Head, *, classes: bool
) -> tuple[float, Reference]:
    """Measure the proxy A-distance of both domains, NaN if there are too few samples, and their places."""
    source, target = (
        embed(samples, domain) if len(samples) >= MIN_SAMPLES else None
        for samples, domain in zip(sample, sample._fields, strict=True)
    )
    score = np.nan
    if source is not None and target is not None:
        score = a_distance(source.astype(np.float64), target.astype(np.float64), check_random_state(seed))

    def place(embedding: Array | None) -> Place | None:
        if embedding is None:
            return None
        predicted = (embedding @ head.coef + head.intercept).argmax(axis=1) if classes else None
        return Place.of(embedding, predicted, len(head.intercept))

    return score, Reference(place(source), place(target))


WARNED: WeakSet[Any] = WeakSet()
"""Models that have warned already."""


def warn_of_samples(model: Any, found: Comparison, labels: Sequence[Any]) -> None:
    """Warn, once for a fitted model, if samples that it predicts are out of the ordinary."""
    if model in WARNED:
        return
    sentences = model.reference.findings(found, labels)
    if sentences:
        WARNED.add(model)
        _warn(
            " ".join([*sentences, "domain_report(estimator, X) says more; this is said once for a fitted estimator."])
        )


def warn_of_scales(samples: Samples, domains: Domains) -> None:
    """Warn if numbers of one domain are of another size than those of the other."""
    if not isinstance(samples, ArraySamples) or not domains.source.any() or not domains.target.any():
        return
    values = np.asarray(samples.values, dtype=np.float64)
    source, target = values[domains.source], values[domains.target]
    if values.ndim > 2:
        largest = np.abs(source).max(), np.abs(target).max()
        if max(largest) > SCALES * min(largest):
            _warn(
                f"The largest value is {largest[0]:g} in the source and {largest[1]:g} in the target. Bring images "
                "of both domains to one range, such as 0 to 255."
            )
        return
    columns = scale_mismatch(source, target, SCALES)
    if len(columns):
        listed = ", ".join(map(str, columns[:5].tolist())) + (", …" if len(columns) > 5 else "")
        _warn(
            f"{len(columns)} of {values.shape[1]} columns ({listed}) spread {SCALES:g} times as far in one domain as "
            "in the other. Bring both domains to one unit, if that is no shift that the method should undo."
        )


def warn_of_negative_transfer(before: Array, after: Array, source: Array) -> None:
    """Warn if probabilities of the target, before and after, say that adaptation did harm.

    ``source`` has the weight of each class in the source.
    """
    shares = np.bincount(after.argmax(axis=1)) / len(after)
    if collapsed(shares, source):
        _warn(
            f"{shares.max():.0%} of the target samples are predicted as one class, while the largest class of the "
            f"source has {source.max() / max(source.sum(), 1e-12):.0%} of its samples. The network has probably "
            "collapsed; pass a smaller weight, or another method."
        )
        return
    information = mutual_information(before), mutual_information(after)
    if information[1] < information[0] - WORSE:
        _warn(
            f"The mutual information of target samples and their predictions is {information[1]:.3f} nats, and was "
            f"{information[0]:.3f} before adaptation: negative transfer is likely. Compare method='source_only' by a "
            "scorer of skltransfer.model_selection, or pass a smaller weight."
        )


def warn_of_no_help(apart: float) -> None:
    """Warn that no method was found to be better than none, where domains are far apart."""
    _warn(
        f"The domains are far apart (A-distance {apart:.2f} of 2), and none of the methods that were tried was found "
        "to be better than 'source_only', which was fitted: predictions for the target may be wrong. See selection_, "
        "and domain_report for what differs."
    )


def brought_nearer(adapted: Floats, plain: Floats, source: Floats) -> float:
    """By how much adaptation has brought the shares of predicted classes nearer to those of the source."""
    off, nearer = (np.abs(shares - source).max() for shares in (plain, adapted))
    return float(off - nearer)


def warn_of_balance(method: str, adapted: Floats, plain: Floats, source: Floats, in_doubt: Floats) -> None:
    """Warn if adaptation brings the shares of predicted classes back to those of the source.

    Parameters
    ----------
    method : str
        What was chosen.
    adapted, plain, source : ndarray of shape (n_classes,)
        Shares of classes in the target as predicted with and without adaptation, and those of the source.
    in_doubt : ndarray of shape (n_classes,)
        As predicted by what is chosen in doubt: where it would do so, shares are unknown, whatever was chosen.
    """
    if max(brought_nearer(own, plain, source) for own in (adapted, in_doubt)) > BALANCED:
        told = [", ".join(f"{share:.2f}" for share in shares[:5]) for shares in (source, plain, adapted)]
        _warn(
            f"The first classes have the shares {told[0]} in the source; in the target {told[1]} are predicted without "
            f"adaptation, and {told[2]} with method={method!r}, which was chosen. Shares cannot be estimated there. If "
            "classes may be more or less frequent than in the source, method='source_only' or 'shot' may be better."
        )


def warn_of_no_shift(method: Any) -> None:
    """Warn that a method was not applied, as there is nothing to adapt to."""
    _warn(
        f"No difference of source and target was found, so method={method!r} was not applied: the network was trained "
        "on the source alone. Pass a number as weight to apply it all the same."
    )


def _warn(message: str) -> None:
    warnings.warn(message, AdaptationWarning, stacklevel=6)
