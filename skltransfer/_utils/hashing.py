"""Digests of content."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating]


DIGEST_BYTES = 16


def content_hash(*parts: Any) -> bytes:
    """Digest of 16 bytes that depends on the values, dtypes and shapes of the parts.

    Parameters
    ----------
    *parts : contiguous ndarrays, bytes or str
        What to digest.

    Returns
    -------
    bytes
        The first 16 bytes of a SHA-256.

    Examples
    --------
    >>> import numpy as np
    >>> content_hash(np.zeros(2)) == content_hash(np.zeros(2))
    True
    >>> content_hash(np.zeros(2)) == content_hash(np.zeros(2, dtype="float32"))
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(part.reshape(-1).view(np.uint8).data if part.size else b"")  # bfloat16 has no buffer
        else:
            digest.update(part.encode() if isinstance(part, str) else part)
    return digest.digest()[:DIGEST_BYTES]
