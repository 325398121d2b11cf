"""A mapping that is bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

ENTRY_BYTES = 512
"""What an entry takes beside the bytes of its value: key, array object, and places in the mapping."""


class ByteLRU:
    """A thread-safe mapping that forgets what was used longest ago once it is full.

    Parameters
    ----------
    max_bytes : int
        Room for the values, in bytes, and for `ENTRY_BYTES` with each of them.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.n_bytes = 0
        self._items: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: bytes) -> Any:
        """Return the value, or None if it is not (or no longer) there."""
        with self._lock:
            item = self._items.get(key)
            if item is None:
                return None
            self._items.move_to_end(key)
            return item[0]

    def put(self, key: bytes, value: Any, n_bytes: int) -> None:
        """Keep a value of so many bytes; one that is larger than the room is not kept."""
        with self._lock:
            if key in self._items:
                self.n_bytes -= self._items.pop(key)[1]
            self._items[key] = (value, n_bytes + ENTRY_BYTES)
            self.n_bytes += n_bytes + ENTRY_BYTES
            while self.n_bytes > self.max_bytes:
                self.n_bytes -= self._items.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()
            self.n_bytes = 0
