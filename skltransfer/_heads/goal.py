"""The goal of a head: decisions about tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skltransfer._engine.design import Design
from skltransfer._engine.loop import Loop, TrainingJob
from skltransfer._engine.trainer import CompiledNetwork
from skltransfer._targets.task import Task, weighted_loss


@dataclass(frozen=True)
class Decisions:
    """A head that decides tasks, on features that are pooled by average or by attention.

    Parameters
    ----------
    tasks : tuple of Task
        What it decides.
    hidden, dropout : tuple of int, float
        Units of its hidden layers, and their dropout rate (that of pooled features, with
        attention).
    n_heads : int
        Queries of the attention; 0 pools by average.
    solved : bool
        Whether the linear layer is frozen, and only what is below it is trained.
    """

    tasks: tuple[Task, ...]
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0
    n_heads: int = 0
    solved: bool = False

    @property
    def keeps_start(self) -> bool:
        """Decisions need no features of the starting network."""
        return False

    @property
    def n_own_stages(self) -> int:
        """All stages belong to the backbone."""
        return 0

    def network(self, design: Design, body: Any) -> Any:
        """Build the network that decides."""
        from skltransfer._heads.network import DecidingNetwork

        return DecidingNetwork(design, body, self)

    def loop(self, network: CompiledNetwork, job: TrainingJob) -> Loop:
        """Set up the loop over shuffled mini-batches."""
        return Loop(network, job)

    def sample_losses(self, answers: Any, outputs: Any) -> Any:
        """Losses of samples, given decision values; weights stand beside targets in ``answers``."""
        width = outputs.shape[-1]
        return weighted_loss(self.tasks, answers[:, :width], answers[:, width:], outputs)
