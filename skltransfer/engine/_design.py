"""What a network for training is: all that it has to be compiled anew for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skltransfer import losses
from skltransfer.alignment import METHODS, Method
from skltransfer.backbones import STANDARDIZE, Backbone, weight_depths
from skltransfer.finetuning import Movement
from skltransfer.inputs import AnyPreparation, Preparation, RowFormat
from skltransfer.losses import Task

QUERIES = "queries"
"""What a network calls the weights by which attention pools."""

NO_PLACES = (
    "attention_transfer pulls the places of a grid or sequence. Got a backbone of which all that moves gives one "
    "vector a row; pass attention_transfer=0, a trainable that moves more, or another backbone."
)
"""Error of a network that has nothing to pull."""


@dataclass(frozen=True)
class Decisions:
    """A head that decides tasks, on features that are pooled by average or by attention.

    Parameters
    ----------
    tasks : tuple of Task
        What it decides.
    hidden, dropout : tuple of int, float
        Units of its hidden layers, and the share of them (of pooled features, with attention)
        that is left out at random.
    n_heads : int
        Queries of the attention; 0 pools by average.
    solved : bool
        Whether the linear layer stays as it is, and only what is below it learns.
    """

    tasks: tuple[Task, ...]
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0
    n_heads: int = 0
    solved: bool = False

    def row_losses(self, answers: Any, outputs: Any) -> Any:
        """Losses of rows, given decision values; weights stand beside targets in ``answers``."""
        width = outputs.shape[-1]
        return losses.weighted_loss(self.tasks, answers[:, :width], answers[:, width:], outputs)


@dataclass(frozen=True)
class Adaptation(Decisions):
    """Decisions of one task that carry over from domains with labels to domains without.

    Parameters
    ----------
    method : Method
        How the domains are brought together.
    rows : tuple of int
        Rows of each domain in a batch, the sources first.
    n_sources : int
        How many of them are sources.
    deep : bool
        Whether what is brought together is above the hidden layers, and not below them.
    """

    method: Method = METHODS["source_only"]
    rows: tuple[int, ...] = ()
    n_sources: int = 1
    deep: bool = True


@dataclass(frozen=True)
class Reconstruction:
    """A latent layer, which the network below ends with, and a decoder after it.

    Parameters
    ----------
    decoder : str
        Its architecture.
    loss : str
        See `losses.reconstruction_loss`.
    target : Preparation or None
        How pixels become what the decoder gives; None for rows of numbers.
    corruption : {"gaussian", "mask", "dropout"} or None
        How rows are spoilt before the network sees them in training.
    distortion : str or None
        A serialised Keras layer that spoils pictures from 0 to 255, instead.
    patch : int
        Side of the squares of pixels, or number of steps, that are masked together.
    variational : bool
        Whether latent values are drawn from a distribution around what the network gives.
    beside, raw : tuple of int, or None
        Shapes of the features that the network takes and of the raw row after them, if both
        stand beside each other in what is read; None if the network takes the row itself.
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

    def row_losses(self, answers: Any, outputs: Any) -> Any:
        """Losses of rows, given losses before weighting; ``answers`` are weights."""
        return answers[:, 0] * outputs[:, 0]


Goal = Decisions | Reconstruction


@dataclass(frozen=True)
class Design:
    """All that a network for training has to be compiled anew for.

    Parameters
    ----------
    architecture : str or None
        The network below the head; None if rows are features already.
    depths : tuple of int
        For each of its weights, how many stages lie between its own and the head; -1 if it
        is part of the head, and always moves.
    movement : Movement
        What moves.
    statistics_move : bool
        Whether normalisations use, and update, the statistics of batches.
    goal : Decisions, Adaptation or Reconstruction
        What is on top, and what is learned.
    preparation : Preparation, Tokenization, Listening or None
        How pixels, texts or sounds are prepared; None for rows of numbers.
    row : tuple of (shape, dtype)
        Shape of one raw row, and the dtype of batches.
    dtype : str
        In which the network computes.
    augmentation : str or None
        A serialised Keras layer that changes pictures from 0 to 255 at random.
    padded : bool
        Whether rows have lengths of their own, with vectors of zeros after their ends.
    pulled, matched, attended : bool
        Whether weights are pulled to where they start (L2-SP), features (DELTA), and where
        these are active (attention transfer).
    taught : int
        Places of a teacher's map of activity, which then comes before each row; see `Lesson`.
    raw : tuple of int or None
        Shape of the row after it.
    """

    architecture: str | None
    depths: tuple[int, ...]
    movement: Movement
    statistics_move: bool
    goal: Goal
    preparation: AnyPreparation | None
    row: RowFormat
    dtype: str = "float32"
    augmentation: str | None = None
    padded: bool = False
    pulled: bool = False
    matched: bool = False
    attended: bool = False
    taught: int = 0
    raw: tuple[int, ...] | None = None

    @property
    def keeps_start(self) -> bool:
        """Tell whether training looks at features of the network that it starts from."""
        anchored = isinstance(self.goal, Adaptation) and self.goal.method.anchored
        return self.matched or self.attended or anchored


def design_network(backbone: Backbone | None, movement: Movement, *, statistics_move: bool, **options: Any) -> Design:
    """Design a network for training on a backbone, or on features if it is None."""
    if backbone is None:
        return Design(None, (), movement, False, **options)
    layers = {path.rpartition("/")[0] for path in backbone.paths if path.endswith("/moving_mean")}
    moves = statistics_move and bool(layers - {STANDARDIZE})
    dtype = str(backbone.weights[0].dtype) if backbone.weights else "float32"
    depths = weight_depths(backbone)
    if isinstance(options["goal"], Reconstruction):
        depths = tuple(depth - 1 for depth in depths)
    return Design(backbone.architecture, depths, movement, moves, dtype=dtype, **options)
