"""The text of a parameter of `AutoencoderTransformer` that lists a table."""

from __future__ import annotations

from skltransfer._engine.augmentation import AUGMENTATIONS
from skltransfer._estimators.documentation import entries, names
from skltransfer.autoencoder._fitting import CORRUPTIONS

AUTOENCODER_TEXTS = entries(
    f"""\
corruption : {{{names([*CORRUPTIONS, *AUGMENTATIONS])}}}, keras.layers.Layer or None, default=None
    How samples are corrupted, after ``augmentation``, before the encoder sees them in
    training; the reconstruction is compared with the whole sample as it was. Noise is added
    ("gaussian"); values are replaced by the mean ("mask"), single ones in tables, patches of an
    eighth of the side of images and sequences; or values are dropped, and the others scaled up
    ("dropout"). With "mask", a table may miss values (NaN). A name
    of an augmentation, or a layer that takes and gives images from 0 to 255, distorts
    images: latent values then hardly depend on what it changes.
"""
)
