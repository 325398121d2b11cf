"""At which size a network sees images, and spectrograms."""

from __future__ import annotations

from skltransfer._inputs.kind import ImageSize, InputFormat, Network

SMALL_IMAGE = 160
"""Images up to this height and width are shown to a pretrained network at this size."""


def settle_image_size(network: Network, format: InputFormat, image_size: ImageSize) -> tuple[int, int]:
    """Settle at which size a network sees images.

    Parameters
    ----------
    network : Backbone
        The network.
    format : InputFormat
        What a sample is: images, or what is shown as one.
    image_size : "auto", int or (height, width)
        As the user says.

    Raises
    ------
    ValueError
        If the network takes no images, or not of this size, or no size can be settled.
    """
    if len(network.input_shape) != 3 or network.input_shape[2] not in (1, 3):
        raise ValueError(
            f"X: the backbone {network.name!r} takes samples of shape {network.input_shape}. Got {format.describe()}; "
            "pass a backbone for images, such as 'efficientnet_lite0'."
        )
    height, width = network.input_shape[:2]
    given = (image_size, image_size) if isinstance(image_size, int) else image_size
    if height is not None and width is not None:
        if given != "auto" and tuple(given) != (height, width):
            raise ValueError(
                f"The 'image_size' parameter must be 'auto' or {(height, width)} for the backbone {network.name!r}, "
                f"which takes no other size. Got {image_size!r} instead."
            )
        return (height, width)
    if isinstance(given, str):
        return _size_of_its_own(network, format)
    if len(given) != 2 or min(given) < 1:
        raise ValueError(f"The 'image_size' parameter must be (height, width). Got {image_size!r} instead.")
    return (int(given[0]), int(given[1]))


def _size_of_its_own(network: Network, format: InputFormat) -> tuple[int, int]:
    """Return the size of images for an untrained network, and one that it knows for a pretrained one."""
    own = format.kind.own_size(format)
    if own is not None and (not network.pretrained or network.size is None):
        return own
    found = format.kind.size_for_pretrained(format) or network.size
    if found is None:
        raise ValueError(
            f"The 'image_size' parameter must be given for image files: the backbone {network.name!r} takes any size. "
            "Got 'auto' instead; pass image_size=(height, width)."
        )
    return found
