"""Requests that arrive together go through the network together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Self

import numpy as np

from skltransfer._utils.types import Array

WAIT = 0.005
"""Seconds for which a batch waits for more; clients that were answered together ask again together."""


@dataclass(frozen=True)
class Job:
    """Samples of one request, and the answers to them that are to come."""

    samples: Sequence[Array]
    answers: Future[list[Array]]


class Batcher:
    """Computes answers in one thread, for as many requests at a time as there are.

    Parameters
    ----------
    compute : callable
        From samples to answers, one array for each output.
    batch_size : int
        Samples for which it no longer waits for more.

    Examples
    --------
    >>> import numpy as np
    >>> with Batcher(lambda samples: [np.stack(samples) * 2], batch_size=4) as batcher:
    ...     jobs = [batcher.submit([np.array([1])]), batcher.submit([np.array([2]), np.array([3])])]
    ...     [job.result()[0].tolist() for job in jobs]
    [[[2]], [[4], [6]]]
    """

    def __init__(self, compute: Callable[[Sequence[Array]], list[Array]], batch_size: int) -> None:
        self.compute, self.batch_size = compute, batch_size
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="skltransfer-batches", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._jobs.put(None)
        self._thread.join()

    def submit(self, samples: Sequence[Array]) -> Future[list[Array]]:
        """Ask for answers; a future that is cancelled before its batch begins is left out."""
        job = Job(samples, Future())
        self._jobs.put(job)
        return job.answers

    def _work(self) -> None:
        more = True
        while more:
            jobs, more = self._together()
            jobs = [job for job in jobs if job.answers.set_running_or_notify_cancel()]
            if jobs:
                self._answer(jobs)

    def _together(self) -> tuple[list[Job], bool]:
        """Return jobs that arrive together, and whether others may come."""
        job = self._jobs.get()
        jobs, until = [], time.monotonic() + WAIT
        while job is not None:
            jobs.append(job)
            if sum(len(each.samples) for each in jobs) >= self.batch_size:
                return jobs, True
            try:
                job = self._jobs.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                return jobs, True
        return jobs, False

    def _answer(self, jobs: list[Job]) -> None:
        ends = np.cumsum([len(job.samples) for job in jobs])[:-1]
        try:
            found = self.compute([sample for job in jobs for sample in job.samples])
            parts = [np.split(answers, ends) for answers in found]
        except Exception as error:  # it belongs to those who asked, and the thread goes on
            for job in jobs:
                job.answers.set_exception(error)
            return
        for job, *own in zip(jobs, *parts, strict=True):
            job.answers.set_result(own)
