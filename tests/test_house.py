"""Which folder may import which, read off every import, those inside functions too."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import skltransfer

PACKAGE = Path(skltransfer.__file__).parent

MAY_IMPORT = {
    "_utils": set(),
    "_validation": set(),
    "_version": set(),
    "datasets": {"_inputs", "_keras", "_validation"},
    "_keras": {"_utils", "_validation"},
    "_targets": {"_utils", "_validation"},
    "domain_shift": {"_targets", "_utils", "_validation"},
    "_inputs": {"_keras", "_utils", "_validation"},
    "backbones": {"_inputs", "_keras", "_utils", "_validation"},
    "_engine": {"_version", "_inputs", "_keras", "_targets", "_utils", "_validation", "backbones"},
    "_features": {"_engine", "_inputs", "_keras", "_utils", "_validation", "backbones"},
    "_heads": {"_engine", "_targets", "_utils", "_validation"},
    "_estimators": {
        "_engine", "_features", "_heads", "_inputs", "_keras", "_targets", "_utils", "_validation", "backbones",
    },
    "model_selection": {"_targets", "_utils", "_validation", "domain_shift"},
    "plots": {"_inputs", "_keras", "_utils", "_validation", "domain_shift"},
    "reporting": {
        "_estimators", "_inputs", "_keras", "_targets", "_utils", "_validation", "_version", "domain_shift", "plots",
    },
    "data": {"datasets"},
    "_cli": {"__init__", "_keras", "_utils", "_validation", "datasets", "demo", "export", "serve"},
    "export": {"_estimators", "_inputs", "_keras", "_targets", "_utils", "_validation", "_version"},
    "serve": {"_inputs", "_keras", "_targets", "_utils"},
    "saving": {
        "_engine", "_estimators", "_features", "_heads", "_inputs", "_keras", "_targets", "_utils", "_version",
        "adaptation", "autoencoder", "backbones", "compression", "domain_shift", "supervised",
    },
    "compression": {
        "_engine", "_estimators", "_features", "_heads", "_inputs", "_keras", "_targets", "_utils", "_validation",
        "backbones", "export", "serve", "supervised",
    },
    "transferability": {
        "_engine", "_estimators", "_features", "_heads", "_inputs", "_keras", "_targets", "_utils", "_validation",
        "backbones", "domain_shift", "supervised",
    },
}  # fmt: skip
"""What each folder may import. Each task may import all of these but the last nine, and no other task."""

TASKS = {"supervised", "autoencoder", "adaptation"}
BESIDE = {"adaptation": {"model_selection"}}
"""What one task may import beyond that: scores without labels, by which adaptation chooses."""
SHARED = set(MAY_IMPORT) - {
    "model_selection",
    "plots",
    "reporting",
    "data",
    "_cli",
    "export",
    "serve",
    "saving",
    "compression",
    "transferability",
}
ENTRANCES = {"__init__", "__main__", "_public", "demo"}
BACKENDS = {"tensorflow", "torch", "jax"}
BACKEND_FILES = {"_keras.backend", "_keras.formats", "_keras.onnx"}


def module_name(path):
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "__init__"


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(path):
    """Yield what a file imports, as full names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}".removeprefix("skltransfer.")
                yield f"skltransfer.{inner}" if inner in MODULES else node.module
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module":
            assert isinstance(node.args[0], ast.Constant | ast.Name), path
            if isinstance(node.args[0], ast.Constant):
                yield node.args[0].value


def own(path):
    """Names of modules of the package that a file imports."""
    return {
        name.removeprefix("skltransfer").removeprefix(".") or "__init__"
        for name in imports_of(path)
        if name.split(".")[0] == "skltransfer"
    }


def folder(name):
    return name.split(".")[0]


def test_nothing_imports_in_a_circle():
    graph = {name: own(path) - {name} for name, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {error.args[1]}")


def test_folders_import_in_no_circle():
    graph = {}
    for name, path in MODULES.items():
        if folder(name) not in ENTRANCES:
            graph.setdefault(folder(name), set()).update(map(folder, own(path)))
    for name, found in graph.items():
        found -= {name, "__init__"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"folders import each other: {error.args[1]}")


@pytest.mark.parametrize("name", MODULES)
def test_each_file_imports_only_what_its_folder_may(name):
    where = folder(name)
    if where in ENTRANCES:
        return
    allowed = SHARED | BESIDE.get(where, set()) if where in TASKS else MAY_IMPORT[where]
    wrong = {module for module in own(MODULES[name]) if folder(module) not in {*allowed, where}}
    assert not wrong, f"{name} imports {sorted(wrong)}"


def test_every_folder_is_known():
    assert {folder(name) for name in MODULES} == {*MAY_IMPORT, *TASKS, *ENTRANCES}


@pytest.mark.parametrize("name", MODULES)
def test_only_three_files_know_backends(name):
    found = {module.split(".")[0] for module in imports_of(MODULES[name])} & BACKENDS
    assert not found or name in BACKEND_FILES


@pytest.mark.parametrize("name", MODULES)
def test_files_functions_and_classes_are_short(name):
    text = MODULES[name].read_text()
    assert text.count("\n") < 450
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name != "__init__":
            document = ast.get_docstring(node, clean=False) or ""
            assert node.end_lineno - node.lineno + 1 - document.count("\n") <= 40, f"{node.name} is long"
        elif isinstance(node, ast.ClassDef):
            public = [item for item in node.body if isinstance(item, ast.FunctionDef) and not item.name.startswith("_")]
            assert len(public) <= 20, f"{node.name} has {len(public)} public members"


def test_import_sets_nothing_and_loads_no_backend():
    code = """
import os, random, sys, warnings
import numpy as np, scipy.optimize, sklearn.preprocessing
before = (dict(os.environ), random.getstate(), np.random.get_state()[1].tolist(), list(warnings.filters),
          sklearn.get_config())
import skltransfer
after = (dict(os.environ), random.getstate(), np.random.get_state()[1].tolist(), list(warnings.filters),
         sklearn.get_config())
assert before == after
loaded = {"keras", "tensorflow", "torch", "jax", "matplotlib", "PIL"} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True)
