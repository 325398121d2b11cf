"""Fitted estimators as one file, and back."""

import ast
import hashlib
import json
import re
import struct
import sys

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from skltransfer import (
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
    export,
    load,
    load_backbone,
    save,
    serve,
)
from skltransfer._features import cache as feature_cache
from skltransfer._keras import backend as _backend
from skltransfer.compression import DistillationClassifier, DistillationRegressor, low_rank, prune, quantize
from skltransfer.saving import _container
from skltransfer.saving._classes import ESTIMATORS
from skltransfer.saving._reader import Reader
from skltransfer.saving._writer import Writer

pytestmark = pytest.mark.filterwarnings("ignore::skltransfer.adaptation.AdaptationWarning")  # fits are short here

METHODS = (
    "predict", "predict_proba", "decision_function", "transform", "reconstruct", "score_samples",
)  # fmt: skip
TINY = {"epochs": 1, "random_state": 0}
RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(24, 3))
SERIES = RANDOM.normal(size=(24, 6, 2))
TONES = [RANDOM.normal(size=length).astype("float32") for length in (7000, 8000, 3000, 8000, 2000, 8000)]
TEXTS = ["good film", "a bad and long film about nothing", "fine", "poor thing"]
THREE = np.array(["one", "two", "three"])[np.arange(24) % 3]
CNN = {"backbone": "small_cnn", **TINY}
MLP = {"backbone": "mlp", **TINY}
PASSED = load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0)


def adapted(cls, y=THREE, **parameters):
    return cls(**{**TINY, **parameters}).fit(TABLE, y, sample_domain=np.repeat([1, -1], 12))


def of_a_source():
    source = TransferClassifier(**MLP, head="mlp").fit(TABLE, THREE)
    return adapted(DomainAdaptationClassifier, backbone=FrozenEstimator(source), method="shot", weight=1.0)


TABLES = {
    "a table": lambda: TransferClassifier(random_state=0).fit(TABLE, THREE),
    "labels of objects": lambda: TransferClassifier(**MLP).fit(TABLE, THREE.astype(object)),
    "labels of 0 and 1": lambda: TransferClassifier(random_state=0).fit(TABLE, (TABLE[:, :2] > 0).astype(int)),
    "several tasks": lambda: TransferClassifier(random_state=0).fit(
        TABLE, np.column_stack([THREE.astype(object), TABLE[:, 0] > 0])
    ),
    "two classes": lambda: TransferClassifier(**MLP).fit(TABLE, THREE == "one"),
    "values": lambda: TransferRegressor(random_state=0).fit(TABLE, 100 + 10 * TABLE[:, 0]),
    "two targets": lambda: TransferRegressor(**MLP).fit(TABLE, 5 * TABLE[:, :2]),
    "adapted": lambda: adapted(DomainAdaptationClassifier, method="mcc", weight=1.0),
    "aligned": lambda: adapted(DomainAdaptationClassifier, method="linear_ot"),
    "of a source": of_a_source,
    "of shifted labels": lambda: adapted(DomainAdaptationClassifier, method="dann", label_shift="auto"),
    "adapted values": lambda: adapted(DomainAdaptationRegressor, TABLE[:, 0], method="coral", weight=1.0),
    "variational": lambda: AutoencoderTransformer(latent_dim=2, variational=1.0, **TINY).fit(TABLE),
    "a student": lambda: DistillationClassifier(LogisticRegression(), TransferClassifier(**MLP)).fit(TABLE, THREE),
    "a student of values": lambda: DistillationRegressor(
        FrozenEstimator(TransferRegressor(random_state=0).fit(TABLE, TABLE[:, 0])), TransferRegressor(**MLP)
    ).fit(TABLE, TABLE[:, 0]),
}
PICTURES = {
    "frozen": lambda X, y: TransferClassifier(image_size=32).fit(X, y),
    "trained": lambda X, y: TransferClassifier(**CNN, trainable=GradualUnfreezing(stages=2)).fit(X / 255.0, y),
    "a trained stage": lambda X, y: TransferClassifier(
        **{**CNN, "backbone": "small_resnet"}, trainable=1, head="attention"
    ).fit(X, y),
    "adapters": lambda X, y: TransferRegressor(**CNN, trainable=LoRA(2), head=MLPHead((8,))).fit(X, X.mean((1, 2))),
    "a teacher": lambda X, y: TransferClassifier(**CNN, attention_transfer=AttentionTransfer(0.5, teacher=PASSED)).fit(
        X, y
    ),
    "flattened": lambda X, y: BackboneTransformer(PASSED, stage="auto", input_shape=(28, 28)).fit(
        X.reshape(len(X), -1)
    ),
    "encoded": lambda X, y: AutoencoderTransformer(latent_dim=4, **TINY).fit(X),
}
COMPRESSED = {
    "in 8 bits": lambda clf, X, y: quantize(clf, "int8"),
    "in 4 bits": lambda clf, X, y: quantize(clf, "int4"),
    "in half precision": lambda clf, X, y: quantize(clf, "bfloat16"),
    "with ranges": lambda clf, X, y: quantize(clf, calibration=X),
    "of low rank": lambda clf, X, y: low_rank(clf, 0.5),
    "pruned": lambda clf, X, y: prune(clf, X, y, epochs=1),
}
OTHERS = {
    "sounds": lambda: (TransferClassifier("small_cnn", trainable="head", sample_rate=16000), TONES),
    "series": lambda: (TransferClassifier("mlp", sample_kind="sequences", **TINY), SERIES),
}
NAMES = [*TABLES, *PICTURES, *COMPRESSED, *OTHERS]


