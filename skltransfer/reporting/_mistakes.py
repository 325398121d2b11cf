"""The surest mistakes, or the largest errors, with what the network looked at."""

from __future__ import annotations

import base64
import io
import os
import wave
from collections.abc import Sequence
from typing import Any

import numpy as np

from skltransfer._inputs.audio import RATE
from skltransfer._inputs.containers import gathered, is_path
from skltransfer._inputs.decoding import open_image
from skltransfer._utils.types import Array
from skltransfer.plots._attention import some_words
from skltransfer.plots._samples import image_pixels, pixel_range
from skltransfer.reporting._answers import Task
from skltransfer.reporting._html import NOTHING, Markup, markup, number, table, tag
from skltransfer.reporting._subject import Subject

LARGEST = 288
"""Pixels along the longer side of a picture."""
SMALL = 96
"""Pictures up to this size are shown pixel by pixel."""
HEAT = 0.7
"""Opacity of the warmest place of a heat map."""
SECONDS = 10
"""Of a sound that can be played."""
SHADE = 0.5
"""Opacity of the color of the word that counts most."""


def worst(task: Task, most: int) -> Array:
    """Return positions within the task: surest mistakes first, or largest errors."""
    if task.classes is None:
        return np.argsort(-np.abs(task.predicted - task.right), kind="stable")[:most]
    wrong = np.flatnonzero(task.predicted != task.right)
    if task.chances is not None:
        wrong = wrong[np.argsort(-task.chances[wrong, task.predicted[wrong]], kind="stable")]
    return wrong[:most]


def mistakes(subject: Subject, X: Any, task: Task, most: int) -> list[Markup]:
    """Show the worst answers: pictures and sounds beside heat maps, texts with shaded words, others as a table."""
    rows = worst(task, most)
    if not len(rows):
        return [tag("p", "There is none: all answers are right." if most else "None were asked for.")]
    kind = subject.kind
    shown = kind.is_image or kind.is_text or kind.name == "audio"
    if not shown or (subject.before is not None and kind.is_table):
        return [_listed(task, rows)]
    chosen = gathered(subject.some(X, task.positions[rows]))
    maps = _maps(subject, chosen)
    show = _texts if kind.is_text else _sounds if kind.name == "audio" else _pictures
    captions = [_caption(task, row, item) for row, item in zip(rows.tolist(), _each(chosen), strict=True)]
    figures = [
        tag("figure", *content, tag("figcaption", *caption))
        for content, caption in zip(show(subject.own, chosen, maps, task, rows), captions, strict=True)
    ]
    return [_legend(kind, maps), tag("div", *figures, class_="mistakes long" if kind.is_text else "mistakes")]


def _each(chosen: Any) -> Sequence[Any]:
    return chosen if isinstance(chosen, list) else [None] * len(chosen)


def _maps(subject: Subject, chosen: Any) -> Any:
    """Compute heat maps; None if the estimator or its network has none."""
    if not (subject.is_last and hasattr(subject.own, "attention_maps")):
        return None
    try:
        maps = subject.own.attention_maps(chosen)
    except ValueError:  # the network has no places
        return None
    has_places = subject.kind.is_text or (np.ndim(maps[0]) == 2 and np.size(maps[0]) > 1)
    return maps if has_places else None


def _legend(kind: Any, maps: Any) -> Markup:
    if maps is None:
        return tag(
            "p",
            "There are no heat maps: the network gives one vector a sample, or the estimator has none.",
            class_="soft",
        )
    if kind.is_text:
        said = "The deeper a word is shaded, the more it counts for the answer that was given."
    elif kind.name == "audio":
        said = "Spectrogram, with time to the right and pitch upward, and where the answer rests on it: bright places."
    else:
        said = "The picture, and where the answer rests on it: bright places count most."
    return tag("p", said, class_="soft")


def _caption(task: Task, row: int, item: Any) -> list[Markup]:
    """Say what was predicted, how surely, and what is right."""
    place = int(task.positions[row])
    where = f"sample {place}"
    if is_path(item) and len(str(item)) < 256 and os.path.splitext(str(item))[1]:
        where += f", {os.path.basename(str(item))}"
    return [tag("strong", said_of(task, row)), Markup("<br>"), markup(where)]


def said_of(task: Task, row: int) -> str:
    """Say what is predicted for a sample, and what it is."""
    if task.classes is None:
        return f"{task.predicted[row]:.4g}, is {task.right[row]:.4g}"
    predicted, right = task.names[task.predicted[row]], task.names[task.right[row]]
    sure = "" if task.chances is None else f" ({task.chances[row, task.predicted[row]]:.0%})"
    return f"{predicted}{sure}, is {right}"


def _listed(task: Task, rows: Array) -> Markup:
    if task.classes is None:
        head = ["Sample", "Predicted", "Actual", "Error"]
        lines = [
            [
                int(task.positions[row]),
                *(number(float(values[row])) for values in (task.predicted, task.right, task.predicted - task.right)),
            ]
            for row in rows
        ]
        return table(head, lines, "Largest errors")
    head = ["Sample", "Predicted", "Is", "Probability of the prediction", "Probability of what it is"]
    lines = []
    for row in rows:
        pair = task.predicted[row], task.right[row]
        chances = (
            [NOTHING, NOTHING] if task.chances is None else [number(float(task.chances[row, code])) for code in pair]
        )
        lines.append([int(task.positions[row]), *(task.names[code] for code in pair), *chances])
    return table(head, lines, "Surest mistakes")


