"""What a network for training is: all that it has to be compiled anew for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from skltransfer._engine.goal import Goal
from skltransfer._engine.trainable import TrainableLayers
from skltransfer._inputs.preparation import AnyPreparation, compiled_part
from skltransfer._inputs.samples import SampleSpec
from skltransfer._utils.hashing import value_digest
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._builders import STANDARDIZE
from skltransfer.backbones._cutting import weight_depths

NO_PLACES = (
    "attention_transfer needs the places of a grid or sequence. Got a backbone of which all trainable layers give one "
    "vector a sample; pass attention_transfer=0, more trainable stages, or another backbone."
)
"""Error of a network that has no attention to transfer."""


@dataclass(frozen=True)
class Design:
    """All that a network for training has to be compiled anew for, and how its samples are read.

    Parameters
    ----------
    architecture : str or None
        The network below the head; None if samples are features already.
    depths : tuple of int
        For each of its weights, how many stages lie between its own and the head; -1 if it
        is part of the head, and always trainable.
    trainable : TrainableLayers
        Which layers are fine-tuned.
    trains_statistics : bool
        Whether batch normalizations use the statistics of mini-batches, and update their own.
    goal : Goal
        What is on top, and what is learned.
    preparation : Preparation, Tokenization, LogMelSpectrogram or None
        How pixels, texts or audio are prepared; None for samples of numbers.
    spec : tuple of (shape, dtype)
        Shape of one raw sample, and the dtype of batches.
    dtype : str
        In which the network computes.
    augmentation : str or None
        A serialised Keras layer that changes images from 0 to 255 at random.
    padded : bool
        Whether samples have lengths of their own, with vectors of zeros after their ends.
    l2_sp, delta, attention_transfer : bool
        Whether the loss has an L2-SP penalty, a DELTA feature penalty, and an attention-transfer
        loss towards the network that training starts from.
    n_teacher_places : int
        Places of a teacher's attention map, which then comes before each sample; see `TeacherMaps`.
    sample_shape : tuple of int or None
        Shape of the sample after it.
    """

    architecture: str | None
    depths: tuple[int, ...]
    trainable: TrainableLayers
    trains_statistics: bool
    goal: Goal
    preparation: AnyPreparation | None
    spec: SampleSpec
    dtype: str = "float32"
    augmentation: str | None = None
    padded: bool = False
    l2_sp: bool = False
    delta: bool = False
    attention_transfer: bool = False
    n_teacher_places: int = 0
    sample_shape: tuple[int, ...] | None = None

    @property
    def compiled(self) -> Design:
        """What the compiled network is, of which trainings that differ in nothing else share one."""
        return replace(self, preparation=compiled_part(self.preparation))

    @property
    def keeps_start(self) -> bool:
        """Tell whether training looks at features of the network that it starts from."""
        return self.delta or self.attention_transfer or self.goal.keeps_start

    @property
    def looks_back(self) -> bool:
        """Tell whether training needs the weights that the first epoch started from."""
        return self.l2_sp or self.keeps_start or self.trainable.kind == "lora"

    @property
    def key(self) -> str:
        """Digest of all of it, in hexadecimal."""
        return value_digest(self, "design").hex()


def design_network(
    backbone: Backbone | None, trainable: TrainableLayers, *, goal: Goal, trains_statistics: bool, **options: Any
) -> Design:
    """Design a network for training on a backbone, or on features if it is None."""
    if backbone is None:
        return Design(None, (), trainable, False, goal, **options)
    layers = {path.rpartition("/")[0] for path in backbone.paths if path.endswith("/moving_mean")}
    updated = trains_statistics and bool(layers - {STANDARDIZE})
    dtype = str(backbone.weights[0].dtype) if backbone.weights else "float32"
    depths = tuple(depth - goal.n_own_stages for depth in weight_depths(backbone))
    return Design(backbone.architecture, depths, trainable, updated, goal, dtype=dtype, **options)
