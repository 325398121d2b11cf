"""The goal of domain adaptation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skltransfer._engine.design import Design
from skltransfer._engine.job import TrainingJob
from skltransfer._engine.loop import Loop
from skltransfer._engine.trainer import CompiledNetwork
from skltransfer._heads.goal import Decisions
from skltransfer.adaptation._method import Method, no_terms

SOURCE_ONLY = Method(no_terms, by=None)


@dataclass(frozen=True)
class Adaptation(Decisions):
    """Decisions of one task that carry over from domains with labels to domains without.

    Parameters
    ----------
    method : Method
        How the domains are aligned.
    samples : tuple of int
        Samples of each domain in a batch, the sources first.
    n_sources : int
        How many of them are sources.
    deep : bool
        Whether the features that are aligned are above the hidden layers, and not below them.
    """

    method: Method = SOURCE_ONLY
    samples: tuple[int, ...] = ()
    n_sources: int = 1
    deep: bool = True

    @property
    def keeps_start(self) -> bool:
        """Methods that keep the features of the source as they were need the starting network."""
        return self.method.anchored

    def network(self, design: Design, body: Any) -> Any:
        """Build the network that decides, and aligns domains."""
        from skltransfer.adaptation._network import AdaptingNetwork

        return AdaptingNetwork(design, body, self)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics of the samples of the sources, if there are any."""
        return super().metrics if self.n_sources else ()

    def sample_losses(self, answers: Any, outputs: Any) -> Any:
        """Losses of labeled samples; features stand beside decision values in ``outputs``."""
        return super().sample_losses(answers, outputs[:, : self.tasks[0].n_outputs])

    def loop(self, network: CompiledNetwork, job: TrainingJob) -> Loop:
        """Set up the loop whose mini-batches have samples of each domain."""
        from skltransfer.adaptation._loop import AdaptingLoop

        return AdaptingLoop(network, job, self)
