"""What training minimises.

Losses of tasks, of reconstructions and of domains that differ, and pulls towards the starting network.

Plain functions of tensors of any Keras backend.
"""

from skltransfer.losses._adversaries import (
    classifier_discrepancy,
    domain_loss,
    margin_disparity,
    multilinear_map,
    reverse_gradient,
)
from skltransfer.losses._domains import coral, jmmd, joint_transport, mmd, transport_plan
from skltransfer.losses._predictions import certainty_weights, class_confusion, entropy, information_maximisation
from skltransfer.losses._pulls import attention_transfer, delta, l2_sp
from skltransfer.losses._reconstruction import (
    NATS,
    NATS_CONSTANT,
    RECONSTRUCTION_LOSSES,
    gaussian_divergence,
    reconstruction_loss,
    structural_similarity,
)
from skltransfer.losses._tasks import Kind, Task, task_loss, weighted_loss

__all__ = [
    "NATS",
    "NATS_CONSTANT",
    "RECONSTRUCTION_LOSSES",
    "Kind",
    "Task",
    "attention_transfer",
    "certainty_weights",
    "class_confusion",
    "classifier_discrepancy",
    "coral",
    "delta",
    "domain_loss",
    "entropy",
    "gaussian_divergence",
    "information_maximisation",
    "jmmd",
    "joint_transport",
    "l2_sp",
    "margin_disparity",
    "mmd",
    "multilinear_map",
    "reconstruction_loss",
    "reverse_gradient",
    "structural_similarity",
    "task_loss",
    "transport_plan",
    "weighted_loss",
]
