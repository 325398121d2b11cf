"""Spoken digits from a few clips a class, tested on voices that were never heard.

Ten digits by eight voices of eSpeak NG, 5 and 20 clips a class, tested on 480 clips of eight other voices with other
accents. Compared: cepstral coefficients with an SVM, the last after the
pauses around the word are cut off; EfficientNet-Lite0 of ImageNet on the log-mel picture, with its
frozen head and fine-tuned; and ``small_resnet``, trained before on sixty other words by the training voices and twelve
further ones, frozen and fine-tuned, beside the same network from scratch. Prints a table of accuracies with standard
errors over draws of the clips (the source network is one), and draws ``speech.png``.

Run: ``python benchmarks/speech.py [SEEDS] [SEEDS OF FINE-TUNED EFFICIENTNET]``
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from _measure import report
from _scores import Scores
from _speech import Clips, digits, other_words
from scipy.fft import dct
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skltransfer import LoRA, TransferClassifier
from skltransfer._inputs.audio import LogMelSpectrogram, audio_format, read_audio
from skltransfer._inputs.image_arrays import Preparation
from skltransfer.backbones._backbone import Backbone

SIZES, PICTURE = (5, 20), (32, 64)
GRID = {"svc__C": [1, 10, 100], "svc__gamma": ["scale", 1e-3, 1e-4]}
HELD = {"label_smoothing": 0.1, "weight_decay": 0.05, "batch_size": 16}
LITE0: dict[str, dict[str, Any]] = {
    "last 2 stages": {"trainable": 2, "learning_rate": 3e-4, "epochs": 15, **HELD},
    "LoRA": {"trainable": LoRA(8, where=4), "learning_rate": 1e-3, "epochs": 15, **HELD},
}
RESNET: dict[str, dict[str, Any]] = {
    "words, frozen head": {"trainable": "head"},
    "words, last 2 stages": {"trainable": 2, "learning_rate": 3e-4, "epochs": 15, **HELD},
    "words, all": {"trainable": "all", "learning_rate": 3e-4, "epochs": 15, **HELD},
}


def chosen(clips: Clips, size: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.concatenate(
        [random.permutation(np.flatnonzero(clips.words == word))[:size] for word in np.unique(clips.words)]
    )


def cepstra(clips: Clips, samples: int) -> dict[str, np.ndarray]:
    """Thirteen cepstral coefficients: mean and deviation over time, and all of them."""
    from keras import ops

    rows, _ = read_audio(clips.paths, None)
    heard = LogMelSpectrogram(samples, Preparation(0, 255, None, 1, (0.0,), (1.0,)))
    parts = [
        heard(ops.convert_to_tensor(rows.read(range(i, min(i + 64, len(rows))), heard)))
        for i in range(0, len(rows), 64)
    ]
    decibels = np.concatenate([ops.convert_to_numpy(part)[..., 0] for part in parts]) * (heard.decibels / 255)
    found = dct(decibels, axis=1, norm="ortho")[:, :13]
    heard_at = [np.flatnonzero(clip.max(axis=0) > heard.decibels - 35) for clip in decibels]
    spoken = [clip[:, at[0] : at[-1] + 1] for clip, at in zip(found, heard_at, strict=True)]
    return {
        "MFCC, mean and deviation": np.concatenate([found.mean(axis=2), found.std(axis=2)], axis=1),
        "MFCC, flattened": found.reshape(len(found), -1),
        "MFCC, five parts of the word": np.stack(
            [np.ravel([part.mean(axis=1) for part in np.array_split(clip, 5, axis=1)]) for clip in spoken]
        ),
    }


def svm(scores: Scores, train: Clips, test: Clips, seeds: int) -> None:
    samples = (audio_format(max(read_audio(c.paths, None)[1] for c in (train, test))).shape[1] - 1) * 160
    known, unseen = cepstra(train, samples), cepstra(test, samples)
    for way, values in known.items():
        for size in SIZES:
            for seed in range(seeds):
                rows = chosen(train, size, seed)
                search = GridSearchCV(make_pipeline(StandardScaler(), SVC()), GRID, cv=3).fit(
                    values[rows], train.words[rows]
                )
                scores.add("SVM", way, size, search.score(unseen[way], test.words))


def compare(
    scores: Scores, group: str, way: str, train: Clips, test: Clips, seeds: int, backbone: Any, **options: Any
) -> None:
    for size in SIZES:
        for seed in range(seeds):
            rows = chosen(train, size, seed)
            clf = TransferClassifier(backbone, random_state=seed, **options).fit(train.paths[rows], train.words[rows])
            scores.add(group, way, size, clf.score(test.paths, test.words))


def pretrained() -> Backbone:
    words = other_words()
    clf = TransferClassifier(
        "small_resnet", image_size=PICTURE, epochs=5, batch_size=32, learning_rate=2e-3, random_state=0, verbose=1
    )
    return clf.fit(words.paths, words.words).backbone_


def verdicts(scores: Scores) -> dict[str, Any]:
    """Points by which each way is ahead of the better SVM at that size, with their standard errors."""
    ahead: dict[str, Any] = {}
    for group in ("EfficientNet-Lite0", "small_resnet"):
        for way in scores.ways(group):
            for size in SIZES:
                best = max(scores.ways("SVM"), key=lambda svm: scores.mean("SVM", svm, size))
                n_seeds = len(scores.values[group, way, size])
                gains = 100 * np.subtract(scores.values[group, way, size], scores.values["SVM", best, size][:n_seeds])
                error = gains.std(ddof=1) / n_seeds**0.5 if n_seeds > 1 else 0.0
                ahead[f"{group}, {way}, {size}"] = [float(gains.mean()), float(error)]
    return ahead


def main() -> None:
    seeds, few = (int(given) for given in (sys.argv[1:] + ["5", "3"][len(sys.argv) - 1 :])[:2])
    train, test = digits()
    scores = Scores(SIZES)
    svm(scores, train, test, seeds)
    compare(scores, "EfficientNet-Lite0", "frozen head", train, test, seeds, "efficientnet_lite0")
    source = pretrained()
    for way, options in RESNET.items():
        compare(scores, "small_resnet", way, train, test, seeds, source, **options)
    compare(scores, "small_resnet", "from scratch", train, test, few, "small_resnet", image_size=PICTURE)
    for way, options in LITE0.items():
        compare(scores, "EfficientNet-Lite0", way, train, test, few, "efficientnet_lite0", **options)
    print(scores.table())
    scores.draw(Path("speech.png"), "clips a class", "accuracy on unseen voices")
    report("speech", ahead_of_svm=verdicts(scores))


if __name__ == "__main__":
    main()
