"""Networks that learn from samples without labels."""

from skltransfer.autoencoder._autoencoder import AutoencoderTransformer

__all__ = ["AutoencoderTransformer"]
