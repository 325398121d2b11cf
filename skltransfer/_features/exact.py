"""Batches in which the bits of a feature depend on its sample alone.

A product of matrices adds up its last lines in another order than those before them, and small
products in another order than large ones. So the last bits of a feature differ by where its sample
stands in a batch, and by how large the batch is; by the other samples they do not. Which places
agree is found by trial, once for each compiled network: one sample is repeated through a batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from skltransfer._engine.forward import Forward
from skltransfer._inputs.samples import SampleSpec
from skltransfer._keras import backend as _backend
from skltransfer._utils.types import Array

Places = NDArray[np.intp]

STEP = 6
"""Sizes of large batches are multiples of it, which leave the matrix products of TensorFlow no last lines."""

TRIAL_VALUES = 24
"""Features that are compared at least, as few may be equal by chance."""

SIZES = (1, 2, 3, *sorted(STEP * times * 2**power for times in (1, 3) for power in range(12)))
"""Sizes of batches, of which the smallest one that has room for all samples is taken."""


class ExactBatches:
    """Batches for samples of one shape, in which the same sample always has the same features.

    Parameters
    ----------
    network : Forward
        It computes the batches.
    sample : tuple of (shape, dtype)
        Of one sample, its length included.
    full : int
        Samples in the largest batches, whose features all others have to agree with.
    model : Forward, optional
        The network whose features count, if another one computes the batches.
    """

    def __init__(self, network: Forward, sample: SampleSpec, full: int, model: Forward | None = None) -> None:
        self.network, self.sample, self.full = network, sample, full
        self.model = network if model is None else model
        self.sizes = (*(size for size in SIZES if size < full and not _backend.fixed_batches()), full)

    def cut(self, n_samples: int) -> Iterator[tuple[int, Places]]:
        """Yield the size of each batch, and the places of samples in it, until all of them have one."""
        while n_samples > 0:
            size, places = next(self._with_room(n_samples))
            yield size, places[:n_samples]
            n_samples -= len(places)

    def places(self, size: int) -> Places:
        """Return the places in batches of a size at which features are those of full batches."""
        known, key = self.network.places, (self.sample, self.full, size)
        if key in known:
            return known[key]
        agree, standards = np.ones(size, bool), self._standards()
        for number, standard in enumerate(standards):
            found = self.network(self._trial(number, size))
            agree &= [features.tobytes() == standard.tobytes() for features in found]
        if np.ptp(np.stack(standards)) > 0:  # else these weights show nothing
            known[key] = np.flatnonzero(agree)
        return np.flatnonzero(agree)

    def _with_room(self, n_samples: int) -> Iterator[tuple[int, Places]]:
        """Yield sizes of batches with room for all samples, from the smallest on; the largest may have less room."""
        for size in self.sizes:
            if size == self.full or (size >= n_samples and len(self.places(size)) >= n_samples):
                yield size, self.places(size)

    def _standards(self) -> list[Array]:
        """Features of some samples of noise that most places of a full batch give."""
        key = (self.sample, self.full)
        if key not in self.model.standards:
            found = [_most_common(self.model(self._trial(0, self.full)))]
            for number in range(1, -(-TRIAL_VALUES // found[0].size)):
                found.append(_most_common(self.model(self._trial(number, self.full))))
            self.model.standards[key] = found
        return self.model.standards[key]

    def _trial(self, number: int, size: int) -> Array:
        """Repeat a sample of noise; numbers of tokens are small ones, which every vocabulary has."""
        shape, dtype = self.sample
        random = np.random.default_rng(number)
        high = 4 if len(shape) == 1 else 2 if dtype == "bool" else 128
        floats = np.dtype(dtype).kind == "f"
        noise: Array = random.standard_normal(shape) if floats else random.integers(1, high, shape)
        return np.repeat(noise.astype(dtype)[None], size, axis=0)


def fill(block: Array, size: int, places: Places) -> Array:
    """Lay samples at their places in a batch; the first of them stands at all others."""
    if len(block) == size:
        return block
    positions = np.zeros(size, np.intp)
    positions[places] = np.arange(len(places))
    return block[positions]


def _most_common(features: Array) -> Array:
    counts = Counter(place.tobytes() for place in features)
    ((bits, _),) = counts.most_common(1)
    return next(place.copy() for place in features if place.tobytes() == bits)
