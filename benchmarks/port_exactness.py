"""EfficientNet-Lite0, Lite1 and Lite2 as ported and as shipped, beside the reference networks in PyTorch.

Twenty labelled ImageNet pictures, squeezed to the size of the network. ``ported`` has the published weights in
float32, ``shipped`` those of Lite0 in the package, rounded to float16.

Run: ``python benchmarks/port_exactness.py`` (needs ``torch``; some seconds).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from _data import imagenet_pictures, lite_reference, lite_weights
from _measure import report

from skltransfer import BackboneTransformer, load_backbone
from skltransfer.backbones.efficientnet_lite import SCALES, read_published


def logits(backbone, pictures) -> np.ndarray:
    """Decision values for the 1000 classes, through the public transformer."""
    kernel, bias = backbone.classifier
    return BackboneTransformer(backbone, image_size=pictures.shape[1:3]).fit_transform(pictures) @ kernel + bias


def ported(scale):
    """A network with the published weights, not rounded."""
    if scale:
        return load_backbone(f"efficientnet_lite{scale}", weights=lite_weights(scale))
    arrays, embedded = read_published(lite_weights(0), 0), load_backbone("efficientnet_lite0")
    published = embedded.with_weights([arrays[path] for path in embedded.paths])
    return replace(published, classifier=(arrays["logits/kernel"], arrays["logits/bias"]))


def reference(scale, pictures) -> np.ndarray:
    """Decision values of the reference network."""
    import torch

    network = lite_reference().EfficientNet.from_name(f"efficientnet-lite{scale}")
    network.load_state_dict(torch.load(lite_weights(scale), map_location="cpu", weights_only=True))
    network.eval()
    planar = ((pictures.astype(np.float32) - 127) / 128).transpose(0, 3, 1, 2)
    with torch.no_grad():
        return network(torch.from_numpy(np.ascontiguousarray(planar))).numpy()


def squeezed(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The pictures at a height and width, and their class numbers."""
    pictures, labels = imagenet_pictures()
    return np.stack([np.asarray(picture.resize((size, size))) for picture in pictures]), labels


def right(decisions: np.ndarray, labels: np.ndarray, among: int) -> int:
    """How many labels are among the largest decision values."""
    best = np.argsort(-decisions, axis=1)[:, :among]
    return int((best == labels[:, None]).any(axis=1).sum())


def compare(scale, every=1) -> dict:
    """Figures on each picture, or on one of so many."""
    from scipy.special import softmax

    pictures, labels = (array[::every] for array in squeezed(SCALES[scale].pixels))
    expected = reference(scale, pictures)
    figures = {"reference": {"top1": right(expected, labels, 1), "top5": right(expected, labels, 5)}}
    backbones = {"ported": ported(scale)} | ({} if scale else {"shipped": load_backbone("efficientnet_lite0")})
    for name, backbone in backbones.items():
        found = logits(backbone, pictures)
        figures[name] = {
            "logit_difference": float(np.abs(found - expected).max()),
            "probability_difference": float(np.abs(softmax(found, axis=1) - softmax(expected, axis=1)).max()),
            "top1": right(found, labels, 1),
            "top5": right(found, labels, 5),
        }
    return figures


if __name__ == "__main__":
    for number in SCALES:
        report("port_exactness", network=f"efficientnet_lite{number}", pictures=20, **compare(number))
