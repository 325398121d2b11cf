"""The network of a student; imported when it is compiled, as it needs Keras."""

from __future__ import annotations

from typing import Any

from keras import ops

from skltransfer._engine.design import Design
from skltransfer._heads.network import DecidingNetwork


class ImitatingNetwork(DecidingNetwork):
    """Gives decision values, then softened ones."""

    def __init__(self, design: Design, body: Any, goal: Any) -> None:
        super().__init__(design, body, goal)
        self.sharpness = self.setting("sharpness")

    def call(self, batch: Any, training: bool = False) -> Any:
        """Compute decision values, and the same divided by the temperature."""
        decisions = super().call(batch, training)
        return ops.concatenate([decisions, decisions * ops.cast(self.sharpness, decisions.dtype)], axis=1)
