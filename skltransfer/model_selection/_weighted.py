"""Scores on source samples that count as much as they look like target samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from skltransfer._targets.domains import Domains
from skltransfer._utils.types import Array
from skltransfer.domain_shift._measures import density_ratio
from skltransfer.model_selection._scoring import DomainScorer, embedding, probabilities, samples_of


class ImportanceWeightedScorer(DomainScorer):
    """Accuracy on source samples, each weighted by how much likelier it is in the target.

    Weights are the odds of a logistic regression that discriminates source from target by the
    estimator's ``transform``; of a Pipeline without one, by the steps before the last; else by
    ``decision_function`` or ``predict_proba``. They are brought to a sum of 1.

    It assumes that samples of the target could be samples of the source: where the domains can be
    discriminated without error, no weight is right, and the score says little.

    References
    ----------
    Sugiyama, Krauledat & Müller, "Covariate Shift Adaptation by Importance Weighted Cross
    Validation", JMLR 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skltransfer.model_selection import ImportanceWeightedScorer
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = LogisticRegression(max_iter=1000).fit(X[:300] / 16, y[:300])
    >>> domain = [1] * 300 + [-1] * 300
    >>> round(ImportanceWeightedScorer()(classifier, X[300:900] / 16, y[300:900], sample_domain=domain), 1)
    0.9
    """

    def _score(self, estimator: Any, X: Any, y: Any, domains: Domains) -> float:
        source = samples_of(X, domains.source)
        weights = density_ratio(embedding(estimator, source), embedding(estimator, samples_of(X, domains.target)))
        right = np.asarray(estimator.predict(source)) == y[domains.source]
        return float(np.average(right, weights=weights))


class DeepEmbeddedValidation(DomainScorer):
    """Negative cross-entropy on source samples weighted as target samples, with a control variate.

    Weights are those of `ImportanceWeightedScorer`. That their mean has to be 1 takes most of
    their noise out of the mean loss: ``mean(w l) + eta (mean(w) - 1)`` with
    ``eta = - cov(w l, w) / var(w)``.

    References
    ----------
    You, Wang, Long & Jordan, "Towards Accurate Model Selection in Deep Unsupervised Domain
    Adaptation", ICML 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skltransfer.model_selection import DeepEmbeddedValidation
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = LogisticRegression(max_iter=1000).fit(X[:300] / 16, y[:300])
    >>> domain = [1] * 300 + [-1] * 300
    >>> DeepEmbeddedValidation()(classifier, X[300:900] / 16, y[300:900], sample_domain=domain) > -0.6
    True
    """

    def _score(self, estimator: Any, X: Any, y: Any, domains: Domains) -> float:
        source = samples_of(X, domains.source)
        losses = _cross_entropy(probabilities(estimator, source, self), y[domains.source], estimator.classes_)
        weights = density_ratio(embedding(estimator, source), embedding(estimator, samples_of(X, domains.target)))
        weighted = weights * losses
        spread = np.var(weights)
        eta = 0.0 if spread < 1e-12 else -np.mean((weighted - weighted.mean()) * (weights - weights.mean())) / spread
        return -float(weighted.mean() + eta * (weights.mean() - 1))


def _cross_entropy(proba: Array, y: Array, classes: Array) -> Array:
    """Loss of each sample in nats; a class that the estimator does not know has the smallest probability."""
    right = (y[:, None] == np.asarray(classes)[None, :]) * proba
    return -np.log(np.clip(right.sum(axis=1), np.finfo(np.float64).eps, 1))
