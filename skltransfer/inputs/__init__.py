"""What the user has: arrays, flattened rows, frames, image files; read in batches, never all at once."""

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
from skltransfer.inputs._texts import TextRows, Tokenization, learn_tokenization, text_rows, word_pieces

__all__ = [
    "KNOWN_HIGHS",
    "LUMINANCE",
    "SMALL_PICTURE",
    "Array",
    "ArrayRows",
    "BesideRows",
    "InputFormat",
    "Layout",
    "PictureRows",
    "Positions",
    "Preparation",
    "RowFormat",
    "Rows",
    "TextRows",
    "Tokenization",
    "UnequalRows",
    "check_pixels_finite",
    "check_range",
    "fill_up",
    "image_array",
    "learn_range",
    "learn_tokenization",
    "picture_rows",
    "recognise",
    "text_rows",
    "word_pieces",
]
