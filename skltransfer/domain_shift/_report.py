"""One report of how far two domains are apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skltransfer._targets.reading import missing
from skltransfer._utils.types import Array
from skltransfer.domain_shift import _measures as measures
from skltransfer.domain_shift._alignments import Trial, recommended, try_alignments
from skltransfer.domain_shift._figures import Figure, Figures
from skltransfer.domain_shift._fitted import FittedReport, report_fitted
from skltransfer.domain_shift._identification import LEVEL, MIN_SAMPLES, Identified, identify


@dataclass(frozen=True)
class DomainReport(Figures):
    """How far a target is from a source; made by `domain_report`.

    Tests and estimates are of features whose mismatched columns, if there are any, are standardized in each
    domain by itself, so that a few columns of other units hide nothing.

    Attributes
    ----------
    n_source, n_target, n_features : int
        How many samples and columns there were.
    a_distance : float
        Proxy A-distance, from 0 (a linear classifier cannot discriminate the domains) to 2.
    remaining_a_distance : float
        The same once mismatched columns are standardized.
    mmd2, mmd_p_value : float
        Squared maximum mean discrepancy of standardized features, and the p-value of the
        hypothesis that there is no shift.
    c2st_accuracy, c2st_p_value : float
        Classifier two-sample test: how often a sample's domain is recognized by its features (0.5 is
        chance), and the p-value of the hypothesis that there is no shift.
    source_shares : dict
        Share of each class in the source.
    target_shares, target_intervals : dict
        Estimated share of each class in the target, and its 95 % interval, by `estimate_class_shares`;
        NaN where they are not identifiable.
    class_weights : dict
        Target share over source share: a ``class_weight`` for a classifier of the source. NaN as well.
    not_identified : str
        Why shares of the target are not identifiable; empty if they are.
    label_p_value : float
        Of the hypothesis that classes are predicted equally often in both domains.
    reweighted_p_value : float
        Of the hypothesis that there is no shift once the source has the estimated shares (twice
        the smaller p-value of the kernel test and the classifier test): where it is high, a shift of labels
        explains all of the shift, and where it is low, shares are not given. NaN if there are none to try.
    class_drift : dict
        Distance of each class's source mean from the mean of the target samples predicted as it,
        in units of the class's deviation; NaN where none is.
    source_error : float
        Cross-validated error of a linear classifier on the source.
    mismatched_columns : tuple of int
        Columns whose ranges, from the 5th to the 95th percentile, differ by more than 10-fold;
        values equal to the most frequent one, such as 0, do not count.
    alignments : tuple of Trial
        Where a shift of features is found: what each alignment of `align_domains` does, "none" first.
    """

    n_source: int
    n_target: int
    n_features: int
    a_distance: float
    remaining_a_distance: float
    mmd2: float
    mmd_p_value: float
    c2st_accuracy: float
    c2st_p_value: float
    source_shares: Mapping[Any, float]
    target_shares: Mapping[Any, float]
    target_intervals: Mapping[Any, tuple[float, float]]
    class_weights: Mapping[Any, float]
    not_identified: str
    label_p_value: float
    reweighted_p_value: float
    class_drift: Mapping[Any, float]
    source_error: float
    mismatched_columns: tuple[int, ...]
    alignments: tuple[Trial, ...]

    @property
    def divergence(self) -> float:
        """Half the A-distance: the second term of the bound of Ben-David et al."""
        return self.a_distance / 2

    @property
    def bound(self) -> float:
        """Source error plus divergence: what can be measured of the bound of the target's error.

        The third term, the error on both domains of the classifier that is best on both, needs
        labels of the target. It is missing here, so this is no guarantee.
        """
        return self.source_error + self.divergence

    @property
    def suggestions(self) -> tuple[str, ...]:
        """Sentences that say each shift that was found, with its evidence, and what to do."""
        found = [self._scale_sentence()] if self.mismatched_columns else []
        if self.label_p_value < LEVEL <= self.reweighted_p_value:
            found.append(self._label_sentence())
        else:
            if self.alignments:
                found += [self._covariate_sentence(), self._advice_sentence()]
            if self.label_p_value < LEVEL:
                found.append(self._withheld_sentence())
        return tuple(found) or (
            f"no shift found: no test rejects equal domains (smallest p = "
            f"{min(self.mmd_p_value, self.c2st_p_value, self.label_p_value):.2g}). A classifier of the source needs no "
            "adaptation, as far as these samples show.",
        )

    def _title(self) -> str:
        return f"{self.n_source} source samples, {self.n_target} target samples, {self.n_features} features"

    def _figures(self) -> list[Figure]:
        figures = [
            ("A-distance", self.a_distance, "0: domains cannot be discriminated linearly, 2: without error"),
            ("remaining A-distance", self.remaining_a_distance, "once mismatched columns are standardized by domain"),
            ("MMD²", self.mmd2, "squared distance of the domains' means in a kernel's space; about 0 without shift"),
            ("MMD p-value", self.mmd_p_value, "small: a shift"),
            ("domain accuracy", self.c2st_accuracy, "samples whose domain is recognized; 0.5 is chance"),
            ("domain accuracy p-value", self.c2st_p_value, "small: a shift"),
            ("label p-value", self.label_p_value, "small: classes are predicted more or less often"),
            (
                "reweighted p-value",
                self.reweighted_p_value,
                "with the target's shares; large: labels explain the shift",
            ),
            ("source error", self.source_error, "cross-validated error of a linear classifier"),
            ("divergence", self.divergence, "half the A-distance"),
            (
                "bound",
                self.bound,
                "source error + divergence, without the error of the best joint classifier",
            ),
            (
                "mismatched columns",
                len(self.mismatched_columns),
                "columns whose ranges differ more than 10-fold",
            ),
        ]
        for label, share in self.target_shares.items():
            lower, upper = self.target_intervals[label]
            interval = (
                f"not identifiable: {self.not_identified}" if self.not_identified else f"{lower:.3g} to {upper:.3g}"
            )
            meaning = f"in the target ({interval}); {self.source_shares[label]:.3g} in the source"
            figures.append((f"share of {label}", share, meaning))
        for label, drift in self.class_drift.items():
            figures.append((f"drift of {label}", drift, "distance of its means, in deviations of the class"))
        for trial in self.alignments:
            meaning = f"on samples held out; accuracy on the source {trial.source_accuracy:.3f}"
            figures.append((f"A-distance by {trial.name!r}", trial.distance, meaning))
        return figures

    def _scale_sentence(self) -> str:
        some = ", ".join(map(str, self.mismatched_columns[:5])) + (", …" if len(self.mismatched_columns) > 5 else "")
        return (
            f"scale mismatch: the ranges of {len(self.mismatched_columns)} of {self.n_features} columns ({some}) are "
            "over 10-fold apart, as 0 to 1 and 0 to 255 are. Bring both domains to the same units. For what follows, "
            f"these columns are standardized in each domain by itself (A-distance {self.a_distance:.2f} before, "
            f"{self.remaining_a_distance:.2f} after)."
        )

    def _label_sentence(self) -> str:
        label = max(self.class_weights, key=lambda name: abs(np.log(max(self.class_weights[name], 1e-3))))
        lower, upper = self.target_intervals[label]
        return (
            f"label shift: classes have other shares in the target (p = {self.label_p_value:.2g}), most of all {label} "
            f"with {self.target_shares[label]:.0%} (95 % interval {lower:.0%} to {upper:.0%}) for "
            f"{self.source_shares[label]:.0%}, and no other shift is seen. Fit with class_weight=report.class_weights."
        )

    def _covariate_sentence(self) -> str:
        return (
            f"covariate shift: features differ between the domains (A-distance {self.remaining_a_distance:.2f}, "
            f"smaller p-value {min(self.mmd_p_value, self.c2st_p_value):.2g})."
        )

    def _advice_sentence(self) -> str:
        none = self.alignments[0]
        best = recommended(self.alignments, min(self.n_source, self.n_target))
        tried = ", ".join(f"{trial.distance:.2f} by {trial.name!r}" for trial in self.alignments[1:])
        if best is None:
            return (
                "no alignment without training helps clearly: the A-distance on samples held out is "
                f"{none.distance:.2f}, and {tried}. A network that is fine-tuned to both domains "
                "(DomainAdaptationClassifier) may do more; its domain_score_ says whether it did."
            )
        return (
            f"align_domains(X_source, X_target, {best.name!r}) brings the domains together: the A-distance on samples "
            f"held out falls from {none.distance:.2f} to {best.distance:.2f} (tried: {tried}), and accuracy on the "
            f"source goes from {none.source_accuracy:.3f} to {best.source_accuracy:.3f}. It takes other shares of "
            "classes for a shift of features, so it is for targets with about the shares of the source."
        )

    def _withheld_sentence(self) -> str:
        return (
            f"label shift, or errors that the shift of features causes: classes are predicted with other shares (p = "
            f"{self.label_p_value:.2g}), but the shares are not identifiable: {self.not_identified}."
        )


def domain_report(
    X_source: Any, y_source: Any, X_target: Any = None, *, random_state: Any = None
) -> DomainReport | FittedReport:
    """Measure how far a target is from a source, on features; or new samples from those of a fitted estimator.

    Parameters
    ----------
    X_source : array-like of shape (n_source, n_features), or fitted estimator
        Features of samples with labels, such as `BackboneTransformer` gives; or a fitted
        `DomainAdaptationClassifier` or `DomainAdaptationRegressor`.
    y_source : array-like of shape (n_source,), or samples
        Their classes; at least 2 classes, at least 2 samples of each. For a fitted estimator, samples
        that it is to predict.
    X_target : array-like of shape (n_target, n_features), default=None
        Features of samples that the classifier will be used on. Left out for a fitted estimator.
    random_state : int, RandomState instance or None, default=None
        Draws folds, permutations, bootstrap samples, halves, and the samples of the kernel test from domains of
        over 500.

    Returns
    -------
    DomainReport or FittedReport
        Prints as a table with suggestions. The latter for a fitted estimator: where its samples lie beside
        both domains, and how often each class is predicted.

    Raises
    ------
    ValueError
        If features are not 2-D arrays of finite numbers with the same columns and at least 10
        samples, or labels are missing or too few; or if an estimator keeps nothing of what it was
        fitted on.

    References
    ----------
    Ben-David, Blitzer, Crammer & Pereira, "Analysis of Representations for Domain Adaptation",
    NIPS 2007 (A-distance); Ben-David et al., "A Theory of Learning from Different Domains",
    Machine Learning 2010 (bound); Gretton et al., "A Kernel Two-Sample Test", JMLR 2012 (MMD);
    Lopez-Paz & Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017; Lipton, Wang & Smola,
    "Detecting and Correcting for Label Shift with Black Box Predictors", ICML 2018; Rabanser,
    Günnemann & Lipton, "Failing Loudly", NeurIPS 2019 (test of predicted classes); and those of
    `estimate_class_shares` and `align_domains`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skltransfer import domain_report
    >>> X, y = load_digits(return_X_y=True)
    >>> report = domain_report(X[:400], y[:400], 16 - X[400:800], random_state=0)  # inverted
    >>> report.a_distance, report.suggestions[0][:15]
    (2.0, 'covariate shift')
    """
    if hasattr(X_source, "get_params"):
        return report_fitted(X_source, y_source, X_target)
    source, target = measures.check_domains(X_source, X_target)
    _check_sizes(source, target)
    labels, classes = _read_classes(y_source, len(source))
    random = check_random_state(random_state)
    mismatched = measures.scale_mismatch(source, target)
    alike = measures.rescaled(source, target, mismatched)
    near, far = measures.standardized(*alike)
    mmd2, mmd_p_value = measures.mmd_test(near, far, random_state=random)
    accuracy, c2st_p_value = measures.classifier_test(near, far, random)
    found = identify(near, classes, far, random)
    distance = measures.a_distance(source, target, random)
    remaining = measures.a_distance(near, far, random) if len(mismatched) else distance
    explained = found.label_p_value < LEVEL <= found.reweighted_p_value
    shifted = min(mmd_p_value, c2st_p_value) < LEVEL and not explained
    return DomainReport(
        n_source=len(source), n_target=len(target), n_features=source.shape[1],
        a_distance=distance, remaining_a_distance=remaining, mmd2=mmd2, mmd_p_value=mmd_p_value,
        c2st_accuracy=accuracy, c2st_p_value=c2st_p_value,
        label_p_value=found.label_p_value, reweighted_p_value=found.reweighted_p_value,
        source_error=found.source_error, mismatched_columns=tuple(mismatched.tolist()),
        alignments=try_alignments(near, classes, far, random) if shifted else (),
        **_by_class(labels, found, measures.class_drift(near, classes, far, found.predicted)),
    )  # fmt: skip


def _by_class(labels: list[Any], found: Identified, drift: Array) -> dict[str, Any]:
    """Figures of each class by its label."""
    shares = found.shares

    def named(values: Array) -> dict[Any, float]:
        return dict(zip(labels, _plain(values), strict=True))

    intervals = zip(_plain(shares.lower), _plain(shares.upper), strict=True)
    return {
        "source_shares": named(shares.source_shares),
        "target_shares": named(shares.shares),
        "target_intervals": dict(zip(labels, intervals, strict=True)),
        "class_weights": named(shares.shares / shares.source_shares),
        "not_identified": shares.reason,
        "class_drift": named(drift),
    }


def _plain(values: Array) -> list[float]:
    """Return numbers, with one NaN, so that equal reports are equal."""
    return [np.nan if np.isnan(value) else value for value in values.tolist()]


def _check_sizes(source: Array, target: Array) -> None:
    for name, X in (("X_source", source), ("X_target", target)):
        if len(X) < MIN_SAMPLES:
            raise ValueError(f"{name}: expected at least {MIN_SAMPLES} samples to test. Got {len(X)}; add samples.")


def _read_classes(y: Any, n_samples: int) -> tuple[list[Any], Array]:
    """Labels, and the class of each sample as a number."""
    y = np.asarray(y)
    if y.shape != (n_samples,):
        raise ValueError(
            f"y_source: expected {n_samples} labels, one for each sample. Got an array of shape {y.shape}."
        )
    if missing(y).any():
        raise ValueError(
            f"y_source: expected a label in each sample. Got {missing(y).sum()} None or NaN; leave them out."
        )
    labels, classes, counts = np.unique(y, return_inverse=True, return_counts=True)
    if len(labels) < 2 or counts.min() < 2:
        raise ValueError(
            f"y_source: expected at least 2 classes with at least 2 samples each. Got {len(labels)} classes, the "
            f"smallest of {counts.min()} samples; add samples, or leave out the class."
        )
    return labels.tolist(), classes
