"""How samples are read, as values that JSON can hold, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from skltransfer._inputs.audio import LogMelSpectrogram
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.kind import InputFormat, ReadOptions
from skltransfer._inputs.preparation import AnyPreparation
from skltransfer._inputs.recognition import SAMPLE_KINDS
from skltransfer._inputs.texts import Tokenization

PREPARATIONS: dict[str, Any] = {"pixels": Preparation, "tokens": Tokenization, "spectrogram": LogMelSpectrogram}


def describe(format: InputFormat, options: ReadOptions, preparation: AnyPreparation | None) -> dict[str, Any]:
    """Return what a sample is, how it is read, and how a network takes it, in values that JSON can hold.

    Examples
    --------
    >>> described = describe(InputFormat(SAMPLE_KINDS["table"], (3,)), ReadOptions(), None)
    >>> described["kind"], described["shape"], restore(described)[0] == InputFormat(SAMPLE_KINDS["table"], (3,))
    ('table', [3], True)
    """
    found = {"kind": format.kind.name, "shape": list(map(int, format.shape)), "low": format.low, "high": format.high}
    found |= {"pixel_range": _numbers(format.pixel_range), "deep_range": _numbers(format.deep_range)}
    found["options"] = {
        "input_shape": None if options.input_shape is None else list(map(int, options.input_shape)),
        "pixel_range": _numbers(options.pixel_range),
        "sample_rate": None if options.sample_rate is None else float(options.sample_rate),
        "sequences": bool(options.sequences),
        "allow_nan": bool(options.allow_nan),
    }
    name = next((name for name, kind in PREPARATIONS.items() if isinstance(preparation, kind)), None)
    found["preparation"] = None if name is None else {"kind": name, **asdict(preparation)}  # type: ignore[arg-type]
    return found


def restore(described: Mapping[str, Any]) -> tuple[InputFormat, ReadOptions, AnyPreparation | None]:
    """Return what `describe` was given."""
    known = dict(described)
    options, prepared = ReadOptions(**_tuples(known.pop("options"))), known.pop("preparation")
    format = InputFormat(**{**_tuples(known), "kind": SAMPLE_KINDS[known["kind"]]})
    if prepared is None:
        return format, options, None
    values = _tuples(prepared)
    kind = PREPARATIONS[values.pop("kind")]
    if "pixels" in {field.name for field in fields(kind)}:
        values["pixels"] = Preparation(**_tuples(values["pixels"]))
    return format, options, kind(**values)


def _numbers(values: Any) -> list[float] | None:
    return None if values is None else [float(value) for value in values]


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
