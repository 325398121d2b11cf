"""How samples, as they are read, become what a network takes."""

from skltransfer._inputs.audio import LogMelSpectrogram
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.texts import Tokenization

AnyPreparation = Preparation | Tokenization | LogMelSpectrogram
