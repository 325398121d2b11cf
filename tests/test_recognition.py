"""Of which kind samples are, in whatever container they come; unknown is an error, and no guess."""

import copy
import io
import pickle
from collections import UserList, deque
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.base import clone

from skltransfer import (
    AutoencoderTransformer,
    BackboneTransformer,
    DomainAdaptationClassifier,
    DomainAdaptationRegressor,
    TransferClassifier,
    TransferRegressor,
    load_backbone,
)
from skltransfer._estimators.reading import read_new
from skltransfer._inputs.containers import gathered
from skltransfer._inputs.kind import InputFormat, ReadOptions
from skltransfer._inputs.paths import Written, written
from skltransfer._inputs.recognition import SAMPLE_KINDS, recognise

ESTIMATORS = [
    TransferClassifier, TransferRegressor, BackboneTransformer, AutoencoderTransformer, DomainAdaptationClassifier,
    DomainAdaptationRegressor,
]  # fmt: skip


def kind(X, **options):
    return str(recognise(gathered(X), ReadOptions(**options)))


def column(values):
    """An object array of shape (n, 1), which NumPy does not look into."""
    filled = np.empty((len(values), 1), dtype=object)
    filled[:, 0] = values
    return filled


@pytest.fixture
def pixels(images):
    return images[:6]


@pytest.fixture
def files(tmp_path, pixels):
    paths = [str(tmp_path / f"{i}.png") for i in range(len(pixels))]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    return paths


@pytest.fixture
def seer():
    return BackboneTransformer(image_size=32)


def read(X, **parameters):
    """Read samples as `fit` does, images at one size."""
    samples, _ = read_new(BackboneTransformer(**parameters), X)
    if hasattr(samples, "texts"):
        return samples.texts
    return samples.read(range(len(samples)), SimpleNamespace(size=(32, 32), samples=8000))


def bytes_of(path):
    with open(path, "rb") as file:
        return file.read()


def opened(path):
    with Image.open(path) as image:
        return image.copy()


class Column(UserList):
    """A sequence of its own, as a column of a data set is."""


class Tensor:
    """What can be exchanged through DLPack alone."""

    def __init__(self, values):
        self.values, self.shape, self.ndim = values, values.shape, values.ndim

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


# containers


@pytest.mark.parametrize(
    "wrap",
    [list, tuple, deque, Column, column, pd.Series, lambda p: pd.DataFrame({"image": p}), pl.Series,
     lambda p: pl.DataFrame({"image": p}), lambda p: np.array(p), lambda p: np.array(p)[:, None],
     lambda p: np.array(p, dtype="T"), lambda p: pd.Series(p, dtype="string").array, lambda p: [[path] for path in p],
     lambda p: pd.DataFrame({"image": pd.Categorical(p)})],
)  # fmt: skip
def test_paths_in_any_container_are_read_as_the_list(files, wrap):
    np.testing.assert_array_equal(read(wrap(files)), read(files))


@pytest.mark.parametrize(
    "wrap",
    [list, tuple, deque, column, pd.Series, lambda x: pd.DataFrame({"image": list(x)}),
     lambda x: [a.tolist() for a in x], lambda x: pl.Series([a.tolist() for a in x]),
     lambda x: np.array(x.tolist(), dtype=object), Tensor,
     lambda x: [Tensor(a) for a in x], lambda x: pl.DataFrame({"image": x})],
)  # fmt: skip
def test_image_arrays_in_any_container_are_read_as_the_array(pixels, wrap):
    pixels = pixels.astype("float32")
    np.testing.assert_array_equal(read(wrap(list(pixels) if wrap in (column, pd.Series) else pixels)), read(pixels))


@pytest.mark.parametrize("library", ["torch", "jax", "tensorflow"])
def test_tensors_are_read_as_the_array(pixels, library):
    module = pytest.importorskip("jax.numpy" if library == "jax" else library)
    make = {"torch": "as_tensor", "jax": "asarray", "tensorflow": "constant"}[library]
    tensor = getattr(module, make)(pixels / np.float32(255))
    for same in (tensor, list(tensor)):
        np.testing.assert_array_equal(read(same), read(pixels / np.float32(255)))


