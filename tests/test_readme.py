"""Documents that run: the README, the docstrings, the examples and the demonstration."""

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skltransfer

ROOT = Path(__file__).parent.parent
MODULES = [
    module.name
    for module in pkgutil.walk_packages(skltransfer.__path__, "skltransfer.")
    if module.name not in ("skltransfer.__main__", "skltransfer.backbones.weights.convert_efficientnet_lite0")
]


def readme_blocks():
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def test_readme_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = {}
    blocks = [block for block in readme_blocks() if "reviews" not in block]
    assert len(blocks) >= 4
    for block in blocks:
        exec(block, scope)
    assert scope["clf"].score(scope["sample"].images_test, scope["sample"].target_test) > 0.65
    assert scope["pipeline"].score(scope["sample"].images_test, scope["sample"].target_test) > 0.65
    assert scope["search"].best_score_ > 0.6
    assert scope["target"].score(scope["sample"].images_test[100:], scope["sample"].target_test[100:]) > 0.5


def test_readme_code_for_texts_runs(minilm):
    scope = {"TransferClassifier": skltransfer.TransferClassifier}
    (block,) = (block for block in readme_blocks() if "reviews" in block)
    exec(block, scope)
    assert scope["critic"].predict(["what a lovely thing", "so boring"]).tolist() == ["good", "bad"]


def test_readme_opens_with_one_sentence_and_two_commands():
    text = (ROOT / "README.md").read_text()
    commands = re.search(r"```sh\n(.*?)```", text, flags=re.DOTALL).group(1).splitlines()
    assert commands == ['pip install ".[cpu]" && skltransfer demo', 'pip install -e ".[test]" && pytest']
    assert text.index("```sh") < 700


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_run(example, tmp_path, request):
    if "text" in example.stem:
        request.getfixturevalue("minilm")
    environment = {**os.environ, "MPLBACKEND": "agg"}
    subprocess.run([sys.executable, str(example)], cwd=tmp_path, env=environment, check=True, timeout=300)


def test_demo_prints_a_table_and_draws_an_image(tmp_path):
    from PIL import Image

    command = [sys.executable, "-m", "skltransfer", "demo", "--out", "picture.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)
    accuracies = r"0\.[78]\d\d ± 0\.0\d\d │ 0\.[67]\d\d ± 0\.0\d\d"
    assert re.search(rf"TransferClassifier │ {accuracies}\s+│ [\d.]+\s+│ 1\.0", done.stdout), done.stdout
    assert "100%" in done.stderr
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size == (1300, 600)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_missing_backend_is_one_clear_sentence(backend, tmp_path):
    if importlib.util.find_spec(backend):
        block = tmp_path / backend
        block.mkdir()
        (block / "__init__.py").write_text(f"raise ModuleNotFoundError('none here', name={backend!r})")
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "skltransfer", "demo"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"Keras needs a backend, and '{backend}' is not installed. Run: pip install" in done.stderr
    assert "Traceback" not in done.stderr
