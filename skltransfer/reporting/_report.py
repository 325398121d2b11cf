"""A fitted estimator and samples held out to one page of HTML."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from numbers import Integral
from pathlib import Path
from typing import Any

from sklearn.utils.validation import _num_samples

from skltransfer._inputs.containers import gathered
from skltransfer._utils.files import check_folder, written_whole
from skltransfer.reporting import _sections as sections
from skltransfer.reporting._answers import Task, answer, read_answers
from skltransfer.reporting._html import Markup, page, tag
from skltransfer.reporting._subject import Subject


def report(
    estimator: Any,
    X_test: Any,
    y_test: Any,
    path: str | os.PathLike[str] = "report.html",
    *,
    title: str | None = None,
    n_mistakes: int = 8,
    learning_curve: Any = None,
) -> Path:
    """Write a page that shows how well a fitted estimator answers, and where it errs.

    It is one HTML file, which loads nothing from anywhere: what was trained, scores with 95 % intervals, confusions
    and calibration, or values and errors, the surest mistakes with their heat maps, training curves, what the fit
    tried, the domain shift, versions and the call.

    Parameters
    ----------
    estimator : TransferClassifier, TransferRegressor, DomainAdaptationClassifier, DomainAdaptationRegressor, \
DistillationClassifier, DistillationRegressor or Pipeline
        Fitted. A pipeline has an estimator of skltransfer as a step, such as a `BackboneTransformer`, and ends with a
        classifier or a regressor.
    X_test : array-like, frame, or sequence of texts, paths, PIL images or waveforms
        Samples like those of `fit` that it did not see.
    y_test : array-like of shape (n_samples,) or (n_samples, n_tasks)
        Their labels or values. Of several tasks, an answer may be missing (None or NaN); the sample is left out of
        that task.
    path : str or path-like, default="report.html"
        The file, in a folder that exists; it appears when it is complete, and a file of this name is replaced.
    title : str, default=None
        Heading of the page; None is the name of the estimator.
    n_mistakes : int, default=8
        Mistakes that are shown of each task, at most.
    learning_curve : LearningCurveForecast, default=None
        What `skltransfer.transferability.learning_curve_forecast` gave, to be drawn as well; it fits the estimator
        many times, so that it is not computed here.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    TypeError
        If this is no estimator of skltransfer that predicts, nor a pipeline with one.
    NotFittedError
        If it is not fitted.
    ValueError
        If samples and answers do not fit together, a label is not among those of `fit`, there are fewer than two
        known answers or over 20 tasks, or a parameter is out of range.
    OSError
        If the file cannot be written.

    Notes
    -----
    The interval of the accuracy is Wilson's. That of the balanced accuracy combines Wilson's intervals of the classes
    (MOVER). Those of other scores are percentiles of a bootstrap of the samples (1000 resamples; 200 from 100,000
    samples on). None of them knows of groups among samples. The expected
    calibration error has ten bins of equal width. Pictures and sounds of mistakes are in the file, which is as
    private as they are.

    References
    ----------
    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927; Zou & Donner,
    "Construction of Confidence Limits about Effect Measures", Statistics in Medicine 2008; Efron & Tibshirani, "An
    Introduction to the Bootstrap", 1993; Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks",
    ICML 2017.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skltransfer import TransferClassifier, report
    >>> from skltransfer.datasets import load_fashion_sample
    >>> sample = load_fashion_sample()
    >>> clf = TransferClassifier(image_size=32).fit(sample.images, sample.target)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = report(clf, sample.images_test[:50], sample.target_test[:50], Path(folder) / "clothes.html")
    ...     page.name, "Accuracy" in page.read_text()
    ('clothes.html', True)
    """
    path = Path(path)
    subject = Subject.of(estimator)
    _check(path, title, n_mistakes, learning_curve)
    n_test = _num_samples(X_test if subject.before is not None else gathered(X_test))
    columns, classes = read_answers(subject, n_test, y_test)
    tasks = answer(subject, X_test, columns, classes)
    name = type(subject.whole).__name__ if title is None else title
    written = page(name, _content(subject, X_test, n_test, tasks, name, int(n_mistakes), learning_curve))
    with written_whole(path) as file:
        file.write(written.encode("utf-8", errors="replace"))
    return path


def _content(
    subject: Subject, X: Any, n_test: int, tasks: list[Task], name: str, most: int, learning_curve: Any
) -> list[Markup]:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    said = f"Answers to {n_test:,} samples held out; written by skltransfer, {now}."
    content = [tag("h1", name), tag("p", said, class_="soft")]
    for task in tasks:
        content += sections.task_sections(subject, X, task, most)
    content.append(sections.training_section(subject, tasks, n_test))
    content += sections.history_section(subject)
    content += sections.curve_section(learning_curve)
    content += sections.selection_section(subject)
    content += sections.shift_section(subject, X)
    return [*content, sections.call_section(subject)]


def _check(path: Path, title: Any, n_mistakes: Any, learning_curve: Any) -> None:
    """Raise an error for what would only be found after the work."""
    if not isinstance(n_mistakes, Integral) or isinstance(n_mistakes, bool) or n_mistakes < 0:
        raise ValueError(f"n_mistakes: expected a whole number from 0 on. Got {n_mistakes!r}.")
    if title is not None and not isinstance(title, str):
        raise TypeError(f"title: expected a string or None. Got a {type(title).__name__}.")
    if learning_curve is not None and not hasattr(learning_curve, "forecast"):
        raise TypeError(
            "learning_curve: expected what skltransfer.transferability.learning_curve_forecast gives, or None. Got a "
            f"{type(learning_curve).__name__}."
        )
    check_folder(path)
    if path.is_dir():
        raise IsADirectoryError(f"{os.fspath(path)!r} is a folder. Expected a file; pass a path in it.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{os.fspath(path)!r} cannot be written: no files may be made in its folder.")
