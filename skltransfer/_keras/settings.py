"""The settings with which networks are built and computed, whatever Keras' global ones are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from skltransfer._keras import backend as _backend
from skltransfer._keras.optional import import_keras

OWN = {"floatx": "float32", "image_data_format": "channels_last", "epsilon": 1e-7}
"""Settings of the process; those that Keras starts with."""


class _Visit:
    """How many threads are inside, and what the settings were before the first of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.n_inside = 0
        self.outside: dict[str, Any] = {}


_visit = _Visit()


@contextmanager
def own_settings() -> Iterator[None]:
    """Build and compute in float32 and channels last, and float64 networks in float64.

    Keras' dtype policy belongs to a thread, and is put back on leaving. Its other settings belong to
    the process: they are put back when the last thread leaves, and other threads meanwhile see them as
    they are in here.

    Raises
    ------
    RuntimeError
        If this process was forked after a backend had started.
    """
    config = import_keras().config
    state: Any = import_module("keras.src.backend.common.global_state")
    policy = state.get_global_attribute("dtype_policy")  # config.dtype_policy() would settle it where it is open
    _backend.start()
    _enter(config)
    try:
        config.set_dtype_policy("float32")
        with _backend.double_precision():
            yield
    finally:
        state.set_global_attribute("dtype_policy", policy)
        _leave(config)


def _enter(config: Any) -> None:
    with _visit.lock:
        if not _visit.n_inside:
            _visit.outside = _settings(config)
            _change(config, OWN)
        _visit.n_inside += 1


def _leave(config: Any) -> None:
    with _visit.lock:
        _visit.n_inside -= 1
        if not _visit.n_inside and _settings(config) == OWN:
            _change(config, _visit.outside)


def _settings(config: Any) -> dict[str, Any]:
    return {name: getattr(config, name)() for name in OWN}


def _change(config: Any, settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        if getattr(config, name)() != value:
            getattr(config, f"set_{name}")(value)
