"""A fitted estimator in one file, and the predictor that runs it without Keras and scikit-learn."""

import hashlib
import io
import json
import re
import subprocess
import sys
from collections import Counter

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.svm import SVC

import skltransfer
from skltransfer import (
    AutoencoderTransformer,
    BackboneTransformer,
    DomainAdaptationClassifier,
    DomainAdaptationRegressor,
    TransferClassifier,
    TransferRegressor,
    _public,
    export,
    serve,
)
from skltransfer.__main__ import main
from skltransfer._keras import backend as _backend
from skltransfer.serve import _predictors

pytestmark = pytest.mark.filterwarnings("ignore::skltransfer.adaptation.AdaptationWarning")  # fits are short here
on_tensorflow = pytest.mark.skipif(_backend.name() != "tensorflow", reason="files are written on TensorFlow")

METHODS = ("predict", "predict_proba", "decision_function", "transform", "reconstruct", "score_samples")
TRAINED = {"epochs": 1, "random_state": 0}
RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(24, 3))
FAR = 1000 + 100 * TABLE
GAPS = np.where(TABLE > 1.2, np.nan, TABLE)
TONES = [RANDOM.normal(size=length).astype("float32") for length in (7000, 8000, 3000, 8000, 2000, 8000)]
TEXTS = [
    "good film",
    "a bad and long film about nothing at all, and dull",
    "fine",
    "poor thing",
    "very good",
    "bad",
] * 2
THREE = np.array(["one", "two", "three"])[np.arange(24) % 3]
DOMAIN = np.repeat([1, -1], 12)
ADAPTED = {"sample_domain": DOMAIN}
RESNET = {"backbone": "small_resnet", **TRAINED}

TABLES = {
    "a table": lambda: TransferClassifier(random_state=0).fit(TABLE, THREE),
    "two classes": lambda: TransferClassifier(**TRAINED).fit(TABLE, TABLE[:, 0] > 0),
    "labels of 0 and 1": lambda: TransferClassifier(random_state=0).fit(TABLE, (TABLE[:, :2] > 0).astype(int)),
    "several tasks": lambda: TransferClassifier(random_state=0).fit(
        TABLE, np.column_stack([THREE.astype(object), np.arange(24) % 2])
    ),
    "values": lambda: TransferRegressor(random_state=0).fit(TABLE, 100 + 10 * TABLE[:, 0]),
    "two targets": lambda: TransferRegressor(**TRAINED).fit(TABLE, 5 * TABLE[:, :2]),
    "adapted": lambda: DomainAdaptationClassifier(method="mcc", weight=1.0, **TRAINED).fit(TABLE, THREE, **ADAPTED),
    "aligned": lambda: DomainAdaptationClassifier(method="linear_ot", **TRAINED).fit(TABLE, THREE, **ADAPTED),
    "adapted values": lambda: DomainAdaptationRegressor(method="coral", weight=1.0, **TRAINED).fit(
        TABLE, TABLE[:, 0], **ADAPTED
    ),
    "an autoencoder": lambda: AutoencoderTransformer(latent_dim=2, **TRAINED).fit(TABLE),
    "missing values": lambda: AutoencoderTransformer(latent_dim=2, corruption="mask", **TRAINED).fit(GAPS),
    "variational": lambda: AutoencoderTransformer(latent_dim=2, variational=1.0, **TRAINED).fit(TABLE),
}
PICTURES = {
    "frozen": lambda X, y: TransferClassifier("small_resnet", trainable="head", image_size=32).fit(X, y),
    "a trained stage": lambda X, y: TransferClassifier(trainable=1, **RESNET).fit(X, y),
    "an attention head": lambda X, y: TransferClassifier(head="attention", trainable="head", **RESNET).fit(X, y),
    "flattened": lambda X, y: BackboneTransformer("small_resnet", stage="auto", input_shape=(28, 28)).fit(X),
    "encoded pictures": lambda X, y: AutoencoderTransformer(latent_dim=4, **TRAINED).fit(X),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory, images, labels):
    """Fit, save and load by name; each once."""
    folder, known = tmp_path_factory.mktemp("exported"), {}

    def get(name):
        if name not in known:
            if name in TABLES:
                fitted, X = TABLES[name](), GAPS if name == "missing values" else TABLE
            elif name == "sounds":
                fitted, X = TransferClassifier("small_resnet", trainable="head", sample_rate=16000), TONES
                fitted.fit(TONES, np.arange(6) % 2)
            else:
                X = {"a trained stage": images / 255.0, "flattened": images.reshape(40, -1)}.get(name, images)[:16]
                fitted = PICTURES[name](X, labels[:16])
            path = folder / f"{name}.onnx"
            export.save(fitted, path)
            known[name] = fitted, X, serve.load(path, n_threads=1), path
        return known[name]

    return get


