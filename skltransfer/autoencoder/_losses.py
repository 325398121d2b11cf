"""Losses of reconstructions and of the distributions that they come from."""

from __future__ import annotations

import math
from typing import Any

NATS = {"mse": 0.5, "mae": 1.0, "bce": 1.0}
"""A reconstruction loss times this is a negative log-likelihood by value, up to a constant: of a normal
distribution and of a Laplace distribution of unit scale, and of a Bernoulli distribution."""
NATS_CONSTANT = {"mse": 0.5 * math.log(2 * math.pi), "mae": math.log(2), "bce": 0.0}
"""That constant, by value."""
RECONSTRUCTION_LOSSES = ("mse", "mae", "bce", "ssim")
SSIM_WINDOW = 7


def reconstruction_loss(kind: str, target: Any, output: Any, present: Any = None) -> Any:
    """Difference of each sample from its reconstruction, a mean over its values.

    Parameters
    ----------
    kind : {"mse", "mae", "bce", "ssim"}
        Squared difference, absolute difference, binary cross-entropy in nats, or one minus
        the structural similarity.
    target, output : tensors of shape (n_samples, ...)
        Samples and their reconstructions; from 0 to 1 for "bce" and "ssim".
    present : tensor of bool, optional
        Which values of the target are there; the others do not count.

    Returns
    -------
    tensor of shape (n_samples,)

    Examples
    --------
    >>> import numpy as np
    >>> float(reconstruction_loss("mse", np.array([[0.0, 2.0]]), np.zeros((1, 2)))[0])
    2.0
    """
    from keras import ops

    target, output = ops.convert_to_tensor(target), ops.convert_to_tensor(output)
    if kind == "ssim":
        return 1.0 - structural_similarity(target, output)
    if present is not None:
        target = ops.where(present, target, output)
    places = tuple(range(1, len(target.shape)))
    if kind == "mse":
        values = ops.square(target - output)
    elif kind == "mae":
        values = ops.abs(target - output)
    else:
        output = ops.clip(output, 1e-7, 1.0 - 1e-7)
        values = -target * ops.log(output) - (1.0 - target) * ops.log(1.0 - output)
    if present is None:
        return ops.mean(values, axis=places)
    present = ops.cast(present, values.dtype)
    return ops.sum(values * present, axis=places) / ops.maximum(ops.sum(present, axis=places), 1.0)


def structural_similarity(some: Any, others: Any) -> Any:
    """Structural similarity of pairs of images, a mean over windows of 7 by 7 pixels.

    Parameters
    ----------
    some, others : tensors of shape (n_samples, height, width, channels)
        Pixels from 0 to 1.

    Returns
    -------
    tensor of shape (n_samples,)
        1 for equal images.

    References
    ----------
    Wang, Bovik, Sheikh & Simoncelli, "Image Quality Assessment: From Error Visibility to
    Structural Similarity", IEEE Transactions on Image Processing 2004.
    """
    from keras import ops

    window = tuple(min(SSIM_WINDOW, length) for length in some.shape[1:3])

    def mean(x: Any) -> Any:
        return ops.average_pool(x, window, strides=1, padding="valid", data_format="channels_last")

    mean_a, mean_b = mean(some), mean(others)
    variances = mean(some * some) - mean_a**2 + mean(others * others) - mean_b**2
    covariance = mean(some * others) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    structure = (2 * covariance + 0.03**2) / (variances + 0.03**2)
    return ops.mean(luminance * structure, axis=(1, 2, 3))


def gaussian_divergence(mean: Any, log_variance: Any) -> Any:
    """Kullback-Leibler divergence of normal distributions from the standard one, in nats.

    Parameters
    ----------
    mean, log_variance : tensors of shape (n_samples, n_values)
        Of independent values.

    Returns
    -------
    tensor of shape (n_samples,)

    References
    ----------
    Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014.

    Examples
    --------
    >>> import numpy as np
    >>> float(gaussian_divergence(np.array([[1.0, 0.0]]), np.zeros((1, 2)))[0])
    0.5
    """
    from keras import ops

    mean, log_variance = ops.convert_to_tensor(mean), ops.convert_to_tensor(log_variance)
    return 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1.0, axis=-1)
