"""What training minimises: losses of tasks and of reconstructions, and pulls towards the starting network.

Plain functions of tensors of any Keras backend.
"""

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
    "delta",
    "gaussian_divergence",
    "l2_sp",
    "reconstruction_loss",
    "structural_similarity",
    "task_loss",
    "weighted_loss",
]