def assert_alike(found, expected):
    if isinstance(expected, list):
        assert isinstance(found, list)
        for one, other in zip(found, expected, strict=True):
            assert_alike(one, other)
        return
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    else:
        np.testing.assert_array_equal(found, expected)


def assert_same_answers(predictor, fitted, X):
    methods = [name for name in METHODS if hasattr(fitted, name)]
    assert methods
    for name in methods:
        if name != "score_samples" or not fitted.variational:
            assert_alike(getattr(predictor, name)(X), getattr(fitted, name)(X))


@on_tensorflow
@pytest.mark.parametrize("name", [*TABLES, *PICTURES, "sounds"])
def test_answers_are_those_of_the_estimator(name, saved):
    fitted, X, predictor, _ = saved(name)
    assert_same_answers(predictor, fitted, X)
    assert_same_answers(predictor, fitted, X[3:4])
    assert predictor.n_features_in_ == fitted.n_features_in_
    if hasattr(fitted, "classes_"):
        classes = fitted.classes_ if isinstance(fitted.classes_, list) else [fitted.classes_]
        served = predictor.classes_ if isinstance(predictor.classes_, list) else [predictor.classes_]
        for one, other in zip(served, classes, strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


@on_tensorflow
@pytest.mark.parametrize(
    "laid",
    [np.asfortranarray, lambda X: np.repeat(X, 2, axis=1)[:, ::2], lambda X: X[::-1][::-1], lambda X: X.astype(">f8")],
)
@pytest.mark.parametrize("name", ["a table", "a trained stage"])
def test_arrays_may_lie_in_any_way(name, laid, saved):
    _, X, predictor, _ = saved(name)
    np.testing.assert_array_equal(predictor.predict_proba(laid(X)), predictor.predict_proba(X))


@on_tensorflow
@pytest.mark.parametrize("name", ["a table", "values", "a trained stage", "sounds", "an autoencoder"])
def test_batches_are_put_together_in_order(name, saved, monkeypatch):
    fitted, X, predictor, _ = saved(name)
    monkeypatch.setattr(_predictors, "MOST", 5)
    assert_same_answers(predictor, fitted, X)


@on_tensorflow
def test_texts(tmp_path, minilm):
    fitted = TransferClassifier(minilm).fit(TEXTS, np.arange(12) % 2)
    export.save(fitted, tmp_path / "texts.onnx")
    predictor = serve.load(tmp_path / "texts.onnx")
    new = ["[PAD] a long text of several words that is nowhere else", "", "short", "fine"]
    assert_same_answers(predictor, fitted, new)
    assert_same_answers(predictor, fitted, new[:1])


@on_tensorflow
def test_image_files_bytes_and_pil_images(tmp_path, images, labels):
    from PIL import Image

    paths, pictures = [tmp_path / f"{number}.png" for number in range(8)], []
    for number, path in enumerate(paths):
        pictures.append(Image.fromarray(images[number]).resize((30 + number, 25)))
        pictures[-1].save(path)
    fitted = TransferClassifier("small_resnet", trainable="head", image_size=28).fit(paths, labels[:8])
    export.save(fitted, tmp_path / "files.onnx")
    predictor = serve.load(tmp_path / "files.onnx")
    content = [path.read_bytes() for path in paths]
    for X in (paths, list(map(str, paths)), pictures, content, list(map(io.BytesIO, content))):
        assert_same_answers(predictor, fitted, X)
    paths[3].write_bytes(content[3][:60])
    assert_same_error(predictor.predict, fitted.predict, paths)
    assert_same_error(predictor.predict, fitted.predict, ["nowhere.png"])


SENTENCES = r"X|sample|2D array|Complex data|could not convert|[Ff]eature names"


def assert_same_error(served, own, X):
    with pytest.raises((TypeError, ValueError), match=SENTENCES) as expected:
        own(X)
    with pytest.raises(expected.type, match=SENTENCES) as found:
        served(X)
    assert str(found.value).split(".")[0] == str(expected.value).split(".")[0]


WRONG = {
    "fewer columns": ("a table", TABLE[:, :2]),
    "one dimension": ("a table", TABLE[0]),
    "three dimensions": ("a table", TABLE[None]),
    "NaN": ("a table", np.where(TABLE > 1, np.nan, TABLE)),
    "infinity": ("a table", np.where(TABLE > 1, np.inf, TABLE)),
    "texts": ("a table", ["a text", "another"]),
    "words in columns": ("a table", np.array([["a", "b", "c"]])),
    "complex numbers": ("a table", TABLE + 1j),
    "no samples": ("a table", TABLE[:0]),
    "None": ("a table", None),
    "a size": ("frozen", np.zeros((2, 20, 20), "uint8")),
    "one picture": ("frozen", np.zeros((28, 28), "uint8")),
    "a range": ("frozen", np.full((2, 28, 28), 0.5)),
    "NaN in pictures": ("frozen", np.full((2, 28, 28), np.nan)),
    "complex pictures": ("frozen", np.ones((2, 28, 28)) + 1j),
    "a table for pictures": ("frozen", TABLE),
    "silence of no length": ("sounds", [np.zeros(0, "float32")]),
    "noise that is not finite": ("sounds", [np.full(8000, np.inf)]),
    "a sound file that is missing": ("sounds", ["nowhere.wav"]),
}


@on_tensorflow
@pytest.mark.parametrize("what", WRONG)
def test_wrong_samples_are_refused_as_by_the_estimator(what, saved):
    name, X = WRONG[what]
    fitted, _, predictor, _ = saved(name)
    assert_same_error(predictor.predict, fitted.predict, X)


@on_tensorflow
def test_names_of_columns(tmp_path):
    import pandas as pd

    frame = pd.DataFrame(TABLE, columns=["a", "b", "c"])
    fitted = TransferRegressor(random_state=0).fit(frame, TABLE[:, 0])
    export.save(fitted, tmp_path / "named.onnx")
    predictor = serve.load(tmp_path / "named.onnx")
    assert predictor.feature_names_in_.tolist() == ["a", "b", "c"]
    assert_same_answers(predictor, fitted, frame)
    for other in (frame[["b", "a", "c"]], frame.rename(columns={"a": "z"}), frame[["a", "b"]]):
        assert_same_error(predictor.predict, fitted.predict, other)
    with pytest.warns(UserWarning, match="X does not have valid feature names, but TransferRegressor was fitted with"):
        predictor.predict(TABLE)


@on_tensorflow
def test_any_program_reads_the_file(saved):
    import onnx
    import onnxruntime

    fitted, X, predictor, path = saved("a table")
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path)
    about = json.loads(session.get_modelmeta().custom_metadata_map["skltransfer"])
    assert about == predictor.about
    assert about["estimator"] == "TransferClassifier"
    assert about["labels"]["classes"][0]["values"] == ["one", "three", "two"]
    found = session.run(["probabilities"], {"samples": X})[0]
    np.testing.assert_allclose(found, fitted.predict_proba(X), atol=1e-6)


