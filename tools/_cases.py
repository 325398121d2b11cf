"""What the snapshot fits, by group."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import keras
import numpy as np
import pandas as pd
from _outcome import Found, fitted, outcome
from _samples import RATE, Array, Data, scratch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skltransfer import (
    AttentionHead,
    AttentionTransfer,
    AutoencoderTransformer,
    BackboneTransformer,
    DomainAdaptationClassifier,
    DomainAdaptationRegressor,
    GradualUnfreezing,
    LoRA,
    MLPHead,
    TransferClassifier,
    TransferRegressor,
    domain_report,
    load_backbone,
)

Cases = dict[str, Callable[[], Found]]


def _tuned(backbone: Any, trainable: Any, **options: Any) -> TransferClassifier:
    return scratch(backbone, **{"trainable": trainable, "learning_rate": 1e-3, **options})


def _small(head: Any = "linear", **options: Any) -> TransferClassifier:
    """Return a classifier on the frozen network of the package."""
    return scratch("auto", **{"head": head, "image_size": 32, **options})


def solved_heads(data: Data) -> Cases:
    """Return cases of a frozen network under a head that is solved."""
    X, y = data.images, data.labels
    classify, regress = partial(fitted, _small(), X), partial(fitted, TransferRegressor(image_size=32))
    return {
        "classifier": lambda: fitted(_small(), X, y, maps=("auto",)),
        "two classes": lambda: fitted(_small(C=1.0), X, y == y[0]),
        "sample_weight": lambda: classify(y, sample_weight=data.weights),
        "class_weight": lambda: fitted(_small(class_weight="balanced"), X[3:], y[3:]),
        "class_weight by name": lambda: fitted(_small(class_weight={y[0]: 3.0}), X, y),
        "marks with missing ones": lambda: classify(data.marks),
        "tasks with missing labels": lambda: classify(data.tasks),
        "augmentation": lambda: fitted(_small(augmentation="flip_shift", n_views=2), X, y),
        "regressor": lambda: regress(X, data.ink),
        "regressor, weights": lambda: regress(X, data.ink, sample_weight=data.weights),
        "regressor, two columns, some missing": lambda: regress(X, _two_columns(data)),
    }


def _two_columns(data: Data) -> Array:
    columns = np.stack([data.ink, data.images.std(axis=(1, 2))], axis=1)
    columns[::6, 1] = np.nan
    return columns


def trained_heads(data: Data) -> Cases:
    """Return cases of a frozen network under a head that is trained."""
    X, y = data.images, data.labels
    regressor = TransferRegressor(image_size=32, epochs=2, batch_size=16, random_state=0)
    return {
        "mlp": lambda: fitted(_small("mlp"), X, y),
        "MLPHead": lambda: fitted(_small(MLPHead((16, 8), dropout=0.1)), X, y),
        "attention": lambda: fitted(_small("attention"), X, y, maps=("head", "grad_cam")),
        "AttentionHead": lambda: fitted(_small(AttentionHead(2), solve_head=False), X, y, maps=("auto",)),
        "mlp, views": lambda: fitted(_small("mlp", augmentation="flip", n_views=2), X, y),
        "mlp, tasks with missing labels": lambda: fitted(_small("mlp"), X, data.tasks),
        "mlp, marks with missing ones": lambda: fitted(_small("mlp"), X, data.marks),
        "regressor, mlp": lambda: fitted(clone(regressor).set_params(head="mlp"), X, data.ink),
        "regressor, attention": lambda: fitted(
            clone(regressor).set_params(head="attention"), X, data.ink, maps=("auto",)
        ),
    }


def inputs(data: Data) -> Cases:
    """Return cases of every kind of samples."""
    X, y = data.images, data.labels
    frame = pd.DataFrame(data.table, columns=list("abcde"))
    hear, high = _small(sample_rate=RATE), np.arange(16) % 2
    named = pd.DataFrame({"file": data.files})
    return {
        "flattened images": lambda: fitted(_small(input_shape=(28, 28)), data.flat, y),
        "colours": lambda: fitted(_small(), data.colours, y),
        "fractions": lambda: fitted(_small(), X / 255.0, y),
        "files": lambda: fitted(_small(), data.files, y),
        "files in a frame": lambda: fitted(_small(), named, y),
        "PIL images": lambda: fitted(_small(), data.pictures, y),
        "size of its own": lambda: fitted(_small(image_size="auto"), X[:8], y[:8]),
        "files, trained": lambda: fitted(_small(trainable=1, learning_rate=1e-4), data.files, y),
        "table": lambda: fitted(scratch("auto"), data.table, data.numbers),
        "frame": lambda: fitted(scratch("auto"), frame, data.numbers),
        "table, regressor": lambda: fitted(TransferRegressor(epochs=3, random_state=0), data.table, data.table[:, 1]),
        "waveforms": lambda: fitted(clone(hear), data.clips, high, maps=("auto",)),
        "sound files": lambda: fitted(_small(), data.sounds, high),
        "waveforms, trained": lambda: fitted(
            scratch("small_cnn", sample_rate=RATE, early_stopping=True, validation_fraction=0.25), data.clips, high
        ),
    }


def texts(data: Data) -> Cases:
    """Return cases of texts."""
    X, y = data.texts, data.opinions
    learn = partial(_tuned, "minilm_l6", batch_size=8)
    return {
        "classifier": lambda: fitted(scratch("auto"), X, y),
        "series": lambda: fitted(scratch("auto"), pd.Series(X), y),
        "regressor": lambda: fitted(TransferRegressor(), X, np.arange(16.0)),
        "transformer": lambda: fitted(BackboneTransformer(pooling="max"), X),
        "last stage": lambda: fitted(learn(1), X[::2], y[::2]),
        "LoRA": lambda: fitted(learn(LoRA(rank=2, where=1)), X[::2], y[::2]),
        "small_transformer, attention": lambda: fitted(
            scratch("small_transformer", batch_size=8, head="attention"), X, y, maps=("head", "rollout")
        ),
    }


def trainables(data: Data) -> Cases:
    """Return cases of which layers are fine-tuned."""
    X, y = data.images, data.labels
    kinds = {
        "auto": "auto", "head": "head", "all": "all", "1": 1, "2": 2, "lora": "lora",
        "LoRA": LoRA(rank=2, alpha=6.0, where=2), "GradualUnfreezing": GradualUnfreezing(1, stages=2),
    }  # fmt: skip

    def normed(trainable: Any, **options: Any) -> Found:
        return fitted(_tuned(data.normed, trainable, **options), X, y)

    def tuned(trainable: Any) -> Found:
        return fitted(_tuned(data.source, trainable), X, y)

    return {
        **{f"small_cnn, {name}": partial(tuned, kind) for name, kind in kinds.items()},
        "small_resnet, norm": lambda: normed("norm"),
        "small_resnet, all, batch_norm train": lambda: normed("all", batch_norm="train"),
        "small_resnet, 1, batch_norm inference": lambda: normed(1, batch_norm="inference"),
        "efficientnet_lite0, 1": lambda: fitted(_small(trainable=1), X, y, maps=("grad_cam",)),
        "untrained, auto": lambda: fitted(scratch("small_cnn"), X, y),
        "untrained, head": lambda: fitted(scratch("small_cnn", trainable="head"), X, y),
        "regressor, all": lambda: fitted(
            TransferRegressor(data.source, trainable="all", epochs=2, random_state=0), X, _two_columns(data)
        ),
    }


def training(data: Data) -> Cases:
    """Return cases of the parameters of training."""
    X, y = data.images, data.labels
    held = {"early_stopping": True, "validation_fraction": 0.25, "n_iter_no_change": 1, "epochs": 4}
    teach = AttentionTransfer(30.0, teacher="efficientnet_lite0")

    def tuned(trainable: Any = "all", **options: Any) -> Found:
        return fitted(_tuned(data.source, trainable, **options), X, y)

    def given(**more: Any) -> Found:
        return fitted(_tuned(data.source, 2, **held), X, y, **more)

    return {
        "augmentation": lambda: tuned(augmentation="flip_shift"),
        "augmentation, views": lambda: tuned(2, augmentation="flip", n_views=2),
        "augmentation, layer": lambda: tuned(augmentation=keras.layers.RandomFlip("vertical", seed=3)),
        "mixup": lambda: tuned(mixup=0.4),
        "mixup, frozen part": lambda: tuned(2, mixup=0.4),
        "label_smoothing": lambda: tuned(label_smoothing=0.2),
        "l2_sp": lambda: tuned(l2_sp=1.0),
        "delta": lambda: tuned(2, delta=1.0),
        "attention_transfer": lambda: tuned(attention_transfer=10.0),
        "attention_transfer, teacher": lambda: fitted(scratch("small_cnn", attention_transfer=teach), X, y),
        "attention_transfer, teacher, views": lambda: tuned(attention_transfer=teach, augmentation="flip", n_views=2),
        "decays": lambda: tuned(weight_decay=0.1, layer_decay=0.5),
        "schedule": lambda: tuned(schedule="constant", warmup=0.3),
        "solve_head": lambda: tuned(solve_head=False),
        "sample_weight": lambda: fitted(_tuned(data.source, 2), X, y, sample_weight=data.weights),
        "class_weight": lambda: fitted(_tuned(data.source, 2, class_weight="balanced"), X[3:], y[3:]),
        "tasks": lambda: fitted(_tuned(data.source, 2, label_smoothing=0.1), X, data.tasks),
        "marks": lambda: fitted(_tuned(data.source, 2, mixup=0.2), X, data.marks),
        "head mlp": lambda: tuned(1, head=MLPHead((8,), dropout=0.2)),
        "head attention": lambda: fitted(_tuned(data.normed, 1, head="attention"), X, y, maps=("head",)),
        "early_stopping": lambda: tuned(**held),
        "early_stopping, groups": lambda: given(groups=np.arange(40) // 4),
        "validation samples": lambda: given(X_val=data.images[::3], y_val=data.labels[::3]),
        "everything": lambda: tuned(
            **held, augmentation="flip", mixup=0.2, label_smoothing=0.1, l2_sp=0.1, delta=0.1, weight_decay=0.1,
        ),
    }  # fmt: skip


def continued(data: Data) -> Cases:
    """Return cases of fits that go on from other fits."""
    X, y, classes = data.images, data.labels, sorted(set(data.labels))

    def in_parts(estimator: Any, *, names: bool = True, y: Any = y) -> Found:
        given = {"classes": classes} if names else {}
        return outcome(estimator.partial_fit(X[:20], y[:20], **given).partial_fit(X[20:], y[20:]), X)

    def again(estimator: Any) -> Found:
        return outcome(estimator.set_params(warm_start=True).fit(X, y).fit(X[::-1], y[::-1]), X)

    regressor = TransferRegressor(image_size=32, random_state=0)
    return {
        "partial_fit, small_cnn": lambda: in_parts(scratch("small_cnn")),
        "partial_fit, frozen": lambda: in_parts(_small()),
        "partial_fit, 2": lambda: in_parts(_tuned(data.source, 2, augmentation="flip", n_views=2)),
        "partial_fit, regressor": lambda: in_parts(regressor, names=False, y=data.ink),
        "warm_start, small_cnn": lambda: again(scratch("small_cnn")),
        "warm_start, 2": lambda: again(_tuned(data.source, 2)),
        "warm_start, solved": lambda: again(_small()),
        "checkpoint": lambda: _saved(data, scratch("small_cnn")),
        "checkpoint, interrupted": lambda: _interrupted(data, scratch("small_cnn", epochs=3)),
        "pickled": lambda: outcome(pickle.loads(pickle.dumps(_tuned(data.source, 1).fit(X, y))), X),
        "backbone_ of another": lambda: fitted(_tuned(_tuned(data.source, 1).fit(X, y).backbone_, "head"), X, y),
    }


def _saved(data: Data, estimator: Any) -> Found:
    """Fit twice with a checkpoint, the second time from what was saved."""
    estimator.set_params(checkpoint=data.folder / "whole")
    found = fitted(estimator, data.images, data.labels)
    again = fitted(clone(estimator), data.images, data.labels)
    return {**found, **{f"again, {name}": value for name, value in again.items()}}


class _Interrupt(keras.callbacks.Callback):  # type: ignore[misc]
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            raise InterruptedError


def _interrupted(data: Data, estimator: Any) -> Found:
    """Fit with a checkpoint, stop within, and fit again."""
    estimator.set_params(checkpoint=data.folder / "parts")
    try:
        clone(estimator).set_params(callbacks=[_Interrupt()]).fit(data.images, data.labels)
    except InterruptedError:
        return fitted(estimator, data.images, data.labels)
    raise AssertionError("the fit was not interrupted")


def backbones(data: Data) -> Cases:
    """Return cases of networks from elsewhere, and of features alone."""
    X, y = data.images, data.labels
    features = partial(BackboneTransformer, image_size=32)

    def from_file() -> Found:
        data.source.save(data.folder / "source.safetensors")
        return fitted(_tuned(str(data.folder / "source.safetensors"), 1), X, y)

    return {
        "last stage": lambda: fitted(features(), X),
        "stage": lambda: fitted(features(stage=4), X),
        "max": lambda: fitted(features(stage=-2, pooling="max"), X),
        "flatten": lambda: fitted(features(pooling="flatten"), X[:8]),
        "table": lambda: fitted(BackboneTransformer(random_state=0), data.table),
        "waveforms": lambda: fitted(features(sample_rate=RATE), data.clips),
        "files": lambda: fitted(features(), data.files),
        "file": from_file,
        "Keras model": lambda: fitted(_tuned(load_backbone(_model((28, 28, 1)), mean=127.5, std=127.5), 1), X, y),
        "function": lambda: fitted(scratch(_model), X, y),
        "small_transformer": lambda: fitted(scratch("small_transformer", trainable="head"), X, y, maps=("rollout",)),
    }


def _model(input_shape: tuple[int, ...]) -> Any:
    keras.utils.set_random_seed(0)
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu", name="first")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, keras.layers.Conv2D(16, 3, strides=2, activation="relu", name="second")(x))


def autoencoders(data: Data) -> Cases:
    """Return cases of autoencoders."""
    X = data.images
    small = partial(AutoencoderTransformer, latent_dim=4, hidden=(8, 8), epochs=2, random_state=0)

    def tuned(trainable: Any, **options: Any) -> Found:
        start = small().fit(data.others).backbone_
        return fitted(AutoencoderTransformer(start, trainable=trainable, epochs=2, random_state=0, **options), X)

    def in_parts() -> Found:
        return outcome(small().partial_fit(X[:20]).partial_fit(X[20:]), X)

    def again() -> Found:
        return outcome(small(warm_start=True).fit(X).fit(X[::-1]), X)

    def drawn() -> Found:
        estimator = small(variational=0.5).fit(X)
        return {**outcome(estimator, X), "sample": estimator.sample(3, random_state=0)}

    return {
        "images": lambda: fitted(small(), X),
        "flattened images": lambda: fitted(small(input_shape=(28, 28), loss="mae"), data.flat),
        "files": lambda: fitted(small(image_size=32, loss="bce"), data.files),
        "ssim": lambda: fitted(small(loss="ssim"), X),
        "table": lambda: fitted(small(hidden=(6,)), data.table),
        "table, holes": lambda: fitted(small(hidden=(6,), corruption="mask"), data.holes),
        "sequences": lambda: fitted(small("conv1d"), data.sequences),
        "denoising": lambda: fitted(small(corruption="gaussian"), X),
        "masked": lambda: fitted(small(corruption="mask"), X),
        "distorted": lambda: fitted(small(corruption="flip_shift"), X),
        "augmentation": lambda: fitted(small(augmentation="flip"), X),
        "variational": drawn,
        "sample_weight": lambda: fitted(small(), X, sample_weight=data.weights),
        "early_stopping": lambda: fitted(small(early_stopping=True, validation_fraction=0.25), X),
        "fine-tuned, head": lambda: tuned("head"),
        "fine-tuned, all": lambda: tuned("all", l2_sp=0.1, delta=0.1),
        "fine-tuned, lora": lambda: tuned("lora"),
        "fine-tuned, gradually": lambda: tuned(GradualUnfreezing(1, stages=1)),
        "efficientnet_lite0": lambda: fitted(
            AutoencoderTransformer("efficientnet_lite0", image_size=32, latent_dim=4, epochs=2, random_state=0), X
        ),
        "partial_fit": in_parts,
        "warm_start": again,
        "classifier on it": lambda: fitted(TransferClassifier(small().fit(X).backbone_), X, data.labels),
    }  # fmt: skip


def adaptation(data: Data) -> Cases:
    """Return cases of domain adaptation."""
    methods = ("source_only", "adabn", "coral", "mmd", "dann", "adda", "mcd", "mcc", "self_training", "shot")
    options = {"epochs": 4, "head": MLPHead((8,)), "random_state": 0}
    X, y, domain = data.domains

    def table(method: Any, **more: Any) -> Found:
        return fitted(DomainAdaptationClassifier(method=method, **{**options, **more}), X, y, sample_domain=domain)

    def values(method: str) -> Found:
        masked = np.where(domain > 0, 7 * X[:, 0], np.nan)
        return fitted(DomainAdaptationRegressor(method=method, **options), X, masked)

    def images(method: str, backbone: Any = "auto", **more: Any) -> Found:
        seen, names, sides = data.cameras
        estimator = DomainAdaptationClassifier(backbone, method=method, **{**options, **more})
        return fitted(estimator, seen, names, sample_domain=sides)

    def started() -> Found:
        source = TransferClassifier(head=MLPHead((8,)), epochs=4, random_state=0).fit(X[:40], y[:40])
        return fitted(DomainAdaptationClassifier(FrozenEstimator(source), method="shot", **options), X[40:])

    return {
        **{name: partial(table, name) for name in methods},
        "masked labels": lambda: fitted(DomainAdaptationClassifier(**options), X, np.where(domain > 0, y, -1)),
        "own distance": lambda: table(_distance, weight=2.0, ramp="linear"),
        "linear head": lambda: table("dann", head="linear", class_weight="balanced", source_epochs=1),
        "aligned backbone": lambda: table("mmd", aligned="backbone", batch_size=16),
        "several domains": lambda: fitted(
            DomainAdaptationClassifier(method="dann", **options), X, y, sample_domain=np.repeat([1, 3, -2, -5], 20)
        ),
        "shot from a fitted one": started,
        **{f"regressor, {name}": partial(values, name) for name in ("source_only", "coral", "dann")},
        **{f"frozen images, {name}": partial(images, name, image_size=32) for name in ("mmd", "shot")},
        "small_resnet, adabn": lambda: images("adabn", data.normed, trainable="head"),
        "small_resnet, tent": lambda: images("tent", data.normed, trainable=1, epochs=2, batch_size=16),
        "small_cnn, coral": lambda: images("coral", "small_cnn", epochs=2, batch_size=16),
    }


def _distance(source: Any, target: Any) -> Any:
    return keras.ops.mean(keras.ops.square(keras.ops.mean(source.decisions, 0) - keras.ops.mean(target.decisions, 0)))


def in_scikit_learn(data: Data) -> Cases:
    """Return cases of searches, pipelines and reports."""
    X, y = data.images, data.labels

    def search() -> Found:
        grid = GridSearchCV(_tuned(data.source, 2), {"C": [0.1, 1.0], "learning_rate": [1e-4, 1e-3]}, cv=2).fit(X, y)
        return {"scores": grid.cv_results_["mean_test_score"], **outcome(grid.best_estimator_, X)}

    def pipeline() -> Found:
        steps = make_pipeline(BackboneTransformer(image_size=32), StandardScaler(), LogisticRegression())
        return {"predict_proba": cross_val_predict(steps, X, y, cv=2, method="predict_proba")}

    def report() -> Found:
        table, numbers, domain = data.domains
        found = domain_report(table[domain > 0], numbers[domain > 0], table[domain < 0], random_state=0)
        return {name: list(v.values()) if isinstance(v, Mapping) else v for name, v in asdict(found).items()}

    return {"search": search, "pipeline": pipeline, "domain_report": report}


GROUPS = (solved_heads, trained_heads, inputs, texts, trainables, training, continued, backbones, autoencoders,
          adaptation, in_scikit_learn)  # fmt: skip
"""Their order is fixed, as features are remembered in the process."""