@pytest.fixture(scope="module")
def fitted(images, labels):
    """Fit by name, each once."""
    known = {}

    def get(name):
        if name not in known:
            if name in TABLES:
                known[name] = TABLES[name](), TABLE
            elif name in OTHERS:
                estimator, X = OTHERS[name]()
                known[name] = estimator.fit(X, np.arange(len(X)) % 2), X
            elif name in COMPRESSED:
                clf, X = get("trained")
                known[name] = COMPRESSED[name](clf, X, labels[:16]), X
            else:
                estimator = PICTURES[name](images[:16], labels[:16])
                shown = {"flattened": images.reshape(40, -1), "trained": images / 255.0}.get(name, images)
                known[name] = estimator, shown[:16]
        return known[name]

    return get


def answers(estimator, X):
    feature_cache.process_store.clear()
    return {name: getattr(estimator, name)(X) for name in METHODS if hasattr(estimator, name)}


def assert_identical(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, dict | list):
        assert len(found) == len(expected) > 0
        for key in expected if isinstance(expected, dict) else range(len(expected)):
            assert_identical(found[key], expected[key])
        return
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def through_file(estimator, folder):
    save(estimator, folder / "a.skltransfer")
    return load(folder / "a.skltransfer")


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_bit_identical(name, fitted, tmp_path):
    estimator, X = fitted(name)
    again = through_file(estimator, tmp_path)
    assert type(again) is type(estimator)
    assert_identical(answers(again, X), answers(estimator, X))
    assert again.model_.backbone == estimator.model_.backbone
    assert repr(again.get_params()) == repr(estimator.get_params())
    assert again.n_features_in_ == estimator.n_features_in_
    assert [path.name for path in tmp_path.iterdir()] == ["a.skltransfer"]


def test_every_estimator_is_among_them(fitted):
    assert {type(fitted(name)[0]).__name__ for name in NAMES} == set(ESTIMATORS)


def test_texts_and_series_of_a_transformer(minilm, tmp_path):
    estimator = TransferClassifier(minilm, features="last").fit(TEXTS, [1, 0, 1, 0])
    again = through_file(estimator, tmp_path)
    new = [*TEXTS, "", "another text of words that are nowhere else"]
    assert_identical(answers(again, new), answers(estimator, new))


