"""Tables: samples of numbers, a column each."""

from __future__ import annotations

from typing import Any

import numpy as np

from skltransfer._inputs.containers import Form, as_array, form_of, is_frame, named
from skltransfer._inputs.kind import ImageSize, InputFormat, Network, ReadOptions, SampleKind, Validate
from skltransfer._inputs.samples import ArraySamples


class Table(SampleKind):
    """Samples of numbers, whose columns have names and units of their own."""

    name = "table"
    noun = "a table"
    forms = frozenset({Form.VECTOR, Form.NUMBER})
    default_backbone = "mlp"
    is_table = True
    is_numeric = True

    def _read(
        self, X: Any, options: ReadOptions, validate: Validate, learned: InputFormat | None
    ) -> tuple[ArraySamples, InputFormat]:
        check_lengths(X)
        X = with_numbers(X)
        finite: Any = "allow-nan" if options.allow_nan else True
        values = validate(X, dtype=np.float64, ensure_all_finite=finite)
        return ArraySamples(values), learned or InputFormat(self, values.shape[1:])

    def describe(self, format: InputFormat) -> str:
        """Say what samples of this format are, for an error sentence."""
        return f"a table of {format.shape[0]} columns"

    def builder_shape(self, format: InputFormat, image_size: Any) -> tuple[int, ...]:
        """Return the shape of one sample for a function that builds a network."""
        return format.shape

    def layout(self, X: Any, format: InputFormat) -> tuple[tuple[int, ...], str]:
        """Return shape and dtype of a sample: single and double precision are kept."""
        dtype = as_array(X).dtype
        return format.shape, str(dtype) if dtype.kind == "f" and dtype.itemsize in (4, 8) else "float64"

    def _preparation(self, network: Network, format: InputFormat, image_size: ImageSize) -> None:
        check_takes_numbers(network, format)


def with_numbers(X: Any) -> Any:
    """Return a table of objects with NaN where one is missing, as arrays of numbers have it; any other as it is.

    Raises
    ------
    TypeError
        If a cell of a frame is no number.
    """
    if not is_frame(X) and not (isinstance(X, np.ndarray) and X.dtype == object):
        return X
    cells = as_array(X)
    if cells.dtype.kind not in "OV":
        return X
    missing = np.vectorize(lambda cell: form_of(cell) is Form.MISSING, otypes=[bool])(cells)
    if is_frame(X):  # of an array, scikit-learn says it
        for place in zip(*np.nonzero(~missing), strict=True):
            _check_number(cells[place], *place)
    if not missing.any() or not hasattr(X, "where"):
        return np.where(missing, np.nan, cells) if isinstance(X, np.ndarray) else X
    return X.where(~missing, np.nan)


def _check_number(cell: Any, sample: int, column: int) -> None:
    try:
        if np.iscomplexobj(cell):
            raise TypeError("a complex number")
        float(cell)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"X: expected one number in each cell of a table. Sample {sample} has {named(cell)} in column {column}; "
            "encode that column, or pass samples that are no numbers as a list."
        ) from error


def check_takes_numbers(network: Network, format: InputFormat) -> None:
    """Raise ValueError if samples of numbers, or series of them, are not what the network takes."""
    takes, got = network.input_shape, format.shape
    if len(takes) == len(got) and all(length in (None, found) for length, found in zip(takes, got, strict=True)):
        return
    raise ValueError(
        f"X: the backbone {network.name!r} takes samples of shape {takes}. Got {format.describe()}; if a sample is a "
        "flattened image, pass input_shape=(height, width) or (height, width, channels)."
    )


def check_lengths(X: Any) -> None:
    """Raise ValueError if samples of numbers differ in length, as waveforms do."""
    if not isinstance(X, list):
        return
    lengths = [(position, len(item)) for position, item in enumerate(X) if form_of(item) is Form.VECTOR]
    for position, length in lengths[1:]:
        first, expected = lengths[0]
        if length != expected:
            raise ValueError(
                f"X: expected samples of one length. Sample {first} has {expected} values, sample {position} has "
                f"{length}; if they are waveforms, pass sample_rate=…, how many samples make a second."
            )
