"""A score by adapting back from the target to the source."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from skltransfer._targets.domains import Domains, masked_like
from skltransfer._utils.types import Array
from skltransfer.model_selection._scoring import DomainScorer, samples_of


class CircularValidation(DomainScorer):
    """Accuracy on source samples of a clone that is fitted the other way round.

    The clone takes the target samples, with the estimator's predictions for labels, as its source,
    and the source samples, with masked labels, as its target. Where neither its ``fit`` nor the
    last step of a Pipeline takes ``sample_domain``, it is fitted on the target samples alone.

    It costs one fit a score. An estimator that takes all samples for one class is not fitted again:
    its score is the share of that class in the source.

    References
    ----------
    Bruzzone & Marconcini, "Domain Adaptation Problems: A DASVM Classification Technique and a
    Circular Validation Strategy", IEEE Transactions on Pattern Analysis and Machine
    Intelligence 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skltransfer.model_selection import CircularValidation
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = LogisticRegression(max_iter=1000).fit(X[:300] / 16, y[:300])
    >>> domain = [1] * 300 + [-1] * 300
    >>> round(CircularValidation()(classifier, X[300:900] / 16, y[300:900], sample_domain=domain), 1)
    0.8
    """

    def _score(self, estimator: Any, X: Any, y: Any, domains: Domains) -> float:
        pseudo = np.asarray(estimator.predict(samples_of(X, domains.target)))
        wanted = y[domains.source]
        if len(np.unique(pseudo)) < 2:
            return float(np.mean(wanted == pseudo[0]))
        back = _fit_back(clone(estimator), X, pseudo, domains)
        return float(np.mean(np.asarray(back.predict(samples_of(X, domains.source))) == wanted))


def _fit_back(estimator: Any, X: Any, pseudo: Array, domains: Domains) -> Any:
    name = _domain_parameter(estimator)
    if name is None:
        return estimator.fit(samples_of(X, domains.target), pseudo)
    hidden = masked_like(pseudo, len(domains.codes))
    labels = hidden.astype(np.result_type(hidden, pseudo)) if hidden.dtype != object else hidden
    labels[domains.target] = pseudo
    return estimator.fit(X, labels, **{name: -domains.codes})


def _domain_parameter(estimator: Any) -> str | None:
    """Name by which ``fit`` takes the domains of samples, if it does."""
    if has_fit_parameter(estimator, "sample_domain"):
        return "sample_domain"
    if isinstance(estimator, Pipeline) and has_fit_parameter(estimator[-1], "sample_domain"):
        step = "" if get_config()["enable_metadata_routing"] else f"{estimator.steps[-1][0]}__"
        return f"{step}sample_domain"
    return None
