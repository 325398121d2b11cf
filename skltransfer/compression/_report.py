"""What became of an estimator that was made smaller."""

from __future__ import annotations

import os
import pickle
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import r2_score

from skltransfer._features.extraction import compute
from skltransfer._inputs.samples import Samples
from skltransfer._utils.types import Array, Floats
from skltransfer.compression._fitted import check_compressible
from skltransfer.serve import load

N_RESAMPLES, CONFIDENCE = 2000, 95.0
BATCH, N_RUNS = 64, 5


@dataclass(frozen=True)
class Figures:
    """Figures of one estimator, or by how much those of two differ.

    Parameters
    ----------
    n_parameters : int
        Weights of the network.
    megabytes : float
        Of the pickled estimator, or of the file.
    ms_one, ms_batch : float
        Milliseconds that the network takes for one sample alone, and for each of 64 samples together: medians of 5
        runs on Keras, or on ONNX Runtime for a file, preparation included.
    score : float
        Accuracy, or R².
    low, high : float
        Ends of its 95 % confidence interval, by a bootstrap of the samples.
    """

    n_parameters: int
    megabytes: float
    ms_one: float
    ms_batch: float
    score: float
    low: float
    high: float


@dataclass(frozen=True)
class CompressionReport:
    """An estimator before and after it was made smaller.

    Parameters
    ----------
    before, after : Figures
        Of both.
    difference : tuple of (float, float, float)
        The score after, less that before, and the ends of its confidence interval, on the same resamples of samples.
    """

    before: Figures
    after: Figures
    difference: tuple[float, float, float]

    def to_frame(self) -> Any:
        """Figures as a frame.

        Returns
        -------
        pandas.DataFrame
            A line for "before" and for "after", and a column for each figure.
        """
        import pandas as pd

        return pd.DataFrame([asdict(self.before), asdict(self.after)], index=["before", "after"])

    def plot(self, *, ax: Any = None) -> Any:
        """Draw scores with their intervals over sizes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            What to draw into; None makes a new figure of pyplot. Several reports may be drawn into the same.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn into.
        """
        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots(figsize=(5, 4), layout="constrained")[1]
        both = [self.before, self.after]
        bars = np.abs([[one.score - one.low, one.high - one.score] for one in both]).T
        ax.errorbar([one.megabytes for one in both], [one.score for one in both], bars, marker="o", capsize=3)
        ax.set(xscale="log", xlabel="megabytes", ylabel="score")
        return ax

    def __str__(self) -> str:
        rows = [f"{name:14}{one:>12.4g}{other:>12.4g}" for name, one, other in self._rows()]
        return "\n".join([f"{'':14}{'before':>12}{'after':>12}", *rows, self._sentence()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{one:.4g}</td><td>{other:.4g}</td></tr>"
            for name, one, other in self._rows()
        )
        head = "<tr><th></th><th>before</th><th>after</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table><p>{escape(self._sentence())}</p>"

    def _rows(self) -> list[tuple[str, float, float]]:
        after = asdict(self.after)
        return [(name, value, after[name]) for name, value in asdict(self.before).items()]

    def _sentence(self) -> str:
        found, low, high = self.difference
        return f"The score changed by {found:+.4f}, in the 95 % confidence interval from {low:+.4f} to {high:+.4f}."


def compression_report(before: Any, after: Any, X: Any, y: Any) -> CompressionReport:
    """Compare an estimator with a smaller one: size, latency and score.

    Parameters
    ----------
    before, after : estimator or path-like
        A fitted TransferClassifier, TransferRegressor, DomainAdaptationClassifier or DomainAdaptationRegressor; of a
        distillation, pass ``teacher_`` and ``student_``. Or a file that `skltransfer.export.save` wrote of one, in the
        format "onnx".
    X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
        Samples that neither was fitted to.
    y : array-like of shape (n_samples,)
        Their labels or values.

    Returns
    -------
    CompressionReport
        With ``to_frame()``, ``plot()``, and a table in notebooks.

    Raises
    ------
    TypeError
        If one of them is no classifier or regressor of skltransfer.
    NotFittedError
        If one of them is not fitted.
    OSError, ValueError, ImportError
        If a file cannot be read; see `skltransfer.serve.load`.

    Notes
    -----
    Keras computes with rounded weights as float32, so that `quantize` alone makes nothing faster; files of
    `skltransfer.export.save` compute in integers. Pass those to compare what is served.

    Examples
    --------
    >>> from skltransfer import TransferClassifier
    >>> from skltransfer.compression import compression_report, quantize
    >>> from skltransfer.datasets import load_fashion_sample
    >>> sample = load_fashion_sample()
    >>> clf = TransferClassifier(image_size=64).fit(sample.images, sample.target)
    >>> report = compression_report(clf, quantize(clf), sample.images_test, sample.target_test)
    >>> report.after.megabytes < report.before.megabytes / 3.5
    True
    """
    y, sides = np.asarray(y), [_side(before), _side(after)]
    scores = [_resampled_scores(side.predict(X), y, values=side.values) for side in sides]
    one, other = (_figures(side, X, own) for side, own in zip(sides, scores, strict=True))
    change = scores[1] - scores[0]
    low, high = _interval(change)
    return CompressionReport(one, other, (float(change[0]), low, high))


class _Fitted:
    """An estimator on Keras."""

    def __init__(self, estimator: Any) -> None:
        check_compressible(estimator)
        if not (is_classifier(estimator) or is_regressor(estimator)):
            raise _no_score(type(estimator).__name__)
        self.predict, self.read, self.values = estimator.predict, estimator._read_known, is_regressor(estimator)
        self.n_parameters, self.megabytes = estimator.backbone_.n_parameters, len(pickle.dumps(estimator)) / 1e6
        self._extraction = estimator.model_.extraction

    def run(self, samples: Samples) -> None:
        """Compute features, past their cache."""
        for _ in compute(self._extraction, samples, range(len(samples))):
            pass


class _Exported:
    """A file on ONNX Runtime."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        predictor = load(path)
        if not hasattr(predictor, "predict"):
            raise _no_score(f"file of a {predictor.about['estimator']}")
        self.predict, self.read, self._served = predictor.predict, predictor._served.read, predictor._served
        self.values = predictor.about["answers"]["kind"] == "values"
        self.n_parameters, self.megabytes = predictor.about["n_parameters"], Path(path).stat().st_size / 1e6
        self._outputs = predictor._outputs

    def run(self, samples: Samples) -> None:
        """Compute answers."""
        self._served.compute(samples, self._outputs)


def _side(given: Any) -> _Fitted | _Exported:
    return _Exported(given) if isinstance(given, (str, os.PathLike)) else _Fitted(given)


def _no_score(got: str) -> TypeError:
    return TypeError(
        f"expected classifiers or regressors, which have a score. Got a {got}; compare the scores of an estimator that "
        "is fitted to its features."
    )


def _figures(side: _Fitted | _Exported, X: Any, scores: Floats) -> Figures:
    samples = side.read(X)
    one, batch = (_milliseconds(side, samples.take(np.arange(len(samples)) < n)) for n in (1, BATCH))
    return Figures(side.n_parameters, side.megabytes, one, batch, float(scores[0]), *_interval(scores))


def _resampled_scores(found: Array, y: Array, *, values: bool) -> Floats:
    """Return the score of all samples, then those of resamples, which are the same for each estimator."""
    random = np.random.default_rng(0)
    draws = [np.arange(len(y)), *(random.integers(0, len(y), len(y)) for _ in range(N_RESAMPLES))]
    if values:
        return np.array([r2_score(y[drawn], found[drawn]) for drawn in draws])
    right = (found == y).reshape(len(y), -1).all(axis=1)
    return np.array([right[drawn].mean() for drawn in draws])


def _interval(scores: Floats) -> tuple[float, float]:
    half = (100 - CONFIDENCE) / 2
    low, high = np.percentile(scores[1:], [half, 100 - half])
    return float(low), float(high)


def _milliseconds(side: _Fitted | _Exported, samples: Samples) -> float:
    """Time one sample, on average; the first run compiles the network."""
    times = []
    for _ in range(N_RUNS + 1):
        start = perf_counter()
        side.run(samples)
        times.append(perf_counter() - start)
    return float(1000 * np.median(times[1:]) / len(samples))
