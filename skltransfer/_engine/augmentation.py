"""Images changed at random, each in the same way whenever it is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from skltransfer._engine.pool import pool
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import Positions, Samples
from skltransfer._keras import backend as _backend
from skltransfer._keras.backend import import_keras, own_settings
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.types import Array
from skltransfer._validation import unknown_name
from skltransfer.backbones._backbone import building


@dataclass(frozen=True)
class Augmentation:
    """How images are changed.

    Parameters
    ----------
    layer : str
        A serialised Keras layer that changes images from 0 to 255 at random.
    format : InputFormat
        Which pixels are black and white.
    seed : int
        Decides, with the sample and the number of the view, how a sample is changed.
    """

    layer: str
    format: InputFormat
    seed: int

    def change(self, pixels: Array, digests: list[bytes]) -> Array:
        """Change each sample by the draw that its digest decides."""
        structure = ("augment", _backend.name(), self.layer, pixels.shape[1:])
        with own_settings(), pool.borrow(structure, lambda: _Changer(self.layer, pixels.shape[1:])) as changer:
            low, span = self.format.low, self.format.high - self.format.low
            bytes_ = (pixels.astype(np.float32) - low) * (255.0 / span)
            changed = [changer(sample[None], digest) for sample, digest in zip(bytes_, digests, strict=True)]
        values = np.concatenate(changed).clip(0.0, 255.0) * (span / 255.0) + low
        return (values if pixels.dtype.kind == "f" else np.rint(values)).astype(pixels.dtype)


class AugmentedSamples:
    """Samples, each changed at random in one way.

    Parameters
    ----------
    samples : Samples
        The images.
    augmentation : Augmentation
        How they are changed.
    view : int
        Which of several ways.
    """

    def __init__(self, samples: Samples, augmentation: Augmentation, view: int) -> None:
        self._samples, self._augmentation, self._view = samples, augmentation, view

    def __len__(self) -> int:
        return len(self._samples)

    def layout(self, preparation: Any) -> tuple[tuple[int, ...], str]:
        """Return shape and dtype of a sample as `read` gives it."""
        return self._samples.layout(preparation)

    def digest(self, position: int) -> bytes:
        """Digest of a sample and of how it is changed."""
        how = f"{self._augmentation.layer}{self._augmentation.seed}/{self._view}"
        return content_hash(self._samples.digest(position), how)

    def read(self, positions: Positions, preparation: Any = None) -> Array:
        """Return changed samples."""
        digests = [self.digest(int(i)) for i in positions]
        return self._augmentation.change(self._samples.read(positions, preparation), digests)

    def take(self, kept: Array) -> AugmentedSamples:
        """Return the samples that a boolean mask keeps."""
        return AugmentedSamples(self._samples.take(kept), self._augmentation, self._view)


class _Changer:
    """A compiled layer, and the seeds that it draws from."""

    def __init__(self, layer: str, shape: tuple[int, ...]) -> None:
        keras = import_keras()
        with building(0):
            self._layer = keras.saving.deserialize_keras_object(json.loads(layer), safe_mode=True)
            self._layer(np.zeros((1, *shape), dtype=np.float32), training=True)
        self._seeds = [v for v in self._layer.variables if "seed_generator_state" in v.path]
        self._call = _backend.compile_forward(
            self._layer, lambda sample: self._layer(sample, training=True), shape, "float32", frozen=False
        )

    def __call__(self, sample: Array, digest: bytes) -> Array:
        random = np.random.default_rng(list(digest))
        for variable in self._seeds:
            variable.assign(random.integers(2**31, size=variable.shape))
        return self._call(sample)


class NamedAugmentation(NamedTuple):
    """An augmentation that has a name.

    Parameters
    ----------
    layers : callable
        From `keras.layers` to layers that take and give images from 0 to 255, one after the other.
    text : str
        What it does, as docstrings say it after its name.
    """

    layers: Callable[[Any], list[Any]]
    text: str


AUGMENTATIONS: dict[str, NamedAugmentation] = {
    "flip": NamedAugmentation(lambda layers: [layers.RandomFlip("horizontal", name="flip")], "mirrors them"),
    "flip_shift": NamedAugmentation(  # as is usual for CIFAR-10
        lambda layers: [
            layers.RandomFlip("horizontal", name="flip"),
            layers.RandomTranslation(0.125, 0.125, name="shift"),
        ],
        "also shifts them by an eighth at most",
    ),
    "rand_augment": NamedAugmentation(
        lambda layers: [layers.RandAugment(name="rand_augment")], "is RandAugment (Cubuk et al., 2020)"
    ),
}


def augmentation_json(augmentation: Any, *, parameter: str = "augmentation", others: Sequence[str] = ()) -> str:
    """Serialise what changes images in training.

    Parameters
    ----------
    augmentation : str or keras.layers.Layer
        One of `AUGMENTATIONS`, or a layer that takes and gives images from 0 to 255.
    parameter : str, default="augmentation"
        What the estimator calls it.
    others : sequence of str
        Other names that the estimator knows.

    Returns
    -------
    str
        The layer as JSON.

    Raises
    ------
    ValueError
        If the name is not known.
    TypeError
        If it is neither a name nor a layer.
    """
    keras = import_keras()
    if isinstance(augmentation, keras.layers.Layer):
        return json.dumps(keras.saving.serialize_keras_object(augmentation), sort_keys=True)
    if not isinstance(augmentation, str):
        raise TypeError(
            f"{parameter}: expected a name, a Keras layer or None. Got {type(augmentation).__name__}; known names: "
            f"{', '.join(map(repr, (*others, *AUGMENTATIONS)))}."
        )
    if augmentation not in AUGMENTATIONS:
        raise unknown_name(parameter, augmentation, (*others, *AUGMENTATIONS))
    return _named_augmentation(augmentation)


@lru_cache
def _named_augmentation(name: str) -> str:
    keras = import_keras()
    with own_settings():
        layers = AUGMENTATIONS[name].layers(keras.layers)
        return json.dumps(keras.saving.serialize_keras_object(keras.Sequential(layers, name=name)), sort_keys=True)
