"""The goal of an autoencoder: reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skltransfer._engine.design import Design
from skltransfer._engine.job import TrainingJob
from skltransfer._engine.loop import Loop
from skltransfer._engine.trainer import CompiledNetwork
from skltransfer._inputs.image_arrays import Preparation


@dataclass(frozen=True)
class Reconstruction:
    """A latent layer, which the network below ends with, and a decoder after it.

    Parameters
    ----------
    decoder : str
        Its architecture.
    loss : str
        See `reconstruction_loss`.
    target : Preparation or None
        How pixels become what the decoder gives; None for samples of numbers.
    corruption : {"gaussian", "mask", "dropout"} or None
        How samples are corrupted before the network sees them in training.
    distortion : str or None
        A serialized Keras layer that corrupts images from 0 to 255, instead.
    patch : int
        Side of the squares of pixels, or number of steps, that are masked together.
    variational : bool
        Whether latent values are drawn from a distribution around what the network gives.
    beside, raw : tuple of int, or None
        Shapes of the features that the network takes and of the raw sample after them, if both
        stand beside each other in what is read; None if the network takes the sample itself.
    """

    decoder: str
    loss: str
    target: Preparation | None
    corruption: str | None = None
    distortion: str | None = None
    patch: int = 1
    variational: bool = False
    beside: tuple[int, ...] | None = None
    raw: tuple[int, ...] | None = None

    @property
    def keeps_start(self) -> bool:
        """Reconstruction needs no features of the starting network."""
        return False

    @property
    def n_own_stages(self) -> int:
        """The latent layer is the last stage of the encoder."""
        return 1

    def network(self, design: Design, body: Any) -> Any:
        """Build the network that reconstructs."""
        from skltransfer.autoencoder._network import ReconstructingNetwork

        return ReconstructingNetwork(design, body, self)

    def loop(self, network: CompiledNetwork, job: TrainingJob) -> Loop:
        """Set up the loop over shuffled mini-batches."""
        return Loop(network, job)

    @property
    def measured(self) -> bool:
        """The network gives losses, of which nothing is measured."""
        return False

    @property
    def metrics(self) -> tuple[str, ...]:
        """The loss says all."""
        return ()

    def measure(self, answers: Any, outputs: Any) -> dict[str, tuple[float, float]]:
        """Measure nothing besides the loss."""
        return {}

    def sample_losses(self, answers: Any, outputs: Any) -> Any:
        """Compute losses of samples, given losses before weighting; ``answers`` are weights."""
        return answers[:, 0] * outputs[:, 0]
