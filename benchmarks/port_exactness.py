"""EfficientNet-Lite0 as shipped and as ported, beside the reference network in PyTorch.

Twenty labelled ImageNet pictures, squeezed to 224 x 224. ``ported`` has the published weights in
float32, ``shipped`` those of the package, rounded to float16.

Run: ``python benchmarks/port_exactness.py`` (needs ``torch``; some seconds).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from _data import imagenet_pictures, lite0_reference, lite0_weights
from _measure import report

from skltransfer import BackboneTransformer, load_backbone

SIZE = 224


def logits(backbone, pictures) -> np.ndarray:
    """Decision values for the 1000 classes, through the public transformer."""
    kernel, bias = backbone.classifier
    return BackboneTransformer(backbone, image_size=SIZE).fit_transform(pictures) @ kernel + bias


def ported():
    """The embedded network with the published weights, not rounded."""
    from skltransfer.backbones.weights.convert_efficientnet_lite0 import read

    arrays, embedded = read(lite0_weights()), load_backbone("efficientnet_lite0")
    published = embedded.with_weights([arrays[path] for path in embedded.paths])
    return replace(published, classifier=(arrays["logits/kernel"], arrays["logits/bias"]))


def reference(pictures) -> np.ndarray:
    """Decision values of the reference network."""
    import torch

    network = lite0_reference().EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(lite0_weights(), map_location="cpu", weights_only=True))
    network.eval()
    planar = ((pictures.astype(np.float32) - 127) / 128).transpose(0, 3, 1, 2)
    with torch.no_grad():
        return network(torch.from_numpy(np.ascontiguousarray(planar))).numpy()


def squeezed() -> tuple[np.ndarray, np.ndarray]:
    """The pictures as the network takes them, and their class numbers."""
    pictures, labels = imagenet_pictures()
    return np.stack([np.asarray(picture.resize((SIZE, SIZE))) for picture in pictures]), labels


def right(decisions: np.ndarray, labels: np.ndarray, among: int) -> int:
    """How many labels are among the largest decision values."""
    best = np.argsort(-decisions, axis=1)[:, :among]
    return int((best == labels[:, None]).any(axis=1).sum())


def compare() -> dict:
    from scipy.special import softmax

    pictures, labels = squeezed()
    expected = reference(pictures)
    figures = {"reference": {"top1": right(expected, labels, 1), "top5": right(expected, labels, 5)}}
    for name, backbone in (("ported", ported()), ("shipped", load_backbone("efficientnet_lite0"))):
        found = logits(backbone, pictures)
        figures[name] = {
            "logit_difference": float(np.abs(found - expected).max()),
            "probability_difference": float(np.abs(softmax(found, axis=1) - softmax(expected, axis=1)).max()),
            "top1": right(found, labels, 1),
            "top5": right(found, labels, 5),
        }
    return figures


if __name__ == "__main__":
    report("port_exactness", pictures=20, **compare())
