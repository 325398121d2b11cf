"""What a report is about: an estimator, or a pipeline around one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from skltransfer._estimators.base import BackboneEstimator
from skltransfer._inputs.containers import gathered
from skltransfer._utils.types import Array


@dataclass(frozen=True)
class Subject:
    """A fitted estimator as a report sees it.

    Parameters
    ----------
    whole : estimator
        What answers.
    own : estimator
        The estimator of this package in it; the student of a distillation.
    before : Pipeline or None
        Steps before that one.
    is_last : bool
        Whether no step comes after it.
    """

    whole: Any
    own: Any
    before: Any
    is_last: bool

    @classmethod
    def of(cls, estimator: Any) -> Subject:
        """Check an estimator, and find ours in it.

        Raises
        ------
        TypeError
            If it is neither an estimator of this package nor a pipeline with one, or does not predict.
        NotFittedError
            If it is not fitted.
        """
        steps = [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else [estimator]
        places = [place for place, step in enumerate(steps) if _is_own(step)]
        if not places:
            raise TypeError(
                "estimator: expected a fitted classifier or regressor of skltransfer, or a Pipeline with one of its "
                f"estimators as a step. Got a {type(estimator).__name__}; of a search, pass search.best_estimator_."
            )
        if not (is_classifier(estimator) or is_regressor(estimator)):
            raise TypeError(
                "estimator: expected a classifier or a regressor, whose answers can be held against y_test. Got a "
                f"{type(estimator).__name__} that ends with a {type(steps[-1]).__name__}; add a classifier after it, "
                "as in make_pipeline(BackboneTransformer(), LogisticRegression())."
            )
        check_is_fitted(estimator)
        place = places[-1]
        check_is_fitted(steps[place])
        own = getattr(steps[place], "student_", steps[place])
        before = estimator[:place] if place else None
        return cls(estimator, own, before, place == len(steps) - 1)

    @property
    def kind(self) -> Any:
        """Which kind of samples the network takes."""
        return self.own.model_.format.kind

    def some(self, X: Any, positions: Array) -> Any:
        """Return some samples as the estimator of this package takes them."""
        X = _safe_indexing(X, positions) if self.before is not None else picked(X, positions)
        return X if self.before is None else self.before.transform(X)

    def own_samples(self, X: Any) -> Any:
        """Return all samples as the estimator of this package takes them."""
        return X if self.before is None else self.before.transform(X)


def picked(X: Any, positions: Array) -> Any:
    """Return some samples as they came, in a list or an array."""
    X = gathered(X)
    if isinstance(X, list):
        return [X[place] for place in positions.tolist()]
    return X.iloc[positions] if hasattr(X, "iloc") else X[np.asarray(positions)]


def _is_own(step: Any) -> bool:
    return isinstance(step, BackboneEstimator) or (hasattr(step, "student") and hasattr(step, "teacher"))
