"""One report of how far two domains are apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skltransfer._targets.reading import missing
from skltransfer._utils.types import Array
from skltransfer.domain_shift import _measures as measures

LEVEL = 0.05 / 3
"""Of p-values: three tests are read, and no shift is to be found in 19 of 20 pairs of equal domains."""
MIN_SAMPLES = 10


@dataclass(frozen=True)
class DomainReport:
    """How far a target is from a source; made by `domain_report`.

    Attributes
    ----------
    n_source, n_target, n_features : int
        How many samples and columns there were.
    a_distance : float
        Proxy A-distance, from 0 (a linear classifier cannot discriminate the domains) to 2.
    mmd2, mmd_p_value : float
        Squared maximum mean discrepancy of standardized features, and the p-value of the
        hypothesis that there is no shift.
    c2st_accuracy, c2st_p_value : float
        Classifier two-sample test: how often a sample's domain is recognized by its features (0.5 is
        chance), and the p-value of the hypothesis that there is no shift.
    source_shares, target_shares : dict
        Share of each class in the source, and as estimated for the target; right if each class
        looks alike in both domains.
    class_weights : dict
        The one over the other: a ``class_weight`` for a classifier of the source.
    label_p_value : float
        Of the hypothesis that classes are predicted equally often in both domains.
    reweighted_p_value : float
        The p-value of the discrepancy once the source has the estimated shares; where it is
        high, a shift of labels explains all of the shift. NaN if too few samples are left.
    class_drift : dict
        Distance of each class's source mean from the mean of the target samples predicted as it,
        in units of the class's deviation; NaN where none is.
    source_error : float
        Cross-validated error of a linear classifier on the source.
    mismatched_columns : tuple of int
        Columns whose ranges, from the 5th to the 95th percentile, differ by more than 10-fold;
        values equal to the most frequent one, such as 0, do not count.
    """

    n_source: int
    n_target: int
    n_features: int
    a_distance: float
    mmd2: float
    mmd_p_value: float
    c2st_accuracy: float
    c2st_p_value: float
    source_shares: Mapping[Any, float]
    target_shares: Mapping[Any, float]
    class_weights: Mapping[Any, float]
    label_p_value: float
    reweighted_p_value: float
    class_drift: Mapping[Any, float]
    source_error: float
    mismatched_columns: tuple[int, ...]

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
        """Sentences that say what was found and what to do."""
        shift = min(self.mmd_p_value, self.c2st_p_value) < LEVEL
        labels = self.label_p_value < LEVEL
        if self.mismatched_columns:
            return (self._scale_sentence(),)
        if labels and (not shift or self.reweighted_p_value >= LEVEL):
            return (self._label_sentence(),)
        if shift:
            return (self._covariate_sentence(), *([self._mixed_sentence()] if labels else []))
        return (
            f"no shift found: no test rejects equal domains (smallest p = "
            f"{min(self.mmd_p_value, self.c2st_p_value, self.label_p_value):.2g}). A classifier of the source needs no "
            "adaptation, as far as these samples show.",
        )

    def to_frame(self) -> Any:
        """Figures as a frame.

        Returns
        -------
        pandas.DataFrame
            Columns "figure", "value" and "meaning".
        """
        import pandas as pd

        return pd.DataFrame(self._figures(), columns=["figure", "value", "meaning"])

    def __str__(self) -> str:
        head = f"{self.n_source} source samples, {self.n_target} target samples, {self.n_features} features"
        width = max(len(name) for name, _, _ in self._figures())
        lines = [f"  {name:{width}} {value:>9.3g}  {meaning}" for name, value, meaning in self._figures()]
        return "\n".join([head, *lines, *(f"- {sentence}" for sentence in self.suggestions)])

    def _repr_html_(self) -> str:
        samples = "".join(
            f"<tr><td>{escape(name)}</td><td>{value:.3g}</td><td>{escape(meaning)}</td></tr>"
            for name, value, meaning in self._figures()
        )
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.suggestions)
        head = "<tr><th>figure</th><th>value</th><th>meaning</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{samples}</tbody></table><ul>{items}</ul>"

    def _figures(self) -> list[tuple[str, float, str]]:
        figures = [
            ("A-distance", self.a_distance, "0: domains cannot be discriminated linearly, 2: without error"),
            ("MMD²", self.mmd2, "squared distance of the domains' means in a kernel's space; about 0 without shift"),
            ("MMD p-value", self.mmd_p_value, "small: a shift"),
            ("domain accuracy", self.c2st_accuracy, "samples whose domain is recognized; 0.5 is chance"),
            ("domain accuracy p-value", self.c2st_p_value, "small: a shift"),
            ("label p-value", self.label_p_value, "small: classes are predicted more or less often"),
            (
                "reweighted p-value",
                self.reweighted_p_value,
                "of MMD with the target's shares; large: labels explain it",
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
            meaning = f"estimated share in the target; {self.source_shares[label]:.3g} in the source"
            figures.append((f"share of {label}", share, meaning))
        for label, drift in self.class_drift.items():
            figures.append((f"drift of {label}", drift, "distance of its means, in deviations of the class"))
        return figures

    def _scale_sentence(self) -> str:
        some = ", ".join(map(str, self.mismatched_columns[:5])) + (", …" if len(self.mismatched_columns) > 5 else "")
        return (
            f"scale mismatch: the ranges of {len(self.mismatched_columns)} of {self.n_features} columns ({some}) are "
            "over 10-fold apart, as 0 to 1 and 0 to 255 are. Bring both domains to the same units, then report again."
        )

    def _label_sentence(self) -> str:
        label = max(self.class_weights, key=lambda name: abs(np.log(max(self.class_weights[name], 1e-3))))
        return (
            f"label shift: classes have other shares in the target (p = {self.label_p_value:.2g}), most of all {label} "
            f"with {self.target_shares[label]:.0%} for {self.source_shares[label]:.0%}, and no other shift is seen. "
            "Fit with class_weight=report.class_weights."
        )

    def _covariate_sentence(self) -> str:
        return (
            f"covariate shift: features differ between the domains (A-distance {self.a_distance:.2f}, smaller p-value "
            f"{min(self.mmd_p_value, self.c2st_p_value):.2g}). Try DomainAdaptationClassifier(method='coral')."
        )

    def _mixed_sentence(self) -> str:
        return (
            f"label shift, or errors that the shift of features causes: classes are predicted with other shares (p = "
            f"{self.label_p_value:.2g}). Adapt, then report on the adapted features."
        )


def domain_report(X_source: Any, y_source: Any, X_target: Any, *, random_state: Any = None) -> DomainReport:
    """Measure how far a target is from a source, on features.

    Parameters
    ----------
    X_source : array-like of shape (n_source, n_features)
        Features of samples with labels, such as `BackboneTransformer` gives.
    y_source : array-like of shape (n_source,)
        Their classes; at least 2 classes, at least 2 samples of each.
    X_target : array-like of shape (n_target, n_features)
        Features of samples that the classifier will be used on.
    random_state : int, RandomState instance or None, default=None
        Draws folds, permutations, and the samples of the kernel test from domains of over 500.

    Returns
    -------
    DomainReport
        Prints as a table with suggestions.

    Raises
    ------
    ValueError
        If features are not 2-D arrays of finite numbers with the same columns and at least 10
        samples, or labels are missing or too few.

    References
    ----------
    Ben-David, Blitzer, Crammer & Pereira, "Analysis of Representations for Domain Adaptation",
    NIPS 2007 (A-distance); Ben-David et al., "A Theory of Learning from Different Domains",
    Machine Learning 2010 (bound); Gretton et al., "A Kernel Two-Sample Test", JMLR 2012 (MMD);
    Lopez-Paz & Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017; Lipton, Wang & Smola,
    "Detecting and Correcting for Label Shift with Black Box Predictors", ICML 2018; Rabanser,
    Günnemann & Lipton, "Failing Loudly", NeurIPS 2019 (test of predicted classes).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skltransfer import domain_report
    >>> X, y = load_digits(return_X_y=True)
    >>> report = domain_report(X[:400], y[:400], 16 - X[400:800], random_state=0)  # inverted
    >>> report.a_distance, report.suggestions[0][:15]
    (2.0, 'covariate shift')
    """
    source, target = measures.check_features(X_source, "X_source"), measures.check_features(X_target, "X_target")
    _check_sizes(source, target)
    labels, classes = _read_classes(y_source, len(source))
    random = check_random_state(random_state)
    near, far = measures.standardized(source, target)
    mmd2, mmd_p_value = measures.mmd_test(near, far, random_state=random)
    accuracy, c2st_p_value = measures.classifier_test(source, target, random)
    shift = measures.label_shift(source, classes, target, random)
    shares = np.bincount(classes) / len(classes)
    drift = measures.class_drift(near, classes, far, shift.predicted)

    def by_class(values: Array) -> dict[Any, float]:
        return dict(zip(labels, values.tolist(), strict=True))

    return DomainReport(
        n_source=len(source),
        n_target=len(target),
        n_features=source.shape[1],
        a_distance=measures.a_distance(source, target, random),
        mmd2=mmd2,
        mmd_p_value=mmd_p_value,
        c2st_accuracy=accuracy,
        c2st_p_value=c2st_p_value,
        source_shares=by_class(shares),
        target_shares=by_class(shares * shift.weights),
        class_weights=by_class(shift.weights),
        label_p_value=shift.p_value,
        reweighted_p_value=_reweighted(near, classes, shares * shift.weights, far, random),
        class_drift=by_class(drift),
        source_error=shift.error,
        mismatched_columns=tuple(measures.scale_mismatch(source, target).tolist()),
    )


def _reweighted(source: Array, classes: Array, shares: Array, target: Array, random: measures.Random) -> float:
    samples = measures.with_shares(classes, shares, random)
    if len(samples) < MIN_SAMPLES:
        return float("nan")
    return measures.mmd_test(source[samples], target, random_state=random)[1]


def _check_sizes(source: Array, target: Array) -> None:
    if source.shape[1] != target.shape[1]:
        raise ValueError(
            f"X_target: expected {source.shape[1]} columns, as in X_source. Got {target.shape[1]}; make features of "
            "both domains with one transformer."
        )
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