VALUES = [
    None, True, -3, 2**70, 0.1, float("inf"), "a\ud800\u1234", b"\x00\xff", (1, [2, (3,)]),
    {"a": {(1, 2): None}, 3: set()},
    np.float32(0.1), np.str_("b"), np.datetime64("2020-01-01"), np.dtype(">i4"), frozenset({1}),
    np.arange(6.0).reshape(2, 3).T, np.arange(12.0).reshape(3, 4)[:, ::2], np.zeros((0, 3), "f2"), np.array(3),
    np.array(["a", "\U0001f600bc"]), np.array([b"x", b"yz"]), np.array([1, None, "z", (1.5,)], dtype=object)[:3],
    np.array(["2020-01-01", "NaT"], "M8[D]"), np.array([1 + 2j]), np.arange(3, dtype=">f4"), np.array([], dtype="U0"),
    np.array([True, False]), np.array([np.nan, -0.0]), np.longdouble(1) / 3,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back(value):
    writer = Writer()
    facts = json.loads(json.dumps(writer.facts([value, value], "x"), allow_nan=False))
    found, same = Reader(writer.arrays, json.loads(json.dumps(writer.objects, allow_nan=False))).value(facts)
    assert type(found) is type(value)
    if isinstance(value, np.ndarray):
        assert found is same
        assert (found.dtype, found.shape) == (value.dtype if value.dtype.itemsize else "U1", value.shape)
        assert found.flags.f_contiguous >= (value.flags.f_contiguous and value.ndim > 1)
        np.testing.assert_array_equal(found, value)
    else:
        assert repr(found) == repr(value)


def test_weights_are_written_once(fitted, tmp_path):
    estimator, _ = fitted("flattened")
    save(estimator, tmp_path / "a.skltransfer")
    size = sum(array.nbytes for array in estimator.backbone_.weights)
    assert (tmp_path / "a.skltransfer").stat().st_size < 1.1 * size + 50_000
    again = load(tmp_path / "a.skltransfer")
    assert again.get_params()["backbone"] is again.backbone_


@pytest.mark.backends
def test_a_loaded_estimator_goes_on_as_the_first(images, labels, tmp_path):
    X, y = images[:16], labels[:16]
    first = TransferClassifier(**CNN, warm_start=True).partial_fit(X, y, classes=np.unique(labels))
    again = through_file(first, tmp_path)
    assert again.model_.training.design == first.model_.training.design
    for estimator in (first, again):
        estimator.partial_fit(X[::-1], y[::-1])
    assert_identical(answers(again, X), answers(first, X))
    for estimator in (first, again):
        estimator.fit(X, y)
    assert_identical(answers(again, X), answers(first, X))
    assert_identical(answers(clone(again).fit(X, y), X), answers(clone(first).fit(X, y), X))


@pytest.mark.skipif(_backend.name() != "tensorflow", reason="files are written on TensorFlow")
def test_a_loaded_estimator_is_exported_alike(fitted, tmp_path):
    estimator, X = fitted("a table")
    found = []
    for name, each in (("one", estimator), ("other", through_file(estimator, tmp_path))):
        export.save(each, tmp_path / f"{name}.onnx")
        found.append(serve.load(tmp_path / f"{name}.onnx", n_threads=1).predict_proba(X))
    np.testing.assert_array_equal(*found)


def test_frames_outputs_and_requests_are_kept(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(TABLE, columns=["a", "b", "c"])
    encoder = AutoencoderTransformer(latent_dim=2, epochs=1, random_state=np.random.RandomState(3)).fit(frame)
    again = through_file(encoder.set_output(transform="pandas"), tmp_path)
    pd.testing.assert_frame_equal(again.transform(frame), encoder.transform(frame))
    assert again.feature_names_in_.tolist() == ["a", "b", "c"]
    assert again.random_state.randint(100) == encoder.random_state.randint(100)
    with pytest.raises(ValueError, match="feature names"):
        again.transform(frame[["c", "b", "a"]])
    with config_context(enable_metadata_routing=True):
        clf = TransferClassifier(**MLP).set_fit_request(sample_weight=True).fit(TABLE, THREE)
        found = through_file(clf, tmp_path).get_metadata_routing().fit.requests
        assert found == clf.get_metadata_routing().fit.requests
        assert found["sample_weight"] is True


PIPELINES = {
    "before": lambda: make_pipeline(StandardScaler(), PCA(2), TransferClassifier(**MLP)),
    "after": lambda: make_pipeline(BackboneTransformer("mlp", random_state=0), SVC()),
    "nested": lambda: make_pipeline(make_pipeline("passthrough", BackboneTransformer("mlp")), LogisticRegression()),
    "functions of NumPy": lambda: make_pipeline(FunctionTransformer(np.tanh), TransferClassifier(**MLP)),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines(name, tmp_path):
    pipeline = PIPELINES[name]().fit(TABLE, THREE)
    again = through_file(pipeline, tmp_path)
    assert_identical(answers(again, TABLE), answers(pipeline, TABLE))
    assert repr(again) == repr(pipeline)
    clone(again).fit(TABLE, THREE)


def my_function(values):
    return values


def my_metric(y_true, y_pred):
    return 0.0


def fit(estimator):
    return estimator.fit(TABLE, THREE)


def flat_builder(shape):
    return load_backbone("mlp", input_shape=shape).to_keras()


REFUSED = {
    "a builder": (
        lambda: fit(TransferClassifier(flat_builder, **TINY)),
        r"TransferClassifier\.backbone: the function flat_builder cannot be written.*register_backbone.*load_backbone",
    ),
    "a metric": (
        lambda: fit(TransferClassifier(**MLP)).set_params(metrics=[my_metric]),
        r"TransferClassifier\.metrics\[0\]: the function my_metric .*set_params\(metrics=None\)",
    ),
    "a memory": (
        lambda: fit(TransferClassifier(**MLP).set_params(memory=joblib.Memory(None))),
        r"TransferClassifier\.memory: a Memory cannot be written.*the folder as a path",
    ),
    "an attribute": (
        lambda: vars(model := fit(TransferClassifier(**MLP))).update(note_=object()) or model,
        r"TransferClassifier\.note_: a object cannot be written",
    ),
    "a step": (
        lambda: fit(make_pipeline(FunctionTransformer(my_function), TransferClassifier(**MLP))),
        r"Pipeline\.steps\[0\].*FunctionTransformer holds .*my_function.*joblib\.dump",
    ),
    "a note": (
        lambda: vars(model := fit(TransferClassifier(**MLP))).update(note="mine") or model,
        r"TransferClassifier\.note is neither a parameter.*Got 'mine'; delete it",
    ),
    "a search": (
        lambda: fit(GridSearchCV(TransferClassifier(**MLP), {"epochs": [1]}, cv=2)),
        r"expected a fitted estimator of skltransfer, or a Pipeline.*GridSearchCV; of a search.*best_estimator_",
    ),
    "a search as a step": (
        lambda: fit(make_pipeline(
            BackboneTransformer("mlp"), GridSearchCV(TransferClassifier(**MLP), {"epochs": [1]}, cv=2)
        )),
        r"GridSearchCV holds .*TransferClassifier.*best_estimator_",
    ),
    "an estimator of scikit-learn": (lambda: fit(LogisticRegression()), "Got a LogisticRegression"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_written_is_named_before_anything_is(name, tmp_path):
    make, message = REFUSED[name]
    estimator = make()
    (tmp_path / "a.skltransfer").write_bytes(b"earlier")
    with pytest.raises(TypeError, match=message):
        save(estimator, tmp_path / "a.skltransfer")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"earlier"]


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (DecisionTreeClassifier(random_state=0), "sklearn.tree._tree.Tree"),
        (RandomForestClassifier(3, random_state=0), "sklearn.tree._tree.Tree"),
        (KNeighborsClassifier(algorithm="kd_tree"), "sklearn.neighbors._kd_tree.KDTree"),
    ],
)
def test_compiled_parts_of_scikit_learn_are_made_where_they_are_trusted(step, name, tmp_path):
    pipeline, path = fit(make_pipeline(BackboneTransformer("mlp"), step)), tmp_path / "a.skltransfer"
    save(pipeline, path)
    with pytest.raises(ValueError, match=rf"a\.skltransfer' holds .*{re.escape(name)}.*pass trusted=\[") as caught:
        load(path)
    with pytest.raises(ValueError, match=re.escape(name)):
        load(path, trusted=["sklearn.tree._tree.Another"])
    with pytest.raises(TypeError, match=r"trusted: expected a list.*pass \['sklearn"):
        load(path, trusted="sklearn.tree._tree.Tree")
    trusted = ast.literal_eval(re.search(r"trusted=(\[.*?\])", str(caught.value))[1])
    np.testing.assert_array_equal(load(path, trusted=trusted).predict_proba(TABLE), pipeline.predict_proba(TABLE))


def test_keras_networks_come_back_as_backbones(tmp_path):
    network = load_backbone("mlp", input_shape=(3,), random_state=0)
    clf = TransferClassifier(network.to_keras(), **TINY).fit(TABLE, THREE)
    again = through_file(clf, tmp_path)
    assert again.backbone.architecture == load_backbone(clf.backbone).architecture
    assert_identical(answers(clone(again).fit(TABLE, THREE), TABLE), answers(clf, TABLE))


def test_estimators_that_are_not_fitted_and_folders_that_are_not_there(fitted, tmp_path, monkeypatch):
    with pytest.raises(NotFittedError, match="not fitted"):
        save(TransferClassifier(), tmp_path / "a.skltransfer")
    with pytest.raises(FileNotFoundError, match="expected a folder that exists"):
        save(fitted("a table")[0], tmp_path / "nowhere" / "a.skltransfer")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(tmp_path / "nowhere")
    with pytest.raises(IsADirectoryError, match="directory"):
        load(tmp_path)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(ImportError, match=r"needs 'skops\.io'.*skltransfer\[export\]"):
        save(make_pipeline(StandardScaler(), TransferClassifier(**MLP)).fit(TABLE, THREE), tmp_path / "a.skltransfer")
    assert not list(tmp_path.iterdir())


def test_a_failure_midway_leaves_what_was_there(fitted, tmp_path, monkeypatch):
    path = tmp_path / "a.skltransfer"
    path.write_bytes(b"earlier")

    def fail(_):
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        save(fitted("a table")[0], path)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"earlier"]


@pytest.fixture(scope="module")
def content(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("content") / "a.skltransfer"
    save(fitted("two targets")[0], path)
    return path.read_bytes()


def sealed(body):
    return body + hashlib.sha256(body).digest()


def parts(content):
    """Facts and arrays of a file."""
    _, version, n_facts, _ = _container.HEADER.unpack_from(content)
    start = _container.HEADER.size
    return version, content[start : start + n_facts], content[start + n_facts : -_container.DIGEST]


def joined(version, facts, arrays, n_facts=None, n_arrays=None):
    """Put a file together, with a digest that fits."""
    lengths = (len(facts) if n_facts is None else n_facts, len(arrays) if n_arrays is None else n_arrays)
    return sealed(_container.HEADER.pack(_container.MAGIC, version, *lengths) + facts + arrays)


def with_facts(content, change):
    """Change facts, and write the digest that fits."""
    version, facts, arrays = parts(content)
    return joined(version, json.dumps(change(json.loads(facts))).encode(), arrays)


def test_files_of_others_are_refused(content, fitted, tmp_path):
    path = tmp_path / "a.skltransfer"
    joblib.dump({"a": 1}, tmp_path / "a.joblib")
    for other in (b"", b"PK", (tmp_path / "a.joblib").read_bytes(), content[1:], content.replace(b"\r\n", b"\n", 1)):
        path.write_bytes(other)
        with pytest.raises(ValueError, match=r"is no file of skltransfer\.save: expected .*Got"):
            load(path)
    newer = 2**40 + _container.VERSION
    path.write_bytes(joined(newer, b"something new", b""))
    with pytest.raises(ValueError, match=rf"newer skltransfer, in format {newer}: expected up to 1.*Upgrade"):
        load(path)
    path.write_bytes(joined(0, b"", b""))
    with pytest.raises(ValueError, match="format 0, which no skltransfer writes"):
        load(path)


def renamed(old, new):
    return lambda facts: json.loads(json.dumps(facts).replace(f'"{old}"', f'"{new}"'))


def without_runtime(facts):
    """Leave open what computes features."""
    for each in facts["objects"]:
        if each.get("value") == "Extraction":
            each["fields"]["runtime"] = ""
    return facts


LIES = {
    "an unknown class": (renamed("TransferRegressor", "subprocess.Popen"), "expected a class among .*'subprocess.Pop"),
    "an unknown value": (renamed("ValueEncoding", "os.system"), "expected a class among .*'os.system'"),
    "another class of values": (renamed("ValueEncoding", "Layout"), "Layout: expected the fields"),
    "a method": (renamed("n_features_in_", "predict"), "expected what a fit leaves. Got 'predict'"),
    "no parameter": (renamed("verbose", "noise"), "expected what a fit leaves. Got 'noise'"),
    "an unknown runtime": (without_runtime, "expected a runtime among auto, keras, .*Got ''"),
    "later objects": (lambda facts: {**facts, "objects": facts["objects"][::-1]}, "expected"),
    "no objects": (lambda facts: {**facts, "objects": None}, "expected a list of objects"),
    "a number": (lambda facts: {**facts, "estimator": 3}, "expected an estimator. Got a int"),
    "depth": (lambda facts: {**facts, "estimator": json.loads("[" * 900 + "]" * 900)}, "expected|recursion"),
    "shapes": (
        lambda facts: {**facts, "objects": [
            {**each, "dtype": "<U8", "shape": [2**62, 2**62]} if "array" in each else each for each in facts["objects"]
        ]},
        "expected .* bytes of an array",
    ),
    "a code type": (
        lambda facts: {**facts, "objects": [
            {**each, "dtype": "O", "shape": [1]} if "array" in each else each for each in facts["objects"]
        ]},
        "dtype object cannot be written",
    ),
    "a bomb": (
        lambda facts: {**facts, "objects": [
            {"array": "0", "form": "int8", "shape": [10**6, 10**6], "dtype": "f4", "scale": {"array": "0"}}
        ]},
        "expected an array of shape",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_lies_under_a_digest_that_fits_are_refused(name, content, tmp_path):
    change, message = LIES[name]
    (tmp_path / "a.skltransfer").write_bytes(with_facts(content, change))
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "a.skltransfer")


def test_nothing_that_a_file_names_is_imported(content, tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    version, facts, arrays = parts(content)
    keras = facts.replace(rb"\"module\": \"keras.layers\"", rb"\"module\": \"trap\"")
    assert keras != facts
    lies = [with_facts(content, renamed(name, "trap")) for name in ("TransferRegressor", "FittedModel", "Backbone")]
    for lie in (*lies, joined(version, keras, arrays)):
        (tmp_path / "a.skltransfer").write_bytes(lie)
        with pytest.raises(ValueError, match="cannot be read: expected what"):
            load(tmp_path / "a.skltransfer")
    assert "trap" not in sys.modules


def test_steps_of_others_in_a_file_are_refused_by_name(tmp_path):
    import skops.io

    pipeline = make_pipeline(StandardScaler(), TransferClassifier(**MLP)).fit(TABLE, THREE)
    foreign = np.frombuffer(skops.io.dumps(FunctionTransformer(my_function)), np.uint8)
    for step, message in ((foreign, "my_function"), (foreign[:-50], "skops cannot read")):
        writer = Writer()
        facts = writer.facts(pipeline, "Pipeline")
        (place,) = [each["skops"] for each in writer.objects if "skops" in each]
        writer.arrays[place] = step
        with (tmp_path / "a.skltransfer").open("wb") as file:
            _container.write(file, {"objects": writer.objects, "estimator": facts}, writer.arrays)
        with pytest.raises(ValueError, match=message):
            load(tmp_path / "a.skltransfer")


def mutated(content, random):
    """Damage a file, or lie about lengths and shapes under a digest that fits."""
    kind = random.integers(6)
    version, facts, arrays = parts(content)
    if kind == 0:
        return content[: random.integers(len(content))]
    if kind == 1:
        return content + random.bytes(random.integers(1, 50))
    if kind == 2:
        wrong = [int(value) for value in random.integers(0, 2**63, size=2)]
        return joined(version, facts, arrays, *(wrong if random.integers(2) else (len(facts) + 8, len(arrays) - 8)))
    if kind == 3:
        size = struct.unpack("<Q", arrays[:8])[0]
        header = json.loads(arrays[8 : 8 + size])
        name = sorted(header)[random.integers(len(header))]
        header[name]["shape"] = [int(2 ** random.integers(1, 62)) for _ in range(2)]
        described = json.dumps(header).encode()
        return joined(version, facts, struct.pack("<Q", len(described)) + described + arrays[8 + size :])
    changed = bytearray(content)
    for place in random.integers(len(content) if kind == 4 else 200, size=3):
        changed[place] ^= 1 << random.integers(8)
    return bytes(changed)


def refusal(path):
    """Say why a file is refused, or return what it holds."""
    try:
        return load(path)
    except ValueError as error:
        return str(error)


def test_300_mutated_files_are_refused_or_give_the_same_answers(content, fitted, tmp_path):
    estimator, X = fitted("two targets")
    expected, random, path = answers(estimator, X), np.random.default_rng(0), tmp_path / "a.skltransfer"
    refusals = []
    for _ in range(300):
        path.write_bytes(mutated(content, random))
        found = refusal(path)
        if isinstance(found, str):
            refusals.append(found)
        else:
            assert_identical(answers(found, X), expected)
    assert len(refusals) >= 295
    assert all("expected" in sentence and "Got" in sentence for sentence in refusals)