def test_tensors_of_a_graph_and_of_half_precision_are_read():
    torch = pytest.importorskip("torch")
    values = np.arange(6 * 4, dtype="float32").reshape(6, 2, 2) / 32
    for tensor in (torch.tensor(values, requires_grad=True), torch.tensor(values).to(torch.bfloat16)):
        np.testing.assert_array_equal(read(tensor), read(values))


@pytest.mark.parametrize(
    "wrap", [opened, bytes_of, lambda p: io.BytesIO(bytes_of(p)), lambda p: bytearray(bytes_of(p))]
)
def test_images_in_memory_are_read_as_their_files(files, wrap):
    samples = [wrap(path) for path in files]
    for same in (samples, column(samples), pd.DataFrame({"image": samples})):
        np.testing.assert_array_equal(read(same), read(files))


def test_features_are_those_of_the_plain_container(seer, files, pixels):
    expected = seer.fit_transform(files)
    for same in (deque(files), column(files), [bytes_of(path) for path in files]):
        np.testing.assert_array_equal(seer.transform(same), expected)
    expected = seer.fit_transform(pixels)
    for same in (list(pixels), column(list(pixels)), tuple(pixels)):
        np.testing.assert_array_equal(clone(seer).fit_transform(same), expected)


@pytest.mark.parametrize("wrap", [tuple, deque, column, pd.Series, lambda t: pl.DataFrame({"text": t}), Column])
def test_texts_in_any_container_are_read_as_the_list(wrap):
    texts = ["good and/or fine", "bad", "so good", "so bad"]
    assert read(wrap(texts)) == texts


@pytest.mark.parametrize(
    "wrap",
    [lambda x: x.tolist(), lambda x: deque(x.tolist()), pd.DataFrame, pl.DataFrame, Tensor, lambda x: list(x), column,
     lambda x: x.astype(object), lambda x: pd.DataFrame({"vector": list(x)}), lambda x: pl.DataFrame({"vector": x})],
)  # fmt: skip
def test_tables_in_any_container_are_read_as_the_array(flat, wrap):
    X = flat[:, ::80].astype("float64")
    np.testing.assert_array_equal(read(wrap(list(X) if wrap is column else X)), X)


def test_one_column_of_numbers_is_a_table():
    for X in (
        pd.DataFrame({"a": [1, 2]}),
        pd.DataFrame({"a": [1, 2]}, dtype=object),
        np.array([[1], [2]], dtype=object),
    ):
        assert kind(X) == "table"