@on_tensorflow
def test_what_cannot_be_exported_is_refused_before_work_starts(tmp_path):
    path, fitted = tmp_path / "none.onnx", TransferClassifier(random_state=0).fit(TABLE, THREE)
    days = np.array(["2020-01-01", "2020-01-02"], "datetime64[D]")[np.arange(24) % 2]
    dated = TransferClassifier(random_state=0).fit(TABLE, days)
    tent = DomainAdaptationClassifier(method="tent", **TRAINED).fit(TABLE, THREE, **ADAPTED)
    refused = [
        (NotFittedError, "is not fitted yet", TransferClassifier(), {}),
        (TypeError, "expected a fitted estimator of skltransfer, or a Pipeline with one. Got a PCA", PCA(), {}),
        (TypeError, r"one with 0 among 'pca' \(PCA\)", make_pipeline(PCA()), {}),
        (TypeError, "expected labels that are strings, whole or finite real numbers, or booleans", dated, {}),
        (ValueError, "method='tent' adapts the network to the samples", tent, {}),
        (ValueError, "Got format='onx'; known: 'onnx', 'openvino', 'litert', 'saved_model'", fitted, {"format": "onx"}),
    ]
    for error, sentence, estimator, options in refused:
        with pytest.raises(error, match=sentence):
            export.save(estimator, path, **options)
    with pytest.raises(FileNotFoundError, match="expected a folder that exists"):
        export.save(fitted, tmp_path / "nowhere" / "none.onnx")
    assert not list(tmp_path.iterdir())


