"""Blocks of features that a hidden layer learns from, brought to one scale: for texts, words beside the encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skltransfer._features.blocks import block_widths
from skltransfer._features.extraction import Extraction
from skltransfer._heads.automatic import MIN_SAMPLES
from skltransfer._heads.choice import block_scale, candidates, choose
from skltransfer._heads.span import moments
from skltransfer._inputs.samples import Positions, Samples, SampleSpec
from skltransfer._targets.targets import Targets
from skltransfer._utils.hashing import DIGEST_BYTES, content_hash
from skltransfer._utils.types import Array, Floats


@dataclass(frozen=True, eq=False)
class BlockScale:
    """Features at one scale, without those of blocks that are left out.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        What is subtracted from each feature.
    divisor : ndarray of shape (n_features,)
        What it is divided by then; infinite for blocks that are left out.
    """

    mean: Floats
    divisor: Floats

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which features count."""
        return np.isfinite(self.divisor)

    def __call__(self, features: Array) -> Array:
        """Bring features of shape (n_samples, n_features) to the scale, shape (n_samples, n_kept)."""
        kept = self.kept
        return ((features[:, kept] - self.mean[kept]) / self.divisor[kept]).astype(np.float32)

    def folded(self, arrays: Sequence[Array]) -> list[Array]:
        """Return the weights of a head on features as they come, of those of one on features at this scale."""
        (kernel, bias, *above), kept = arrays, self.kept
        first = np.zeros((len(kept), kernel.shape[1]), kernel.dtype)
        first[kept] = kernel / self.divisor[kept, None]
        return [first, (bias - self.mean @ first.astype(np.float64)).astype(bias.dtype), *above]


class ScaledSamples:
    """Features of samples at one scale.

    Parameters
    ----------
    features : Samples
        Features as they come.
    scale : BlockScale
        What they are brought to.
    """

    def __init__(self, features: Samples, scale: BlockScale) -> None:
        self.features, self.scale = features, scale

    def __len__(self) -> int:
        return len(self.features)

    def layout(self, preparation: object) -> SampleSpec:
        """Return shape and dtype of a sample as `read` gives it."""
        return (int(self.scale.kept.sum()),), "float32"

    def digest(self, position: int) -> bytes:
        """Digest of the content of a sample."""
        return content_hash(np.ascontiguousarray(self.read([position])))

    def read(self, positions: Positions, preparation: object = None) -> Array:
        """Return the features of the samples at these positions."""
        return self.scale(self.features.read(positions))

    def take(self, kept: Array) -> ScaledSamples:
        """Return the samples that a boolean mask keeps."""
        return ScaledSamples(self.features.take(kept), self.scale)


def scale_blocks(
    extraction: Extraction, features: Array, targets: Targets, source: NDArray[np.bool_], weights: Floats
) -> BlockScale:
    """Choose how much each block counts, by the error on samples of the source that are held out.

    Parameters
    ----------
    extraction : Extraction
        What the features are.
    features : ndarray of shape (n_samples, n_features)
        The blocks beside each other.
    targets : Targets
        Of all samples; those of the target have no weight.
    source : ndarray of bool, shape (n_samples,)
        Which samples have labels.
    weights : ndarray of shape (n_samples,)
        How much each sample counts in the mean and spread of a block.

    Returns
    -------
    BlockScale
    """
    widths = block_widths(extraction, features.shape[1])
    options = candidates(extraction.outputs, widths)
    known, chosen = features[source], options[0]
    groups = np.array([content_hash(row) for row in np.ascontiguousarray(known)], dtype=f"S{DIGEST_BYTES}")
    if len(np.unique(groups)) >= MIN_SAMPLES:
        chosen = options[choose(known, targets.take(source), widths, options, groups)[0].chosen]
    counting = weights > 0
    seen, weights = features[counting], weights[counting]
    divisor = block_scale(seen, weights, widths, chosen.shares, widths[0])
    return BlockScale(moments(seen, weights)[0], divisor)
