import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from skltransfer._inputs.containers import gathered
from skltransfer._inputs.image_arrays import ImageArrays, check_pixels_finite, check_range, image_array, learn_range
from skltransfer._inputs.image_files import read_image_files
from skltransfer._inputs.kind import InputFormat, ReadOptions
from skltransfer._inputs.recognition import recognise
from skltransfer._inputs.samples import ArraySamples
from skltransfer._inputs.table import with_numbers
from skltransfer._utils.statistics import weighted_moments


@pytest.fixture
def files(tmp_path, images):
    paths = []
    for i, picture in enumerate(images[:6]):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(picture).resize((20 + i, 30)).save(paths[-1])
    return paths


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize(
    "wrap",
    [list, tuple, lambda p: list(map(str, p)), pd.Series, lambda p: pl.Series(list(map(str, p))),
     lambda p: np.array(p, dtype=object), lambda p: pd.DataFrame({"path": p}),
     lambda p: pl.DataFrame({"path": list(map(str, p))}), lambda p: [Image.fromarray(pixels_of(f)) for f in p]],
)  # fmt: skip
def test_images_in_any_container_are_read_alike(files, wrap):
    X = wrap(files)
    assert str(recognise(gathered(X), ReadOptions())) == "image_files"
    rows = read_image_files(X)
    assert len(rows) == 6
    np.testing.assert_array_equal(rows.resized([0, 5], (16, 16)), read_image_files(files).resized([0, 5], (16, 16)))
    assert rows.resized([1], (16, 16)).shape == (1, 16, 16, 3)


def test_files_are_read_when_asked_and_not_before(files):
    rows = read_image_files(files)
    for path in files[1:]:
        path.unlink()
    assert rows.resized([0], (8, 8)).shape == (1, 8, 8, 3)


def test_digest_follows_the_content_of_a_file_not_its_name(files, tmp_path):
    copy = tmp_path / "copy.png"
    copy.write_bytes(files[0].read_bytes())
    assert read_image_files([copy]).digest(0) == read_image_files(files).digest(0)
    assert read_image_files(files).digest(0) != read_image_files(files).digest(1)


def test_sixteen_bit_file_keeps_its_greys(tmp_path):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    grey = read_image_files([tmp_path / "deep.png"]).resized([0], (8, 8))[0, ..., 0]
    np.testing.assert_allclose(grey, ramp / 257, atol=1)


@pytest.mark.parametrize(
    ("X", "input_shape", "kind"),
    [
        (np.zeros((2, 5)), None, "table"), ([[1, 2], [3, 4]], None, "table"), (pd.DataFrame({"a": [1]}), None, "table"),
        (np.zeros((2, 4, 4, 3)), None, "image_arrays"), (np.zeros((2, 4, 4)), None, "image_arrays"),
        ([np.zeros((4, 4)), np.zeros((4, 4))], None, "image_arrays"), (np.zeros((2, 16)), (4, 4), "image_arrays"),
        (pl.DataFrame({"a": [1], "b": [2]}), (1, 2), "image_arrays"),
    ],
)  # fmt: skip
def test_recognise(X, input_shape, kind):
    assert str(recognise(gathered(X), ReadOptions(input_shape=input_shape))) == kind


@given(
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=6),
    st.sampled_from(["uint8", "float32", "float64", "int64", "bool"]),
)
def test_grey_and_flattened_images_are_the_same_pixels(shape, dtype):
    pixels = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    grey = image_array(pixels, None)
    flat = image_array(pixels.reshape(len(pixels), -1), shape[1:])
    assert grey.shape == (*shape, 1)
    np.testing.assert_array_equal(grey, flat)
    np.testing.assert_array_equal(grey, image_array(list(pixels), None))


@pytest.mark.parametrize(("high", "learned"), [(0.9, 1), (1, 1), (16, 16), (17, 255), (255, 255), (40_000, 65535)])
def test_range_is_the_smallest_known_one(high, learned):
    assert learn_range(np.array([0, high])) == (0, learned)


def test_symmetric_range():
    assert learn_range(np.array([-1.0, 0.5])) == (-1, 1)


@pytest.mark.parametrize("values", [[-2.1, 2.6], [0, 70000], [-1, 200]])
def test_unknown_range_is_refused(values):
    with pytest.raises(ValueError, match=r"Got values from .* pass the images before standardization"):
        learn_range(np.array(values))


@pytest.mark.parametrize(
    ("high", "pixels"),
    [(1, np.array([[0, 255]], dtype=np.uint8)), (255, np.array([[0.0, 0.5]])), (65535, np.array([[7]], dtype=np.uint8)),
     (255, np.array([[0.0, 4000.0]])), (1, np.array([[-1.0, 1.0]]))],
)  # fmt: skip
def test_another_scale_is_refused(high, pixels):
    with pytest.raises(ValueError, match=r"expected pixel values from 0 to .*, as in fit\. Got .* values from"):
        check_range(pixels, InputFormat(ImageArrays(), (1, 1, 1), 0, high))


