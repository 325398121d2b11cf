import importlib
import re
import threading

import numpy as np
import pytest
from sklearn.base import clone

from skltransfer import AutoencoderTransformer, BackboneTransformer, TransferClassifier, load_backbone
from skltransfer._features import extraction as features
from skltransfer._features.extraction import compute, extract, plan_extraction
from skltransfer._inputs.image_arrays import ImageArrays
from skltransfer._inputs.image_files import ImageFiles, read_image_files
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import ArraySamples
from skltransfer._inputs.table import Table
from skltransfer._keras import backend as _backend

FORMAT = InputFormat(ImageArrays(), (28, 28, 1))


@pytest.fixture(scope="module")
def lite0():
    return load_backbone("efficientnet_lite0")


@pytest.fixture
def plan(lite0):
    return plan_extraction(lite0, FORMAT, image_size=32)


@pytest.fixture
def rows(images):
    return ArraySamples(images[..., None])


def computed(action):
    before = features.n_computed
    result = action()
    return features.n_computed - before, result


def test_progress_is_shown_while_features_are_computed(images, labels, empty_store, capsys):
    clf = TransferClassifier(image_size=32, verbose=1).fit(images[:20], labels[:20])
    assert re.search(r"TransferClassifier: features .* 20/20", capsys.readouterr().out)
    clf.predict(images)
    assert re.search(r"TransferClassifier: features .* 40/40", capsys.readouterr().out)
    clf.predict(images)  # all are cached
    clf.set_params(verbose=0).predict(255 - images)
    assert capsys.readouterr().out == ""
    coder = AutoencoderTransformer(latent_dim=2, epochs=1).fit(images.reshape(len(images), -1)[:, :50])
    coder.set_params(verbose=1).transform(images.reshape(len(images), -1)[:, :50])
    assert re.search(r"AutoencoderTransformer: features .* 40/40", capsys.readouterr().out)


@pytest.mark.backends
def test_same_as_the_bare_network_step_by_step(lite0, images, rows, empty_store):
    import keras

    resized = keras.ops.image.resize(images[..., None].astype("float32"), (32, 32), interpolation="bilinear")
    ready = (np.repeat(np.array(resized), 3, axis=-1) - 127) / 128
    bare = lite0.to_keras().predict_on_batch(ready).mean(axis=(1, 2))
    ours = extract(plan_extraction(lite0, FORMAT, image_size=32), rows)
    np.testing.assert_allclose(ours, bare, atol=1e-4)


def test_each_sample_is_computed_once_whoever_asks(plan, rows, empty_store):
    assert computed(lambda: extract(plan, rows))[0] == len(rows)
    assert computed(lambda: extract(plan, rows))[0] == 0
    copied = ArraySamples(rows.values[::-1].copy())
    count, reverse = computed(lambda: extract(plan, copied))
    assert count == 0
    np.testing.assert_array_equal(reverse, extract(plan, rows)[::-1])


def test_equal_samples_in_one_call_are_computed_once(plan, rows, empty_store):
    twice = ArraySamples(np.concatenate([rows.values[:5], rows.values[:5]]))
    assert computed(lambda: extract(plan, twice))[0] == 5


def test_other_features_of_the_same_samples_are_not_mixed_up(lite0, rows, empty_store):
    plans = [
        plan_extraction(lite0, FORMAT, image_size=32),
        plan_extraction(lite0, FORMAT, image_size=40),
        plan_extraction(lite0, FORMAT, image_size=40, pooling="max"),
        plan_extraction(lite0, FORMAT, image_size=32, stage=0),
        plan_extraction(lite0.with_weights([w * 2 for w in lite0.weights]), FORMAT, image_size=32),
        plan_extraction(lite0, InputFormat(ImageArrays(), (28, 28, 1), 0, 65535), image_size=32),
    ]
    results = [extract(p, rows) for p in plans]
    for i, one in enumerate(results):
        for other in results[:i]:
            assert one.shape != other.shape or not np.allclose(one, other)


def test_a_sample_does_not_depend_on_its_batch(plan, rows):
    alone = np.stack([next(compute(plan, rows, [i])) for i in range(6)])
    together = np.stack(list(compute(plan, rows, range(len(rows)))))[:6]
    np.testing.assert_array_equal(alone, together)


@pytest.mark.backends
def test_batches_for_an_accelerator_are_larger_and_give_the_same(plan, rows, monkeypatch):
    assert not _backend.on_accelerator()
    plain = np.stack(list(compute(plan, rows, range(len(rows)))))
    space = plan.space
    monkeypatch.setattr(_backend, "on_accelerator", lambda: True)
    assert features._batch_length(plan.preparation, ((28, 28, 1), "uint8"), None) == 2048 + 4
    wide = np.stack(list(compute(plan, rows, range(len(rows)))))
    np.testing.assert_allclose(wide, plain, rtol=1e-4, atol=1e-5)
    assert plan.space != space  # features of an accelerator have other last bits


def test_changing_returned_features_leaves_the_cache_unchanged(plan, rows, empty_store):
    first = extract(plan, rows)
    kept = first.copy()
    first[:] = -1
    np.testing.assert_array_equal(extract(plan, rows), kept)


