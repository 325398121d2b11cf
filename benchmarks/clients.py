"""Packages that take any scikit-learn estimator, each given one of this package.

Each line of the table is one client: what it gave, or the error. What is not installed is said so.

Run: ``pip install -e ".[clients]" && python benchmarks/clients.py [NAME …]`` (about 2 minutes).
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skltransfer import BackboneTransformer, TransferClassifier, TransferRegressor
from skltransfer.datasets import load_fashion_sample

SAMPLE = load_fashion_sample()
KINDS = sorted(set(SAMPLE.target))[:3]
CHOSEN = np.isin(SAMPLE.target, KINDS)
IMAGES, LABELS = SAMPLE.images[CHOSEN], SAMPLE.target[CHOSEN]
FLAT = IMAGES.reshape(len(IMAGES), -1)
BACKBONE = TransferClassifier("small_cnn", epochs=5, random_state=0).fit(IMAGES, LABELS).backbone_
GRID = {"C": [0.1, 1.0]}


def flat_classifier(**options: Any) -> TransferClassifier:
    return TransferClassifier(BACKBONE, input_shape=(28, 28), **options)


def optuna_search() -> str:
    import optuna
    from optuna_integration import OptunaSearchCV

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {"C": optuna.distributions.FloatDistribution(0.01, 10, log=True)}
    search = OptunaSearchCV(TransferClassifier(BACKBONE), space, n_trials=3, cv=2).fit(IMAGES, LABELS)
    return f"accuracy {search.best_score_:.2f}"


def optuna_pruning() -> str:
    import optuna
    from optuna_integration import KerasPruningCallback

    def objective(trial: Any) -> float:
        rate = trial.suggest_float("learning_rate", 1e-7, 1e-2, log=True)
        clf = TransferClassifier(
            BACKBONE, trainable="all", solve_head=False, epochs=6, learning_rate=rate, random_state=1,
            callbacks=[KerasPruningCallback(trial, "accuracy")],
        )  # fmt: skip
        return clf.fit(IMAGES, LABELS).history_["accuracy"][-1]

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(1, 1))
    for rate in (3e-3, 1e-7):
        study.enqueue_trial({"learning_rate": rate})
    study.optimize(objective, n_trials=2)
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "PRUNED"], states
    return "the worse trial is pruned"


def mlflow_model() -> str:
    import mlflow
    import skops.io

    clf = flat_classifier().fit(FLAT, LABELS)
    trusted = skops.io.get_untrusted_types(data=skops.io.dumps(clf))
    formats: dict[str, dict[str, Any]] = {"cloudpickle": {}, "skops": {"skops_trusted_types": trusted}}
    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.create_experiment("clients", artifact_location=f"file://{folder}/artifacts")
        mlflow.set_experiment("clients")
        for name, options in formats.items():
            with mlflow.start_run():
                logged = mlflow.sklearn.log_model(
                    clf, name=name, serialization_format=name, pip_requirements=["skltransfer"], **options
                )
            loaded = mlflow.sklearn.load_model(logged.model_uri)
            np.testing.assert_array_equal(loaded.predict_proba(FLAT), clf.predict_proba(FLAT))
    return f"logged and loaded as {' and '.join(formats)}"


def mapie_sets() -> str:
    from mapie.classification import SplitConformalClassifier

    conformal = SplitConformalClassifier(flat_classifier(), confidence_level=0.9, prefit=False)
    conformal.fit(FLAT[::2], LABELS[::2]).conformalize(FLAT[1::2], LABELS[1::2])
    sets = conformal.predict_set(FLAT)[1][:, :, 0]
    return f"coverage {sets[np.arange(len(FLAT)), np.searchsorted(KINDS, LABELS)].mean():.2f}"


def mapie_intervals() -> str:
    from mapie.regression import CrossConformalRegressor

    ink, regressor = FLAT.mean(axis=1), TransferRegressor(BACKBONE, input_shape=(28, 28))
    conformal = CrossConformalRegressor(regressor, confidence_level=0.8, cv=3).fit_conformalize(FLAT, ink)
    low, high = conformal.predict_interval(FLAT)[1][:, :, 0].T
    return f"coverage {np.mean((low <= ink) & (ink <= high)):.2f}"


def imbalanced_learn() -> str:
    from imblearn.over_sampling import SMOTE, RandomOverSampler
    from imblearn.pipeline import make_pipeline

    few = np.r_[np.flatnonzero(KINDS[0] != LABELS), np.flatnonzero(KINDS[0] == LABELS)[:4]]
    smote, repeated = SMOTE(k_neighbors=2, random_state=0), RandomOverSampler(random_state=0)
    features = make_pipeline(BackboneTransformer(BACKBONE, input_shape=(28, 28)), smote, LogisticRegression())
    pipelines = features, make_pipeline(smote, flat_classifier()), make_pipeline(repeated, flat_classifier())
    scores = [pipeline.fit(FLAT[few], LABELS[few]).score(FLAT, LABELS) for pipeline in pipelines]
    return f"accuracy {scores[0]:.2f} on features, {scores[1]:.2f} and {scores[2]:.2f} on flattened images"


def shap_values() -> str:
    import shap

    clf = flat_classifier().fit(FLAT, LABELS)
    masker = shap.maskers.Independent(FLAT[:2].astype(float), max_samples=2)
    found = shap.Explainer(clf.predict_proba, masker, algorithm="permutation")(FLAT[:1].astype(float), max_evals=1569)
    gap = np.abs(found.values.sum(axis=1) + found.base_values - clf.predict_proba(FLAT[:1])).max()
    return f"values add up to the prediction within {gap:.0e}"


def shap_image() -> str:
    import shap

    clf = TransferClassifier(BACKBONE).fit(IMAGES[..., None], LABELS)
    masker = shap.maskers.Image("blur(8,8)", (28, 28, 1))
    return f"values of shape {shap.Explainer(clf.predict_proba, masker)(IMAGES[:1, ..., None], max_evals=50).shape}"


def lime_image() -> str:
    from lime.lime_image import LimeImageExplainer

    color = np.repeat(IMAGES[..., None], 3, axis=-1)
    clf = TransferClassifier(BACKBONE).fit(color, LABELS)
    explainer = LimeImageExplainer(random_state=0)
    squares = np.add.outer(4 * (np.arange(28) // 7), np.arange(28) // 7)
    found = explainer.explain_instance(
        color[0], clf.predict_proba, num_samples=50, batch_size=10, top_labels=1, segmentation_fn=lambda image: squares
    )
    return f"{len(found.local_exp[found.top_labels[0]])} segments"


def cleanlab_issues() -> str:
    from cleanlab.classification import CleanLearning

    codes = np.searchsorted(KINDS, LABELS)
    wrong = codes.copy()
    wrong[0] = (wrong[0] + 1) % 3
    quality = CleanLearning(flat_classifier(), cv_n_folds=3).find_label_issues(FLAT, wrong)["label_quality"]
    return f"{int((quality < quality[0]).sum())} of {len(wrong)} labels are less likely than the wrong one"


def hugging_face_datasets() -> str:
    import datasets
    from PIL import Image

    columns = {"image": [Image.fromarray(image) for image in IMAGES], "label": LABELS.tolist()}
    dataset = datasets.Dataset.from_dict(columns)
    clf = TransferClassifier(BACKBONE, image_size=28).fit(dataset["image"], dataset["label"])
    arrays = TransferClassifier(BACKBONE).fit(dataset.with_format("numpy")["image"], LABELS)
    return f"accuracy {clf.score(dataset['image'], LABELS):.2f} of images, {arrays.score(IMAGES, LABELS):.2f} of arrays"


def joblib_memory() -> str:
    import joblib

    with tempfile.TemporaryDirectory() as folder:
        clf = TransferClassifier(BACKBONE, memory=joblib.Memory(folder, verbose=0)).fit(IMAGES, LABELS)
        return f"accuracy {clf.score(IMAGES, LABELS):.2f}, {len(os.listdir(folder))} entries in its folder"


def dask_ml_search() -> str:
    from dask_ml.model_selection import GridSearchCV as DaskSearch

    search = DaskSearch(flat_classifier(), GRID, cv=2, scheduler="threads").fit(FLAT, LABELS)
    return f"accuracy {search.best_score_:.2f}"


def dask_search() -> str:
    import joblib
    from dask.distributed import Client

    options = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": None}
    with Client(**options), joblib.parallel_config("dask"):
        return f"accuracy {GridSearchCV(flat_classifier(), GRID, cv=2).fit(FLAT, LABELS).best_score_:.2f}"


def ray_search() -> str:
    import joblib
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    with joblib.parallel_config("ray"):
        return f"accuracy {GridSearchCV(flat_classifier(), GRID, cv=2).fit(FLAT, LABELS).best_score_:.2f}"


CLIENTS: tuple[Callable[[], str], ...] = (
    optuna_search, optuna_pruning, mlflow_model, mapie_sets, mapie_intervals, imbalanced_learn, shap_values, shap_image,
    lime_image, cleanlab_issues, hugging_face_datasets, joblib_memory, dask_ml_search, dask_search, ray_search,
)  # fmt: skip


def outcome(client: Callable[[], str]) -> str:
    try:
        return client()
    except ModuleNotFoundError as error:
        return f"not installed: {error.name}"
    except Exception as error:
        return f"FAILED with {type(error).__name__}: {error}"


def main() -> int:
    chosen = [client for client in CLIENTS if not sys.argv[1:] or client.__name__ in sys.argv[1:]]
    print("| client | outcome |\n|---|---|")
    failed = 0
    for client in chosen:
        found = outcome(client)
        failed += found.startswith("FAILED")
        print(f"| {client.__name__} | {found} |", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
