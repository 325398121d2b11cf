"""Who follows a fit: scikit-learn's callbacks, and a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from skltransfer._engine.job import TrainingResult, Watcher
from skltransfer._utils.progress import hidden, progress_bar, showing


class FitWatcher(Watcher):
    """Call scikit-learn's callbacks at each epoch, and draw a progress bar if ``verbose``.

    Parameters
    ----------
    estimator : estimator
        The one that is fitted.
    context : sklearn.callback.CallbackContext
        Of its `fit`.
    verbose : int
        Whether to draw a bar.
    data : mapping of str to object, optional
        What `fit` was called with, as hooks of scikit-learn's callbacks call it: ``X``, ``y``
        and ``metadata``.
    attributes : callable, optional
        From a `TrainingResult` to the attributes that make a copy of the estimator a fitted
        one, which is made only if a callback asks for it.
    """

    def __init__(
        self,
        estimator: Any,
        context: Any,
        *,
        verbose: int,
        data: Mapping[str, Any] | None = None,
        attributes: Callable[[TrainingResult], dict[str, Any]] | None = None,
    ) -> None:
        self._estimator, self._context, self._verbose = estimator, context, verbose
        self._data, self._attributes = dict(data or {}), attributes
        self._bar: Any = None
        self._epoch_context: Any = None

    def begin(self, epochs: int) -> None:
        if self._verbose:
            self._bar = progress_bar()
            self._bar.start()
            self._task = self._bar.add_task(type(self._estimator).__name__, total=epochs)

    def epoch_begin(self, epoch: int) -> None:
        self._epoch_context = self._context.subcontext(task_name="epoch")
        self._epoch_context.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def epoch_end(self, epoch: int, logs: dict[str, float], result: Callable[[], TrainingResult]) -> bool:
        if self._bar is not None:
            losses = ", ".join(f"{name} {value:.4g}" for name, value in logs.items() if "loss" in name)
            self._bar.update(self._task, completed=epoch + 1, description=f"{type(self._estimator).__name__}: {losses}")
        with hidden():
            return self._tell(self._attributes, result)

    def _tell(self, make: Callable[[TrainingResult], dict[str, Any]] | None, result: Callable[[], Any]) -> bool:
        """Let scikit-learn's callbacks look at the epoch, and at the estimator as it is then."""
        fitted = None if make is None else lambda: make(result())
        return bool(
            self._epoch_context.call_on_fit_task_end(
                estimator=self._estimator, **self._data, reconstruction_attributes=fitted
            )
        )

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()


class FitMonitor:
    """Follow one fit of an estimator, for scikit-learn's callbacks and progress bars.

    Parameters
    ----------
    estimator : estimator
        The one that is fitted, with scikit-learn's `CallbackSupportMixin`.
    X, y : object
        What `fit` was called with.
    sample_weight : array-like of shape (n_samples,), optional
        Sample weights.
    """

    def __init__(self, estimator: Any, X: Any, y: Any = None, sample_weight: Any = None) -> None:
        self._estimator = estimator
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"X": X, "y": y, "metadata": metadata}
        self._context: Any = None

    def begin(self, n_epochs: int) -> None:
        """Begin a fit of so many epochs."""
        self._context = self._estimator._init_callback_context(max_subtasks=n_epochs)
        self._context.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def watcher(self, attributes: Callable[[TrainingResult], dict[str, Any]]) -> FitWatcher:
        """Watch one training of it; ``attributes`` makes a copy of the estimator a fitted one."""
        verbose = int(self._estimator.verbose)
        return FitWatcher(self._estimator, self._context, verbose=verbose, data=self._data, attributes=attributes)

    def showing(self) -> AbstractContextManager[None]:
        """Show how features are computed in here, if the estimator is verbose."""
        return showing(type(self._estimator).__name__, int(self._estimator.verbose))

    def end(self) -> None:
        """End the fit, once the estimator has its fitted attributes."""
        self._context.call_on_fit_task_end(estimator=self._estimator, **self._data, reconstruction_attributes={})


class Unwatched(FitWatcher):
    """Watches nothing."""

    def __init__(self) -> None:
        """Know of no estimator."""

    def begin(self, epochs: int) -> None:
        """Learn how many epochs there are at most."""

    def epoch_begin(self, epoch: int) -> None:
        """Learn that an epoch begins."""

    def epoch_end(self, epoch: int, logs: dict[str, float], result: Callable[[], TrainingResult]) -> bool:
        """Go on."""
        return False

    def end(self) -> None:
        """Take no bar away."""


class UnwatchedMonitor(FitMonitor):
    """Follow a fit of which callbacks and progress bars are not told, such as that of a candidate."""

    def begin(self, n_epochs: int) -> None:
        """Begin a fit of so many epochs."""

    def watcher(self, attributes: Callable[[TrainingResult], dict[str, Any]]) -> FitWatcher:
        """Watch nothing."""
        return Unwatched()
