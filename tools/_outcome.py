"""What comes out of a fit, by name."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

Found = dict[str, Any]

METHODS = ("predict", "predict_proba", "decision_function", "transform", "reconstruct", "score_samples")
VALUES = ("n_iter_", "classes_", "n_features_in_", "feature_names_in_", "domain_score_")
PARTS = ("decoder", "log_variance", "classifier")


def outcome(estimator: Any, X: Any, maps: tuple[str, ...] = ()) -> Found:
    """Collect all that a fitted estimator gives for samples, and of itself."""
    found = {name: getattr(estimator, name)(X) for name in METHODS if hasattr(estimator, name)}
    found |= {f"attention_maps {name}": estimator.attention_maps(X, method=name) for name in maps}
    found |= {name: getattr(estimator, name) for name in VALUES if hasattr(estimator, name)}
    found |= {f"history_ {name}": values for name, values in getattr(estimator, "history_", {}).items()}
    return found | _network(estimator.backbone_)


def _network(backbone: Any) -> Found:
    found = {"backbone_.weights": _digests(backbone.weights), "backbone_.paths": list(backbone.paths)}
    found["backbone_.architecture"] = hashlib.sha256(backbone.architecture.encode()).hexdigest()
    for name in PARTS:
        part = getattr(backbone, name)
        if part is not None:
            found[f"backbone_.{name}"] = _digests(getattr(part, "weights", part))
    return found


def _digests(weights: Any) -> list[str]:
    """Digest each array, with its shape and dtype."""
    return [
        f"{weight.dtype} {weight.shape} {hashlib.sha256(np.ascontiguousarray(weight).tobytes()).hexdigest()[:24]}"
        for weight in weights
    ]


def fitted(estimator: Any, X: Any, y: Any = None, *, maps: tuple[str, ...] = (), **given: Any) -> Found:
    """Fit, and collect what comes out."""
    return outcome(estimator.fit(X, y, **given), X, maps)
