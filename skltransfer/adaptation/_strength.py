"""How strongly a method adapts: the less domains differ, the less; not at all where no difference is seen."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import check_random_state

from skltransfer._utils.types import Array
from skltransfer.adaptation._diagnostics import MIN_SAMPLES

MOST_SAMPLES = 500
"""Of each domain, drawn at random if there are more."""
N_FOLDS = 5
SEEN = 2.0
"""Standard errors above 0 from which on a distance is seen."""
FULL = 0.5
"""Distance beyond those from which on a method has all of its weight: 5 of 8 samples are assigned to their domain."""


def adaptation_strength(source: Array, target: Array, seed: int) -> float:
    """Compute the share of its weight that a method adapts with.

    An SVM with a Gaussian kernel is trained to discriminate the domains; their distance is 2 (1 - 2 error), by its
    cross-validated error. The share rises from 0, where the distance is within two standard errors of 0, to 1, where
    it is greater by 0.5.

    Parameters
    ----------
    source, target : ndarrays of shape (n_samples, n_features)
        Features that no training has touched.
    seed : int
        Draws samples, at most 500 of each domain, and folds.

    Returns
    -------
    float
        From 0 to 1; 1 if a domain has fewer than 10 samples, too few to tell.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> adaptation_strength(X[:100], X[100:], 0), adaptation_strength(X[:100], X[100:] + 2, 0)
    (0.0, 1.0)
    """
    if min(len(source), len(target)) < MIN_SAMPLES:
        return 1.0
    random = check_random_state(seed)
    drawn = [random.permutation(len(side))[:MOST_SAMPLES] for side in (source, target)]
    X = np.concatenate([source[drawn[0]], target[drawn[1]]]).astype(np.float64)
    domain = np.repeat([0, 1], [len(side) for side in drawn])
    classifier = make_pipeline(StandardScaler(), SVC(class_weight="balanced"))
    found = cross_val_predict(classifier, X, domain, cv=StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed))
    distance = 2 * (2 * balanced_accuracy_score(domain, found) - 1)
    error = np.sqrt(sum(1 / len(side) for side in drawn))
    return float(np.clip((distance - SEEN * error) / FULL, 0, 1))
