"""The pool of compiled networks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any


class Pool:
    """Compiled networks that nobody uses just now, at most ``size`` of them.

    Parameters
    ----------
    size : int
        How many idle networks are kept; those used longest ago go first.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._idle: OrderedDict[int, tuple[Hashable, Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._lent = 0

    @contextmanager
    def borrow(self, structure: Hashable, make: Callable[[], Any]) -> Iterator[Any]:
        """Lend a network of this structure, made by ``make`` if none is idle."""
        with self._lock:
            ticket = next((t for t, (known, _) in reversed(self._idle.items()) if known == structure), None)
            network = None if ticket is None else self._idle.pop(ticket)[1]
        if network is None:
            network = make()
        yield network
        with self._lock:
            self._lent += 1
            self._idle[self._lent] = (structure, network)
            while len(self._idle) > self.size:
                self._idle.popitem(last=False)

    def clear(self) -> None:
        """Let go of all idle networks."""
        with self._lock:
            self._idle.clear()


pool = Pool(size=12)
