"""Following a fit: scikit-learn's callbacks, and a progress bar."""

from __future__ import annotations

from typing import Any

from skltransfer._engine.loop import Watcher


class FitWatcher(Watcher):
    """Call scikit-learn's callbacks in each epoch, and draw a bar if ``verbose``.

    Parameters
    ----------
    estimator : estimator
        The one that is fitted.
    context : sklearn.callback.CallbackContext
        Of its `fit`.
    verbose : int
        Whether to draw a bar.
    """

    def __init__(self, estimator: Any, context: Any, *, verbose: int) -> None:
        self._estimator, self._context, self._verbose = estimator, context, verbose
        self._bar: Any = None
        self._epoch_context: Any = None

    def begin(self, epochs: int) -> None:
        if self._verbose:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns)
            self._bar.start()
            self._task = self._bar.add_task(type(self._estimator).__name__, total=epochs)

    def epoch_begin(self, epoch: int) -> None:
        self._epoch_context = self._context.subcontext(task_name="epoch")
        self._epoch_context.call_on_fit_task_begin(estimator=self._estimator)

    def epoch_end(self, epoch: int, logs: dict[str, float]) -> bool:
        if self._bar is not None:
            losses = ", ".join(f"{name} {value:.4g}" for name, value in logs.items() if "loss" in name)
            self._bar.update(self._task, completed=epoch + 1, description=f"{type(self._estimator).__name__}: {losses}")
        return self._epoch_context.call_on_fit_task_end(estimator=self._estimator)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()


class FitMonitor:
    """Follow one fit of an estimator, for scikit-learn's callbacks and progress bars.

    Parameters
    ----------
    estimator : estimator
        The one that is fitted, with scikit-learn's `CallbackSupportMixin`.
    """

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self._context: Any = None

    def begin(self, n_epochs: int) -> None:
        """Begin a fit of so many epochs."""
        self._context = self._estimator._init_callback_context(max_subtasks=n_epochs)
        self._context.call_on_fit_task_begin(estimator=self._estimator)

    def watcher(self) -> FitWatcher:
        """Watch one training of it."""
        return FitWatcher(self._estimator, self._context, verbose=int(self._estimator.verbose))

    def end(self) -> None:
        """End the fit, once the estimator has its fitted attributes."""
        self._context.call_on_fit_task_end(estimator=self._estimator)
