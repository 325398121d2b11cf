"""How samples, as they are read, become what a network takes."""

from skltransfer._inputs.audio import LogMelSpectrogram
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.texts import Tokenization

AnyPreparation = Preparation | Tokenization | LogMelSpectrogram


def compiled_part(preparation: AnyPreparation | None) -> Preparation | LogMelSpectrogram | None:
    """Return what of a preparation is inside a compiled network: texts are numbers before they get there."""
    return None if isinstance(preparation, Tokenization) else preparation
