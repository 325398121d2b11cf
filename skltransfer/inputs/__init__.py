"""What the user has: arrays, flattened rows, frames, image files, texts, sounds; read in batches, never all at once."""

from skltransfer.inputs._formats import LUMINANCE, InputFormat, Layout
from skltransfer.inputs._pictures import PictureRows, picture_rows
from skltransfer.inputs._pixels import (
    KNOWN_HIGHS,
    SMALL_PICTURE,
    Preparation,
    check_pixels_finite,
    check_range,
    image_array,
    learn_range,
)
from skltransfer.inputs._recognition import recognise
from skltransfer.inputs._rows import Array, ArrayRows, BesideRows, Positions, RowFormat, Rows, UnequalRows, fill_up
from skltransfer.inputs._sounds import RATES, Listening, SoundRows, listening, seen_size, sound_format, sound_rows
from skltransfer.inputs._texts import TextRows, Tokenization, learn_tokenization, text_rows, word_pieces

AnyPreparation = Preparation | Tokenization | Listening
"""How rows, as they are read, become what a network takes."""

__all__ = [
    "KNOWN_HIGHS",
    "LUMINANCE",
    "RATES",
    "SMALL_PICTURE",
    "AnyPreparation",
    "Array",
    "ArrayRows",
    "BesideRows",
    "InputFormat",
    "Layout",
    "Listening",
    "PictureRows",
    "Positions",
    "Preparation",
    "RowFormat",
    "Rows",
    "SoundRows",
    "TextRows",
    "Tokenization",
    "UnequalRows",
    "check_pixels_finite",
    "check_range",
    "fill_up",
    "image_array",
    "learn_range",
    "learn_tokenization",
    "listening",
    "picture_rows",
    "recognise",
    "seen_size",
    "sound_format",
    "sound_rows",
    "text_rows",
    "word_pieces",
]
