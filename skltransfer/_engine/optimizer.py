"""The optimizer of all trainings; imported when the first network is compiled, as it needs Keras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras


class SharedAdamW(keras.optimizers.Adam):
    """AdamW in which each weight gets its share of the learning rate; vectors have no weight decay."""

    def build(self, variables: Sequence[Any]) -> None:
        """Make the state, and the variables that a training sets."""
        if self.built:
            return
        super().build(variables)
        self.shares = self.add_variable((len(variables),), initializer="ones", name="shares")
        self.decay = self.add_variable((), initializer="zeros", name="decay")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one weight."""
        share = keras.ops.cast(self.shares[self._get_variable_index(variable)], variable.dtype)
        rate = keras.ops.cast(learning_rate, variable.dtype) * share
        if len(variable.shape) > 1:
            decay = keras.ops.cast(self.decay, variable.dtype)
            variable.assign(variable - variable * decay * rate)
        super().update_step(gradient, variable, rate)
