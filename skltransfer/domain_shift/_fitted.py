"""A report of how new samples lie beside those that an estimator was fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skltransfer.domain_shift._figures import Figure, Figures


@dataclass(frozen=True)
class FittedReport(Figures):
    """How samples lie beside the domains that an estimator was fitted on; made by `domain_report`.

    Attributes
    ----------
    n_samples : int
        How many samples there were.
    far_share : float
        Share of samples that are over 1.5 times as far from each domain as 99 % of its own samples.
    median_distance : float
        Of all samples, from the nearer domain; 1 is the distance within which 99 % of its samples lie.
    source_shares, target_shares : dict
        How often each class was predicted for samples of the source and of the target in `fit`; empty for a
        regressor, or where `fit` saw fewer than 10 samples of the domain.
    shares : dict
        How often it is predicted now.
    class_drift : dict
        Distance of the mean of the samples predicted as each class from its nearer mean in `fit`, in standard
        deviations within classes; NaN where none is.
    findings : tuple of str
        What is out of the ordinary.
    """

    n_samples: int
    far_share: float
    median_distance: float
    source_shares: Mapping[Any, float]
    target_shares: Mapping[Any, float]
    shares: Mapping[Any, float]
    class_drift: Mapping[Any, float]
    findings: tuple[str, ...]

    @property
    def suggestions(self) -> tuple[str, ...]:
        """Sentences that say what was found, and what to do."""
        if not self.findings:
            return ("nothing unusual: samples lie where those of fit lay.",)
        return (*self.findings, "Fit again with such samples as the target, or label some of them.")

    def _title(self) -> str:
        return f"{self.n_samples} samples beside those of fit"

    def _figures(self) -> list[Figure]:
        figures = [
            ("far share", self.far_share, "over 1.5 times as far from each domain as 99 % of its samples"),
            ("median distance", self.median_distance, "from the nearer domain; 99 % of its samples are within 1"),
        ]
        for label, share in self.shares.items():
            before = [
                f"{shares[label]:.3g} in the {name}"
                for name, shares in (("source", self.source_shares), ("target", self.target_shares))
                if shares
            ]
            figures.append((f"share of {label}", share, f"as predicted; {', '.join(before)} of fit"))
        for label, drift in self.class_drift.items():
            figures.append((f"drift of {label}", drift, "distance of its means, in deviations of the class"))
        return figures


def report_fitted(estimator: Any, X: Any, X_target: Any) -> FittedReport:
    """Compare samples with those that an estimator was fitted on.

    Raises
    ------
    ValueError
        If the estimator keeps nothing of them, or other samples are passed as well.
    """
    check_is_fitted(estimator)
    reference = getattr(getattr(estimator, "model_", None), "reference", None)
    if reference is None or not reference.places:
        raise ValueError(
            "domain_report(estimator, X): expected a fitted DomainAdaptationClassifier or DomainAdaptationRegressor "
            f"that saw at least 10 samples of a domain. Got {type(estimator).__name__}, which keeps nothing of the "
            "samples "
            "of fit; pass features: domain_report(X_source, y_source, X_target)."
        )
    if X_target is not None:
        raise ValueError(
            "X_target: expected None beside a fitted estimator, which is compared with the samples that come second. "
            f"Got {type(X_target).__name__}; call domain_report(estimator, X)."
        )
    found = estimator._compare(X)
    labels = estimator.classes_.tolist() if len(found.shares) else []

    def named(values: Any) -> dict[Any, float]:
        return dict(zip(labels, np.asarray(values).tolist(), strict=True))

    return FittedReport(
        n_samples=len(found.distances),
        far_share=found.far,
        median_distance=float(np.median(found.distances)),
        source_shares={} if reference.source is None else named(reference.source.shares),
        target_shares={} if reference.target is None else named(reference.target.shares),
        shares=named(found.shares),
        class_drift=named(found.drifts),
        findings=tuple(reference.findings(found, labels)),
    )