def _texts(own: Any, chosen: Any, maps: Any, task: Task, rows: Array) -> list[list[Markup]]:
    """Return each text, with its words shaded."""
    texts = [str(text) for text in chosen]
    if maps is None:
        return [[tag("p", text, class_="words")] for text in texts]
    found = []
    for words in some_words(own, texts, maps):
        most = max((share for _, share in words), default=0) or 1
        pieces = []
        for word, share in words:
            bare = word.lstrip()
            pieces.append(markup(word[: len(word) - len(bare)]))
            pieces.append(tag("mark", bare, style=f"--share:{SHADE * share / most:.2f}"))
        found.append([tag("p", *pieces, class_="words")])
    return found


def _sounds(own: Any, chosen: Any, maps: Any, task: Task, rows: Array) -> list[list[Markup]]:
    """Return the spectrogram of each sound, where the answer rests on it, and a player."""
    preparation = own.model_.extraction.preparation
    samples = own._read_known(chosen)
    waves = samples.read(range(len(samples)), preparation)
    spectra = np.asarray(preparation.image(waves))[..., 0][:, ::-1] / 255
    found = []
    for place, row in enumerate(rows.tolist()):
        heat = None if maps is None else np.asarray(maps[place])[::-1]
        pictures = _side_by_side(_colored(spectra[place], "magma"), heat, said_of(task, row), "Spectrogram")
        sound = waves[place][: _end(waves[place])][: SECONDS * RATE]
        player = tag(
            "audio", controls="controls", preload="none", src=f"data:audio/wav;base64,{_wav(sound)}",
            aria_label=f"Sound of sample {int(task.positions[row])}",
        )  # fmt: skip
        found.append([pictures, player])
    return found


def _end(sound: Array) -> int:
    """Return where silence after the end of a clip begins."""
    loud = np.flatnonzero(sound)
    return int(loud[-1]) + 1 if len(loud) else len(sound)


def _wav(sound: Array) -> str:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return base64.b64encode(buffer.getvalue()).decode()


def _pictures(own: Any, chosen: Any, maps: Any, task: Task, rows: Array) -> list[list[Markup]]:
    """Return each picture, and where the answer rests on it."""
    low, high = pixel_range(own)
    found = []
    for place, row in enumerate(rows.tolist()):
        one = chosen[place : place + 1]
        pixels = image_pixels(one, own, _size(one[0]) if own.model_.format.kind.sizes_vary else ())[0]
        shown = _in_color(((pixels.astype(float) - low) / (high - low)).clip(0, 1))
        heat = None if maps is None else np.asarray(maps[place])
        found.append([_side_by_side(shown, heat, said_of(task, row), "Picture")])
    return found


def _in_color(pixels: Array) -> Array:
    """Return three channels; two, or one, become gray."""
    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        return pixels[..., :3]
    gray = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    return np.repeat(gray[..., None], 3, axis=2)


def _size(source: Any) -> tuple[int, int]:
    """Return height and width at which an image is shown: its own shape, and no larger than is needed."""
    with open_image(source, 0) as image:
        width, height = image.size
        if image.getexif().get(0x0112, 1) in (5, 6, 7, 8):  # lies on its side
            width, height = height, width
    scale = min(1, LARGEST / max(width, height))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _side_by_side(pixels: Array, heat: Any, said: str, what: str) -> Markup:
    """Put a picture, from 0 to 1, beside the same under its heat map."""
    from PIL import Image

    image = Image.fromarray((pixels * 255).round().astype(np.uint8))
    small = "small" if max(image.size) <= SMALL else None
    images = [tag_image(image, f"{what} predicted as {said}.", small)]
    if heat is not None:
        width, height = image.size
        enlarged = max(1, 2 * SMALL // max(width, height)) if small else 1
        size = (width * enlarged, height * enlarged)
        scaled = heat / (heat.max() or 1)
        warm = Image.fromarray(scaled.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
        share = np.asarray(warm).clip(0, 1)
        color, opacity = _colored(share, "inferno"), HEAT * (0.3 + 0.7 * share[..., None])
        under = np.asarray(image.resize(size, Image.Resampling.NEAREST if small else Image.Resampling.BILINEAR)) / 255
        mixed = Image.fromarray((((1 - opacity) * under + opacity * color) * 255).round().astype(np.uint8))
        images.append(tag_image(mixed, f"Its heat map: the answer rests most on its {_place(heat)}.", None))
    return tag("div", *images, class_="sides")


def tag_image(image: Any, alt: str, class_: str | None) -> Markup:
    """Make an element of an image, encoded in the page."""
    buffer = io.BytesIO()
    lossless = max(image.size) <= SMALL
    image.save(buffer, **({"format": "PNG", "optimize": True} if lossless else {"format": "JPEG", "quality": 85}))
    kind = "png" if lossless else "jpeg"
    source = f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
    width, height = image.size
    opened = tag("img", src=source, alt=alt, width=width, height=height, class_=class_)
    return Markup(opened.removesuffix("</img>"))


def _colored(values: Array, name: str) -> Array:
    from matplotlib import colormaps

    return colormaps[name](values)[..., :3]


def _place(heat: Array) -> str:
    """Say where a map is brightest, in thirds."""
    row, column = np.unravel_index(np.argmax(heat), heat.shape)

    def third(place: Any, length: int) -> int:
        return min(2, int(3 * (place + 0.5) / length))

    down, right = third(row, heat.shape[0]), third(column, heat.shape[1])
    return f"{('upper', 'middle', 'lower')[down]} {('left', 'center', 'right')[right]}"
