"""A small sample of real images, and the same images as another camera would see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from sklearn.utils import Bunch, check_random_state

FASHION_FILE = Path(__file__).parent.parent / "data" / "fashion_mnist_sample.npz"
FASHION_NAMES = (
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def load_fashion_sample(*, return_X_y: bool = False) -> Any:
    """Load 100 training and 200 test images of clothes, 28 by 28 gray pixels each.

    They are the first 10 images of each class of Fashion-MNIST's training set, and the
    first 20 of its test set; classes alternate.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return only the training images and their labels.

    Returns
    -------
    sklearn.utils.Bunch
        ``images`` (100, 28, 28) and ``images_test`` (200, 28, 28), uint8 from 0 (background)
        to 255; ``data`` and ``data_test``, the same with one flattened image a sample;
        ``target`` and ``target_test``, names of classes; ``target_names``; ``DESCR``.
    images, target : ndarrays
        If ``return_X_y``.

    References
    ----------
    Xiao, Rasul & Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
    Learning Algorithms", 2017, https://arxiv.org/abs/1708.07747 (MIT license).

    Examples
    --------
    >>> from skltransfer.datasets import load_fashion_sample
    >>> sample = load_fashion_sample()
    >>> sample.images.shape, sample.images_test.shape, str(sample.target[0])
    ((100, 28, 28), (200, 28, 28), 'T-shirt')
    """
    names = np.array(FASHION_NAMES)
    with np.load(FASHION_FILE, allow_pickle=False) as file:
        images, codes, images_test, codes_test = (
            file[name] for name in ("images", "codes", "images_test", "codes_test")
        )
    if return_X_y:
        return images, names[codes]
    return Bunch(
        images=images,
        data=images.reshape(len(images), -1),
        target=names[codes],
        images_test=images_test,
        data_test=images_test.reshape(len(images_test), -1),
        target_test=names[codes_test],
        target_names=list(FASHION_NAMES),
        DESCR=load_fashion_sample.__doc__,
    )


def another_camera(images: NDArray[Any], *, random_state: int | np.random.RandomState | None = 0) -> NDArray[Any]:
    """Shift, scale and tilt each image a little, as if another camera had taken it.

    Each image is rotated by up to 20 degrees, scaled by 0.8 to 1.2 and shifted by up to a
    tenth of its side, uniformly at random; bilinear, with the value 0 outside.

    Parameters
    ----------
    images : ndarray of shape (n, height, width) or (n, height, width, channels)
        The images.
    random_state : int, RandomState instance or None, default=0
        Draws the movements.

    Returns
    -------
    ndarray
        Same shape and dtype; values stay in the range of the image and 0.

    Raises
    ------
    ValueError
        If the array has another number of dimensions.

    Examples
    --------
    >>> from skltransfer.datasets import another_camera, load_fashion_sample
    >>> images = load_fashion_sample().images
    >>> another_camera(images).shape
    (100, 28, 28)
    """
    images = np.asarray(images)
    if images.ndim not in (3, 4):
        raise ValueError(
            "images: expected shape (n, height, width) or (n, height, width, channels). "
            f"Got {images.shape}; a single image goes in as images[None]."
        )
    random = check_random_state(random_state)
    moved = np.empty_like(images)
    for i, image in enumerate(images):
        angle, scale = np.deg2rad(random.uniform(-20, 20)), random.uniform(0.8, 1.2)
        shift = random.uniform(-0.1, 0.1, 2) * image.shape[:2]
        moved[i] = _move(image, angle, scale, shift)
    return moved


def _move(image: NDArray[Any], angle: float, scale: float, shift: NDArray[np.float64]) -> NDArray[Any]:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    center = (np.array(image.shape[:2]) - 1) / 2
    matrix, offset = np.eye(image.ndim), np.zeros(image.ndim)
    matrix[:2, :2], offset[:2] = turn, center - turn @ (center + shift)
    moved = affine_transform(image.astype(np.float64), matrix, offset, order=1)
    return np.rint(moved) if image.dtype.kind in "ui" else moved
