"""Backbones ranked by the cross-validated score of a head on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t
from sklearn.model_selection import cross_validate
from sklearn.utils import check_random_state

from skltransfer.backbones._backbone import Backbone
from skltransfer.domain_shift._measures import Random
from skltransfer.supervised._classifier import TransferClassifier
from skltransfer.supervised._regressor import TransferRegressor
from skltransfer.transferability._folds import Splits, draw_splits, standard_error
from skltransfer.transferability._reading import are_values

CONFIDENCE = 0.95


class Row(NamedTuple):
    """What is said of a backbone."""

    name: str
    mean_test_score: float
    standard_error: float
    lower: float
    upper: float
    seconds: float
    n_features: int
    n_parameters: int


def rank_backbones(
    backbones: Sequence[Any] | Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    cv: Any = 5,
    scoring: Any = None,
    features: str = "last",
    memory: Any = None,
    image_size: Any = "auto",
    random_state: int | Random | None = None,
) -> dict[str, list[Any]]:
    """Rank backbones by the cross-validated score of a solved head on their frozen features.

    Parameters
    ----------
    backbones : list of (str, path-like, Backbone, keras.Model or callable), or dict of str to these
        Whatever `load_backbone` takes. The keys of a dict are their names.
    X : array-like, or sequence of paths, PIL images, texts or clips
        Samples, as `TransferClassifier` takes them.
    y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        Labels, for `TransferClassifier`; or values, for `TransferRegressor`, where scikit-learn's `type_of_target` says
        "continuous".
    cv : int, splitter or iterable, default=5
        As in `cross_validate`, of at least 2 folds. All backbones are scored on the same folds.
    scoring : str, callable or None, default=None
        One score, of which a higher value is better; None is accuracy, or R² for values.
    features : {"last", "auto"}, default="last"
        What the head decides on, as in `TransferClassifier`. "last" is the average of the last stage,
        where fine-tuning starts; "auto" is what a frozen network is best used by, with earlier stages and the
        pixels themselves, which all networks share.
    memory : path-like, joblib.Memory or None, default=None
        Folder that keeps features, for other processes and later calls; None keeps them in this
        process.
    image_size : int, (int, int) or "auto", default="auto"
        Height and width at which all networks see images, as in `TransferClassifier`.
    random_state : int, RandomState instance or None, default=None
        Draws the weights of untrained networks, once for all.

    Returns
    -------
    dict of str to list
        By column, best backbone first; ``pandas.DataFrame(result)`` is the table, and
        `BackboneRankingDisplay` draws it.

        - ``name`` : of the backbone; its own, if it came in no dict.
        - ``mean_test_score`` : mean score of the folds.
        - ``standard_error`` : of that mean, corrected for training samples that folds share.
        - ``lower``, ``upper`` : 95 % confidence interval of the mean score by Student's t.
        - ``seconds`` : that all folds took, with the computation of features that were not cached.
        - ``n_features`` : what the head of the first fold decides on.
        - ``n_parameters`` : of the network.

    Raises
    ------
    ValueError
        If there is no backbone, two have the same name, ``cv`` gives less than 2 folds, or ``scoring`` is
        several or gives what is no finite number.

    See Also
    --------
    skltransfer.transferability.log_me : A measure of features that fits no classifier.
    BackboneRankingDisplay : Draws the result.

    Notes
    -----
    Published measures of transferability (LEEP, LogME, H-score and others) often do not rank networks
    better than a fixed ranking by ImageNet accuracy does, and which of them is best changes with
    data and networks [1]_.
    So backbones are ranked by what is wanted itself, a cross-validated score. It costs little more, as
    the network runs once per sample.

    Networks are frozen: an untrained one is scored on features of its random weights. Which network is
    best after fine-tuning may differ, above all with few samples; ``features="last"`` was nearer to it than "auto" on
    data that set the default. To keep networks frozen, compare them by ``features="auto"``, the default of
    `TransferClassifier`. Intervals are of one score each: backbones whose intervals overlap may still differ surely on
    the same folds. The best of many scores is a little too good.

    References
    ----------
    .. [1] Agostinelli, Pándy, Uijlings, Mensink & Ferrari, "How Stable are Transferability Metrics Evaluations?",
       ECCV 2022.

    Kornblith, Shlens & Le, "Do Better ImageNet Models Transfer Better?", CVPR 2019 (yes, mostly).

    Nadeau & Bengio, "Inference for the Generalization Error", Machine Learning 2003 (standard error).

    Examples
    --------
    Networks that will stay frozen:

    >>> from skltransfer import rank_backbones
    >>> from skltransfer.datasets import load_fashion_sample
    >>> sample = load_fashion_sample()
    >>> names = ["small_cnn", "efficientnet_lite0"]
    >>> X, y = sample.images, sample.target
    >>> result = rank_backbones(names, X, y, cv=3, features="auto", image_size=32, random_state=0)
    >>> result["name"]
    ['efficientnet_lite0', 'small_cnn']
    """
    named = _named(backbones)
    estimator = TransferRegressor if are_values(y) else TransferClassifier
    _check_scoring(scoring)
    splits = draw_splits(cv, y, classifier=estimator is TransferClassifier)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    rows = []
    for name, backbone in named.items():
        candidate = estimator(
            backbone, trainable="head", features=features, memory=memory, image_size=image_size, random_state=seed
        )
        rows.append(_scored(name, candidate, X, y, splits, scoring))
    rows.sort(key=lambda row: row.mean_test_score, reverse=True)
    return {column: [row[place] for row in rows] for place, column in enumerate(Row._fields)}


def _named(backbones: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """Backbones by their names, which have to differ."""
    if isinstance(backbones, Mapping):
        named, names = dict(backbones), list(backbones)
    elif isinstance(backbones, str | Backbone):
        raise ValueError(f"backbones: expected a list or dict of backbones. Got {backbones!r}; pass [{backbones!r}].")
    else:
        names = [_name(backbone) for backbone in backbones]
        named = dict(zip(names, backbones, strict=True))
    if not named or len(named) < len(names):
        raise ValueError(
            f"backbones: expected at least one, of names that differ. Got {names}; pass a dict of names to backbones."
        )
    return named


def _name(backbone: Any) -> str:
    return str(getattr(backbone, "name", None) or getattr(backbone, "__name__", None) or backbone)


def _check_scoring(scoring: Any) -> None:
    if scoring is not None and not isinstance(scoring, str) and not callable(scoring):
        raise ValueError(f"scoring: expected one score, a str, callable or None. Got {scoring!r}; rank by each alone.")


def _scored(name: str, candidate: Any, X: Any, y: Any, splits: Splits, scoring: Any) -> Row:
    """Cross-validate a backbone."""
    start = perf_counter()
    try:
        found = cross_validate(candidate, X, y, cv=splits, scoring=scoring, return_estimator=True, error_score="raise")
    except Exception as error:
        error.add_note(f"This was for the backbone {name!r}.")
        raise
    seconds = perf_counter() - start
    scores, first = found["test_score"], found["estimator"][0].model_
    if not np.isfinite(scores).all():
        raise ValueError(f"scoring: expected finite scores. Got {scores.tolist()} for {name!r}; try fewer folds.")
    mean, deviation = float(scores.mean()), standard_error(scores, splits)
    half = deviation * float(t.ppf((1 + CONFIDENCE) / 2, len(scores) - 1))
    n_features, n_parameters = len(first.head.coef), first.backbone.n_parameters
    return Row(name, mean, deviation, mean - half, mean + half, seconds, n_features, n_parameters)
