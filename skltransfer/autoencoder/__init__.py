"""Networks that learn from rows without labels."""

from skltransfer.autoencoder._autoencoder import AutoencoderTransformer

__all__ = ["AutoencoderTransformer"]
