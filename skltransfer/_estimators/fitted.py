"""What `fit` makes, as one immutable value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from skltransfer._engine.job import TrainingState
from skltransfer._estimators.graph import all_answers, keras_graph
from skltransfer._features.extraction import Extraction
from skltransfer._features.split import SplitNetwork
from skltransfer._heads.head import Head
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import Samples
from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import Backbone


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A fitted estimator as a value: how samples become answers.

    It holds plain values and read-only arrays, never a live Keras network.

    Parameters
    ----------
    format : InputFormat
        What one sample is.
    network : SplitNetwork
        How samples are prepared, the frozen part of the network, and the trainable one.
    backbone : Backbone
        The whole network, ready to start another estimator.
    head : Head or None
        From features to decision values; None if features are the answer.
    encoding : LabelEncoding, ValueEncoding or None
        From decision values to labels, or values.
    pretrained : bool
        Whether the backbone that the first fit started from was pretrained.
    n_epochs : int
        Where training continues: epochs of all calls, at least 1 each.
    history : mapping of str to list of float
        Losses and learning rate of each epoch; empty if the head was solved.
    n_features : int
        How many features it computes, if there is no head.
    training : TrainingState or None
        Where the last call of `partial_fit` left the training: moments of the optimizer, and random numbers.
    selection : mapping of str to list
        What was tried for the head, by column; empty if nothing was chosen.
    activation_ranges : mapping of str to tuple of (float, float)
        Smallest and largest values of the tensors of its ONNX graph, by name; empty if they were not measured.
    n_samples : int
        Samples that the last fit was given, those that it held out included; 0 if that is not known.
    """

    format: InputFormat
    network: SplitNetwork
    backbone: Backbone
    head: Head | None = None
    encoding: Any = None
    pretrained: bool = True
    n_epochs: int = 0
    history: Mapping[str, list[float]] = field(default_factory=dict)
    n_features: int = 0
    training: TrainingState | None = None
    selection: Mapping[str, list[Any]] = field(default_factory=dict, kw_only=True)
    activation_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict, kw_only=True)
    n_samples: int = field(default=0, kw_only=True)

    @property
    def extraction(self) -> Extraction:
        """The whole network as one feature extraction."""
        network = self.network
        whole = network.below if network.below is not None else network.above
        assert whole is not None
        if network.above is None or network.below is None:
            return whole
        last = self.backbone.stages[-1]
        return replace(whole, backbone=self.backbone, stage=last, pooling=network.above.pooling)

    @property
    def n_iter(self) -> int:
        """Iterations of the solver, or epochs."""
        return len(self.history.get("loss", ())) if self.head is None else self.head.n_iter

    def features(self, samples: Samples, memory: Any = None) -> Array:
        """Compute what the linear layer of the head decides on, shape (n_samples, n_features)."""
        if self.head is None:
            return self.network.features(samples, memory)
        return np.concatenate([self.head.embed(pooled) for pooled in self._pooled(samples, memory)])

    def decisions(self, samples: Samples, memory: Any = None) -> Array:
        """Compute decision values of shape (n_samples, n_outputs)."""
        assert self.head is not None
        return np.concatenate([self.head.decide(pooled) for pooled in self._pooled(samples, memory)])

    def with_backbone(self, backbone: Backbone) -> FittedModel:
        """Return the model with another network, of the same stages, in place of its own, and without its training."""
        network = SplitNetwork(replace(self.extraction, backbone=backbone), None, 0)
        return replace(self, network=network, backbone=backbone, training=None, activation_ranges={})

    def divided_by(self, temperature: float) -> FittedModel:
        """Return the model whose decision values are divided by a temperature."""
        assert self.head is not None
        return replace(self, head=self.head.divided_by(temperature))

    def arrays(self) -> dict[str, Array]:
        """Return all weights by name: those of the backbone, and those of the head."""
        found = {
            f"backbone/{path}": array for path, array in zip(self.backbone.paths, self.backbone.weights, strict=True)
        }
        head = () if self.head is None else self.head.arrays
        return found | {f"head/{number}": array for number, array in enumerate(head)}

    def to_keras(self, output: str = "auto") -> Any:
        """Build one ordinary Keras network from raw samples to answers.

        Parameters
        ----------
        output : {"auto", "probabilities", "decisions", "features"}, default="auto"
            What it gives: probabilities of classes or labels, or values in their own units,
            are "probabilities"; "auto" is that, or features if there is no head.

        Returns
        -------
        keras.Model
            A functional model. It takes pixels in the range that `fit` saw, of the size at
            which the network sees image files, or of the image arrays of `fit`; token ids,
            0 after the end of a text (``backbone.tokenization.encode``); waveforms at 16 kHz; or the columns of a
            table, in double precision if they are few (on JAX, where ``jax_enable_x64`` is set). Several tasks of
            classes are several outputs.

        Raises
        ------
        ValueError
            If ``output`` is none of these, or there is no head for it.
        """
        return keras_graph(self.extraction, self.format, self.head, self.encoding, output)

    def all_answers(self) -> Any:
        """Build one Keras network from raw samples to all that it can answer, by name.

        Returns
        -------
        keras.Model
            Its input is that of `to_keras`. Its outputs are "features", and with a head "values", or "decisions" of
            shape (n_samples, n_outputs) and "probabilities" (for several tasks of classes, "probabilities_0" and on).
        """
        return all_answers(self.extraction, self.format, self.head, self.encoding)

    def _pooled(self, samples: Samples, memory: Any) -> Iterator[Array]:
        """Yield pooled features, of some samples at a time."""
        assert self.head is not None
        if self.head.takes_maps:
            yield from (self.head.pool(maps) for maps in self.network.blocks(samples, memory))
        else:
            yield from self.network.parts(samples, memory)
