"""The estimators inside scikit-learn's own tools, on real images."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from PIL import Image
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skltransfer import BackboneTransformer, TransferClassifier
from skltransfer._features import extraction as features

SEEN = {"input_shape": (28, 28), "image_size": 32}


@pytest.fixture
def extractor():
    return BackboneTransformer(**SEEN)


def right(estimator, X, y):
    return (estimator.predict(X) == y).mean()


def test_pipeline(extractor, flat, labels):
    assert right(make_pipeline(extractor, StandardScaler(), SVC()).fit(flat, labels), flat, labels) > 0.9


def test_column_transformer_with_paths_beside_numbers(extractor, images, labels, tmp_path):
    frame = pd.DataFrame({"picture": [str(tmp_path / f"{i}.png") for i in range(len(images))], "weight": 1.0})
    for path, picture in zip(frame["picture"], images, strict=True):
        Image.fromarray(picture).save(path)
    files = BackboneTransformer(image_size=32)
    for column in ("picture", ["picture"]):
        columns = ColumnTransformer([("seen", files, column), ("number", StandardScaler(), ["weight"])])
        assert right(make_pipeline(columns, LogisticRegression(max_iter=500)).fit(frame, labels), frame, labels) > 0.9


def test_feature_union(extractor, flat, labels):
    other = BackboneTransformer(**SEEN, stage=5, pooling="max")
    union = FeatureUnion([("last", extractor), ("early", other)])
    assert union.fit_transform(flat).shape == (len(flat), 1280 + 40)
    names = union.get_feature_names_out()
    assert names[0] == "last__backbonetransformer0"
    assert names[-1] == "early__backbonetransformer39"


@pytest.mark.parametrize("make", [
    lambda est: GridSearchCV(est, {"C": [0.01, 0.1]}, cv=2),
    lambda est: RandomizedSearchCV(est, {"C": [0.01, 0.1, 1.0]}, n_iter=2, cv=2, random_state=0),
    lambda est: HalvingGridSearchCV(est, {"C": [0.01, 0.1]}, cv=2, min_resources=20, random_state=0),
])  # fmt: skip
def test_searches_run_the_network_once_a_sample(make, quick, flat, labels, empty_store):
    before = features.n_computed
    search = make(quick).fit(flat, labels)
    assert features.n_computed - before == len(flat)
    assert search.best_score_ > 0.5
    assert right(search, flat, labels) > 0.9


def test_search_over_backbones(flat, labels):
    from skltransfer import load_backbone

    other = load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0)
    grid = {"backbone": ["efficientnet_lite0", other], "trainable": ["head"]}
    search = GridSearchCV(TransferClassifier(input_shape=(28, 28)), grid, cv=2).fit(flat, labels)
    assert search.best_estimator_.backbone_ == load_backbone("efficientnet_lite0")
    assert np.diff(search.cv_results_["mean_test_score"]) < 0


def test_cross_validation(quick, flat, labels):
    scores = cross_validate(quick, flat, labels, cv=2, return_estimator=True)
    assert (scores["test_score"] > 0.5).all()
    assert cross_val_predict(quick, flat, labels, cv=2, method="predict_proba").shape == (40, 4)


def test_learning_curve(quick, flat, labels):
    sizes, _, scores = learning_curve(quick, flat, labels, cv=2, train_sizes=[8, 16], shuffle=True, random_state=0)
    assert sizes.tolist() == [8, 16]
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("make", [
    lambda est: CalibratedClassifierCV(est, cv=2),
    lambda est: StackingClassifier([("net", est), ("raw", LogisticRegression(max_iter=500))], cv=2,
                                   final_estimator=LogisticRegression(max_iter=500)),
    lambda est: VotingClassifier([("a", est), ("b", sklearn.base.clone(est).set_params(C=1.0))], voting="soft"),
    lambda est: BaggingClassifier(est, n_estimators=2, max_samples=0.9, random_state=0),
    lambda est: OneVsRestClassifier(est),
])  # fmt: skip
def test_wrapped_by_a_meta_estimator(make, quick, flat, labels):
    scaled = (flat / 255).astype(np.float32)
    model = make(quick).fit(scaled, labels)
    assert right(model, scaled, labels) > 0.6
    assert model.predict_proba(scaled).shape == (40, 4)


def test_multi_output(quick, flat, labels):
    both = np.column_stack([labels, np.where(labels == labels[0], "yes", "no")])
    predicted = MultiOutputClassifier(quick).fit(flat, both).predict(flat)
    assert (predicted == both).mean() > 0.9


def test_tuned_threshold(quick, flat, labels):
    model = TunedThresholdClassifierCV(quick, cv=2).fit(flat, labels == labels[0])
    assert right(model, flat, labels == labels[0]) > 0.9


def test_permutation_importance(labels):
    from sklearn.datasets import load_digits

    X, y = load_digits(n_class=3, return_X_y=True)
    model = TransferClassifier(input_shape=(8, 8), image_size=32).fit(X[:40], y[:40])
    found = permutation_importance(model, X[40:48], y[40:48], scoring="neg_log_loss", n_repeats=1, random_state=0)
    np.testing.assert_array_equal(found.importances_mean != 0, np.ptp(X[40:48], axis=0) > 0)


def test_two_processes_share_features_through_a_folder(quick, flat, labels, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    quick.set_params(memory=str(tmp_path))
    alone = cross_val_score(quick, flat, labels, cv=2)
    before = len(list(tmp_path.rglob("*.features")))
    assert before > 0
    parallel = cross_val_score(quick, flat, labels, cv=2, n_jobs=2)
    np.testing.assert_array_equal(alone, parallel)
    assert len(list(tmp_path.rglob("*.features"))) == before


def test_two_threads(quick, flat, labels):
    from joblib import parallel_backend

    with parallel_backend("threading", n_jobs=2):
        search = GridSearchCV(quick, {"C": [0.01, 0.1]}, cv=2).fit(flat, labels)
    alone = GridSearchCV(quick, {"C": [0.01, 0.1]}, cv=2).fit(flat, labels)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


def test_sample_weight_is_routed(quick, flat, labels):
    weights = np.where(labels == labels[0], 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = quick.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = Pipeline([("clf", asking)])
        routed = cross_validate(pipeline, flat, labels, cv=2, params={"sample_weight": weights}, return_estimator=True)
    for estimator in routed["estimator"]:
        assert labels[0] not in estimator.classes_


def test_set_output(extractor, flat):
    frame = pd.DataFrame(flat, columns=[f"p{i}" for i in range(784)], index=range(100, 140))
    seen = extractor.set_output(transform="pandas").fit_transform(frame)
    assert seen.index.tolist() == frame.index.tolist()
    assert seen.columns[0] == "backbonetransformer0"
    assert extractor.feature_names_in_[1] == "p1"
    polars = extractor.set_output(transform="polars").fit_transform(pl.DataFrame(frame.to_dict("series")))
    assert isinstance(polars, pl.DataFrame)
    np.testing.assert_array_equal(polars.to_numpy(), seen.to_numpy())
