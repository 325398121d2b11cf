"""The command line: what it does, and what it says of all that can go wrong."""

import csv
import io
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import skltransfer
from skltransfer.__main__ import COMMANDS, _parser, main
from skltransfer._cli.completion import SHELLS, completion
from skltransfer._features import extraction
from skltransfer._utils import files as written
from skltransfer.datasets import load_folder

TWO = {"a": 0, "b": 1}


def fill(folder, images, classes=TWO, each=4):
    """Write pictures into a folder for each class."""
    for name, code in classes.items():
        (folder / name).mkdir(parents=True)
        for i in range(each):
            Image.fromarray(images[4 * i + code]).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory, images):
    """Eight pictures of two classes."""
    return fill(tmp_path_factory.mktemp("pictures") / "photos", images)


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    """What fit wrote."""
    out = tmp_path_factory.mktemp("model") / "photos.skltransfer"
    assert main(["fit", str(folder), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def flowers(tmp_path_factory):
    """A CSV file of numbers, and what fit made of it."""
    random, place = np.random.default_rng(0), tmp_path_factory.mktemp("flowers")
    with (place / "flowers.csv").open("w", newline="") as file:
        rows = ([*(random.normal(size=2) + 9 * (i % 2)).tolist(), "xy"[i % 2], i % 2 + 0.5 * i] for i in range(40))
        csv.writer(file).writerows([["one", "two", "kind", "height"], *rows])
    numbers = ["--column", "one", "--column", "two"]
    out = place / "flowers.skltransfer"
    assert main(["fit", str(place / "flowers.csv"), "--target", "kind", "--out", str(out), *numbers]) == 0
    return place / "flowers.csv", out, numbers


def test_fit_says_what_was_read_and_how_good_it_is(folder, tmp_path, capsys):
    photos = shutil.copytree(folder, tmp_path / "photos")
    (photos / "note").write_text("beside")
    outputs = ["--out", str(tmp_path / "m.skltransfer"), "--report", str(tmp_path / "page.html")]
    assert main(["fit", str(photos), *outputs, "--test-share", "0.5"]) == 0
    said = capsys.readouterr().err
    assert "Read 8 pictures of 2 classes: a, b." in said
    assert "note': beside the folders of classes." in said
    assert "On 4 samples that were held out: accuracy " in said
    assert "(95 % interval " in said
    assert sorted(os.listdir(tmp_path)) == ["m.skltransfer", "page.html", "photos"]
    assert "</html>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_predictions_are_those_of_the_estimator(model, folder, tmp_path, capsys):
    files = load_folder(folder)
    fitted = skltransfer.load(model)
    assert main(["predict", str(model), str(folder), "--proba", "--csv", str(tmp_path / "out.csv")]) == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["file", "prediction", "a", "b"]
    assert [row[0] for row in rows] == files.data
    assert [row[1] for row in rows] == fitted.predict(files.data).tolist()
    np.testing.assert_allclose([[float(x) for x in row[2:]] for row in rows], fitted.predict_proba(files.data), 1e-5)
    assert capsys.readouterr().out == ""
    assert main(["predict", str(model), files.data[0], files.data[-1]]) == 0
    assert capsys.readouterr().out == f"file\tprediction\n{files.data[0]}\ta\n{files.data[-1]}\tb\n"


def test_evaluate(model, folder, capsys):
    assert main(["evaluate", str(model), str(folder)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("accuracy 1.000 (95 % interval 0.676 to 1.000; 8 of 8 right)")
    assert "precision" in said.out


def test_rows_of_numbers(flowers, capsys):
    path, fitted, numbers = flowers
    assert main(["predict", str(fitted), str(path), *numbers]) == 0
    assert capsys.readouterr().out.startswith("file\tprediction\nrow 1\tx\nrow 2\ty\n")
    assert main(["evaluate", str(fitted), str(path), "--target", "kind", *numbers]) == 0
    assert "accuracy 1.000" in capsys.readouterr().out


def test_columns_are_found_by_their_names(flowers, tmp_path, capsys):
    path, fitted, _ = flowers
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = said_of(["predict", fitted, path], capsys)
    for order in (["two", "one"], ["kind", "two", "height", "one"]):
        with (tmp_path / "other.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, order, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        assert said_of(["predict", fitted, tmp_path / "other.csv"], capsys) == expected
    assert "accuracy 1.000" in said_of(["evaluate", fitted, tmp_path / "other.csv", "--target", "kind"], capsys)
    adapted = tmp_path / "adapted.skltransfer"
    numbers = ["--column", "one", "--column", "two", "--method", "source_only", "--target", "kind"]
    assert main(["adapt", str(path), str(tmp_path / "other.csv"), "--out", str(adapted), *numbers]) == 0
    assert said_of(["predict", adapted, tmp_path / "other.csv"], capsys) == expected
    (tmp_path / "other.csv").write_text("one,height\n1,2\n")
    refused(["predict", fitted, tmp_path / "other.csv"], capsys, tmp_path, "Got column='two'; known: 'one', 'height'")


@pytest.mark.parametrize("options", [[], ["--regression"]])
def test_values(flowers, tmp_path, capsys, options):
    path, _, numbers = flowers
    arguments = [str(path), "--target", "height", "--out", str(tmp_path / "m"), *numbers, *options]
    assert main(["fit", *arguments]) == 0
    said = capsys.readouterr().err
    assert "Read 40 rows of numbers.\n" in said
    assert "R² " in said
    assert main(["evaluate", str(tmp_path / "m"), str(path), "--target", "height", *numbers]) == 0


def test_rank_and_search(folder, tmp_path, capsys, images):
    photos = fill(tmp_path / "photos", images, each=6)
    assert main(["rank-backbones", str(photos), "--backbone", "efficientnet_lite0"]) == 0
    header, row, end = capsys.readouterr().out.split("\n")
    assert header == "name\tmean_test_score\tlower\tupper\tseconds\tn_parameters"
    assert row.startswith("efficientnet_lite0\t")
    assert end == ""
    assert main(["fit", str(photos), "--time", "0.1s", "--out", str(tmp_path / "m")]) == 0
    assert "efficientnet_lite0: " in (said := capsys.readouterr().err)
    assert "There is no time left to try efficientnet_lite1." in said or "lite1: " not in said


def test_adapt(folder, tmp_path, capsys):
    out = str(tmp_path / "m.skltransfer")
    arguments = ["--out", out, "--method", "source_only"]
    assert main(["adapt", str(folder), str(folder / "b"), *arguments]) == 0
    assert "Read 4 pictures.\n" in capsys.readouterr().err
    assert main(["predict", out, str(folder / "b")]) == 0
    assert capsys.readouterr().out.count("\tb\n") == 4


def test_export_takes_what_fit_wrote(model, tmp_path):
    pytest.importorskip("onnxruntime")
    assert main(["export", str(model), str(tmp_path / "m.onnx")]) == 0
    assert (tmp_path / "m.onnx").stat().st_size > 1e6


SCRIPTS = ["猫", "كلاب", "😀 happy", "two words", "line\nbreak"]


def test_names_in_any_script(images, tmp_path, capsys):
    photos = fill(tmp_path / SCRIPTS[0], images, {name: i % 4 for i, name in enumerate(SCRIPTS)}, each=2)
    out, result = tmp_path / f"{SCRIPTS[-1]}.skltransfer", tmp_path / f"{SCRIPTS[1]}.csv"
    assert main(["fit", str(photos), "--out", str(out)]) == 0
    capsys.readouterr()
    assert main(["predict", str(out), str(photos)]) == 0
    assert main(["predict", str(out), str(photos), "--csv", str(result)]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out), delimiter="\t"))
    with result.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == rows
    assert {row[1] for row in rows[1:]} <= set(SCRIPTS)
    assert [row[0] for row in rows[1:]] == [str(photos / name / f"{i}.png") for name in sorted(SCRIPTS) for i in (0, 1)]


def empty(place):
    (place / "empty").mkdir()
    return place / "empty"


def one_class(place, folder):
    shutil.copytree(folder / "a", place / "one" / "a")
    return place / "one"


def unreadable(place):
    (place / "bad" / "a").mkdir(parents=True)
    (place / "bad" / "a" / "x.jpg").write_bytes(b"\0\1\2")
    return place / "bad"


def truncated(place, folder):
    """A folder of pictures, of which one ends in the middle."""
    photos = shutil.copytree(folder, place / "photos")
    damaged = photos / "a" / "0.png"
    damaged.write_bytes(damaged.read_bytes()[:100])
    return photos


def single(place, folder):
    photos = shutil.copytree(folder, place / "photos")
    shutil.copytree(folder / "a", photos / "c", ignore=lambda _, names: names[1:])
    return photos


def parts(place, folder):
    shutil.copytree(folder, place / "parts" / "train")
    return place / "parts"


def saved(place, content):
    (place / "m.skltransfer").write_bytes(content)
    return place / "m.skltransfer"


def table(place, text):
    (place / "t.csv").write_text(text)
    return place / "t.csv"


def damaged(place, model):
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    return saved(place, bytes(content))


def features(place, images):
    skltransfer.save(skltransfer.BackboneTransformer(image_size=32).fit(images[:4]), place / "f.skltransfer")
    return place / "f.skltransfer"


BAD_FITS = {
    "missing folder": (lambda at, ok: at / "nowhere", [], "nowhere' is missing. Expected a folder"),
    "empty folder": (lambda at, ok: empty(at), [], "has no folders in it"),
    "files without classes": (lambda at, ok: ok / "a", [], "has no folders in it. Expected one for each class"),
    "one class": (one_class, [], "There is one class, 'a'. Expected at least two"),
    "no readable file": (lambda at, ok: unreadable(at), [], "at least one file with a picture, sound or text"),
    "one sample of a class": (single, [], "The class 'c' has one sample"),
    "parts of a data set": (parts, [], "which are parts of a data set"),
    "a damaged picture": (truncated, [], "0.png', is a damaged image"),
    "a picture": (lambda at, ok: ok / "a" / "0.png", [], "is a file. Expected a folder of folders"),
    "a picture as CSV": (lambda at, ok: ok / "a" / "0.png", ["--target", "x"], "is not in UTF-8"),
    "CSV without target": (lambda at, ok: table(at, "a,b\n1,2\n"), [], "pass --target NAME"),
    "CSV without the column": (lambda at, ok: table(at, "a,b\n1,2\n"), ["--target", "c"], "Got target='c'; known"),
    "CSV with missing files": (
        lambda at, ok: table(at, "a,b\n1.png,2\n"), ["--target", "b"], "1 of 1 files are missing",
    ),
    "CSV without rows": (lambda at, ok: table(at, "a,b\n"), ["--target", "b"], "has no rows"),
    "empty CSV": (lambda at, ok: table(at, ""), ["--target", "b"], "has no rows"),
    "CSV of other cells": (lambda at, ok: table(at, "a,b,c\n1,x,2\n"), ["--target", "c"], "Expected numbers in all"),
    "text as a value": (
        lambda at, ok: table(at, "a,b\n1,x\n2,y\n"), ["--target", "b", "--regression"], "expected at least 5 numbers",
    ),
    "whole numbers as classes": (lambda at, ok: table(at, "a,b\n1,1\n2,2\n"), ["--target", "b"], "pass --regression"),
    "unknown network": (lambda at, ok: ok, ["--backbone", "resnet"], "resnet"),
    "network and search": (lambda at, ok: ok, ["--backbone", "small_cnn", "--search"], "Pass one of the two"),
    "search over a table": (
        lambda at, ok: table(at, "a,b\n1,x\n2,y\n1,x\n2,y\n"), ["--target", "b", "--search"], "Leave out --search",
    ),
}  # fmt: skip


STEPS = ("Read ", "Skipped ", "Predicting ", "Trying ", "On ")
"""How lines begin that say what is done."""


def said_of(arguments, capsys):
    """Run a command, and return what it writes to stdout."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def refused(arguments, capsys, place, message, *results):
    """Run a command that fails, and look that it says so in one line and leaves nothing behind."""
    before = sorted(place.rglob("*"))
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    lines = [line for line in said.err.splitlines() if not line.startswith(STEPS)]
    assert message in lines[-1]
    assert len([line for line in lines if "features" not in line]) == 1, lines
    assert sorted(place.rglob("*")) == before
    assert not any(result.exists() for result in results)


@pytest.mark.parametrize("case", BAD_FITS)
def test_fit_of_bad_samples(case, folder, tmp_path, capsys):
    make, options, message = BAD_FITS[case]
    out = tmp_path / "m.skltransfer"
    refused(["fit", make(tmp_path, folder), "--out", out, *options], capsys, tmp_path, message, out)


BAD_OUTPUTS = {
    "folder missing": (lambda at: at / "nowhere" / "m", "expected a folder that exists"),
    "below a file": (lambda at: table(at, "") / "m", "expected a folder that exists"),
    "a folder": (lambda at: at, "it is a folder. Pass the path of a file"),
    "a device": (lambda at: Path("/dev/full"), "it is no ordinary file"),
    "name too long": (lambda at: at / ("x" * 300), "File name too long. Pass a shorter name"),
}


@pytest.mark.parametrize("option", ["--out", "--report"])
@pytest.mark.parametrize("case", BAD_OUTPUTS)
def test_outputs_that_cannot_be_written_are_refused_before_work_starts(case, option, folder, tmp_path, capsys):
    make, message = BAD_OUTPUTS[case]
    outputs = {"--out": tmp_path / "m", "--report": tmp_path / "r"} | {option: make(tmp_path)}
    arguments = ["fit", folder, *(part for pair in outputs.items() for part in pair)]
    before = extraction.n_computed
    refused(arguments, capsys, tmp_path, message)
    assert extraction.n_computed == before


def test_a_result_replaces_nothing_that_is_read(flowers, tmp_path, capsys):
    path = shutil.copy(flowers[0], tmp_path / "flowers.csv")
    refused(["fit", path, "--target", "kind", "--out", path], capsys, tmp_path, "is both read and written")
    refused(["predict", flowers[1], path, "--csv", path], capsys, tmp_path, "is both read and written")
    arguments = ["fit", path, "--target", "kind", "--out", tmp_path / "m", "--report", tmp_path / "m"]
    refused(arguments, capsys, tmp_path, "are one file. Pass two paths")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(folder, tmp_path, capsys):
    tmp_path.chmod(0o500)
    refused(["fit", folder, "--out", tmp_path / "m"], capsys, tmp_path, "there is no permission to write to")


BAD_PREDICTIONS = {
    "no model": (lambda at, model, ok: (at / "m", ok), "is missing. Expected a file of skltransfer fit"),
    "a folder as model": (lambda at, model, ok: (ok, ok), "is a folder. Expected a file of skltransfer fit"),
    "a text as model": (lambda at, model, ok: (saved(at, b"text"), ok), "m.skltransfer"),
    "an empty model": (lambda at, model, ok: (saved(at, b""), ok), "m.skltransfer"),
    "a damaged model": (lambda at, model, ok: (damaged(at, model), ok), "m.skltransfer"),
    "half a model": (lambda at, model, ok: (saved(at, model.read_bytes()[:10_000]), ok), "m.skltransfer"),
    "no file": (lambda at, model, ok: (model, at / "nowhere"), "nowhere' is missing. Expected a file or a folder"),
    "an empty folder": (lambda at, model, ok: (model, empty(at)), "There are no files"),
    "unreadable": (lambda at, model, ok: (model, unreadable(at)), "expected at least one file with a picture"),
    "other samples": (lambda at, model, ok: (model, table(at, "a")), "expected at least one file with a picture"),
    "one of them other": (lambda at, model, ok: (model, ok, table(at, "a")), "t.csv' cannot be predicted: a text"),
    "damaged picture": (lambda at, model, ok: (model, truncated(at, ok)), "0.png', is a damaged image"),
    "a column of none": (lambda at, model, ok: (model, table(at, "a\nb\n"), "--column", "x"), "Got column='x'; known"),
}


@pytest.mark.parametrize("case", BAD_PREDICTIONS)
def test_bad_predictions(case, model, folder, tmp_path, capsys):
    make, message = BAD_PREDICTIONS[case]
    arguments, out = make(tmp_path, model, folder), tmp_path / "out.csv"
    refused(["predict", *arguments, "--csv", out], capsys, tmp_path, message, out)


def test_models_that_do_not_fit(model, flowers, folder, tmp_path, capsys, images):
    path, fitted, numbers = flowers
    refused(["predict", fitted, folder], capsys, tmp_path, "Is a directory")
    refused(["predict", fitted, path, path], capsys, tmp_path, "expected one CSV file. Got 2 files")
    refused(["evaluate", model, path, "--target", "kind", *numbers], capsys, tmp_path, "takes image_files. Got table")
    refused(
        ["predict", features(tmp_path, images), folder], capsys, tmp_path, "BackboneTransformer, which has no predict"
    )
    other = fill(tmp_path / "photos", images, {"a": 0, "z": 1})
    refused(["evaluate", model, other], capsys, tmp_path, "The class 'z' is unknown to the model, which knows a, b")
    refused(
        ["adapt", one_class(tmp_path, folder), folder, "--out", tmp_path / "m"],
        capsys,
        tmp_path,
        "at least two classes",
    )
    refused(["rank-backbones", folder], capsys, tmp_path, "at least two classes with five samples each")


@pytest.fixture
def little_room():
    """Let files be small, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk(little_room, model, folder, flowers, tmp_path, capsys):
    out, (path, _, numbers) = tmp_path / "out", flowers
    refused(["predict", model, folder, "--csv", out], capsys, tmp_path, "File too large. Pass a path", out)
    refused(["fit", path, "--target", "kind", *numbers, "--out", out], capsys, tmp_path, "File too large")


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (skltransfer.datasets._files, "kind_of"),
        (extraction, "compute"),
        (skltransfer.supervised._fitting, "solve_automatically"),
        (written.os, "fsync"),
    ],
    ids=["reading", "features", "solving", "writing"],
)
def test_ctrl_c_leaves_nothing_behind(where, name, folder, tmp_path, capsys, monkeypatch, empty_store, interruptible):
    original, calls = getattr(where, name), []

    def interrupted(*args, **kwargs):
        calls.append(name)
        signal.raise_signal(signal.SIGINT)
        return original(*args, **kwargs)

    monkeypatch.setattr(where, name, interrupted)
    assert main(["fit", str(folder), "--out", str(tmp_path / "m")]) == 130
    assert calls == [name]
    assert capsys.readouterr().err.endswith("Interrupted\n")
    assert os.listdir(tmp_path) == []


@pytest.fixture
def interruptible():
    """Let Ctrl-C end what runs, as in a terminal: processes in the background, and those of xdist, ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("waiting_for", ["Read 8 pictures", "features"])
def test_ctrl_c_in_a_process(waiting_for, folder, tmp_path, interruptible):
    command = [sys.executable, "-m", "skltransfer", "fit", str(folder), "--out", str(tmp_path / "m")]
    environment = {**os.environ, "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, cwd=tmp_path) as process:
        seen, deadline = b"", time.monotonic() + 120
        while waiting_for.encode() not in seen and time.monotonic() < deadline:
            seen += os.read(process.stderr.fileno(), 1000)
            assert process.poll() is None, seen
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()
        assert process.wait(60) == 130
    assert said.endswith("Interrupted\n")
    assert "Traceback" not in said
    assert os.listdir(tmp_path) == []


def test_a_reader_that_has_seen_enough(flowers):
    path, fitted, numbers = flowers
    command = f"{sys.executable} -m skltransfer predict {fitted} {path} {' '.join(numbers)} | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stdout == "f"
    assert "Traceback" not in done.stderr
    assert "Broken pipe" not in done.stderr


def test_help_loads_no_backend_and_has_an_example():
    code = """
import sys
from skltransfer.__main__ import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code
loaded = {"keras", "tensorflow", "torch", "jax", "matplotlib", "PIL", "sklearn", "scipy", "rich"} & set(sys.modules)
assert not loaded, loaded
"""
    for arguments in (["--help"], ["fit", "--help"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        assert "example:\n  skltransfer fit photos" in done.stdout


@pytest.mark.parametrize("chosen", [{}, {"TF_ENABLE_ONEDNN_OPTS": "0"}])
def test_tensorflow_computes_convolutions_by_onednn_unless_the_user_says_otherwise(chosen, tmp_path):
    code = """
import os, sys
from skltransfer.__main__ import main
assert main(["predict", "nothing.skltransfer", "nothing.jpg"]) == 1
from skltransfer._keras.backend import version
print(os.environ["TF_ENABLE_ONEDNN_OPTS"], version())
"""
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"} | chosen
    environment |= {"KERAS_BACKEND": "tensorflow"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    value = chosen.get("TF_ENABLE_ONEDNN_OPTS", "1")
    assert done.stdout.startswith(f"{value} keras ")
    assert done.stdout.endswith(f", TF_ENABLE_ONEDNN_OPTS={value}\n")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__.rpartition(".")[2])
def test_examples_are_commands(command, capsys):
    program, *arguments = command.EXAMPLE.split()
    assert program == "skltransfer"
    assert _parser().parse_args(arguments).run is command.run
    with pytest.raises(SystemExit, match="0"):
        main([arguments[0], "--help"])
    assert f"example:\n  {command.EXAMPLE}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["fitt"], ["fit"], ["fit", "x"], ["fit", "x", "--out"], ["fit", "x", "--out", "y", "--time", "soon"],
        ["fit", "x", "--out", "y", "--test-share", "1"], ["predict", "x"], ["fit", "x", "--out", "y", "--time", "0"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_bad_arguments_are_2(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_all_commands_and_options(shell, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--print-completion", shell])
    script = capsys.readouterr().out
    assert script == completion(_parser(), shell)
    for word in ("rank-backbones", "predict", "proba", "test-share", "max-pixels"):
        assert word in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(("line", "found"), [("pre", ["predict"]), ("fit --re", ["--report", "--regression"])])
def test_bash_completes(line, found):
    words = ["skltransfer", *line.split()]
    ask = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _skltransfer"
    script = completion(_parser(), "bash") + ask + "; printf '%s\\n' \"${COMPREPLY[@]}\""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == found
