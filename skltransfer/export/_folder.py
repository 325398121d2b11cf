"""A fitted model in a folder of files that Keras writes, for other programs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from skltransfer._keras.backend import own_settings
from skltransfer._keras.formats import write
from skltransfer._utils.types import Array
from skltransfer.export._onnx import check_answers, random_samples
from skltransfer.export._pipeline import Parts

ABOUT = "skltransfer.json"
"""What the folder says of the estimator, and the digests of its other files."""


def write_folder(parts: Parts, about: dict[str, Any], path: Path, format: str) -> None:
    """Write a fitted model, and hold what the files compute against it; see `skltransfer.export.save`.

    Parameters
    ----------
    parts : Parts
        The model.
    about : dict
        What is said of it.
    path : Path
        The folder, which does not exist yet.
    format : {"openvino", "litert", "saved_model"}
        Of the files.
    """
    if parts.before or parts.after:
        raise ValueError(f"format={format!r}: expected an estimator without other steps. Got a Pipeline; use 'onnx'.")
    if path.exists():
        raise FileExistsError(f"{str(path)!r} exists. Expected the name of a new folder, as format={format!r} writes.")
    with own_settings():
        network = parts.own.model_.all_answers()
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as temporary:
        folder = Path(temporary) / "model"
        folder.mkdir()
        found, samples = write(network, folder, format), random_samples(parts.own, network)
        for some in (samples, samples[:1]):
            check_answers(found(some), _answers(network, some))
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        digests = {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
        (folder / ABOUT).write_text(json.dumps(about | {"sha256": digests}, allow_nan=False))
        folder.rename(path)


def _answers(network: Any, samples: Array) -> dict[str, Array]:
    from keras import ops

    with own_settings():
        found = network(ops.convert_to_tensor(samples, network.inputs[0].dtype), training=False)
    return {name: ops.convert_to_numpy(values) for name, values in found.items()}
