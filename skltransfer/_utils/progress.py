"""Progress bars."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

Found = TypeVar("Found")

_name: ContextVar[str | None] = ContextVar("name", default=None)
"""Whose features are computed, if their progress is shown."""


def progress_bar() -> Any:
    """Make a bar with a description, a count and the time."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


@contextmanager
def showing(name: str, verbose: int) -> Iterator[None]:
    """Show how features are computed in here, under the name of an estimator, if `verbose`."""
    token = _name.set(name if verbose else None)
    try:
        yield
    finally:
        _name.reset(token)


@contextmanager
def hidden() -> Iterator[None]:
    """Show nothing in here, as another bar is drawn."""
    with showing("", 0):
        yield


class FeatureCount:
    """Counts samples whose features are known; the bar appears when the first ones have to be computed.

    Parameters
    ----------
    n_samples : int
        How many there are.
    """

    def __init__(self, n_samples: int) -> None:
        self._name, self._n_samples, self._done = _name.get(), n_samples, 0
        self._bar: Any = None

    def computing(self) -> None:
        """Learn that features are computed now."""
        if self._name is not None and self._bar is None:
            self._bar = progress_bar()
            self._bar.start()
            self._task = self._bar.add_task(f"{self._name}: features", total=self._n_samples, completed=self._done)

    def add(self, n_samples: int) -> None:
        """Learn that the features of so many more samples are known."""
        self._done += n_samples
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done)

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()


def counted(found: Iterator[Found], n_samples: int) -> Iterator[Found]:
    """Yield what is computed of one sample after the other, and count it."""
    count = FeatureCount(n_samples)
    count.computing()
    try:
        for one in found:
            yield one
            count.add(1)
    finally:
        count.end()
