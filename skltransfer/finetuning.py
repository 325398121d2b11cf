"""What moves in `fit`, and what stays as it was pretrained."""

from __future__ import annotations

TRAINABLE = ("auto", "head", "all")


def backbone_moves(trainable: str, *, pretrained: bool) -> bool:
    """Tell whether `fit` changes the weights of the backbone.

    Parameters
    ----------
    trainable : {"auto", "head", "all"}
        "head" moves the head alone, "all" everything; "auto" the head alone on a pretrained
        backbone and everything on an untrained one.
    pretrained : bool
        Whether the backbone's weights were learned from data.

    Examples
    --------
    >>> backbone_moves("auto", pretrained=True)
    False
    """
    return trainable == "all" or (trainable == "auto" and not pretrained)
