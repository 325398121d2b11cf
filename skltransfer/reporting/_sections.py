"""The sections of a report, from scores to the call that repeats it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

from skltransfer._estimators.summary import Summary
from skltransfer._keras import backend
from skltransfer._keras.optional import version
from skltransfer._version import __version__
from skltransfer.domain_shift._report import domain_report
from skltransfer.plots._forecast import LearningCurveForecastDisplay
from skltransfer.plots._history import HistoryDisplay
from skltransfer.reporting._answers import Task
from skltransfer.reporting._drawing import drawing, figure
from skltransfer.reporting._figures import MOST, calibration_figure, confusion_figure, confusion_table, values_figure
from skltransfer.reporting._html import NOTHING, Markup, markup, number, section, table, tag
from skltransfer.reporting._mistakes import mistakes
from skltransfer.reporting._scores import Reliability, scores_of
from skltransfer.reporting._subject import Subject

LIBRARIES = ("scikit-learn", "numpy", "scipy")
LISTED = 60
"""Rows of a table of what was tried."""
NAMED = 30
"""Classes that are listed by name."""


def training_section(subject: Subject, tasks: list[Task], n_test: int) -> Markup:
    """Say what was trained on what."""
    found = Summary.of(subject.own)
    steps = getattr(subject.whole, "steps", None)
    named = (
        type(subject.whole).__name__
        if steps is None
        else " → ".join(type(step).__name__ for _, step in steps if hasattr(step, "fit"))
    )
    if steps is None and subject.own is not subject.whole:
        named += f" (student: {type(subject.own).__name__})"
    start = "pretrained" if found.pretrained else "from random weights"
    rows: list[tuple[str, Any]] = [
        ("Estimator", named),
        ("Backbone", f"{found.backbone}, {start}, {found.n_stages} stage{'s' if found.n_stages != 1 else ''}"),
        ("Samples", found.samples),
        ("Fitted to", f"{subject.own.model_.n_samples:,} samples"),
        ("Trained", found.trained),
        ("Weights", f"{found.n_network:,} in the network, {found.n_head:,} in the head"),
        ("Trained weights", f"{found.n_trained + found.n_head:,}"),
    ]
    n_iter = getattr(subject.own, "n_iter_", None)
    if n_iter is not None:
        rows.append(("Iterations", int(n_iter)))
    rows += [(f"{task.name} classes".strip().capitalize(), _listed(task.names)) for task in tasks if task.names]
    rows.append(("Samples of this report", f"{n_test:,}"))
    return section("What was trained", table(["Part", "What it is"], rows, "What was trained"))


def _listed(names: list[str]) -> str:
    more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)}: {', '.join(names[:NAMED])}{more}"


def task_sections(subject: Subject, X: Any, task: Task, most: int) -> list[Markup]:
    """Return the sections of one task, below a heading of its own if there are several."""
    level = 3 if task.name else 2
    parts = [section("Scores", _tiles(task), level=level)]
    if task.classes is None:
        parts.append(section("Values and errors", tag("div", values_figure(task), class_="pair"), level=level))
        title = "Largest errors"
    else:
        drawn = [confusion_figure(task) if len(task.names) <= MOST else confusion_table(task)]
        if task.chances is not None:
            drawn.append(calibration_figure(Reliability.of(task)))
        title = "Surest mistakes"
        heading = "Confusions and calibration" if len(drawn) > 1 else "Confusions"
        parts.append(section(heading, tag("div", *drawn, class_="pair"), _by_class(task), level=level))
    parts.append(section(title, *mistakes(subject, X, task, most), level=level))
    return [section(task.name, *parts)] if task.name else parts


def _tiles(task: Task) -> Markup:
    tiles = [
        tag(
            "li",
            tag("span", score.name, class_="name"),
            tag("span", number(score.value), class_="value"),
            tag("span", f"{number(score.low)} to {number(score.high)} (95 %, {score.interval})", class_="soft"),
            tag("span", score.meaning, class_="soft"),
        )
        for score in scores_of(task)
    ]
    said = (
        f"On {len(task.right):,} samples. Intervals: Wilson's of a share; for the mean over classes, theirs combined; "
        "otherwise percentiles of a bootstrap of the samples."
    )
    return Markup(tag("ul", *tiles, class_="tiles") + tag("p", said, class_="soft"))


def _by_class(task: Task) -> Markup:
    labels = range(len(task.names))
    found = precision_recall_fscore_support(task.right, task.predicted, labels=labels, zero_division=np.nan)
    rows = [
        [name, *(number(float(column[place])) for column in found[:3]), int(found[3][place])]
        for place, name in enumerate(task.names)
    ]
    head = ["Class", "Precision", "Recall", "F1", "Samples"]
    return tag("details", tag("summary", "Each class"), table(head, rows, "Scores of each class"))


def history_section(subject: Subject) -> list[Markup]:
    """Draw the losses of a training, if there was one."""
    history = getattr(subject.own, "history_", None)
    if not history or len(history.get("loss", ())) < 2:
        return []
    loss = history["loss"]
    said = f"Training curve over {len(loss)} epochs: the loss goes from {loss[0]:.3g} to {loss[-1]:.3g}."
    drawn = drawing(lambda ax: HistoryDisplay(history=history).plot(ax=ax), said, width=6, height=3.2)
    return [section("Training", figure(drawn))]


def curve_section(forecast: Any) -> list[Markup]:
    """Draw a learning curve that was passed."""
    if forecast is None:
        return []
    said = (
        f"Learning curve: scores for {min(forecast.sizes)} to {max(forecast.sizes)} labeled samples, and what more are "
        "expected to bring."
    )
    drawn = drawing(lambda ax: LearningCurveForecastDisplay.from_forecast(forecast, ax=ax), said, width=6)
    return [section("Learning curve", figure(drawn))]


def selection_section(subject: Subject) -> list[Markup]:
    """List what a fit tried, and what it chose."""
    tried = getattr(subject.own, "selection_", None)
    if not isinstance(tried, Mapping) or not tried:
        return []
    names = [name for name in tried if name != "chosen" and _is_told(name, tried[name])]
    n_candidates = len(next(iter(tried.values())))
    taken = tried.get("chosen", [False] * n_candidates)
    kept = [row for row in range(n_candidates) if row < LISTED or taken[row]]
    rows = [[_cell(tried[name][row]) for name in names] for row in kept]
    chosen = [place for place, row in enumerate(kept) if taken[row]]
    said = f"{n_candidates} candidates were tried; those in color were chosen."
    said += f" The first {LISTED} and the chosen ones are listed." if n_candidates > LISTED else ""
    head = [name.replace("_", " ") for name in names]
    return [section("What was tried", tag("p", said, class_="soft"), table(head, rows, "What was tried", chosen))]


def _is_told(name: str, values: Any) -> bool:
    """Leave out columns without values, and tasks where there is one."""
    return len(set(values)) > 1 if name == "task" else any(_cell(value) != NOTHING for value in values)


def _cell(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return number(value) if isinstance(value, float | int | str) else NOTHING if value is None else str(value)


def shift_section(subject: Subject, X: Any) -> list[Markup]:
    """Say how the samples lie beside both domains that an adaptation estimator was fitted on."""
    reference = getattr(subject.own.model_, "reference", None)
    if reference is None or not reference.places or not subject.is_last:
        return []
    found = domain_report(subject.own, subject.own_samples(X))
    rows = [(name, number(float(value)), meaning) for name, value, meaning in found._figures()]
    said = tag("ul", *(tag("li", sentence) for sentence in found.suggestions))
    return [section("Domain shift", said, table(["Figure", "Value", "Meaning"], rows, "Domain shift"))]


def call_section(subject: Subject) -> Markup:
    """Say by which call, and which versions, all of it is repeated."""
    call = subject.whole.__repr__(N_CHAR_MAX=10**6)
    versions = [("skltransfer", __version__), ("Python", platform.python_version()), ("Keras", backend.version())]
    versions += [(name, version(name) or NOTHING) for name in LIBRARIES]
    listed = table(["Package", "Version"], versions, "Versions")
    said = tag("p", "The estimator, as it was called; the samples go to its method fit.")
    return section("How to repeat it", said, tag("pre", markup(call)), listed)