def test_the_name_of_a_column_is_learned_and_checked(seer, files):
    seer.fit(pd.DataFrame({"image": files}))
    assert seer.feature_names_in_.tolist() == ["image"]
    assert seer.n_features_in_ == 1
    with pytest.raises(ValueError, match="feature names should match those that were passed during fit"):
        seer.transform(pd.DataFrame({"picture": files}))
    assert not hasattr(seer.fit(files), "feature_names_in_")


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (lambda p: (path for path in p), r"Got a generator, which can be read once; pass list\(X\)"),
        (iter, r"Got a list_iterator, which can be read once; pass list\(X\)"),
        (lambda p: map(str, p), r"Got a map, which can be read once; pass list\(X\)"),
        (set, "expected samples in an order. Got a set"),
        (frozenset, "Got a frozenset, which has none; pass sorted"),
        (lambda p: {"image": p}, "Got a dict; pass one of its values"),
        (lambda p: dict.fromkeys(p).keys(), "Got a dict_keys, which has none"),
        (lambda p: dict(enumerate(p)).values(), r"Got a dict_values; pass list\(X\)"),
        (lambda p: pl.DataFrame({"image": p}).lazy(), r"Got a LazyFrame, which is lazy; pass X\.collect\(\)"),
        (lambda p: None, "expected a list or an array of samples. Got None"),
        (lambda p: float("nan"), "expected a list or an array of samples. Got nan"),
        (lambda p: 3, r"expected a list or an array of samples\. Got a int\."),
        (lambda p: np.float64(3), "Got an array without dimensions"),
        (lambda p: np.array(p[0]), "Got an array without dimensions"),
        (lambda p: p[0], r"Got one sample, a string; pass \[X\]"),
        (lambda p: "a text", r"Got one sample, a string; pass \[X\]"),
        (lambda p: __import__("pathlib").Path(p[0]), r"Got one sample, a path \(PosixPath\); pass \[X\]"),
        (lambda p: p[0].rpartition("/")[0], r"Got the folder '.*'; list the files in it"),
        (lambda p: opened(p[0]), r"Got one sample, a PIL image; pass \[X\]"),
        (lambda p: bytes_of(p[0]), r"Got one sample, bytes; pass \[X\]"),
        (lambda p: (8000, np.zeros(99)), r"Got one sample, a clip with its sample rate; pass \[X\]"),
        (lambda p: object(), r"Got a object\."),
        (lambda p: np.ma.masked_less(np.eye(2), 1), r"without masked values.* X\.filled\(0\)"),
    ],
)  # fmt: skip
def test_what_holds_no_samples_is_refused_by_name(seer, files, X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        seer.fit(X(files))


EMPTY = [
    [], (), deque(), np.empty(0), np.empty((0, 4)), np.empty((0, 8, 8)), np.empty(0, dtype=object),
    pd.Series([], dtype=str),     pd.DataFrame({"a": []}), pl.DataFrame({"a": []}), range(0),
]  # fmt: skip


@pytest.mark.parametrize("X", EMPTY, ids=lambda X: type(X).__name__)
@pytest.mark.parametrize("fitted_on", ["files", "pixels", "table", "texts", "audio"])
def test_no_samples_raise_one_error_for_all_kinds(request, X, fitted_on):
    with pytest.raises(
        ValueError, match=r"X: Found array with 0 sample\(s\) \(shape=\(0.*\) while a minimum of 1 is req"
    ):
        fitted(request, fitted_on).transform(X)


def fitted(request, fitted_on):
    """A transformer that has learned a format, and no network."""
    own = {"table": np.eye(4), "texts": ["a text", "another"], "audio": [(8000, np.ones(800))] * 2}
    transformer = BackboneTransformer()
    _, format = read_new(transformer, own[fitted_on] if fitted_on in own else request.getfixturevalue(fitted_on))
    transformer.model_ = SimpleNamespace(format=format)
    return transformer


# missing samples


@pytest.mark.parametrize("missing", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT")])
@pytest.mark.parametrize("wrap", [list, tuple, pd.Series, lambda x: pd.DataFrame({"x": x}), column])
def test_missing_samples_are_named_by_position(files, pixels, missing, wrap):
    for samples in (
        ["a text", "another"],
        files[:2],
        [opened(path) for path in files[:2]],
        list(pixels[:2]),
        [[1, 2], [3, 4]],
    ):
        for position in range(3):
            X = samples.copy()
            X.insert(position, missing)
            with pytest.raises(
                ValueError, match=rf"X: sample {position} is missing \(.*\)\. Expected .*drop that sample"
            ):
                read_new(BackboneTransformer(), wrap(X))


def test_a_missing_sample_far_from_the_first_is_named():
    X = ["a text"] * 1000
    X[777] = None
    with pytest.raises(ValueError, match=r"X: sample 777 is missing \(None\)"):
        read_new(BackboneTransformer(), X)
    with pytest.raises(ValueError, match=r"X: sample 0 is missing \(None\)"):
        read_new(BackboneTransformer(), [None, None])


# paths and texts


TEXTS = [
    "see and/or try a.b", "good", "a film, 24/7", "RT @a: look https://t.co/x1y2 now", "e.g.", "U.S.A.", "3.14",
    "a@b.org", "half \ud800", "\x00", "", " ", "北京 is a city", "I saved it\nas cat.png", "<br/>", "why?/no", "1.5",
    "Wait... what", "He said: C:\\temp is full", "x" * 2000 + ".png", "docs", "tests", "data: none", "a/b or c/d",
]  # fmt: skip
PATHS = [
    "cat.png", "CAT.JPG", "a/b/cat.jfif", "cat.avif", "cat.heic", "cat.jp2", "scan.dcm", "cat.tga", "voice.m4a",
    "voice.aac", "C:\\images\\cat.png", "@2x.png", "data:image/png;base64,iVBORw0KGgo=", "tests/", "tests/conftest.py",
]  # fmt: skip
EITHER = [
    "and/or", "N/A", "report.pdf", "images/0001", "https://example.org/cat.png?size=2", "s3://bucket/cat", "my cat.png",
    "Node.js", "file:///tmp/cat.png", "../cat",
]  # fmt: skip


@pytest.mark.parametrize(("texts", "what"), [(TEXTS, "TEXT"), (PATHS, "PATH"), (EITHER, "EITHER")], ids=str)
def test_a_string_is_a_path_a_text_or_open(texts, what, monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    assert {text: written(text).name for text in texts} == dict.fromkeys(texts, what)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=12), min_size=2, max_size=5).map(" ".join))
def test_words_with_white_space_are_never_taken_for_paths(text):
    assert written(text) is not Written.PATH


