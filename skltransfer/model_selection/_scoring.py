"""What the scorers share: calling conventions, and asking an estimator."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import _num_samples

from skltransfer._targets.domains import Domains, read_domains
from skltransfer._utils.types import Array


class DomainScorer(BaseEstimator):
    """Base of scorers that need no label of the target.

    Parameters are attributes, as in estimators, so that `clone`, `pickle` and searches over
    ``scoring__…`` work. Subclasses have ``_score(estimator, X, y, domains)`` and ``_needs``.
    """

    __metadata_request__score: ClassVar[dict[str, Any]] = {"sample_domain": True, "estimator": UNUSED}
    _needs: ClassVar[tuple[str, ...]] = ("source", "target")

    def __call__(self, estimator: Any, X: Any, y: Any = None, *, sample_domain: Any = None) -> float:
        """Score; the same as `score`."""
        return self.score(estimator, X, y, sample_domain=sample_domain)

    def score(self, estimator: Any, X: Any, y: Any = None, *, sample_domain: Any = None) -> float:
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X : array-like, frame, or sequence
            Samples that the estimator takes; best those that it was not fitted on.
        y : array-like of shape (n_samples,), default=None
            Labels of source samples; those of target samples are not read.
        sample_domain : array-like of int, shape (n_samples,), default=None
            Positive for source samples, negative for target samples. None takes samples with masked
            labels as the target; if none is masked, scorers that need no source take all samples.

        Returns
        -------
        float
            Greater is better.

        Raises
        ------
        ValueError
            If samples or labels that the scorer needs are not there.
        TypeError
            If the estimator lacks a method that the scorer needs.
        """
        domains = self._read(X, y, sample_domain)
        return float(self._score(estimator, X, None if y is None else np.asarray(y), domains))

    def _read(self, X: Any, y: Any, sample_domain: Any) -> Domains:
        n_samples = _num_samples(X)
        if "source" in self._needs and y is None:
            raise ValueError(f"{type(self).__name__}: expected labels of source samples. Got y=None; pass y.")
        alone = "source" not in self._needs and sample_domain is None
        domains = read_domains(y, sample_domain, n_samples, needs=() if alone else self._needs)
        return domains if domains.target.any() else Domains(np.full(n_samples, -1))

    def _score(self, estimator: Any, X: Any, y: Any, domains: Domains) -> float:
        raise NotImplementedError

    def _accept_sample_weight(self) -> bool:
        """Answer scikit-learn's searches, which ask this of scorers, that weights are not for this one."""
        return False


def samples_of(X: Any, mask: NDArray[np.bool_]) -> Any:
    """Take samples where a mask is true, of whatever kind they are."""
    return _safe_indexing(X, np.flatnonzero(mask))


def probabilities(estimator: Any, X: Any, scorer: DomainScorer) -> Array:
    """Probabilities of classes, or a TypeError that names the scorer."""
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"{type(scorer).__name__}: expected a classifier with predict_proba. Got {type(estimator).__name__}; wrap "
            "it in CalibratedClassifierCV."
        )
    return np.asarray(estimator.predict_proba(X), dtype=np.float64)


def embedding(estimator: Any, X: Any) -> Array:
    """Return samples as the estimator sees them just before it decides.

    Its ``transform``; of a Pipeline that has none, that of the steps before the last; else its
    ``decision_function``, or ``predict_proba``.
    """
    if hasattr(estimator, "transform"):
        values = estimator.transform(X)
    elif isinstance(estimator, Pipeline) and len(estimator) > 1:
        values = estimator[:-1].transform(X)
    elif hasattr(estimator, "decision_function"):
        values = estimator.decision_function(X)
    elif hasattr(estimator, "predict_proba"):
        values = estimator.predict_proba(X)
    else:
        raise TypeError(
            "expected an estimator with transform, decision_function or predict_proba, whose values stand for samples. "
            f"Got {type(estimator).__name__}."
        )
    values = np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=np.float64)
    return values.reshape(len(values), -1)
