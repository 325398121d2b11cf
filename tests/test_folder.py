"""Folders and tables of files as samples, and files that are in memory."""

import csv
import io
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import soundfile
from PIL import Image
from sklearn.datasets import load_files

from skltransfer import (
    AutoencoderTransformer,
    BackboneTransformer,
    DomainAdaptationClassifier,
    DomainAdaptationRegressor,
    TransferClassifier,
    TransferRegressor,
)
from skltransfer._inputs.signatures import kind_of
from skltransfer.datasets import load_csv, load_folder, load_unlabeled

ROOT = Path(__file__).parent.parent
NAMES = ["猫", "كلاب", "😀 happy", "two words", "line\nbreak", "it's"]


def picture(image, form="PNG"):
    """The bytes of an image file."""
    into = io.BytesIO()
    Image.fromarray(image).save(into, form)
    return into.getvalue()


def sound(pitch, form="WAV"):
    into = io.BytesIO()
    soundfile.write(into, np.sin(np.arange(1600) * pitch), 8000, format=form)
    return into.getvalue()


def fill(folder, files):
    """Write files, by their paths in the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.fixture
def pictures(tmp_path, images):
    """Two classes of pictures, whose names say nothing, with all that lies around in folders."""
    kept = {f"{name}/{i}.txt": picture(images[i]) for i, name in enumerate("abab")}
    others = {
        "a/readme.png": "a text",
        "a/empty.png": b"",
        "b/old.jpg": b"PK\x03\x04",
        "b/tone.png": sound(1),
        "x": "y",
    }
    return fill(tmp_path / "pictures", kept | others | {"a/.DS_Store": b"\0", ".git/HEAD": "ref", "nothing/c": b"\0"})


def test_subfolders_are_classes_and_the_kind_of_most_files_is_taken(pictures):
    found = load_folder(pictures)
    names = ["a/0.txt", "a/2.txt", "b/1.txt", "b/3.txt"]
    assert found.data == found.filenames.tolist() == [os.path.join(pictures, name) for name in names]
    assert found.target.tolist() == ["a", "a", "b", "b"]
    assert found.target_names == ["a", "b"]
    assert found.sample_kind == "image_files"


def test_what_is_skipped_is_said_with_the_reason_but_for_hidden_files(pictures):
    reasons = {os.path.relpath(path, pictures): reason for path, reason in load_folder(pictures).skipped}
    assert reasons == {
        "x": "beside the folders of classes",
        "a/readme.png": "a text, not a picture",
        "a/empty.png": "empty",
        "b/old.jpg": "a ZIP archive",
        "b/tone.png": "a sound, not a picture",
        "nothing/c": "no picture, sound or text in UTF-8",
        "nothing": "a folder without samples",
    }


def test_the_kind_can_be_said(pictures):
    assert load_folder(pictures, sample_kind="texts").data == ["a text"]
    with pytest.raises(ValueError, match=r"Got sample_kind='audoi'; known: .* Did you mean 'audio'"):
        load_folder(pictures, sample_kind="audoi")


def test_texts_are_those_of_scikit_learn(tmp_path):
    fill(tmp_path, {"good/1": "A wonderful film — déjà vu.", "good/2": "Lovely.", "bad/1.jpg": "Dull."})
    ours, theirs = load_folder(tmp_path), load_files(tmp_path, encoding="utf-8", shuffle=False)
    assert ours.data == theirs.data
    assert ours.target.tolist() == [theirs.target_names[code] for code in theirs.target]
    assert ours.filenames.tolist() == theirs.filenames.tolist()


def test_a_text_that_is_none_further_on_is_skipped(tmp_path):
    fill(tmp_path, {"a/1": "good", "a/2": b"x" * 5000 + b"\xff", "a/3": "\ufeffmarked", "a/4": "é" * 3000})
    found = load_folder(tmp_path)
    assert found.data == ["good", "marked", "é" * 3000]
    assert found.skipped == [(os.path.join(tmp_path, "a", "2"), "no text in UTF-8")]


def test_pictures_are_not_read_before_they_are_needed(pictures, monkeypatch):
    monkeypatch.setattr(Image, "open", None)  # calling it would raise
    assert len(load_folder(pictures).data) == 4


def test_folders_below_a_class_belong_to_it_and_circles_end(tmp_path, images):
    fill(tmp_path, {"a/2020/01/x": picture(images[0]), "a/y": picture(images[1]), "b/z": picture(images[2])})
    os.symlink(tmp_path / "a", tmp_path / "a" / "2020" / "again")
    os.symlink("itself", tmp_path / "a" / "itself")
    found = load_folder(tmp_path)
    assert [os.path.basename(path) for path in found.data] == ["x", "y", "z"]
    assert [os.path.basename(path) for path, _ in found.skipped] == ["itself"]


def test_a_pipe_among_files_is_not_waited_on(tmp_path, images):
    fill(tmp_path, {"a/1": picture(images[0])})
    os.mkfifo(tmp_path / "a" / "pipe")
    assert load_folder(tmp_path).skipped == [(os.path.join(tmp_path, "a", "pipe"), "it is no ordinary file")]


def test_names_in_any_script(tmp_path):
    fill(tmp_path, {f"{name}/{name}.txt": name for name in NAMES})
    found = load_folder(tmp_path)
    assert found.target_names == sorted(NAMES)
    assert found.target.tolist() == found.data == sorted(NAMES)


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({}, ValueError, "has no folders in it. Expected one for each class"),
        ({"1.txt": "a"}, ValueError, "has no folders in it"),
        ({"a/1": b"\0\1"}, ValueError, r"at least one file with a picture, sound or text. Skipped .*no picture"),
        ({"train/a/1": "a", "test/a/1": "b"}, ValueError, "which are parts of a data set.*pass one of them"),
    ],
)
def test_folders_without_samples_are_refused(tmp_path, files, error, message):
    with pytest.raises(error, match=message):
        load_folder(fill(tmp_path, files))


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is missing. Expected a folder of folders"):
        load_folder(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"is a file. Expected a folder of folders"):
        load_folder(tmp_path / "file")
    os.mkdir(os.fsencode(tmp_path) + b"/caf\xe9")
    with pytest.raises(ValueError, match=r"has a name that is not UTF-8. Rename it"):
        load_folder(tmp_path)


def test_unlabeled_files_and_folders(pictures):
    one = pictures / "b" / "3.txt"
    found = load_unlabeled([one, pictures / "a"])
    assert found.data == [str(one), str(pictures / "a" / "0.txt"), str(pictures / "a" / "2.txt")]
    with pytest.raises(FileNotFoundError, match=r"is missing. Expected a file or a folder"):
        load_unlabeled([pictures / "nowhere"])
    with pytest.raises(ValueError, match="at least one file with a sound"):
        load_unlabeled([one], sample_kind="audio")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "ICO", "AVIF"])
def test_pictures_are_known_by_their_first_bytes(images, form):
    colors = np.repeat(np.repeat(images[0][..., None], 3, axis=-1), 2, axis=0).repeat(2, axis=1)
    assert kind_of(picture(colors, form)[:1024]) == "image_files"


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "AIFF", "AU", "CAF", "W64", "RF64", "MP3"])
def test_sounds_are_known_by_their_first_bytes(form):
    assert kind_of(sound(1, form)[:1024]) == "audio"


@pytest.mark.parametrize(
    "text", ["P1 is better than P2", "BM is a company", "a\tb\r\n", "GIF", "RIFF of a guitar", "II*"]
)
def test_texts_that_begin_like_other_files_are_texts(text):
    assert kind_of(text.encode()) == "texts"


def table(folder, rows, name="table.csv", **options):
    with open(folder / name, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, **options).writerows(rows)
    return folder / name


def test_csv_with_paths_relative_to_its_folder(pictures, monkeypatch):
    rows = [["label", "file"], ["cat", "a/0.txt"], ["dog", "b/1.txt"], ["cat", "a/readme.png"]]
    found = load_csv(table(pictures, rows), target="label")
    assert found.data == [os.path.join(pictures, "a/0.txt"), os.path.join(pictures, "b/1.txt")]
    assert found.target.tolist() == ["cat", "dog"]
    assert found.sample_kind == "image_files"
    assert [reason for _, reason in found.skipped] == ["a text, not a picture"]
    monkeypatch.chdir(pictures)
    assert load_csv("table.csv", target="label").data == ["a/0.txt", "b/1.txt"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_with_texts_or_numbers(tmp_path, delimiter):
    rows = [["id", "text", "stars"], [1, "a; b, c | d\te\nf", 4.5], [2, "see and/or try", 2]]
    path = table(tmp_path, rows, delimiter=delimiter)
    found = load_csv(path, column="text", target="stars")
    assert found.data == [row[1] for row in rows[1:]]
    assert found.sample_kind == "texts"
    assert found.target.tolist() == [4.5, 2.0]
    assert found.target_names is None
    numbers = load_csv(path, column=["stars", "id"])
    np.testing.assert_array_equal(numbers.data, [[4.5, 1], [2, 2]])
    assert (numbers.sample_kind, numbers.feature_names, "target" in numbers) == ("table", ["stars", "id"], False)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([["a", "b"]], {}, "has no rows. Expected a line of names"),
        ([], {}, "has no rows"),
        ([["a", "a"], [1, 2]], {}, "two columns of one name"),
        ([["a", "b"], [1, 2], [3]], {}, "line 3: expected 2 cells, as in the first line. Got 1"),
        ([["a", "b"], [1, 2]], {"target": "c"}, "Got target='c'; known: 'a', 'b'"),
        ([["a", "b"], [1, 2]], {"column": ["d"]}, "Got column='d'; known: 'a', 'b'"),
        ([["a", "b"], [1, 2]], {"column": "a", "target": "a"}, "Got 'a', which is the target"),
        ([["a"], [1]], {"target": "a"}, "expected a column beside the target"),
        ([["a", "b"], [1, "x"], [2, ""]], {"column": "a", "target": "b"}, "line 3: 'b' is empty"),
        ([["a", "b"], [1, 2], [3, "x"]], {}, "line 3: 'b' is 'x'. Expected numbers in all of the columns a, b"),
        ([["a", "b"], [1, 2], [3, "nan"]], {}, "line 3: 'b' is 'nan'. Expected numbers"),
        ([["a"], ["1.png"], ["2.png"]], {}, r"2 of 2 files are missing, such as '.*1.png' \(lines 2, 3\)"),
        ([["a"], ["table.csv"], ["2"]], {}, r"1 of 2 files are missing, such as '.*2' \(lines 3\)"),
        ([["a"], ["x" * 200_000]], {}, "line 2: field larger than field limit"),
    ],
)
def test_errors_of_csv_files_name_the_line(tmp_path, rows, options, message):
    with pytest.raises(ValueError, match=message):
        load_csv(table(tmp_path, rows), **options)


def test_csv_with_numbers_as_a_frame(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,y\n1,2,x\n3,4.5,z\n")
    frame = load_csv(tmp_path / "t.csv", column=["b", "a"], target="y", as_frame=True).data
    pd.testing.assert_frame_equal(frame, pd.DataFrame({"b": [2.0, 4.5], "a": [1.0, 3.0]}))


def test_csv_that_is_not_utf8_or_missing(tmp_path):
    (tmp_path / "latin.csv").write_bytes("text\ncafé\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"is not in UTF-8 .*Save it as CSV in UTF-8"):
        load_csv(tmp_path / "latin.csv")
    with pytest.raises(FileNotFoundError, match="No such file"):
        load_csv(tmp_path / "nowhere.csv")


def parquet(encoded, folder):
    """A column of bytes, and one as Hugging Face's data sets write, after a round trip."""
    stored = [{"bytes": content, "path": None} for content in encoded]
    pl.DataFrame({"binary": encoded, "stored": stored}).write_parquet(folder / "x.parquet")
    return pl.read_parquet(folder / "x.parquet")