ELSEWHERE = """
import sys, warnings
import numpy as np
import openvino
import tensorflow as tf
X, loaded = np.load("X.npy"), tf.saved_model.load("saved_model")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    interpreter = tf.lite.Interpreter("litert/model.tflite")
interpreter.allocate_tensors()
found = [run(X)["probabilities"] for run in (
    loaded.serve,
    lambda X: interpreter.get_signature_runner()(samples=X),
    openvino.compile_model("openvino/model.xml", "CPU"),
)]
np.save("found.npy", np.stack(found))
assert not any(name.startswith("skltransfer") for name in sys.modules)
"""
"""How other programs read what is written, in which nothing of this package is."""


@on_tensorflow
def test_other_formats_run_elsewhere(saved, tmp_path):
    fitted, X, _, _ = saved("frozen")
    np.save(tmp_path / "X.npy", X[..., None].astype("float32"))
    formats = ("saved_model", "litert", "openvino")
    for format in formats:
        folder = tmp_path / format
        export.save(fitted, folder, format=format)
        about = json.loads((folder / "skltransfer.json").read_text())
        assert about["estimator"] == "TransferClassifier"
        assert {*about["sha256"], "skltransfer.json"} == {
            str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
        }
        for name, digest in about["sha256"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert {path.name for path in tmp_path.iterdir()} == {*formats, "X.npy"}
    subprocess.run([sys.executable, "-c", ELSEWHERE], check=True, cwd=tmp_path)
    for found in np.load(tmp_path / "found.npy"):
        np.testing.assert_allclose(found, fitted.predict_proba(X), atol=1e-4)
    with pytest.raises(FileExistsError, match=r"saved_model' exists\. Expected the name of a new folder"):
        export.save(fitted, tmp_path / "saved_model", format="saved_model")


@on_tensorflow
def test_other_formats_of_tables_and_pipelines(saved, tmp_path):
    fitted, _, _, _ = saved("a table")
    export.save(fitted, tmp_path / "openvino", format="openvino")
    with pytest.raises(ValueError, match="format='litert': the network has operations that this format does not have"):
        export.save(fitted, tmp_path / "litert", format="litert")
    pipeline = make_pipeline(StandardScaler(), TransferClassifier(random_state=0)).fit(TABLE, THREE)
    with pytest.raises(ValueError, match=r"expected an estimator without other steps\. Got a Pipeline; use 'onnx'"):
        export.save(pipeline, tmp_path / "pipeline", format="openvino")
    assert {path.name for path in tmp_path.iterdir()} == {"openvino"}


PIPELINES = {
    "scaled": lambda: make_pipeline(StandardScaler(), "passthrough", TransferClassifier(random_state=0)).fit(
        FAR, THREE
    ),
    "filled": lambda: make_pipeline(SimpleImputer(), PCA(2), TransferRegressor(random_state=0)).fit(GAPS, TABLE[:, 0]),
    "chosen": lambda: make_pipeline(MinMaxScaler(), BackboneTransformer("mlp", random_state=0), SVC()).fit(FAR, THREE),
    "reduced": lambda: make_pipeline(AutoencoderTransformer(latent_dim=2, **TRAINED), StandardScaler()).fit(TABLE),
    "values": lambda: make_pipeline(BackboneTransformer("mlp", random_state=0), Ridge()).fit(TABLE, TABLE[:, :2]),
    "forest": lambda: make_pipeline(
        BackboneTransformer("mlp", random_state=0), PCA(2), RandomForestRegressor(5, random_state=0)
    ).fit(TABLE, TABLE[:, 0]),
}


@on_tensorflow
@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines(name, tmp_path):
    pipeline, X = (
        PIPELINES[name](),
        GAPS if name == "filled" else TABLE if name in ("reduced", "values", "forest") else FAR,
    )
    export.save(pipeline, tmp_path / "pipeline.onnx")
    predictor = serve.load(tmp_path / "pipeline.onnx", n_threads=1)
    last = {"scaled": "transform", "filled": "transform", "chosen": "decision_function"}.get(name)
    methods = [each for each in METHODS if hasattr(pipeline, each) and each != last]
    assert methods
    for each in methods:
        assert_alike(getattr(predictor, each)(X), getattr(pipeline, each)(X))
        assert_alike(getattr(predictor, each)(X[2:3]), getattr(pipeline, each)(X[2:3]))
    assert (predictor.about["estimator"], predictor.n_features_in_) == ("Pipeline", 3)
    assert_same_error(predictor.transform if name == "reduced" else predictor.predict,
                      pipeline.transform if name == "reduced" else pipeline.predict, X[:, :2])  # fmt: skip
    if name != "filled":
        assert_same_error(getattr(predictor, methods[0]), getattr(pipeline, methods[0]), GAPS)


@on_tensorflow
def test_pipelines_on_pictures(tmp_path, images, labels):
    steps = BackboneTransformer("small_resnet", random_state=0), StandardScaler(), LogisticRegression()
    pipeline = make_pipeline(*steps).fit(images, labels)
    export.save(pipeline, tmp_path / "pipeline.onnx")
    predictor = serve.load(tmp_path / "pipeline.onnx", n_threads=1)
    for name in ("predict", "predict_proba"):
        assert_alike(getattr(predictor, name)(images), getattr(pipeline, name)(images))
    assert_alike(predictor.classes_, pipeline.classes_)
    assert serve.occlusion_maps(predictor, images[:1], grid=2).shape == (1, 2, 2)
    with pytest.raises(AttributeError, match="Decision values of a classifier of scikit-learn are not in the file"):
        predictor.decision_function(images)
    with pytest.raises(AttributeError, match="This Pipeline has no transform"):
        predictor.transform(images)


@on_tensorflow
def test_steps_without_an_onnx_form_are_named_before_work_starts(tmp_path, monkeypatch):
    fitted = BackboneTransformer("mlp", random_state=0)
    logged = make_pipeline(FunctionTransformer(np.sin), fitted, LogisticRegression()).fit(TABLE, THREE)
    clustered = make_pipeline(fitted, KMeans(2)).fit(TABLE)
    double = make_pipeline(fitted, TransferClassifier(random_state=0)).fit(TABLE, THREE)
    flat = make_pipeline(StandardScaler(), BackboneTransformer("small_resnet", input_shape=(4, 4)))
    flat.set_params(backbonetransformer__pixel_range=(-9, 9)).fit(RANDOM.normal(size=(9, 16)))
    several = make_pipeline(fitted, KNeighborsClassifier()).fit(TABLE, np.column_stack([THREE, THREE]))
    refused = [
        (ValueError, r"step 'functiontransformer' \(FunctionTransformer\) has no ONNX form", logged),
        (ValueError, r"step 'kmeans' \(KMeans\) has no ONNX form here", clustered),
        (ValueError, r"step 'kneighborsclassifier' \(KNeighborsClassifier\) has several tasks", several),
        (ValueError, r"'standardscaler' \(StandardScaler\) before images of shape \(4, 4, 1\)", flat),
        (TypeError, "expected a Pipeline with one estimator of skltransfer. Got one with 2", double),
    ]
    monkeypatch.setattr("skltransfer.export._onnx.to_onnx", None)  # what takes long
    for error, sentence, pipeline in refused:
        with pytest.raises(error, match=sentence):
            export.save(pipeline, tmp_path / "none.onnx")
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"needs 'skl2onnx', which is not installed\. Run: pip install"):
        export.save(logged, tmp_path / "none.onnx")


