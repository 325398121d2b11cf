"""What the user has: a table, arrays of pixels, image files, texts, sounds."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from skltransfer._inputs.formats import Kind
from skltransfer._inputs.image_files import is_path, is_pil

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64")


def recognise(X: Any, input_shape: tuple[int, ...] | None, sample_rate: float | None = None) -> Kind:
    """Tell what samples are, by looking at the first one that is not missing.

    Parameters
    ----------
    X : array-like, frame, or sequence of strings, paths, PIL images or waveforms
        What the user passed. A string is a path if it ends as those of images and sounds
        do, or if there is such a file.
    input_shape : tuple of int or None
        Shape of one image, if samples are flattened.
    sample_rate : float or None, default=None
        Samples a second, if samples are waveforms.

    Returns
    -------
    {"table", "image_arrays", "image_files", "texts", "audio"}

    Raises
    ------
    ValueError
        If samples of numbers differ in length, and ``sample_rate`` does not say what they are.
    """
    first = _first(X)
    if is_path(first) and os.fspath(first).lower().endswith(AUDIO_SUFFIXES):
        return "audio"
    if isinstance(first, str) and not (first.lower().endswith(IMAGE_SUFFIXES) or _is_file(first)):
        return "texts"
    if is_path(first) or is_pil(first):
        return "image_files"
    if sample_rate is not None:
        return "audio"
    array = isinstance(X, np.ndarray) and X.dtype != object
    if input_shape is not None or (X.ndim > 2 if array else np.ndim(first) > 1):
        return "image_arrays"
    _check_lengths(X)
    return "table"


def _check_lengths(X: Any) -> None:
    """Raise ValueError if samples of numbers differ in length, as waveforms do."""
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()
    if not isinstance(X, list | tuple) and not (isinstance(X, np.ndarray) and X.dtype == object):
        return
    lengths = [(sample, len(x)) for sample, x in enumerate(X) if isinstance(x, list | tuple) or np.ndim(x) == 1]
    for sample, length in lengths[1:]:
        if length != lengths[0][1]:
            first, expected = lengths[0]
            raise ValueError(
                f"X: expected samples of one length. Sample {first} has {expected} values, sample {sample} has {length}; "
                "if they are waveforms, pass sample_rate=…, how many samples make a second."
            )


def _first(X: Any) -> Any:
    """Return the first sample; of one column of objects, the first that is not missing."""
    if hasattr(X, "to_numpy"):
        X = X[:1].to_numpy() if len(getattr(X, "columns", ())) > 1 else X.to_numpy()
    if isinstance(X, np.ndarray) and X.dtype.kind in "OUT" and X.size and (X.ndim == 1 or X.shape[1:] == (1,)):
        X = X.ravel().tolist()
    if isinstance(X, list | tuple) and len(X) and (X[0] is None or isinstance(X[0], float)):
        return next((sample for sample in X if sample is not None and not isinstance(sample, float)), X[0])
    return X[0] if isinstance(X, np.ndarray | list | tuple) and len(X) else None


def _is_file(text: str) -> bool:
    try:
        return os.path.isfile(text)
    except ValueError:  # a text with a null character
        return False
