"""Whether a model without a pretrained network is better."""

from __future__ import annotations

import warnings
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_validate
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from skltransfer._estimators.base import BackboneEstimator
from skltransfer._estimators.reading import read_new
from skltransfer._utils.types import Floats
from skltransfer.domain_shift._measures import Random
from skltransfer.transferability._baselines import baselines, numbers_of
from skltransfer.transferability._folds import Splits, draw_splits, standard_error

CONFIDENCE = 0.95


class NegativeTransferWarning(UserWarning):
    """A model without a pretrained network has a better score."""


class Row(NamedTuple):
    """What is said of an estimator."""

    name: str
    mean_test_score: float
    standard_error: float
    difference: float
    difference_error: float
    lower: float
    upper: float
    seconds: float


def negative_transfer_check(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    cv: Any = 5,
    scoring: Any = None,
    sample_weight: Any = None,
    groups: Any = None,
    random_state: int | Random | None = None,
) -> dict[str, list[Any]]:
    """Compare an estimator with plain models that have no pretrained network, on the same folds.

    These are a logistic (or ridge) regression and a support-vector machine with a Gaussian kernel, on pixels of images
    of at most 32 by 32; on the mean and deviation of each band of a log-mel spectrogram over time; on values of
    sequences; and on columns of a table, beside gradient boosting. For texts, it is a linear
    regression on the TF-IDF of words and pairs of words.

    Parameters
    ----------
    estimator : estimator
        `TransferClassifier`, `TransferRegressor`, or a pipeline that begins with a `BackboneTransformer`.
    X : array-like, or sequence of paths, PIL images, texts or clips
        Samples, as the estimator takes them.
    y : array-like of shape (n_samples,)
        Their labels, or values for a regressor.
    cv : int, splitter or iterable, default=5
        As in `cross_validate`, of at least 2 folds.
    scoring : str, callable or None, default=None
        One score, of which a higher value is better; None is accuracy, or R² for values.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights of the fits; scores have none.
    groups : array-like of shape (n_samples,), default=None
        Group of each sample, for splitters that keep groups together.
    random_state : int, RandomState instance or None, default=None
        Of gradient boosting.

    Returns
    -------
    dict of str to list
        By column, best first; ``pandas.DataFrame(result)`` is the table.

        - ``name`` : "estimator", or the plain model.
        - ``mean_test_score`` : mean score of the folds.
        - ``standard_error`` : of that mean, corrected for training samples that folds share.
        - ``difference`` : mean score less that of the estimator, of the same folds.
        - ``difference_error`` : standard error of the difference, corrected likewise.
        - ``lower``, ``upper`` : 95 % confidence interval of the difference by Student's t.
        - ``seconds`` : that all folds took; plain models had their numbers read before.

    Raises
    ------
    ValueError
        If ``y`` has several columns, ``cv`` gives less than 2 folds, or scores are not finite.
    TypeError
        If the estimator reads no samples of this package.

    Warns
    -----
    NegativeTransferWarning
        If the best of the plain models is better by more than a standard error of the difference.

    See Also
    --------
    rank_backbones : Compares networks.

    Notes
    -----
    Scores of one fold go together, as some folds are easier than others, so differences are known better than scores
    [1]_. A standard error is no proof: it is where looking further begins to pay, and the best of several models
    is a little too good.

    References
    ----------
    .. [1] Nadeau & Bengio, "Inference for the Generalization Error", Machine Learning 2003 (standard error).

    Examples
    --------
    >>> from skltransfer import TransferClassifier
    >>> from skltransfer.datasets import load_fashion_sample
    >>> from skltransfer.transferability import negative_transfer_check
    >>> sample = load_fashion_sample()
    >>> result = negative_transfer_check(TransferClassifier(), sample.images, sample.target)
    >>> result["name"][0]
    'estimator'
    """
    if np.ndim(y) != 1:
        raise ValueError(f"y: expected one label or value for each sample. Got an array of {np.ndim(y)} dimensions.")
    classifier, reader = is_classifier(estimator), _reader(estimator)
    splits = draw_splits(cv, y, classifier=classifier, groups=groups)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    samples, format = read_new(reader, X)
    plain, numbers = baselines(format, classifier=classifier, seed=seed), numbers_of(samples, format)
    scores, seconds = {}, {}
    for name, candidate in {"estimator": estimator, **plain}.items():
        start = perf_counter()
        scores[name] = _scores(
            name, candidate, X if name == "estimator" else numbers, y, splits, scoring, sample_weight
        )
        seconds[name] = perf_counter() - start
    rows = [_row(name, own, scores["estimator"], splits, seconds[name]) for name, own in scores.items()]
    rows.sort(key=lambda row: row.mean_test_score, reverse=True)
    _warn(rows, format.kind.is_table)
    return {column: [row[place] for row in rows] for place, column in enumerate(Row._fields)}


def _reader(estimator: Any) -> BackboneEstimator:
    """Return an unfitted estimator that reads samples as the given one does."""
    first = estimator.steps[0][1] if isinstance(estimator, Pipeline) else estimator
    if not isinstance(first, BackboneEstimator):
        raise TypeError(
            f"estimator: expected a TransferClassifier, a TransferRegressor, or a pipeline that begins with a "
            f"BackboneTransformer. Got a {type(first).__name__}; compare other estimators by cross_validate."
        )
    found: BackboneEstimator = clone(first)
    return found


def _scores(name: str, candidate: Any, X: Any, y: Any, splits: Splits, scoring: Any, sample_weight: Any) -> Floats:
    """Cross-validate an estimator; plain ones that do not quite converge are good enough."""
    key = f"{candidate.steps[-1][0]}__sample_weight" if isinstance(candidate, Pipeline) else "sample_weight"
    weights = None if sample_weight is None else {key: np.asarray(sample_weight)}
    with warnings.catch_warnings(), config_context(enable_metadata_routing=False):
        if name != "estimator":
            warnings.simplefilter("ignore", ConvergenceWarning)
        found = cross_validate(candidate, X, y, cv=splits, scoring=scoring, params=weights, error_score="raise")
    scores: Floats = found["test_score"]
    if not np.isfinite(scores).all():
        raise ValueError(f"scoring: expected finite scores. Got {scores.tolist()} for {name!r}; try fewer folds.")
    return scores


def _row(name: str, own: Floats, estimator: Floats, splits: Splits, seconds: float) -> Row:
    mean, difference = float(np.mean(own - estimator)), own - estimator
    error = standard_error(difference, splits)
    half = error * float(t.ppf((1 + CONFIDENCE) / 2, len(splits) - 1))
    return Row(
        name, float(own.mean()), standard_error(own, splits), mean, error, mean - half, mean + half, seconds
    )  # fmt: skip


def _warn(rows: list[Row], is_table: bool) -> None:
    """Warn if the best of the plain models is better than the estimator."""
    best = next(row for row in rows if row.name != "estimator")
    if best.difference <= best.difference_error or best.difference == 0:
        return
    remedy = (
        "A network knows nothing of these columns before it is trained; take that model, or train for more epochs."
        if is_table
        else "Try another backbone (rank_backbones), or fine-tune this one (trainable='all'); or take that model."
    )
    warnings.warn(
        f"Negative transfer: {best.name} has a mean score of {best.mean_test_score:.3f}, which is "
        f"{best.difference:.3f} better than the estimator's, with a standard error of {best.difference_error:.3f}. "
        f"{remedy}",
        NegativeTransferWarning,
        stacklevel=3,
    )