@pytest.mark.parametrize("text", EITHER)
def test_what_may_be_a_path_is_a_text_among_texts_and_an_error_alone(text):
    assert kind(["a good film", text, "another one"]) == "texts"
    assert kind([text] * 50 + ["a good film"]) == "texts"
    with pytest.raises(ValueError, match=r"X: sample 0, '.*', is .*Expected paths of files.*sample_kind='texts' if"):
        kind([text, "yes/no"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://example.org/cat.png?size=2", "is a web address. Expected paths .*; download the files"),
        ("data:image/png;base64," + 500 * "A", r"^.{0,150}…', is a data URI\. .*pass the bytes in it, base64"),
        ("images/0001", "is missing: it looks like a path, but there is no such file"),
        ("nowhere.heic", r"sample 0, 'nowhere\.heic', is missing"),
        ("nowhere.m4a", r"sample 0, 'nowhere\.m4a', is missing\. Expected the path of a sound file"),
        ("my nowhere.png", r"sample 0, 'my nowhere\.png', is missing"),
    ],
)
def test_paths_that_lead_nowhere_are_never_learned_as_texts(text, message):
    for X in ([text] * 3, pd.DataFrame({"x": [text]}), np.array([text])):
        with pytest.raises(ValueError, match=message):
            BackboneTransformer().fit(X)


@pytest.mark.parametrize("suffix", [".jfif", ".tga", ".jp2", ".avif", ".ico", ""])
def test_files_of_rare_endings_are_images(seer, pixels, tmp_path, suffix):
    written_as = {".jfif": "JPEG", "": "PNG"}.get(suffix)
    paths = [str(tmp_path / f"image{i}{suffix}") for i in range(2)]
    for path, image in zip(paths, pixels, strict=False):
        Image.fromarray(image).save(path, format=written_as)
    assert kind(paths) == "image_files"
    assert seer.fit_transform(paths).shape == (2, 1280)


def test_a_missing_file_among_files_is_named(seer, files, tmp_path):
    with pytest.raises(ValueError, match=r"sample 6, '.*/other', is missing"):
        seer.fit([*files, str(tmp_path / "other")])
    with pytest.raises(ValueError, match=r"sample 6, '.*', is not an image file but a folder"):
        seer.fit([*files, f"{tmp_path}/"])


def test_files_without_an_ending_are_files_unless_there_are_texts(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path, name in zip(files, ("cat", "dog"), strict=False):
        (tmp_path / path).rename(name)
    assert kind(["cat", "dog"]) == "image_files"
    assert kind(["cat", "dog", "bird"]) == "texts"


# kinds that are mixed


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (lambda f, p: [f[0], "a text"], r"Sample 0 is a string, taken as image files .*, and sample 1 is a "
                                        r"string, taken as texts; .*pass sample_kind='texts'"),
        (lambda f, p: [f[0], p[0]], r"Sample 0 .* sample 1 is an array of shape \(28, 28\), taken as image arrays"),
        (lambda f, p: [p[0], p[0].ravel()], r"Sample 0 .*\(28, 28\).* sample 1 .*\(784,\), taken as a table"),
        (lambda f, p: ["a text", 3], r"Sample 0 is a string, taken as texts, and sample 1 is a number \(int\)"),
        (lambda f, p: [f[0], "a.wav"], "Sample 0 .* taken as image files .* sample 1 is a string, taken as audio"),
        (lambda f, p: [*f, *["a b"] * 900], r"Sample 0 .* taken as image files .* and sample \d+ is a string, taken"),
        (lambda f, p: [(8000, np.ones(9)), [1, 2]], "Sample 0 is a clip with its sample rate, taken as audio, and"),
        (lambda f, p: ["a text", {"text": "b"}], r"sample 1 is an object \(dict\)\. Expected numbers, arrays, paths"),
        (lambda f, p: [object()], r"sample 0 is an object \(object\)"),
    ],
)  # fmt: skip
def test_mixed_kinds_name_both_positions(files, pixels, X, message):
    with pytest.raises(TypeError, match=message):
        TransferClassifier().fit(X(files, pixels), None)


