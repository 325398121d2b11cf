"""Samples of every kind for the snapshot, the same in every process."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from skltransfer import TransferClassifier
from skltransfer.datasets import another_camera, load_fashion_sample

Array = np.ndarray[Any, Any]

GOOD = ["a wonderful film", "great acting and a lovely story", "I loved it", "truly superb", "so good",
        "best movie of the year", "touching and funny", "a delight from begin to end"]  # fmt: skip
BAD = ["a terrible film", "awful acting and a dull story", "I hated it", "truly dreadful", "so bad",
       "worst movie of the year", "boring and stupid", "a pain from begin to end"]  # fmt: skip
RATE = 8000


class Data:
    """Samples of every kind, the same each time; files lie in ``folder``."""

    def __init__(self, folder: Path) -> None:
        sample, random = load_fashion_sample(), np.random.default_rng(0)
        kinds = sorted(set(sample.target))
        self.folder = folder
        self.images, self.labels = _of_kinds(sample, kinds[:4])
        self.others, self.other_labels = _of_kinds(sample, kinds[4:])
        self.flat = self.images.reshape(40, -1)
        self.colours = np.stack([self.images, self.images // 2, 255 - self.images], axis=-1)
        self.ink = self.images.mean(axis=(1, 2))
        self.texts, self.opinions = GOOD + BAD, np.repeat(["good", "bad"], 8)
        self.weights = np.arange(40) % 4 / 2.0
        self.sequences = np.cumsum(random.normal(size=(40, 16, 2)), axis=1).astype(np.float32)
        self.table, self.numbers = random.normal(size=(60, 5)), np.arange(60) % 3
        self.table[:, 0] += 3 * self.numbers
        self.holes = np.where(random.random(self.table.shape) < 0.1, np.nan, self.table)

    @cached_property
    def pictures(self) -> list[Image.Image]:
        """The images as PIL images."""
        return [Image.fromarray(image) for image in self.images]

    @cached_property
    def files(self) -> list[str]:
        """The images as files."""
        paths = [str(self.folder / f"{number}.png") for number in range(len(self.images))]
        for path, picture in zip(paths, self.pictures, strict=True):
            picture.save(path)
        return paths

    @cached_property
    def clips(self) -> list[Array]:
        """Waveforms of several lengths; every second is high."""
        times = np.arange(4000) / RATE
        return [np.sin(2 * np.pi * (300 + 600 * (n % 2) + 10 * n) * times[: 3000 + 60 * n]) for n in range(16)]

    @cached_property
    def sounds(self) -> list[str]:
        """The waveforms as files."""
        paths = [str(self.folder / f"{number}.wav") for number in range(len(self.clips))]
        for path, clip in zip(paths, self.clips, strict=True):
            soundfile.write(path, 0.5 * clip, RATE)
        return paths

    @cached_property
    def source(self) -> Any:
        """A small network that was trained on other images."""
        return scratch("small_cnn").fit(self.others, self.other_labels).backbone_

    @cached_property
    def normed(self) -> Any:
        """The same with batch normalisations."""
        return scratch("small_resnet").fit(self.others, self.other_labels).backbone_

    @cached_property
    def domains(self) -> tuple[Array, Array, Array]:
        """A table in two domains, with classes and the sign of the domain of each sample."""
        random = np.random.default_rng(1)
        X, y = random.normal(size=(80, 4)), np.arange(80) % 2
        X[:, 0] += 4 * y
        X[40:] += [1.5, 3, 0, 0]
        return X, y, np.repeat([1, -1], 40)

    @cached_property
    def cameras(self) -> tuple[Array, Array, Array]:
        """Images of two cameras, the second of which inverts, with classes and the sign of the domain."""
        both = np.concatenate([self.images[:20], another_camera(255 - self.images[20:])])
        return both, self.labels, np.repeat([1, -1], 20)

    @property
    def marks(self) -> Array:
        """Several labels an image, of 0 and 1, some of them missing."""
        marks = np.stack([self.labels == kind for kind in sorted(set(self.labels))[:3]], axis=1).astype(float)
        marks[::7, 1] = np.nan
        return marks

    @property
    def tasks(self) -> Array:
        """Two tasks of named classes, some labels missing."""
        tasks = np.stack([self.labels, np.where(self.ink > np.median(self.ink), "dark", "bright")], axis=1)
        tasks = tasks.astype(object)
        tasks[::9, 1] = None
        return tasks


def _of_kinds(sample: Any, kinds: list[str]) -> tuple[Array, Array]:
    chosen = np.flatnonzero(np.isin(sample.target, kinds))[:40]
    return sample.images[chosen], sample.target[chosen]


def scratch(name: Any, **options: Any) -> TransferClassifier:
    """Return a classifier for two epochs."""
    return TransferClassifier(name, **{"epochs": 2, "batch_size": 16, "random_state": 0, **options})
