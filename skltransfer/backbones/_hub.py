"""Backbones of KerasHub, by the name of a preset."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from skltransfer._inputs.texts import Tokenization, word_pieces
from skltransfer._keras.backend import import_keras
from skltransfer._keras.optional import import_optional
from skltransfer.backbones._backbone import Backbone, building
from skltransfer.backbones._conversion import from_keras

PREFIX = "hub:"


def load_hub(preset: str) -> Backbone:
    """Load a backbone of KerasHub: one for images, or one of BERT's kind for texts.

    Parameters
    ----------
    preset : str
        A preset's name, as in ``keras_hub.models.Backbone.presets``, its address, or a folder
        that ``save_to_preset`` wrote.

    Raises
    ------
    ImportError
        If KerasHub is not installed.
    OSError
        If the preset is not known, not on this machine, or cannot be downloaded.
    ValueError
        If the backbone takes neither images nor texts cut into WordPieces.
    """
    hub = import_optional("keras_hub", extra="hub", purpose=f"The backbone {PREFIX + preset!r}")
    name = preset.rstrip("/").rpartition("/")[2]
    with building(0):
        try:
            model = hub.models.Backbone.from_preset(preset)
        except Exception as error:
            raise OSError(
                f"backbone={PREFIX + preset!r} cannot be loaded: {error} Expected a preset that KerasHub knows "
                "(connect once to download it), or a folder that save_to_preset wrote."
            ) from error
        if isinstance(model.input, dict):
            return _text(hub, model, preset, name)
        return from_keras(model, name=name, **_pixels(hub, preset))


def _pixels(hub: Any, preset: str) -> dict[str, Any]:
    """Find the size and the scale of the images that a network expects."""
    try:
        converter = hub.layers.ImageConverter.from_preset(preset)
    except (ValueError, FileNotFoundError):  # a preset without preprocessing
        return {}
    scale = np.atleast_1d(1.0 if converter.scale is None else converter.scale).astype(float)
    shift = np.atleast_1d(0.0 if converter.offset is None else converter.offset).astype(float)
    scale, shift = (array.ravel() for array in np.broadcast_arrays(scale, shift))
    height, width = converter.image_size
    size = None if height is None else (int(height), int(width))
    return {"size": size, "mean": tuple((-shift / scale).tolist()), "std": tuple((1 / scale).tolist())}


def _text(hub: Any, model: Any, preset: str, name: str) -> Backbone:
    """Let a text encoder take token numbers alone, and give zeros where there is no token."""
    keras = import_keras()
    tokens = keras.Input((None,), name="tokens", dtype="int32")
    present = keras.ops.not_equal(tokens, 0)
    takes = {
        "token_ids": tokens,
        "padding_mask": keras.ops.cast(present, "int32"),
        "segment_ids": keras.ops.zeros_like(tokens),
    }
    output = model.output["sequence_output"] if isinstance(model.output, dict) else model.output
    states = keras.Model(model.input, output, name=name)({key: takes[key] for key in model.input})
    kept = keras.ops.cast(keras.ops.expand_dims(present, -1), states.dtype)
    network = keras.Model(tokens, keras.layers.Multiply(name="kept")([states, kept]))
    return from_keras(network, name=name, tokenization=_tokenization(hub, model, preset), padded=True)


def _tokenization(hub: Any, model: Any, preset: str) -> Tokenization:
    tokenizer = hub.tokenizers.Tokenizer.from_preset(preset)
    if not isinstance(tokenizer, hub.tokenizers.WordPieceTokenizer) or tokenizer.pad_token_id != 0:
        raise ValueError(
            f"backbone={PREFIX + preset!r} cuts texts by a {type(tokenizer).__name__}. Expected WordPieces, as BERT, "
            "DistilBERT and ELECTRA have them, with padding as token 0; pass one of those, or 'minilm_l6'."
        )
    longest = json.loads(json.dumps(model.get_config())).get("max_sequence_length", 512)
    return word_pieces(
        tokenizer.get_vocabulary(), unknown=tokenizer.oov_token, ends=(tokenizer.cls_token, tokenizer.sep_token),
        lower=tokenizer.lowercase, accents=not tokenizer.strip_accents, longest=longest,
    )  # fmt: skip
