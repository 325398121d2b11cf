"""Weights in the format of PyTorch before 1.6, read without PyTorch and without running code from the file.

Such a file is a sequence: three pickles (a magic number, a version, the machine), a pickle of the tensors, which name
the storages that they are views of, a pickle of the names of the storages, and the values of each storage.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np

from skltransfer._utils.types import Array

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


class _Storage(NamedTuple):
    name: str
    dtype: str
    length: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(storage: _Storage, offset: int, shape: Any, strides: Any, gradient: bool, hooks: Any) -> _Tensor:
    """Stand in for the function of PyTorch that such a file calls for each tensor."""
    return _Tensor(storage, offset, shape, strides)


NAMES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    **{("torch", kind): dtype for kind, dtype in DTYPES.items()},
}
"""All that a file may name, and what stands for it here."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NAMES:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no weights need")
        return NAMES[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, name, _, length, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"expected whole storages, got {kind!r} and {view!r}")
        return _Storage(name, dtype, length)


def read_pth(content: bytes, name: str) -> dict[str, Array]:
    """Read the arrays of a ``.pth`` file by name.

    Parameters
    ----------
    content : bytes
        The file. Nothing that it names is imported, and only functions of this module are called; check
        its digest first nevertheless.
    name : str
        What an error calls it.

    Returns
    -------
    dict of str to ndarray
        Contiguous copies, in PyTorch's order of axes.

    Raises
    ------
    OSError
        If it is no such file, or holds anything but arrays by name.
    """
    try:
        return _arrays(io.BytesIO(content))
    except Exception as error:  # unpickling what is damaged can raise anything
        raise OSError(
            f"{name} cannot be read ({error}). Expected weights in the format of PyTorch before 1.6: float32 and int64 "
            "tensors by name."
        ) from error


def _arrays(file: io.BytesIO) -> dict[str, Array]:
    magic, version, machine = (_Reader(file).load() for _ in range(3))
    if (magic, version, machine["little_endian"]) != (MAGIC, VERSION, True):
        raise ValueError(f"its magic number, version and machine are {magic}, {version} and {machine}")
    tensors = dict(_Reader(file).load())
    dtypes = {tensor.storage.name: tensor.storage.dtype for tensor in tensors.values()}
    storages = {name: _values(file, np.dtype(dtypes[name])) for name in _Reader(file).load()}
    if rest := len(file.read()):
        raise ValueError(f"{rest} bytes follow its last storage")
    return {name: _view(tensor, storages[tensor.storage.name]) for name, tensor in tensors.items()}


def _values(file: io.BytesIO, dtype: np.dtype[Any]) -> Array:
    """Read the values of the next storage."""
    length = int.from_bytes(file.read(8), "little")
    return np.frombuffer(file.read(length * dtype.itemsize), dtype, count=length)


def _view(tensor: _Tensor, values: Array) -> Array:
    """Copy the values that a tensor is a view of."""
    steps = [(size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)]
    inside = min(tensor.offset, *steps, 0) == 0 and tensor.offset + sum(steps) < len(values)
    if not inside or len(values) != tensor.storage.length:
        raise ValueError(f"{tensor} is no part of its {len(values)} values")
    strides = tuple(stride * values.itemsize for stride in tensor.strides)
    part = np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, strides, writeable=False)
    return part.copy()
