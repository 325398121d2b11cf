"""Which places of an image an answer rests on."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from skltransfer._inputs.kind import InputFormat
from skltransfer._utils.types import Array
from skltransfer.serve._predictors import Predictor, check_answers

GRID = 7
"""Rows and columns of a heat map."""


def occlusion_maps(predictor: Predictor, X: Any, *, grid: int = GRID) -> Array:
    """Measure how answers change where parts of an image are covered.

    A gray rectangle covers one cell of a grid after the other. What is measured is by how much the probability of the
    label that is predicted for the whole image falls, or how far a predicted value moves; with several tasks or
    targets, on average.

    Parameters
    ----------
    predictor : ServedClassifier or ServedRegressor
        Of images.
    X : array-like, or sequence of paths, PIL images or bytes
        Images like those that `fit` saw.
    grid : int, default=7
        Rows and columns of the grid; of an image with fewer pixels, its pixels.

    Returns
    -------
    ndarray of shape (n_samples, rows, columns)
        The change of the answer for each cell: positive where an image bears out its label.

    Raises
    ------
    ValueError
        If the predictor takes no images, or gives neither labels nor values.

    References
    ----------
    Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skltransfer import TransferClassifier, export, serve
    >>> from skltransfer.datasets import load_fashion_sample
    >>> sample = load_fashion_sample()
    >>> clf = TransferClassifier("small_resnet", trainable="head", image_size=28, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export.save(clf.fit(sample.images[:40], sample.target[:40]), Path(folder) / "clf.onnx")
    ...     predictor = serve.load(Path(folder) / "clf.onnx")
    >>> serve.occlusion_maps(predictor, sample.images[:2], grid=4).shape
    (2, 4, 4)
    """
    check_explainable(predictor)
    if grid < 1:
        raise ValueError(f"grid: expected 1 row and column or more. Got {grid!r}.")
    served, maps = predictor._served, []
    for image in served.prepared(X):
        cells = occluded(image, served.format, grid)
        maps.append(changes(predictor, served.run_prepared(cells, predictor._outputs), image, grid))
    return np.stack(maps)


def is_explainable(predictor: Predictor) -> bool:
    """Tell whether it predicts probabilities or values of images."""
    answers = any(name == "values" or name.startswith("probabilities") for name in predictor._outputs)
    return predictor._served.format.kind.is_image and answers


def check_explainable(predictor: Predictor) -> None:
    """Raise ValueError if there are no images, or no answers to explain."""
    if not is_explainable(predictor):
        raise ValueError(
            "Heat maps are of probabilities or values that are predicted of images. Got a "
            f"{predictor.about['estimator']} of {predictor._served.format.kind.noun}."
        )


def occluded(image: Array, format: InputFormat, grid: int = GRID) -> list[Array]:
    """Return an image, and it with each cell of a grid covered.

    Examples
    --------
    >>> import numpy as np
    >>> from skltransfer._inputs.recognition import SAMPLE_KINDS
    >>> format = InputFormat(SAMPLE_KINDS["image_arrays"], (2, 2, 1), 0.0, 1.0)
    >>> [each.ravel().tolist() for each in occluded(np.ones((2, 2, 1)), format)][:2]
    [[1.0, 1.0, 1.0, 1.0], [0.5, 1.0, 1.0, 1.0]]
    """
    image = image.astype(np.float32) if image.dtype == bool else image
    gray = (format.low + format.high) / 2
    gray = np.floor(gray) if format.high - format.low > 2 else gray  # as bytes hold it
    found = [image]
    for rows in _cuts(image.shape[0], grid):
        for columns in _cuts(image.shape[1], grid):
            found.append(image.copy())
            found[-1][rows, columns] = gray
    return found


def changes(predictor: Predictor, found: list[Array], image: Array, grid: int = GRID) -> Array:
    """Return by how much answers to `occluded` images differ from that to the image, of shape (rows, columns).

    Raises
    ------
    ValueError
        If one of them is NaN or infinite.
    """
    check_answers(found)
    shape = tuple(len(_cuts(length, grid)) for length in image.shape[:2])
    answers = predictor._answers(found)
    if "probabilities" not in answers:
        values = answers["predictions"].reshape(len(answers["predictions"]), -1)
        return np.abs(values[1:] - values[0]).mean(axis=1).reshape(shape)
    tasks = answers["probabilities"]
    if answers["predictions"].ndim == 2 and not isinstance(tasks, list):  # labels of 0 and 1
        tasks = [np.stack([1 - each, each], axis=1) for each in tasks.T]
    falls = [part[0].max() - part[1:, part[0].argmax()] for part in (tasks if isinstance(tasks, list) else [tasks])]
    return np.mean(falls, axis=0).reshape(shape)


def _cuts(length: int, grid: int) -> list[slice]:
    ends = np.linspace(0, length, min(grid, length) + 1).round().astype(int)
    return [slice(start, end) for start, end in pairwise(ends.tolist())]