def test_store_too_small_for_anything_still_gives_features(plan, rows, empty_store):
    room, empty_store.max_bytes = empty_store.max_bytes, 100
    try:
        assert extract(plan, rows).shape == (len(rows), 1280)
        assert empty_store.n_bytes <= 100
    finally:
        empty_store.max_bytes = room


def test_folder_is_used_by_the_next_process(plan, rows, tmp_path, empty_store):
    first = extract(plan, rows, memory=tmp_path)
    assert empty_store.n_bytes == 0
    features.store_for.__globals__["_folder_stores"].clear()
    count, second = computed(lambda: extract(plan, rows, memory=tmp_path))
    assert count == 0
    np.testing.assert_array_equal(first, second)


def test_threads_share_the_work(plan, rows, empty_store):
    results = []
    threads = [threading.Thread(target=lambda: results.append(extract(plan, rows))) for _ in range(4)]

    def run():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert computed(run)[0] == len(rows)
    for result in results:
        np.testing.assert_array_equal(result, results[0])


def test_files_and_arrays_of_the_same_pixels_agree(lite0, images, tmp_path, empty_store):
    from PIL import Image

    colour = np.repeat(images[:3, ..., None], 3, axis=-1)
    paths = []
    for i, picture in enumerate(colour):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(picture).save(paths[-1])
    files = plan_extraction(lite0, InputFormat(ImageFiles(), (0, 0, 3)), image_size=28)
    arrays = plan_extraction(lite0, InputFormat(ImageArrays(), (28, 28, 3)), image_size=28)
    np.testing.assert_allclose(
        extract(files, read_image_files(paths)), extract(arrays, ArraySamples(colour)), atol=1e-4
    )


@pytest.mark.parametrize(
    ("format", "image_size", "size"),
    [
        (InputFormat(ImageArrays(), (28, 28, 1)), "auto", (160, 160)),
        (InputFormat(ImageArrays(), (128, 100, 3)), "auto", (160, 160)),
        (InputFormat(ImageArrays(), (300, 200, 3)), "auto", (224, 224)),
        (InputFormat(ImageFiles(), (0, 0, 3)), "auto", (224, 224)),
        (InputFormat(ImageArrays(), (28, 28, 1)), 96, (96, 96)),
        (InputFormat(ImageArrays(), (28, 28, 1)), (64, 32), (64, 32)),
        (InputFormat(ImageArrays(), (96, 96, 3)), 96, None),
    ],
)
def test_image_size(lite0, format, image_size, size):
    assert plan_extraction(lite0, format, image_size=image_size).preparation.size == size


def test_untrained_network_does_not_resize_images():
    network = load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0)
    assert plan_extraction(network, FORMAT).preparation.size is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "agv"}, r"Got pooling='agv'; known: 'avg', 'max', 'flatten'\. Did you mean 'avg'"),
        ({"stage": "block2_ad"}, "Did you mean 'block2_add'"),
        ({"stage": 17}, r"stage=17 is out of range: 'efficientnet_lite0' has 17 stages, numbered from 0 to 16"),
    ],
)
def test_wrong_options_are_refused(lite0, options, message):
    with pytest.raises(ValueError, match=message):
        plan_extraction(lite0, FORMAT, **options)


def test_table_for_an_image_network_is_refused(lite0):
    with pytest.raises(ValueError, match=r"Got a table of 784 columns; .* pass input_shape=\(height, width\)"):
        plan_extraction(lite0, InputFormat(Table(), (784,)))


def test_images_for_a_table_network_are_refused():
    network = load_backbone("mlp", input_shape=(784,), random_state=0)
    expected = r"'mlp' takes samples of shape .* Got images of shape \(28, 28, 1\); pass a backbone"
    with pytest.raises(ValueError, match=expected):
        plan_extraction(network, FORMAT)


def test_another_size_for_a_fixed_network_is_refused():
    network = load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0)
    with pytest.raises(ValueError, match=r"'image_size' parameter must be 'auto' or \(28, 28\)"):
        plan_extraction(network, FORMAT, image_size=64)


@pytest.mark.backends
@pytest.mark.parametrize(
    "estimator",
    [BackboneTransformer(), TransferClassifier(), TransferClassifier(trainable="all", epochs=1, solve_head=False)],
)
def test_images_that_are_too_small_for_a_network_are_refused(estimator, images, labels):
    import keras

    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, strides=4)(inputs)
    backbone = load_backbone(keras.Model(inputs, keras.layers.MaxPooling2D(3, 2)(x)))
    with pytest.raises(ValueError, match=r"image_size: .* nothing left of images of 9 by 9 pixels.* larger image_size"):
        clone(estimator).set_params(backbone=backbone, image_size=9).fit(images, labels)


@pytest.mark.parametrize("change", ["REVISION", "backend", "pillow"])
def test_features_of_an_older_revision_or_library_are_not_taken_from_a_folder(lite0, monkeypatch, change):
    plan = plan_extraction(lite0, FORMAT, image_size=32)
    before = plan.space
    assert plan.space == before
    if change == "REVISION":
        monkeypatch.setattr(features, "REVISION", "0")
    elif change == "backend":
        monkeypatch.setattr(importlib.import_module(_backend.name()), "__version__", "0.0")
    else:
        monkeypatch.setattr(features, "version", lambda package: {"pillow": "0.0"}[package])
    assert plan.space != before
