"""A fitted model as one Keras network, from raw samples to answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from skltransfer._engine.forward import output_layers
from skltransfer._features.extraction import Extraction
from skltransfer._heads.head import Head
from skltransfer._inputs.kind import InputFormat
from skltransfer._keras.backend import import_keras
from skltransfer._targets.labels import LabelEncoding
from skltransfer._targets.values import ValueEncoding
from skltransfer._validation import unknown_name
from skltransfer.backbones._backbone import assign, build, building
from skltransfer.backbones._folding import fold

OUTPUTS = ("auto", "probabilities", "decisions", "features")


def keras_graph(
    extraction: Extraction,
    format: InputFormat,
    head: Head | None,
    encoding: LabelEncoding | ValueEncoding | None,
    output: str,
) -> Any:
    """Build the network; see `FittedModel.to_keras`."""
    if output not in OUTPUTS:
        raise unknown_name("output", output, OUTPUTS)
    if head is None and output not in ("auto", "features"):
        raise ValueError(f"output={output!r} needs a head. Got a model that gives features; pass output='features'.")
    with building(0):
        samples, x = _embedded(extraction, format, head)
        if head is not None and output != "features":
            assert encoding is not None
            x = _answers(_decisions(x, head, encoding), encoding, output)
        return import_keras().Model(samples, x, name="model")


def all_answers(
    extraction: Extraction, format: InputFormat, head: Head | None, encoding: LabelEncoding | ValueEncoding | None
) -> Any:
    """Build the network with all of its outputs; see `FittedModel.all_answers`."""
    with building(0):
        samples, x = _embedded(extraction, format, head)
        found = {"features": x}
        if head is not None:
            assert encoding is not None
            decisions = _decisions(x, head, encoding)
            if encoding.tasks[0].kind == "values":
                found["values"] = decisions
            else:
                found["decisions"], each = decisions, _answers(decisions, encoding, "probabilities")
                numbered = (
                    {f"probabilities_{number}": part for number, part in enumerate(each)}
                    if isinstance(each, list)
                    else {}
                )
                found |= numbered or {"probabilities": each}
        return import_keras().Model(samples, found, name="model")


def _embedded(extraction: Extraction, format: InputFormat, head: Head | None) -> tuple[Any, Any]:
    """Build the way from raw samples to features, or to what the last layer of a head decides on."""
    keras = import_keras()
    folded = fold(extraction.backbone)
    body = build(folded.architecture)
    assign(body, folded.weights)
    shape, dtype = format.kind.raw_spec(format, extraction.preparation, body.inputs[0].dtype)
    samples = keras.Input(shape, dtype=dtype, name="samples")
    prepared = samples if extraction.preparation is None else extraction.preparation(samples)
    if head is not None and head.takes_maps:
        extraction = replace(extraction, pooling="none")
    x = output_layers(body, extraction.outputs, padded=extraction.backbone.padded)(prepared)
    return samples, x if head is None else _embedding(x, head)


def _embedding(x: Any, head: Head) -> Any:
    """Put the layers of a head below its linear layer on features."""
    if head.queries is not None:
        from skltransfer._heads.network import AttentionPooling

        attention = AttentionPooling(head.n_heads, padded=head.padded, dtype=x.dtype)
        x = attention(x)
        attention.queries.assign(head.queries)
    for number, (kernel, bias) in enumerate(head.hidden):
        x = _dense(x, kernel, bias, activation="relu", name=f"hidden{number}")
    return x


def _decisions(x: Any, head: Head, encoding: LabelEncoding | ValueEncoding) -> Any:
    """Put the linear layer of a head on top; values come out in their own units."""
    mean, scale = encoding.units
    return _dense(x, head.coef * scale, head.intercept * scale + mean, name="decisions")


def _answers(decisions: Any, encoding: LabelEncoding | ValueEncoding, output: str) -> Any:
    """Turn decision values into probabilities if these are wanted; values are in their own units already."""
    layers, kind = import_keras().layers, encoding.tasks[0].kind
    if kind != "classes":
        wanted = kind == "labels" and output != "decisions"
        return layers.Activation("sigmoid", dtype=decisions.dtype)(decisions) if wanted else decisions
    ends = np.cumsum([task.n_outputs for task in encoding.tasks]).tolist()
    parts = [decisions[:, end - task.n_outputs : end] for task, end in zip(encoding.tasks, ends, strict=True)]
    if output == "decisions":
        answers = [part[:, 1] - part[:, 0] if part.shape[1] == 2 else part for part in parts]
    else:
        answers = [layers.Softmax(dtype=decisions.dtype)(part) for part in parts]
    return answers if len(answers) > 1 else answers[0]


def _dense(x: Any, kernel: Any, bias: Any, *, activation: str | None = None, name: str) -> Any:
    """Apply a dense layer with these weights."""
    layer = import_keras().layers.Dense(kernel.shape[1], activation=activation, dtype=x.dtype, name=name)
    found = layer(x)
    layer.set_weights([kernel, bias])
    return found