def test_a_sample_that_was_not_looked_at_is_checked_by_the_reader(files):
    X = ["a text"] * 1000
    X[782] = 3
    with pytest.raises(TypeError, match=r"expected texts in every sample\. Sample 782 is a number \(int\)"):
        read_new(BackboneTransformer(), X)
    with pytest.raises(ValueError, match=r"sample 782, 'a text', is missing"):
        read_new(BackboneTransformer(), [*[files[0]] * 782, "a text", *[files[0]] * 217])


def test_one_colour_image_is_not_many_grey_ones(seer):
    with pytest.raises(
        ValueError, match=r"Got an array of shape \(40, 30, 3\); a single colour image goes in as X\[None\]"
    ):
        seer.fit(np.zeros((40, 30, 3)))


# the known kind decides


def test_after_texts_every_string_is_a_text():
    encoder = BackboneTransformer("small_transformer", random_state=0).fit(["good", "bad", "so good", "so bad"])
    assert encoder.transform(["image.png", "and/or", "https://a.b/c.png", __file__]).shape == (4, 64)
    with pytest.raises(TypeError, match=r"expected texts, as in fit\. Sample 0 is a number"):
        encoder.transform([3])
    with pytest.raises(ValueError, match=r"expected texts, as in fit\. Got an array of shape \(2, 2\)"):
        encoder.transform(np.eye(2))


def test_after_files_every_string_is_a_path(seer, files):
    seer.fit(files)
    for path in ("nowhere", "a text", "https://a.b/c"):
        with pytest.raises(ValueError, match=rf"sample 1, '{path}', is missing\. Expected the path of an image file"):
            seer.transform([files[0], path])


def test_after_audio_every_string_is_a_path():
    seer = BackboneTransformer(image_size=32).fit([(8000, np.ones(800))])
    with pytest.raises(ValueError, match=r"sample 0, 'nowhere', is missing\. Expected the path of a sound file"):
        seer.transform(["nowhere"])


def test_after_a_table_other_kinds_raise(flat, labels):
    clf = TransferClassifier(epochs=1).fit(flat[:, ::80], labels)
    with pytest.raises(TypeError, match=r"expected a table of 10 columns, as in fit\. Sample 0 is a string"):
        clf.predict(["a text"])
    with pytest.raises(
        ValueError, match=r"expected a table of 10 columns, as in fit\. Got an array of shape \(2, 8, 8\)"
    ):
        clf.predict(np.zeros((2, 8, 8)))


def test_flattened_samples_of_the_fitted_length_are_taken(seer, pixels):
    expected = seer.fit_transform(pixels)
    flat = pixels.reshape(len(pixels), -1)
    for same in (flat, pd.DataFrame(flat), pixels[..., None], list(flat)):
        np.testing.assert_array_equal(seer.transform(same), expected)
    np.testing.assert_allclose(seer.transform(flat.tolist()), expected, atol=1e-4)
    with pytest.raises(
        ValueError, match=r"or flattened to 784 values\. Got an array of shape \(28, 28\); a single sample"
    ):
        seer.transform(pixels[0])
    np.testing.assert_array_equal(seer.fit(pixels[..., None]).transform(pixels), expected)


def test_flattened_sequences_of_the_fitted_length_are_taken():
    X = np.random.default_rng(0).normal(size=(6, 8, 2)).astype("float32")
    coder = AutoencoderTransformer("conv1d", latent_dim=2, epochs=1, random_state=0).fit(X)
    np.testing.assert_array_equal(coder.transform(X.reshape(6, 16)), coder.transform(X))
    with pytest.raises(ValueError, match=r"expected sequences of shape \(8, 2\), as in fit, or flattened to 16 values"):
        coder.transform(X.reshape(6, 16)[:, :15])


