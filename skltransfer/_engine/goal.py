"""What a network learns: a protocol, so that the engine names no task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Goal(Protocol):
    """What is trained on top of a backbone, as a hashable value.

    Two goals that are equal share one compiled network. Numbers that may change without
    compiling anew, such as strengths, are no part of it: the network makes a variable for
    each of them with `Network.setting`, and `TrainingSettings.values` sets them by name.
    """

    @property
    def keeps_start(self) -> bool:
        """Whether training needs features of the network that it starts from."""

    @property
    def n_own_stages(self) -> int:
        """How many of the last stages of the backbone belong to the goal, and are always trainable."""

    def network(self, design: Any, body: Any) -> Any:
        """Build the `Network` of a `Design`, on top of ``body``."""

    @property
    def measured(self) -> bool:
        """Whether metrics can be measured of what the network gives in a training step."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what is measured besides the loss."""

    def measure(self, answers: Any, outputs: Any) -> Mapping[str, tuple[float, float]]:
        """Sum up each of them over samples: the sum of its values by sample weights, and that of the weights."""

    def sample_losses(self, answers: Any, outputs: Any) -> Any:
        """Compute the loss of each sample; sample weights come after targets in ``answers``."""

    def loop(self, network: Any, job: Any) -> Any:
        """Set up the `Loop` of a `TrainingJob` on a `CompiledNetwork`."""
