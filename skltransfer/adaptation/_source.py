"""Samples of several domains, of which those of the source have labels or values."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import column_or_1d

from skltransfer._estimators.holdout import HeldOut, held_mask
from skltransfer._inputs.samples import Samples
from skltransfer._targets.domains import Domains, read_domains
from skltransfer._targets.reading import known, read_weights
from skltransfer._targets.targets import Targets
from skltransfer._utils.types import Array, Floats


class SourceSamples(NamedTuple):
    """Samples of positive weight, labels and sample weights of those of the source, and the domain of each sample."""

    samples: Samples
    y: Array
    weights: Floats
    domains: Domains


def read_source(
    samples: Samples, y: Any, sample_weight: Any, sample_domain: Any, *, needs: set[str], name: str
) -> SourceSamples:
    """Read samples of several domains, of which those of the source have labels or values.

    Raises
    ------
    ValueError
        If they do not fit together, or samples of a domain that is needed are missing.

    Warns
    -----
    UserWarning
        If labels are -1, 0 and 1 and no domains are given, as -1 may be a class.
    """
    if y is None and "source" in needs:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    if y is None and sample_domain is None:
        sample_domain = np.full(len(samples), -1)
    labels = np.full(len(samples), np.nan) if y is None else column_or_1d(y, warn=True)
    if len(labels) != len(samples):
        raise ValueError(f"y: expected {len(samples)} labels, one for each sample of X. Got {len(labels)}.")
    domains = read_domains(labels, sample_domain, len(samples), needs=needs)
    if sample_domain is None and labels.dtype.kind == "i" and set(labels.tolist()) == {-1, 0, 1}:
        warnings.warn(
            f"y: -1 is read as unknown, so {int(domains.target.sum())} of {len(labels)} samples are the target. Pass "
            "sample_domain, in which samples of the target are negative: there, -1 is a class like 0 and 1.",
            UserWarning,
            stacklevel=2,
        )
    weights = read_weights(sample_weight, labels)
    kept = weights > 0
    source = domains.source & kept
    return SourceSamples(samples.take(kept), known(labels[source]), weights[source], Domains(domains.codes[kept]))


def hold_out_source(
    known: SourceSamples, targets: Targets, *, share: float, seed: int
) -> tuple[SourceSamples, Targets, HeldOut]:
    """Set samples of the source aside, of each class alike; return what is left, and them.

    Raises
    ------
    ValueError
        If there are none, or too few.
    """
    source = np.flatnonzero(known.domains.source)
    if not len(source):
        raise ValueError(
            "early_stopping holds out samples of the source. Got target samples only; pass early_stopping=False."
        )
    out = np.zeros(len(known.samples), bool)
    out[source] = held_mask(targets.take(source), None, share=share, seed=seed)
    kept = ~out[source]
    left = SourceSamples(
        known.samples.take(~out), known.y[kept], known.weights[kept], Domains(known.domains.codes[~out])
    )
    return left, targets.take(~out), (known.samples.take(out), targets.take(out))


def spread(source: Targets, domains: Domains) -> Targets:
    """Set targets of the source, with weights of 1 on average, among those of all samples; others have no weight."""
    n_samples, own = len(domains.codes), domains.source
    values, weights = np.zeros((n_samples, source.values.shape[1])), np.zeros((n_samples, 1))
    if own.any():
        values[own], weights[own] = source.values, source.normalized().weights
    return Targets(source.tasks, values, weights)
