"""The demonstration that ``skltransfer demo`` runs: 100 real images, a search, a table and an image."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.callback import ProgressBar
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skltransfer import TransferClassifier
from skltransfer._features import extraction as features
from skltransfer._keras.backend import import_keras
from skltransfer.datasets import another_camera, load_fashion_sample

SIZE = (28, 28)


@dataclass(frozen=True)
class Result:
    """What one search found, and what it cost."""

    name: str
    search: GridSearchCV
    right: NDArray[np.bool_]
    right_elsewhere: NDArray[np.bool_]
    seconds: float
    passes: float


def run(out: Path) -> list[Result]:
    """Search, compare, print a table and draw an image.

    Parameters
    ----------
    out : pathlib.Path
        The PNG file to write.

    Returns
    -------
    list of Result
        Transfer first, then logistic regression on raw pixels.
    """
    import_keras()
    sample, console = load_fashion_sample(), Console()
    n_train, n_test = len(sample.target), len(sample.target_test)
    console.print(
        f"{n_train} labeled images of clothes (Fashion-MNIST), 10 of each kind; tested on {n_test} others, as they "
        "are and as another camera would see them. Raw pixels go to a logistic regression.\n"
    )
    transfer = Pipeline([("clf", TransferClassifier(input_shape=SIZE))])
    raw = Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression(max_iter=1000))])
    results = [
        _search("TransferClassifier", transfer, [1e-3, 1e-2, 1e-1, 1.0], sample),
        _search("raw pixels", raw, [1e-4, 1e-3, 1e-2, 1e-1], sample),
    ]
    console.print(_table(results))
    folds = results[0].search.n_splits_
    console.print(
        f"\nA pass is each training image through the network once. A search of 4 settings x {folds} folds "
        f"and a last fit is {4 * folds + 1} fits; features are computed once and cached, so it used "
        f"{results[0].passes:.1f} passes."
    )
    _draw(results[0], sample, out)
    console.print(f"Some predictions and the confusion matrix: {out}")
    return results


def _search(name: str, pipeline: Pipeline, strengths: list[float], sample: Any) -> Result:
    """Search over C with 5-fold cross-validation and score on both kinds of test images."""
    search = GridSearchCV(pipeline, {"clf__C": strengths}, cv=5)
    search.set_callbacks(ProgressBar(max_propagation_depth=0))
    samples, start = features.n_computed, time.perf_counter()
    search.fit(sample.data, sample.target)
    seconds, passes = time.perf_counter() - start, (features.n_computed - samples) / len(sample.target)
    elsewhere = another_camera(sample.images_test, random_state=0).reshape(sample.data_test.shape)
    right, right_elsewhere = (search.predict(X) == sample.target_test for X in (sample.data_test, elsewhere))
    return Result(name, search, right, right_elsewhere, seconds, passes)


def _table(results: list[Result]) -> Table:
    table = Table(title="Search of 4 settings, 5-fold")
    for column in ("model", "accuracy", "another camera", "seconds", "passes"):
        table.add_column(column, no_wrap=True)
    for result in results:
        scores = (_with_error(right) for right in (result.right, result.right_elsewhere))
        table.add_row(result.name, *scores, f"{result.seconds:.1f}", f"{result.passes:.1f}" if result.passes else "-")
    return table


def _with_error(right: NDArray[np.bool_]) -> str:
    share = right.mean()
    return f"{share:.3f} ± {np.sqrt(share * (1 - share) / len(right)):.3f}"


def _draw(result: Result, sample: Any, out: Path) -> None:
    """Draw 15 test images with their predictions, and the confusion matrix."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    predicted = result.search.predict(sample.data_test)
    figure = Figure(figsize=(13, 6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = np.asarray(figure.subfigures(1, 2, width_ratios=(1.1, 1)))
    for i, axes in enumerate(left.subplots(3, 5).flat):
        axes.imshow(sample.images_test[i], cmap="gray_r")
        is_right = predicted[i] == sample.target_test[i]
        axes.set_title(
            predicted[i] if is_right else f"{predicted[i]}\n(is {sample.target_test[i]})",
            color="tab:green" if is_right else "tab:red",
            fontsize=9,
        )
        axes.set_axis_off()
    left.suptitle("Predictions on test images")
    axes = right.subplots()
    ConfusionMatrixDisplay.from_predictions(
        sample.target_test, predicted, ax=axes, cmap="Blues", colorbar=False, xticks_rotation="vertical"
    )
    axes.set_title(f"{result.name}: {result.right.mean():.1%} right")
    figure.savefig(out, dpi=100)