# sample_kind


def test_sample_kind_overrides_what_samples_look_like(files, pixels):
    texts = ["cat.png", "and/or", "N/A", "dog.png"]
    assert read(texts, sample_kind="texts") == texts
    np.testing.assert_array_equal(read(files, sample_kind="image_files"), read(files))
    waves = np.random.default_rng(0).normal(size=(2, 800))
    np.testing.assert_array_equal(read(waves, sample_rate=8000, sample_kind="table"), waves)
    sequences = BackboneTransformer(sample_kind="sequences", random_state=0).fit(pixels)
    assert sequences.backbone_.name == "small_transformer"
    assert sequences.backbone_.input_shape == sequences.model_.format.shape == (28, 28)
    assert sequences.transform(pixels).shape == (6, 64)


@pytest.mark.parametrize(
    ("sample_kind", "X", "message"),
    [
        ("audio", ["nowhere.png"], r"sample 0, 'nowhere\.png', is missing\. Expected the path of a sound file"),
        ("audio", [3.5], r"expected audio in every sample\. Sample 0 is a number"),
        ("audio", np.ones((2, 99)), "sample 0 is a waveform of unknown rate"),
        ("texts", np.eye(3), r"expected texts, as sample_kind='texts' says\. Got an array of shape \(3, 3\)"),
        ("texts", [b"a"], r"expected texts in every sample\. Sample 0 is bytes"),
        ("image_files", ["a text"], r"sample 0, 'a text', is missing\. Expected the path of an image file"),
        ("image_files", np.zeros((2, 8, 8)), r"as sample_kind='image_files' says\. Got an array of shape \(2, 8, 8\)"),
        ("image_arrays", ["a text"], r"expected image arrays in every sample\. Sample 0 is a string"),
        ("image_arrays", np.eye(4), r"expected images of shape \(n, height, width, channels\)\. Got an array of shape"),
        ("table", ["a text"], r"expected a table in every sample\. Sample 0 is a string"),
        ("table", np.zeros((2, 8, 8)), r"a table, as sample_kind='table' says\. Got an array of shape \(2, 8, 8\)"),
        ("sequences", np.eye(3), r"expected sequences of shape \(n, steps, channels\)"),
        ("sequences", [np.ones((3, 2)), np.ones((4, 2))], "expected sequences of one size.* cut them or fill them up"),
        ("images", np.eye(3), "The 'sample_kind' parameter of BackboneTransformer must be a str among"),
    ],
)  # fmt: skip
def test_samples_that_cannot_be_of_the_kind_raise(sample_kind, X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        BackboneTransformer(sample_kind=sample_kind).fit(X)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator_has_sample_kind(estimator, pixels):
    assert estimator().get_params()["sample_kind"] is None
    with pytest.raises(
        (ValueError, TypeError), match=r"X: expected texts, as sample_kind='texts' says\. Got an array of"
    ):
        estimator(sample_kind="texts").fit(pixels, np.arange(6) % 2)


# kinds as values


@pytest.mark.parametrize("name", SAMPLE_KINDS)
def test_kinds_are_values(name):
    kind = SAMPLE_KINDS[name]
    format = InputFormat(kind, (4, 4, 1))
    data = skops.io.dumps({"format": format})
    for travelled in (
        pickle.loads(pickle.dumps(format)),
        copy.deepcopy(format),
        skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))["format"],
    ):
        assert travelled == format
        assert hash(travelled.kind) == hash(kind)
        assert str(travelled.kind) == name
    assert [kind == other for other in SAMPLE_KINDS.values()].count(True) == 1


def test_a_network_for_sequences_decides_between_series_and_grey_images():
    backbone = load_backbone("small_transformer", input_shape=(9, 4), random_state=0)
    assert BackboneTransformer(backbone).fit(np.zeros((2, 9, 4))).model_.format.shape == (9, 4)
    assert kind(np.zeros((2, 9, 4))) == "image_arrays"
