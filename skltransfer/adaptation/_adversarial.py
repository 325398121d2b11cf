"""Domain adaptation by a second network that the features should deceive."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from skltransfer.adaptation._method import Method, Side, Step, Terms, probabilities
from skltransfer.adaptation._predictions import certainty_weights


def reverse_gradient(x: Any, strength: Any) -> Any:
    """Hand a tensor on as it is, and its gradient back with the sign turned.

    Parameters
    ----------
    x : tensor
        Of any shape.
    strength : float or tensor
        What the gradient is multiplied by, beside -1.

    Returns
    -------
    tensor
        Equal to x, up to rounding.

    References
    ----------
    Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 2016.

    Examples
    --------
    >>> import numpy as np
    >>> float(reverse_gradient(np.array(3.0), 0.5))
    3.0
    """
    from keras import ops

    x = ops.convert_to_tensor(x)
    return ops.stop_gradient(x + strength * x) - strength * x


def domain_loss(decisions: Any, domain: int, *, certainty: float = 1.0) -> Any:
    """Loss of a discriminator that should discriminate samples of one domain from others.

    Parameters
    ----------
    decisions : tensor of shape (n_samples, n_domains)
        Its decision values for samples of one domain; there are two domains or more.
    domain : int
        The number of that domain.
    certainty : float
        How probable it should find that domain; the other domains share the rest. Below 1,
        gradients stay bounded where it is sure.

    Returns
    -------
    tensor of shape (n_samples,)
        Cross-entropy, in nats.

    References
    ----------
    Zhang, Wang, Liang, Zhang, Wang, Wang & Tan, "Free Lunch for Domain Adversarial TrainingSettings:
    Environment Label Smoothing", ICLR 2023.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(domain_loss(np.array([[4.0, 0.0]]), 0)[0]), 4)
    0.0181
    >>> round(float(domain_loss(np.array([[4.0, 0.0]]), 0, certainty=0.8)[0]), 4)
    0.8181
    """
    from keras import ops

    logs = ops.log_softmax(ops.convert_to_tensor(decisions), axis=-1)
    n_others = logs.shape[-1] - 1
    own = logs[:, domain]
    return -(certainty * own + (1.0 - certainty) / n_others * (ops.sum(logs, axis=-1) - own))


def multilinear_map(features: Any, probabilities: Any) -> Any:
    """Products of each feature with each probability of a sample, which the adversary of CDAN sees.

    Parameters
    ----------
    features : tensor of shape (n_samples, n_features)
        Features of samples.
    probabilities : tensor of shape (n_samples, n_classes)
        Predictions for the same samples; the paper's code passes no gradient back through them.

    Returns
    -------
    tensor of shape (n_samples, n_features * n_classes)

    References
    ----------
    Long, Cao, Wang & Jordan, "Conditional Adversarial Domain Adaptation", NeurIPS 2018.

    Examples
    --------
    >>> import numpy as np
    >>> [float(value) for value in multilinear_map(np.array([[2.0, 4.0]]), np.array([[0.25, 0.75]]))[0]]
    [0.5, 1.5, 1.0, 3.0]
    """
    from keras import ops

    features, probabilities = ops.convert_to_tensor(features), ops.convert_to_tensor(probabilities)
    products = features[:, :, None] * probabilities[:, None, :]
    return ops.reshape(products, (-1, features.shape[1] * probabilities.shape[1]))


def classifier_discrepancy(decisions: Any, others: Any) -> Any:
    """Maximum classifier discrepancy (MCD): mean absolute difference of the probabilities of two classifiers.

    Parameters
    ----------
    decisions, others : tensors of shape (n_samples, n_classes)
        Decision values of the two for the same samples.

    Returns
    -------
    tensor of shape ()
        A mean over samples and classes, from 0 to 2 / n_classes.

    References
    ----------
    Saito, Watanabe, Ushiku & Harada, "Maximum Classifier Discrepancy for Unsupervised Domain
    Adaptation", CVPR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> float(classifier_discrepancy(np.array([[99.0, 0.0]]), np.array([[0.0, 0.0]])))
    0.5
    """
    from keras import ops

    some, other = (ops.softmax(ops.convert_to_tensor(x), axis=-1) for x in (decisions, others))
    return ops.mean(ops.abs(some - other))


def margin_disparity(
    source: Any, source_adversary: Any, target: Any, target_adversary: Any, *, margin: float = 4.0
) -> Any:
    """Margin disparity discrepancy (MDD), as its adversary minimizes it.

    The adversary agrees with the classifier on the source and disagrees on the target. The
    features maximize the same, through gradients turned by `reverse_gradient`.

    Parameters
    ----------
    source, target : tensors of shape (n_samples, n_classes)
        Decision values of the classifier; only the class that it predicts matters, so no
        gradient flows into them.
    source_adversary, target_adversary : tensors of shape (n_samples, n_classes)
        Decision values of the adversary for the same samples.
    margin : float
        The factor of the source, whose logarithm is the margin.

    Returns
    -------
    tensor of shape ()
        In nats. The paper's code cuts probabilities at 1e-6; here logarithms are exact.

    References
    ----------
    Zhang, Liu, Long & Jordan, "Bridging Theory and Algorithm for Domain Adaptation", ICML 2019.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(margin_disparity(*np.zeros((4, 1, 2)), margin=2.0)), 4)
    2.0794
    """
    from keras import ops

    def logs(adversary: Any) -> Any:
        return ops.log_softmax(ops.convert_to_tensor(adversary), axis=-1)

    def predicted(decisions: Any) -> Any:
        decisions = ops.convert_to_tensor(decisions)
        return ops.one_hot(ops.argmax(decisions, axis=-1), decisions.shape[-1], dtype="bool")

    agreement = ops.sum(ops.where(predicted(source), logs(source_adversary), 0.0), axis=-1)
    disagreement = ops.logsumexp(ops.where(predicted(target), -math.inf, logs(target_adversary)), axis=-1)
    return -margin * ops.mean(agreement) - ops.mean(disagreement)


DANN_CERTAINTY = 0.8
"""How sure of a domain its adversary should be."""


def _dann(step: Step) -> Terms:
    from keras import ops

    def loss(side: Side, domain: int) -> Any:
        found = ops.stop_gradient(domain_loss(step.adversary(side.features), domain))
        discriminated = ops.cast(found < math.log(len(step.sources) + len(step.targets)), found.dtype)
        features = reverse_gradient(side.features, step.strength * discriminated[:, None])
        return domain_loss(step.adversary(features), domain, certainty=DANN_CERTAINTY)

    return {"domain": step.discriminated(loss)}


def _cdan(step: Step, *, weigh: Callable[[Any], Any] | None = None) -> Terms:
    from keras import ops

    def loss(side: Side, domain: int) -> Any:
        features = reverse_gradient(side.features, step.strength)
        products = multilinear_map(features, ops.stop_gradient(probabilities(side)))
        found = domain_loss(step.adversary(products), domain)
        return found if weigh is None else weigh(side.decisions) * found

    return {"domain": step.discriminated(loss)}


def _adda(step: Step) -> Terms:
    from keras import ops

    source, target = step.source.features, step.target.features

    def seen_as(number: int, x: Any, *, frozen: bool = False) -> Any:
        return -ops.mean(ops.log_softmax(step.adversary(x, frozen=frozen), axis=-1)[:, number])

    found = seen_as(0, ops.stop_gradient(source)) + seen_as(1, ops.stop_gradient(target))
    unsure = 0.5 * (seen_as(0, target, frozen=True) + seen_as(1, target, frozen=True))
    return {"domain": found, "unsure": step.strength * unsure}


def _mcd(step: Step) -> Terms:
    target = reverse_gradient(step.target.features, step.strength)
    return {
        "second": step.fitted(step.source, step.adversary(step.source.features)),
        "discrepancy": -classifier_discrepancy(step.decide(target), step.adversary(target)),
    }


def _mdd(step: Step) -> Terms:
    from keras import ops

    source, target = step.source, step.target
    found = margin_disparity(
        ops.stop_gradient(source.decisions),
        step.adversary(reverse_gradient(source.features, step.strength)),
        ops.stop_gradient(target.decisions),
        step.adversary(reverse_gradient(target.features, step.strength)),
    )
    return {"disparity": found}


METHODS: dict[str, Method] = {
    "dann": Method(_dann, adversary="domains"),
    "cdan": Method(_cdan, weight=0.3, adversary="domains", classes=True),
    "cdan_e": Method(partial(_cdan, weigh=certainty_weights), weight=0.3, adversary="domains", classes=True),
    "adda": Method(_adda, adversary="domains", anchored=True, rate=0.01),
    "mcd": Method(_mcd, weight=0.3, adversary="decisions", classes=True),
    "mdd": Method(_mdd, weight=0.01, adversary="margin", classes=True),
}
"""The methods by an adversary, such as a network that discriminates domains; the losses above cite their papers."""
