"""Presets of KerasHub, small ones that are written here."""

import numpy as np
import pytest

from skltransfer import BackboneTransformer, TransferClassifier, load_backbone

keras_hub = pytest.importorskip("keras_hub", reason="needs keras-hub, which CI installs")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "bad", "film", "##ly", "."]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16, "max_sequence_length": 12}
    network = keras_hub.models.BertBackbone(vocabulary_size=len(WORDS), **sizes)
    tokenizer = keras_hub.models.BertTokenizer(vocabulary=WORDS, lowercase=True)
    network.save_to_preset(folder)
    tokenizer.save_to_preset(folder)
    return folder, network, tokenizer


@pytest.mark.backends
def test_texts_go_through_as_in_keras_hub(bert):
    folder, network, tokenizer = bert
    texts = ["a good film.", "A badly unknown film", ""]
    backbone = load_backbone(f"hub:{folder}")
    ours = BackboneTransformer(backbone).fit_transform(texts)
    for text, row in zip(texts, ours, strict=True):
        tokens = np.array([[2, *np.array(tokenizer.tokenize(text)).ravel().astype(int), 3]])
        given = {"token_ids": tokens, "padding_mask": np.ones_like(tokens), "segment_ids": np.zeros_like(tokens)}
        theirs = np.asarray(network.predict(given, verbose=0)["sequence_output"])[0].mean(axis=0)
        np.testing.assert_allclose(row, theirs, atol=1e-5)


def test_a_preset_is_fine_tuned(bert):
    texts, labels = ["a good film", "good", "a bad film", "bad."] * 4, ["good", "good", "bad", "bad"] * 4
    source = load_backbone(f"hub:{bert[0]}")
    tuned = TransferClassifier(f"hub:{bert[0]}", trainable="all", epochs=30, learning_rate=0.01, random_state=0)
    assert tuned.fit(texts, labels).score(texts, labels) == 1
    assert tuned.backbone_ != source
    assert load_backbone(f"hub:{bert[0]}") == source


def test_images_are_scaled_as_the_preset_says(tmp_path, images):
    network = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64], input_conv_kernel_sizes=[3], stackwise_num_filters=[64], stackwise_num_blocks=[1],
        stackwise_num_strides=[1], block_type="basic_block", image_shape=(None, None, 3),
    )  # fmt: skip
    converter = keras_hub.layers.ResNetImageConverter(
        scale=[0.1, 0.2, 0.4], offset=[-1.0, 0.5, 2.0], image_size=(32, 32)
    )
    network.save_to_preset(tmp_path)
    converter.save_to_preset(tmp_path)
    backbone = load_backbone(f"hub:{tmp_path}")
    assert backbone.size == (32, 32)
    features = BackboneTransformer(backbone, image_size=28).fit_transform(images[:3])
    rgb = np.repeat(images[:3, ..., None], 3, axis=-1).astype("float32")
    scaled = rgb * np.float32([0.1, 0.2, 0.4]) + np.float32([-1.0, 0.5, 2.0])
    np.testing.assert_allclose(features, network.predict(scaled, verbose=0).mean(axis=(1, 2)), rtol=1e-3, atol=1e-3)


def test_unknown_presets_are_refused(tmp_path):
    with pytest.raises(OSError, match=r"backbone='hub:.*' cannot be loaded: .*Expected a preset that KerasHub knows"):
        load_backbone(f"hub:{tmp_path}")
