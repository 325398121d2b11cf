"""What displays draw into."""

from __future__ import annotations

from typing import Any


def axes(ax: Any, width: float, height: float) -> Any:
    """Return ``ax``, or the axes of a new figure of pyplot, of so many inches, if it is None."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]