@pytest.mark.parametrize("pixels", [np.zeros((2, 2)), np.array([[0, 1]], dtype=np.uint8), np.array([[3.0, 200.5]])])
def test_dark_images_are_no_other_scale(pixels):
    check_range(pixels, InputFormat(ImageArrays(), (1, 1, 1), 0, 255))


@given(st.integers(0, 9), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_first_bad_sample_is_named(row, value):
    pixels = np.zeros((10, 3, 3, 1))
    pixels[row, 1, 2] = value
    with pytest.raises(ValueError, match=f"sample {row} contains NaN or infinity"):
        check_pixels_finite(pixels)


@pytest.mark.parametrize(
    ("X", "input_shape", "message"),
    [
        (np.zeros((2, 3, 8, 8)), None, r"channels-first, so pass np\.moveaxis\(X, 1, -1\)"),
        (np.zeros((2, 8, 8, 4)), None, r"drop the transparency with X\[\.\.\., :3\]"),
        (np.zeros((2, 8, 8, 7)), None, "expected 1 or 3 channels in the last place"),
        (np.zeros((2, 2, 2, 2, 3)), None, r"expected images of shape \(n, height, width, channels\)"),
        (np.zeros((2, 15)), (4, 4), r"input_shape=\(4, 4\) needs 16 columns\. Got 15"),
        (np.zeros((2, 16)), (4, 4, 1, 1), r"'input_shape' parameter must be \(height, width\) or"),
        (np.zeros((2, 32)), (4, 4, 2), "'input_shape' parameter must be"),
        ([np.zeros((4, 4)), np.zeros((4, 5))], None, r"Sample 0 has shape \(4, 4\), sample 1 has \(4, 5\)"),
    ],
)
def test_wrong_shapes_are_refused(X, input_shape, message):
    with pytest.raises(ValueError, match=message):
        image_array(X, input_shape)


def test_arrays_of_words_are_refused():
    with pytest.raises(TypeError, match=r"expected numbers in every image\. Sample 0 holds"):
        image_array([np.array([["a"]]), np.array([["b"]])], None)


def test_missing_file_is_named_with_its_position(files, tmp_path):
    with pytest.raises(ValueError, match=r"sample 6, '.*nowhere\.png', is missing"):
        read_image_files([*files, tmp_path / "nowhere.png"])


def test_file_that_is_no_image_is_named_with_its_position(files, tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"sample 6, '.*notes\.png', is not an image"):
        read_image_files([*files, tmp_path / "notes.png"])


def test_folder_among_files_is_refused(files, tmp_path):
    with pytest.raises(ValueError, match=r"sample 6, .* is not an image"):
        read_image_files([*files, tmp_path])


def test_truncated_image_is_named_when_it_is_read(files):
    files[2].write_bytes(files[2].read_bytes()[:-60])
    with pytest.raises(ValueError, match=r"sample 2, '.*2\.png', is a damaged image"):
        read_image_files(files).resized([2], (8, 8))


def test_object_array_of_another_kind_is_refused(files):
    with pytest.raises(TypeError, match="sample 1 is a float, but the first sample is an image"):
        read_image_files(np.array([files[0], 3.5], dtype=object))


@given(st.lists(st.booleans(), min_size=5, max_size=5))
def test_take_keeps_the_chosen_samples(kept):
    rows = ArraySamples(np.arange(5)[:, None]).take(np.array(kept))
    assert rows.values.ravel().tolist() == np.flatnonzero(kept).tolist()


@given(st.integers(0, 6), st.integers(0, 6), st.sampled_from([1, 2]))
def test_a_range_of_samples_is_a_view_of_them(start, stop, step):
    values, positions = np.arange(10).reshape(5, 2), range(5)[start:stop:step]
    found = ArraySamples(values).read(positions)
    np.testing.assert_array_equal(found, values[list(positions)].reshape(-1, 2))
    assert np.shares_memory(found, values) or not len(positions)


@pytest.mark.parametrize("values", [[2**70, 1], [[2**70, 1], [3, 4]]])
def test_numbers_that_numpy_does_not_have_are_refused(values):
    with pytest.raises(TypeError, match=r"expected values that NumPy can read\. Got a Series that it cannot .*128"):
        gathered(pl.Series(values))


def test_complex_cells_of_a_frame_lose_nothing_in_silence():
    cells = np.array([[1 + 2j, 2], [3, 4]], dtype=np.complex64)
    for frame in (pl.DataFrame(cells, schema={"a": pl.Object, "b": pl.Object}), pd.DataFrame(cells).astype(object)):
        with pytest.raises(TypeError, match=r"expected one number in each cell .* Sample 0 has .* in column 0"):
            with_numbers(frame)


def test_a_constant_column_of_huge_numbers_has_a_deviation_of_one():
    mean, scale = weighted_moments(np.array([[1e300, 1.0], [1e300, 3.0]]), np.ones(2))
    np.testing.assert_allclose(mean, [1e300, 2.0])
    np.testing.assert_array_equal(scale, [1.0, 1.0])