CONTAINERS = {
    "bytes": lambda encoded, folder: encoded,
    "io": lambda encoded, folder: [io.BytesIO(content) for content in encoded],
    "hugging face": lambda encoded, folder: [{"bytes": content, "path": "a.png"} for content in encoded],
    "pandas": lambda encoded, folder: pd.DataFrame({"binary": encoded}),
    "pandas, stored": lambda encoded, folder: pd.Series([{"bytes": content} for content in encoded]),
    "polars": lambda encoded, folder: parquet(encoded, folder)["binary"],
    "polars, stored": lambda encoded, folder: parquet(encoded, folder)[["stored"]],
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("encode", [picture, sound])
def test_encoded_files_in_any_container_are_samples(container, encode, images, tmp_path):
    encoded = [encode(image) for image in images[:4]] if encode is picture else [sound(i) for i in range(1, 5)]
    found = BackboneTransformer(image_size=32).fit_transform(CONTAINERS[container](encoded, tmp_path))
    np.testing.assert_array_equal(found, BackboneTransformer(image_size=32).fit_transform(encoded))


@pytest.mark.parametrize(
    "estimator",
    [
        TransferClassifier(image_size=32),
        TransferRegressor(image_size=32),
        AutoencoderTransformer(image_size=32, epochs=1),
        DomainAdaptationClassifier(method="source_only", image_size=32),
        DomainAdaptationRegressor(method="source_only", image_size=32),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_all_estimators_take_what_data_sets_store(estimator, images, tmp_path):
    encoded = [picture(image) for image in images[:12]]
    stored, y = parquet(encoded, tmp_path)["stored"], np.arange(12) % 2
    domains = {"sample_domain": np.repeat([1, -1], 6)} if "Adaptation" in type(estimator).__name__ else {}
    y = y.astype(float) if "Regressor" in type(estimator).__name__ else y
    estimator.set_params(random_state=0).fit(stored, y, **domains)
    read = estimator.predict if hasattr(estimator, "predict") else estimator.transform
    np.testing.assert_array_equal(read(stored), read([io.BytesIO(content) for content in encoded]))


def test_what_a_file_holds_counts_more_than_its_name(tmp_path, images):
    fill(tmp_path, {"a.wav": picture(images[0]), "b.wav": picture(images[1])})
    found = BackboneTransformer(image_size=32).fit([tmp_path / "a.wav", tmp_path / "b.wav"])
    assert str(found.model_.format.kind) == "image_files"


def test_bytes_of_one_length_are_refused():
    with pytest.raises(TypeError, match="an array of bytes of one length, which NumPy fills up, or cuts"):
        BackboneTransformer().fit(np.array([b"a", b"b"]))


def test_code_of_the_page_on_files_runs(tmp_path, images, monkeypatch):
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "files.md").read_text(), flags=re.DOTALL)
    fill(tmp_path / "photos", {f"{name}/{i}": picture(images[i]) for i, name in enumerate(["cat", "dog"] * 3)})
    monkeypatch.chdir(tmp_path)
    scope = {}
    exec(block, scope)
    assert scope["clf"].classes_.tolist() == ["cat", "dog"]
