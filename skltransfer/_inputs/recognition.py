"""Of which kind samples are."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from skltransfer._inputs.audio import Audio
from skltransfer._inputs.containers import Form, form_of, named
from skltransfer._inputs.decoding import content_of
from skltransfer._inputs.image_arrays import ImageArrays
from skltransfer._inputs.image_files import ImageFiles
from skltransfer._inputs.kind import ReadOptions, SampleKind
from skltransfer._inputs.paths import DATA_URI, Written, absent, exists, is_audio_path, written
from skltransfer._inputs.sequences import Sequences
from skltransfer._inputs.signatures import START, first_bytes, kind_of
from skltransfer._inputs.table import Table
from skltransfer._inputs.texts import Texts

SAMPLE_KINDS: dict[str, SampleKind] = {
    kind.name: kind for kind in (Table(), Sequences(), ImageArrays(), ImageFiles(), Texts(), Audio())
}
"""What the parameter ``sample_kind`` takes."""

LOOKED_AT = 100
"""Samples that are looked at, spread over all; readers look at each."""


def recognise(X: Any, options: ReadOptions) -> SampleKind:
    """Tell of which kind samples are.

    Parameters
    ----------
    X : ndarray, list, frame or sparse matrix
        As `gathered` gives it.
    options : ReadOptions
        What the user says of them.

    Returns
    -------
    SampleKind
        Their kind.

    Raises
    ------
    ValueError
        If a sample is missing, or looks like a path but there is no such file.
    TypeError
        If samples are of several kinds, or of none.

    Examples
    --------
    >>> recognise(["a text", "and/or"], ReadOptions()), recognise([[1, 2], [3, 4]], ReadOptions())
    (Texts(), Table())
    """
    if not isinstance(X, list):
        return _kind_of_numbers(len(X.shape), options)
    found: dict[SampleKind, int] = {}
    either: dict[int, str] = {}
    for position in np.unique(np.linspace(0, len(X) - 1, LOOKED_AT).astype(int)).tolist():
        kind = _kind_of(X[position], position, options, either)
        if kind is not None:
            found.setdefault(kind, position)
    if not found and either:
        return _kind_of_paths(either)
    if len(found) > 1:
        (one, first), (other, second) = list(found.items())[:2]
        texts = "; if all are texts, pass sample_kind='texts'" if Texts() in (one, other) else ""
        raise TypeError(
            f"X: expected samples of one kind. Sample {first} is {named(X[first])}, taken as {one.noun}, and sample "
            f"{second} is {named(X[second])}, taken as {other.noun}; drop or convert one of them{texts}."
        )
    if not found:
        raise ValueError(f"X: sample 0 is {named(X[0])}. Expected samples without missing ones; drop that sample.")
    return next(iter(found))


def _kind_of(item: Any, position: int, options: ReadOptions, either: dict[int, str]) -> SampleKind | None:
    """Return the kind of one sample; None if it is missing, or a string of which that is open."""
    form = form_of(item)
    if form is Form.MISSING:
        return None
    if form is Form.STRING:
        what = written(item)
        if what is Written.EITHER:
            either[position] = item
            return None
        if DATA_URI.match(item):
            raise absent(item, position)
        return Texts() if what is Written.TEXT else _kind_of_file(item)
    if form is Form.PATH:
        return _kind_of_file(item)
    if form is Form.IMAGE:
        return ImageFiles()
    if form is Form.ENCODED:
        return Audio() if kind_of(content_of(item)[:START]) == Audio.name else ImageFiles()
    if form is Form.CLIP:
        return Audio()
    if form is Form.OTHER:
        raise TypeError(
            f"X: sample {position} is {named(item)}. Expected numbers, arrays, paths, PIL images, texts or waveforms; "
            "convert that sample."
        )
    return _kind_of_numbers({Form.NUMBER: 1, Form.VECTOR: 2, Form.ARRAY: 3}[form], options)


def _kind_of_numbers(n_dimensions: int, options: ReadOptions) -> SampleKind:
    """Return the kind of an array of so many dimensions."""
    if options.sample_rate is not None:
        return Audio()
    if n_dimensions > 2 and options.sequences:
        return Sequences()
    return ImageArrays() if n_dimensions > 2 or options.input_shape is not None else Table()


def _kind_of_file(path: str | os.PathLike[str]) -> SampleKind:
    """Return the kind of a file by what it holds, or by its ending if that cannot be read or says nothing."""
    try:
        found = kind_of(first_bytes(path))
    except (OSError, ValueError):
        found = ""
    is_audio = found == Audio.name if found in (Audio.name, ImageFiles.name) else is_audio_path(path)
    return Audio() if is_audio else ImageFiles()


def _kind_of_paths(either: dict[int, str]) -> SampleKind:
    """Return the kind of samples that have the look of paths; if there is no such file, say so."""
    for position, text in either.items():
        if not exists(text):
            raise absent(text, position)
    return _kind_of_file(next(iter(either.values())))
