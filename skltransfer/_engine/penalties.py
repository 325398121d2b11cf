"""Penalties for leaving the network that training starts from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def l2_sp(weights: Sequence[Any], start: Sequence[Any]) -> Any:
    """Half the squared distance of weights from where they started.

    Parameters
    ----------
    weights, start : sequences of tensors
        Of equal shapes, pair by pair.

    References
    ----------
    Li, Grandvalet & Davoine, "Explicit Inductive Bias for Transfer Learning with
    Convolutional Networks", ICML 2018.

    Examples
    --------
    >>> import numpy as np
    >>> float(l2_sp([np.array([1.0, 3.0])], [np.array([1.0, 1.0])]))
    2.0
    """
    from keras import ops

    return 0.5 * sum(ops.sum(ops.square(now - then)) for now, then in zip(weights, start, strict=True))


def delta(maps: Any, start: Any, attention: Any) -> Any:
    """Half the squared distance of feature maps from those of the starting network, a mean over samples.

    Parameters
    ----------
    maps, start : tensors of shape (n_samples, ..., channels)
        Features of the same samples; places are averaged.
    attention : tensor of shape (channels,)
        How much each channel counts.

    References
    ----------
    Li et al., "DELTA: Deep Learning Transfer using Feature Map with Attention for
    Convolutional Networks", ICLR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> float(delta(np.ones((2, 3)), np.zeros((2, 3)), np.array([1.0, 1.0, 0.0])))
    1.0
    """
    from keras import ops

    places = tuple(range(len(maps.shape) - 1))
    return 0.5 * ops.sum(ops.convert_to_tensor(attention) * ops.mean(ops.square(maps - start), axis=places))


def attention_transfer(maps: Any, start: Any) -> Any:
    """Half the squared distance between attention maps of the network and of the one that it starts from.

    The attention of a place is the sum of its squared features; the map of a sample is scaled
    to unit length.

    Parameters
    ----------
    maps, start : tensors of shape (n_samples, ..., channels)
        Features of the same samples.

    Returns
    -------
    tensor of shape ()
        A mean over samples.

    References
    ----------
    Zagoruyko & Komodakis, "Paying More Attention to Attention: Improving the Performance of
    Convolutional Neural Networks via Attention Transfer", ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> one, other = np.array([[[1.0], [0.0]]]), np.array([[[0.0], [1.0]]])
    >>> round(float(attention_transfer(one, other)), 3), float(attention_transfer(one, one))
    (1.0, 0.0)
    """
    from keras import ops

    def activity(x: Any) -> Any:
        x = ops.sum(ops.square(ops.convert_to_tensor(x)), axis=-1)
        x = ops.reshape(x, (ops.shape(x)[0], -1))
        return x / ops.sqrt(ops.sum(ops.square(x), axis=1, keepdims=True) + 1e-12)

    return 0.5 * ops.mean(ops.sum(ops.square(activity(maps) - activity(start)), axis=1))
