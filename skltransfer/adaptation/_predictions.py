"""What predictions without labels should look like: certain of each sample, and not all alike."""

from __future__ import annotations

from typing import Any

from skltransfer.adaptation._discrepancies import joint_transport
from skltransfer.adaptation._method import Method, Side, Step, Terms

TRANSPORTED = 30.0
"""How much the cost of transport counts beside the confusion of classes."""


def entropy(decisions: Any) -> Any:
    """Shannon entropy of the predicted probabilities of each sample.

    Parameters
    ----------
    decisions : tensor of shape (n_samples, n_classes)
        Decision values, whose softmax is the probabilities.

    Returns
    -------
    tensor of shape (n_samples,)
        In nats, from 0 to the logarithm of n_classes.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(entropy(np.zeros((1, 2)))[0]), 4)
    0.6931
    """
    from keras import ops

    logs = ops.log_softmax(ops.convert_to_tensor(decisions), axis=-1)
    return -ops.sum(ops.exp(logs) * logs, axis=-1)


def certainty_weights(decisions: Any) -> Any:
    """Weight of each sample in CDAN+E: one plus the exponential of minus its entropy, brought to a mean of 1.

    Parameters
    ----------
    decisions : tensor of shape (n_samples, n_classes)
        Decision values.

    Returns
    -------
    tensor of shape (n_samples,)
        Without gradient.

    References
    ----------
    Long, Cao, Wang & Jordan, "Conditional Adversarial Domain Adaptation", NeurIPS 2018.

    Examples
    --------
    >>> import numpy as np
    >>> [round(float(weight), 3) for weight in certainty_weights(np.array([[0.0, 0.0], [99.0, 0.0]]))]
    [0.857, 1.143]
    """
    from keras import ops

    weights = 1.0 + ops.exp(-entropy(decisions))
    return ops.stop_gradient(weights / ops.mean(weights))


def class_confusion(decisions: Any, *, temperature: float = 2.5) -> Any:
    """Minimum class confusion (MCC): how much of what is predicted as a class is predicted as others too.

    Parameters
    ----------
    decisions : tensor of shape (n_samples, n_classes)
        Decision values of samples without labels.
    temperature : float
        What decision values are divided by; certain samples count up to twice as much as
        uncertain ones.

    Returns
    -------
    tensor of shape ()
        From 0 to 1.

    References
    ----------
    Jin, Wang, Long & Wang, "Minimum Class Confusion for Versatile Domain Adaptation", ECCV 2020.

    Examples
    --------
    >>> import numpy as np
    >>> float(class_confusion(np.zeros((3, 2)))), round(float(class_confusion(99 * np.eye(2))), 4)
    (0.5, 0.0)
    """
    from keras import ops

    decisions = ops.convert_to_tensor(decisions) / temperature
    logs = ops.log_softmax(decisions, axis=-1)
    # As the paper divides samples of the class correlation by their sums, of which none is 0 in logarithms.
    log_shares = ops.log_softmax(logs + ops.log(certainty_weights(decisions))[:, None], axis=0)
    return ops.mean(ops.sum(ops.exp(log_shares) * (1.0 - ops.exp(logs)), axis=0))


def information_maximization(decisions: Any) -> Any:
    """Mean entropy of predictions minus the entropy of the mean prediction (SHOT).

    Parameters
    ----------
    decisions : tensor of shape (n_samples, n_classes)
        Decision values of samples without labels.

    Returns
    -------
    tensor of shape ()
        In nats, from minus the logarithm of n_classes, where each sample is certain and classes
        are equally frequent, to 0, where all predictions are equal.

    References
    ----------
    Liang, Hu & Feng, "Do We Really Need to Access the Source Data? Source Hypothesis Transfer
    for Unsupervised Domain Adaptation", ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(information_maximization(99 * np.eye(2))), 4)
    -0.6931
    """
    from keras import ops

    logs = ops.log_softmax(ops.convert_to_tensor(decisions), axis=-1)
    log_mean = ops.logsumexp(logs, axis=0)  # up to a constant, which softmax forgets
    return ops.mean(entropy(logs)) - entropy(log_mean)


def _mcc(step: Step) -> Terms:
    return {"confusion": step.strength * class_confusion(step.target.decisions)}


def _deepjdot_mcc(step: Step) -> Terms:
    """Transport says which class a cluster of the target is; confusion keeps each cluster from being cut in two."""

    def distance(source: Side, target: Side) -> Any:
        return TRANSPORTED * joint_transport(source.features, target.features, source.targets, target.decisions)

    return {"transport": step.apart(distance), **_mcc(step)}


def _self_training(step: Step) -> Terms:
    return {"supposed": step.strength * step.fitted(step.target)}


def _shot(step: Step) -> Terms:
    target = step.target
    return {
        "information": step.strength * information_maximization(target.decisions),
        "supposed": 0.3 * step.strength * step.fitted(target),
    }


def _tent(step: Step) -> Terms:
    from keras import ops

    return {"entropy": step.strength * ops.mean(entropy(step.target.decisions))}


METHODS: dict[str, Method] = {
    "mcc": Method(_mcc, by="decisions", classes=True),
    "deepjdot_mcc": Method(_deepjdot_mcc, classes=True),
    "self_training": Method(_self_training, supposes="confident", by="decisions", classes=True),
    "shot": Method(_shot, supposes="centroids", source=False, rate=0.1, classes=True),
    "tent": Method(_tent, by="decisions", source=False, predicts=True, classes=True),
}
"""The methods by what is predicted for the target; the losses above, and `_pseudo_labels`, cite their papers."""
