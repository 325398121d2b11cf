"""What a fitted estimator consists of, in a few words and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Summary:
    """The parts of a fitted estimator.

    Parameters
    ----------
    backbone : str
        Name of the network.
    pretrained : bool
        Whether the network that the first fit started from was pretrained.
    samples : str
        What one sample is.
    trained : str
        Which parts were trained.
    n_network, n_trained, n_head : int
        Weights of the network, of its stages that were fine-tuned, and of the head.
    n_stages : int
        Stages of the network.
    """

    backbone: str
    pretrained: bool
    samples: str
    trained: str
    n_network: int
    n_trained: int
    n_head: int
    n_stages: int

    @classmethod
    def of(cls, estimator: Any) -> Summary:
        """Read the parts off a fitted estimator."""
        model = estimator.model_
        network, backbone = model.network, model.backbone
        fine_tuned = network.n_trainable if network.above is not None else 0
        n_head = 0 if model.head is None else sum(array.size for array in model.head.arrays)
        n_trained = network.above.backbone.n_parameters if fine_tuned else 0
        name = backbone.name if isinstance(backbone.name, str) else str(backbone.name)
        stages = len(backbone.stages)
        return cls(
            name, bool(model.pretrained), model.format.describe(), _trained(fine_tuned, stages, n_head),
            int(backbone.n_parameters), int(n_trained), int(n_head), stages,
        )  # fmt: skip

    def __str__(self) -> str:
        counts = f"{short(self.n_network)} weights"
        if self.n_head:
            counts += f" and {short(self.n_head)} in the head"
        if self.n_trained:
            counts += f", {short(self.n_trained + self.n_head)} trained"
        return f"{self.backbone}: {self.trained}; {counts}"


def short(count: int) -> str:
    """Write a number of weights in three digits.

    Examples
    --------
    >>> short(950), short(25_610), short(3_413_024)
    ('950', '25.6 K', '3.41 M')
    """
    for size, name in ((10**9, "G"), (10**6, "M"), (10**3, "K")):
        if count >= size:
            return f"{count / size:.3g} {name}"
    return str(count)


def _trained(fine_tuned: int, stages: int, n_head: int) -> str:
    if not fine_tuned:
        return "frozen network, fitted head" if n_head else "frozen network"
    part = "all stages" if fine_tuned >= stages else f"last {fine_tuned} of {stages} stages"
    return f"{part} fine-tuned" + (", and the head" if n_head else "")