@on_tensorflow
def test_layers_without_an_onnx_form_are_named(tmp_path):
    import keras

    @keras.saving.register_keras_serializable("skltransfer_tests")
    class InverseErrorFunction(keras.layers.Layer):
        def call(self, x):
            return keras.ops.erfinv(0.1 * x)

    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="tanh"), InverseErrorFunction()])
    fitted = TransferClassifier(network, trainable="head", random_state=0).fit(TABLE, THREE)
    with pytest.raises(ValueError, match="operations without an ONNX form: Erfinv"):
        export.save(fitted, tmp_path / "none.onnx")
    assert not list(tmp_path.iterdir())


@on_tensorflow
def test_a_damaged_file_is_refused_by_name(saved, tmp_path):
    content, path = saved("a table")[3].read_bytes(), tmp_path / "damaged.onnx"
    flipped = [content[:i] + bytes([content[i] ^ 16]) + content[i + 1 :] for i in RANDOM.integers(0, len(content), 30)]
    last = [content[:-1] + bytes([content[-1] ^ 1]), content[: -len(content) // 2] + content[1:]]
    for wrong in (*flipped, *last, content[:-1], content[:1000], b"", content + b"\0", content + content, b"PK\3\4"):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"damaged\.onnx' is damaged, or no file of skltransfer\.export\.save"):
            serve.load(path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        serve.load(tmp_path / "nowhere.onnx")


@on_tensorflow
def test_a_file_that_says_something_else_is_refused_by_name(saved, tmp_path):
    import onnx

    from skltransfer._utils.sealed import sealed

    path, known = tmp_path / "other.onnx", onnx.load(saved("a table")[3])
    about = json.loads(known.metadata_props[0].value)
    lies = {
        "was written by skltransfer .* revision 1 at most, got 2": about | {"revision": 2},
        "is whole, but cannot be read: KeyError": {key: about[key] for key in about if key != "input"},
        "is whole, but cannot be read: TypeError": about | {"input": about["input"] | {"color": "red"}},
        "is whole, but cannot be read: JSONDecodeError": None,
    }
    for sentence, said in lies.items():
        del known.metadata_props[:]
        known.metadata_props.add(key="skltransfer", value="" if said is None else json.dumps(said))
        path.write_bytes(sealed(known.SerializeToString()))
        with pytest.raises(ValueError, match=rf"other\.onnx' {sentence}"):
            serve.load(path)
    path.write_bytes(sealed(b"no protocol buffer"))
    with pytest.raises(ValueError, match=r"other\.onnx' is whole, but cannot be read"):
        serve.load(path)


@on_tensorflow
def test_an_evidence_bound_is_left_to_the_estimator(saved):
    _, X, predictor, _ = saved("variational")
    with pytest.raises(ValueError, match="expected an autoencoder that is not variational"):
        predictor.score_samples(X)


@on_tensorflow
def test_a_predictor_loads_neither_keras_nor_scikit_learn(saved):
    code = """
import sys
import numpy as np
from skltransfer import serve
for path, X in zip(sys.argv[1:], (np.zeros((2, 3)), np.full((2, 28, 28), 200, "uint8"), [np.ones(8000)])):
    predictor = serve.load(path)
    print(predictor.predict(X).shape, len(predictor.predict_proba(X)))
loaded = {"keras", "tensorflow", "torch", "jax", "sklearn", "scipy", "matplotlib", "joblib"} & set(sys.modules)
assert not loaded, loaded
"""
    paths = [str(saved(name)[3]) for name in ("a table", "frozen", "sounds")]
    command = [sys.executable, "-W", "error", "-c", code, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:3] == ["(2,) 2", "(2,) 2", "(1,) 1"]


@pytest.mark.backends
def test_other_backends_are_told_how(tmp_path):
    fitted = TransferClassifier(random_state=0).fit(TABLE, THREE)
    if _backend.name() == "tensorflow":
        export.save(fitted, tmp_path / "table.onnx")
        assert (tmp_path / "table.onnx").stat().st_size > 1000
        return
    with pytest.raises(RuntimeError, match="Expected KERAS_BACKEND=tensorflow; fitted estimators are the same"):
        export.save(fitted, tmp_path / "table.onnx")
    assert not list(tmp_path.iterdir())


@on_tensorflow
def test_the_command_exports_what_skops_or_joblib_wrote(saved, tmp_path, capsys):
    fitted, X, _, _ = saved("a table")
    skops.io.dump(fitted, tmp_path / "clf.skops")
    joblib.dump(fitted, tmp_path / "clf.joblib")
    for arguments in (["clf.skops", "one.onnx"], ["clf.joblib", "other.onnx", "--trusted", "--format", "onnx"]):
        assert main(["export", *(str(tmp_path / each) if "." in each else each for each in arguments)]) == 0
        assert_same_answers(serve.load(tmp_path / arguments[1]), fitted, X)
    assert capsys.readouterr().out == ""


class Trap:
    """What a file might bring that nobody asked for."""

    made = 0

    def __reduce__(self):
        return Trap.spring, ()

    @staticmethod
    def spring():
        Trap.made += 1


def test_the_command_runs_nothing_that_is_in_a_file(tmp_path, capsys):
    joblib.dump({"trap": Trap()}, tmp_path / "trap.joblib")
    skops.io.dump({"counter": Counter("abc")}, tmp_path / "foreign.skops")
    skops.io.dump({"a": 1}, tmp_path / "no.skops")
    cases = {
        "trap.joblib": r"cannot be read by skops: .* so pass --trusted if you trust it",
        "foreign.skops": r"holds collections\.Counter\. Expected classes of scikit-learn, NumPy and skltransfer",
        "no.skops": "expected a fitted estimator of skltransfer, or a Pipeline with one. Got a dict",
        "nowhere.skops": "No such file",
    }
    for name, sentence in cases.items():
        assert main(["export", str(tmp_path / name), str(tmp_path / "out.onnx")]) == 1
        told = capsys.readouterr().err
        assert re.search(sentence, told)
        assert told.count("\n") == 1
    assert main(["export", str(tmp_path / "no.skops"), str(tmp_path / "out.onnx"), "--trusted"]) == 1
    assert "cannot be read by joblib" in capsys.readouterr().err
    assert Trap.made == 0
    assert {path.name for path in tmp_path.iterdir()} == {"trap.joblib", "foreign.skops", "no.skops"}


def test_help_loads_no_backend():
    code = """
import sys
from skltransfer.__main__ import main
try:
    main(["--help"])
finally:
    loaded = {"keras", "tensorflow", "torch", "jax", "sklearn", "numpy"} & set(sys.modules)
    assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search("demo .*export .*serve ", done.stdout, flags=re.DOTALL)


def test_names_of_the_package_are_found_when_they_are_asked_for():
    assert skltransfer.__all__ == _public.__all__
    code = """
import sys
import skltransfer
assert "sklearn" not in sys.modules
assert skltransfer.model_selection.CircularValidation and skltransfer.TransferClassifier
assert {"TransferClassifier", "serve"} <= set(dir(skltransfer))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'TransferClasifier'"):
        _ = skltransfer.TransferClasifier
