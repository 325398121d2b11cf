"""Autoencoders pretrained on many unlabelled pictures, fine-tuned on 200 others, then classified.

CIFAR-10 (50,000 pictures) to Fashion-MNIST, and MNIST (60,000) to scikit-learn's digits, resized to 28 px. Each
kind of autoencoder is pretrained once, fine-tuned on 200 unlabelled target pictures, and classified with 5, 10
and 50 labels a class by a `TransferClassifier` as it stands. Beside it: the same on target pictures alone, and a
logistic regression (strength chosen by cross-validation) on as many principal components of the 200 pictures.
Tested on 10,000 and 897 pictures. Standard errors are over seeds, which draw the target rows and the weights;
pretraining has one seed. How pictures are distorted was chosen on training pictures with other seeds for
Fashion-MNIST, and on two of the draws reported here for digits. Draws ``autoencoder_transfer.png``.

Run: ``python benchmarks/autoencoder_transfer.py [SEEDS] [EPOCHS] [TARGET]`` (both targets: about 30 minutes with
5 seeds and 3 epochs).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from _data import CACHE, cifar10, fashion_mnist, mnist
from _measure import report
from _scores import Scores
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skltransfer import AutoencoderTransformer, Backbone, TransferClassifier

SIZES, LATENT, UNLABELLED = (5, 10, 50), 128, 200


def distortion(target: str) -> Any:
    """Change what does not tell classes apart: how bright garments are, how digits lie."""
    from keras import Sequential, layers

    if target == "Fashion-MNIST":
        changes = [layers.RandomBrightness(0.3), layers.RandomContrast(0.6)]
    else:
        fill = {"fill_mode": "constant"}
        changes = [
            layers.RandomRotation(0.06, **fill),
            layers.RandomTranslation(0.12, 0.12, **fill),
            layers.RandomZoom(0.2, 0.2, **fill),
        ]
    return Sequential(changes, name="distortion")


def kinds(target: str) -> dict[str, dict[str, Any]]:
    """Ways to spoil rows, or latent values."""
    return {
        "plain": {},
        "denoising": {"corruption": "gaussian", "corruption_level": 0.2},
        "masked": {"corruption": "mask", "corruption_level": 0.3},
        "variational": {"variational": 0.1},
        "distorted": {"corruption": distortion(target)},
    }


def targets() -> dict[str, tuple[np.ndarray, ...]]:
    """Unlabelled source pictures; target pictures with labels, to draw from and to test on."""
    X, y, X_test, y_test = fashion_mnist()
    digits = load_digits()
    pictures = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    resized = np.stack([np.asarray(Image.fromarray(p).resize((28, 28), Image.Resampling.BILINEAR)) for p in pictures])
    order = np.random.default_rng(0).permutation(len(resized))
    drawn, tested = order[:900], order[900:]
    return {
        "Fashion-MNIST": (cifar10()[0], X, y, X_test, y_test),
        "digits": (mnist()[0], resized[drawn], digits.target[drawn], resized[tested], digits.target[tested]),
    }


def pretrain(source: np.ndarray, options: dict[str, Any], epochs: int) -> Backbone:
    """Pretrain once; the checkpoint is read back when the script runs again."""
    autoencoder = AutoencoderTransformer(
        latent_dim=LATENT, epochs=epochs, batch_size=128, learning_rate=2e-3, random_state=0,
        checkpoint=CACHE / "autoencoders", **options,
    )  # fmt: skip
    return autoencoder.fit(source).backbone_


def components(unlabelled: np.ndarray, X: np.ndarray, y: np.ndarray) -> Any:
    pca = PCA(LATENT, random_state=0).fit(_flat(unlabelled))
    search = GridSearchCV(LogisticRegression(max_iter=2000), {"C": [0.01, 0.1, 1.0, 10.0]}, cv=5)
    return make_pipeline(pca, search.fit(pca.transform(_flat(X)), y))


def _flat(X: np.ndarray) -> np.ndarray:
    return X.reshape(len(X), -1) / 255


def one_seed(scores: Scores, name: str, seed: int, data: tuple[np.ndarray, ...], sources: dict[str, Backbone]) -> None:
    _, X, y, X_test, y_test = data
    random = np.random.default_rng(seed)
    unlabelled = X[random.choice(len(X), UNLABELLED, replace=False)]
    rows = {k: np.concatenate([random.permutation(np.flatnonzero(y == c))[:k] for c in range(10)]) for k in SIZES}
    for size, chosen in rows.items():
        model = components(unlabelled, X[chosen], y[chosen])
        scores.add(name, "PCA", size, model.score(_flat(X_test), y_test))
    for kind, options in kinds(name).items():
        alone = AutoencoderTransformer(
            latent_dim=LATENT, epochs=100, learning_rate=1e-3, random_state=seed, **options
        ).fit(unlabelled)  # fmt: skip
        tuned = AutoencoderTransformer(
            sources[kind], trainable="all", epochs=100, learning_rate=1e-3, random_state=seed, **options
        ).fit(unlabelled)  # fmt: skip
        for way, autoencoder in ((f"{kind}, target alone", alone), (f"{kind}, pretrained", tuned)):
            for size, chosen in rows.items():
                clf = TransferClassifier(autoencoder.backbone_, random_state=seed)
                scores.add(name, way, size, clf.fit(X[chosen], y[chosen]).score(X_test, y_test))


def verdicts(scores: Scores) -> dict[str, Any]:
    """Points by which pretraining is ahead of the target alone and of PCA, with standard errors."""
    return {
        name: {
            kind: {
                other: {size: scores.gain(name, f"{kind}, pretrained", way, size) for size in SIZES}
                for other, way in (("over_target_alone", f"{kind}, target alone"), ("over_pca", "PCA"))
            }
            for kind in kinds(name)
        }
        for name in scores.groups()
    }


def main() -> None:
    seeds, epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 5, int(sys.argv[2]) if len(sys.argv) > 2 else 3
    scores, data = Scores(SIZES), targets()
    if len(sys.argv) > 3:
        data = {sys.argv[3]: data[sys.argv[3]]}
    for name, arrays in data.items():
        sources = {kind: pretrain(arrays[0], options, epochs) for kind, options in kinds(name).items()}
        for seed in range(seeds):
            one_seed(scores, name, seed, arrays, sources)
    print(scores.table())
    scores.draw(Path("autoencoder_transfer.png"), "labelled pictures a class", "test accuracy")
    report("autoencoder_transfer", seeds=seeds, **json.loads(json.dumps(verdicts(scores))))


if __name__ == "__main__":
    main()
