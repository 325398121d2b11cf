"""Who may import whom: only from lines above, and estimators never import each other."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skltransfer

PACKAGE = Path(skltransfer.__file__).parent
ROOMS = [
    {"_validation", "_backend", "_domains", "losses", "transferability", "domain_shift", "datasets", "data"},
    {"inputs", "heads", "finetuning", "alignment", "feature_cache"},
    {"backbones"},
    {"engine"},
    {"features"},
    {"_base", "_maps", "_progress", "_teaching", "_trained", "_tuned"},
    {"classifier", "regressor", "extractor", "autoencoder", "adaptation"},
    {"model_selection", "compression", "export", "plots"},
    {"__init__", "__main__", "demo"},
]
LEVEL = {module: level for level, modules in enumerate(ROOMS) for module in modules}
SAME_LEVEL_ALLOWED = {0, 1, 5, 7, 8}


def imports():
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("skltransfer"):
                parts = node.module.split(".")
                names = [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
                yield from ((room, name) for name in names if name in LEVEL and name != room)


def test_every_module_has_a_room():
    modules = {path.stem for path in PACKAGE.glob("*.py")} | {"backbones", "data"}
    assert modules <= set(LEVEL)


@pytest.mark.parametrize(("importer", "imported"), sorted(set(imports())))
def test_imports_come_from_rooms_above(importer, imported):
    above = LEVEL[imported] < LEVEL[importer]
    assert above or (LEVEL[imported] == LEVEL[importer] and LEVEL[importer] in SAME_LEVEL_ALLOWED)


def test_no_file_is_long():
    long = [path.name for path in PACKAGE.rglob("*.py") if path.read_text().count("\n") >= 500]
    assert long == []


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
