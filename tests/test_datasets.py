import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skltransfer.datasets import another_camera, load_fashion_sample


def test_sample_is_balanced_and_complete(sample):
    assert sample.images.shape == (100, 28, 28)
    assert sample.images.dtype == np.uint8
    assert sample.images.max() == 255
    for labels, each in ((sample.target, 10), (sample.target_test, 20)):
        names, counts = np.unique(labels, return_counts=True)
        assert set(names) == set(sample.target_names)
        assert set(counts) == {each}


def test_no_test_image_is_a_training_image(sample):
    assert not set(map(bytes, sample.images)) & set(map(bytes, sample.images_test))


def test_flat_samples_are_the_images(sample):
    np.testing.assert_array_equal(sample.data.reshape(-1, 28, 28), sample.images)
    np.testing.assert_array_equal(sample.data_test.reshape(-1, 28, 28), sample.images_test)


def test_return_X_y_gives_the_training_part(sample):
    X, y = load_fashion_sample(return_X_y=True)
    np.testing.assert_array_equal(X, sample.images)
    np.testing.assert_array_equal(y, sample.target)


def test_another_camera_is_reproducible_and_changes_images(images):
    moved = another_camera(images)
    np.testing.assert_array_equal(moved, another_camera(images, random_state=0))
    assert not np.array_equal(moved, another_camera(images, random_state=1))
    assert not np.array_equal(moved, images)


@given(channels=st.sampled_from([None, 1, 3]), dtype=st.sampled_from(["uint8", "float32", "float64"]))
def test_another_camera_keeps_shape_type_and_range(images, channels, dtype):
    pictures = images[:3] if channels is None else np.repeat(images[:3, ..., None], channels, axis=-1)
    pictures = pictures.astype(dtype)
    moved = another_camera(pictures)
    assert moved.shape == pictures.shape
    assert moved.dtype == pictures.dtype
    assert moved.min() >= 0
    assert moved.max() <= 255


def test_another_camera_shifts_all_colors_alike(images):
    moved = another_camera(np.repeat(images[:3, ..., None], 3, axis=-1))
    np.testing.assert_array_equal(moved[..., 0], moved[..., 2])


def test_single_image_is_refused_with_the_remedy(images):
    with pytest.raises(ValueError, match=r"images: expected shape .* Got \(28, 28\); a single image goes in as"):
        another_camera(images[0])
