"""The goal of a head: decisions about tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skltransfer._engine.design import Design
from skltransfer._engine.job import TrainingJob
from skltransfer._engine.loop import Loop
from skltransfer._engine.trainer import CompiledNetwork
from skltransfer._targets.task import Task, weighted_hits, weighted_loss


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

    @property
    def measured(self) -> bool:
        """Metrics are measured of decision values."""
        return True

    @property
    def metrics(self) -> tuple[str, ...]:
        """The accuracy, if there are tasks of classes or labels."""
        return () if all(task.kind == "values" for task in self.tasks) else ("accuracy",)

    def measure(self, answers: Any, outputs: Any) -> dict[str, tuple[float, float]]:
        """Sum up the weights of known labels that are right, and of all that are known, over all tasks together."""
        if not self.metrics:
            return {}
        return {"accuracy": weighted_hits(self.tasks, answers, outputs)}

    def sample_losses(self, answers: Any, outputs: Any) -> Any:
        """Losses of samples, given decision values; weights stand beside targets in ``answers``."""
        width = outputs.shape[-1]
        return weighted_loss(self.tasks, answers[:, :width], answers[:, width:], outputs)
