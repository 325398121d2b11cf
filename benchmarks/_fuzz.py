"""What `fit` and `predict` may be given: containers, samples in them, what is missing, and answers.

Each is chosen by name, so that an example that fails is short to read.
"""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import fractions
import io
import os
import pathlib
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import sklearn
from hypothesis import assume
from hypothesis import strategies as st
from PIL import Image
from scipy import sparse

import skltransfer
from skltransfer import AutoencoderTransformer, BackboneTransformer, TransferClassifier, TransferRegressor

FOLDER = pathlib.Path(tempfile.gettempdir()) / f"skltransfer-fuzz-{os.getuid()}"
FOLDERS = [str(pathlib.Path(str(module.__file__)).parent) + os.sep for module in (skltransfer, sklearn)]


def _row(i: int) -> list[float]:
    return [float(i), i % 2 * 2.0 - 1.0, 0.5 * i]


def _pixels(i: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(i).integers(0, 256, shape or (8, 8)).astype(np.uint8)


def _image(i: int, mode: str = "RGB") -> Image.Image:
    return Image.fromarray(_pixels(i, 8, 8, 3)).convert(mode)


def _png(i: int) -> bytes:
    file = io.BytesIO()
    _image(i).save(file, "PNG")
    return file.getvalue()


def _path(i: int, suffix: str = ".png") -> pathlib.Path:
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{i}{suffix}"
    if not path.exists():
        if suffix == ".png":
            path.write_bytes(_png(i))
        elif suffix == ".wav":
            import soundfile

            soundfile.write(path, _wave(i), 8000)
        else:
            path.write_bytes(b"nothing that can be read")
    return path


def _wave(i: int) -> np.ndarray:
    return np.sin(np.arange(1200) * (0.1 + 0.05 * i)).astype(np.float32)


def _spoilt(i: int, value: float, *shape: int) -> np.ndarray:
    x = _pixels(i, *shape) / 255
    x.flat[i] = value
    return x


ELEMENTS: dict[str, Callable[[int], Any]] = {
    "row": _row,
    "row of ints": lambda i: [i, i % 2, 3],
    "row of strings": lambda i: [str(v) for v in _row(i)],
    "row of words": lambda i: ["a", "b", str(i)],
    "row tuple": lambda i: tuple(_row(i)),
    "row array": lambda i: np.array(_row(i)),
    "row float16": lambda i: np.array(_row(i), np.float16),
    "row longdouble": lambda i: np.array(_row(i), np.longdouble),
    "row bool": lambda i: [True, i % 2 == 0, False],
    "row complex": lambda i: np.array(_row(i)) + 1j,
    "row of decimals": lambda i: [decimal.Decimal(int(v)) for v in _row(i)],
    "row of fractions": lambda i: [fractions.Fraction(v) for v in _row(i)],
    "row of dates": lambda i: [datetime.date(2020, 1, 1 + i)] * 3,
    "row of datetime64": lambda i: np.array(["2020-01-01"] * 3, "datetime64[D]"),
    "row with nan": lambda i: [float(i), np.nan, 1.0],
    "row with inf": lambda i: [float(i), np.inf, 1.0],
    "row with None": lambda i: [float(i), None, 1.0],
    "row huge": lambda i: [1e300 * (i + 1), -1e300, 1.0],
    "row of huge ints": lambda i: [2**70 + i, 1, 2],
    "row of uneven length": lambda i: _row(i)[: 1 + i % 3],
    "row dict": lambda i: {"a": i, "b": 2},
    "row empty": lambda i: [],
    "number": float,
    "int": int,
    "bool": lambda i: i % 2 == 0,
    "grey": _pixels,
    "colour": lambda i: _pixels(i, 8, 8, 3),
    "one channel": lambda i: _pixels(i, 8, 8, 1),
    "four channels": lambda i: _pixels(i, 8, 8, 4),
    "seven channels": lambda i: _pixels(i, 8, 8, 7),
    "channels first": lambda i: _pixels(i, 3, 8, 8),
    "no pixels": lambda i: np.zeros((0, 8, 3), np.uint8),
    "grey list": lambda i: _pixels(i).tolist(),
    "grey float": lambda i: (_pixels(i) / 255).astype(np.float32),
    "grey float16": lambda i: (_pixels(i) / 255).astype(np.float16),
    "grey int64": lambda i: _pixels(i).astype(np.int64),
    "grey uint16": lambda i: _pixels(i).astype(np.uint16) * 16,
    "grey int8": lambda i: _pixels(i).view(np.int8),
    "grey bool": lambda i: _pixels(i) > 127,
    "grey complex": lambda i: _pixels(i) * 1j,
    "grey strings": lambda i: _pixels(i).astype(str),
    "grey objects": lambda i: _pixels(i).astype(object),
    "grey with nan": lambda i: _spoilt(i, np.nan, 8, 8),
    "grey with inf": lambda i: _spoilt(i, np.inf, 8, 8),
    "grey huge": lambda i: _pixels(i) * 1e300,
    "grey standardized": lambda i: (_pixels(i) - 127.0) / 50,
    "grey sizes": lambda i: _pixels(i, 8 + i % 2, 8),
    "clip of video": lambda i: _pixels(i, 2, 8, 8, 3),
    "sequence": lambda i: np.random.default_rng(i).normal(size=(6, 2)),
    "sequence lengths": lambda i: np.random.default_rng(i).normal(size=(4 + i % 3, 2)),
    "sequence list": lambda i: np.random.default_rng(i).normal(size=(6, 2)).tolist(),
    "no steps": lambda i: np.zeros((0, 2)),
    "sequence with nan": lambda i: np.where(np.eye(6, 2) > 0, np.nan, float(i)),
    "text": lambda i: f"a film that is {'good' if i % 2 else 'bad'} {i}",
    "text empty": lambda i: "",
    "text odd": lambda i: f"half \ud800 \x00 {i}",
    "text bytes": lambda i: f"text {i}".encode(),
    "numpy text": lambda i: np.str_(f"text {i}"),
    "path": _path,
    "path string": lambda i: str(_path(i)),
    "path of no image": lambda i: _path(i, ".jpg"),
    "path of nothing": lambda i: f"/no/such/file{i}.png",
    "path of a folder": lambda i: FOLDER,
    "wav": lambda i: _path(i, ".wav"),
    "PIL": _image,
    "PIL grey": lambda i: _image(i, "L"),
    "PIL palette": lambda i: _image(i, "P"),
    "PIL deep": lambda i: _image(i, "I"),
    "PNG": _png,
    "PNG cut": lambda i: _png(i)[:60],
    "PNG bytearray": lambda i: bytearray(_png(i)),
    "PNG file": lambda i: io.BytesIO(_png(i)),
    "waveform": _wave,
    "clip": lambda i: (8000, _wave(i)),
    "clip dict": lambda i: {"array": _wave(i), "sampling_rate": 8000},
    "clip of strange rate": lambda i: (-1, _wave(i)),
    "clip of no rate": lambda i: ("8000", _wave(i)),
    "clip empty": lambda i: (8000, _wave(i)[:0]),
    "None": lambda i: None,
    "nan": lambda i: float("nan"),
    "NA": lambda i: pd.NA,
    "NaT": lambda i: pd.NaT,
    "date": lambda i: datetime.date(2020, 1, 1 + i),
    "dict": lambda i: {"key": i},
    "set": lambda i: {i},
    "object": lambda i: object(),
    "function": lambda i: _row,
    "class": lambda i: int,
    "generator": lambda i: (v for v in _row(i)),
    "range": lambda i: range(i, i + 3),
    "array of no dimension": lambda i: np.array(float(i)),
    "structured": lambda i: np.array((i, 2.0), [("a", "i4"), ("b", "f4")]),
    "nested": lambda i: [[[[[i]]]]],
}
"""One sample, by its number."""


def _objects(values: list[Any]) -> np.ndarray:
    filled = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        filled[i] = value
    return filled


def _tensor(values: list[Any]) -> Any:
    import keras

    return keras.ops.convert_to_tensor(np.array(values))


CONTAINERS: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "objects": _objects,
    "objects (n, 1)": lambda x: _objects(x)[:, None],
    "objects (1, n)": lambda x: _objects(x)[None],
    "array of objects": lambda x: np.array(x, dtype=object),
    "big endian": lambda x: np.array(x).astype(np.array(x).dtype.newbyteorder(">")),
    "fortran": lambda x: np.asfortranarray(np.array(x)),
    "reversed view": lambda x: np.array(x[::-1])[::-1],
    "read-only": lambda x: np.frombuffer(np.array(x).tobytes(), np.array(x).dtype).reshape(np.array(x).shape),
    "masked": lambda x: np.ma.masked_invalid(np.array(x)),
    "matrix": np.matrix,
    "flattened": lambda x: np.array(x).reshape(len(x), -1),
    "one more axis": lambda x: np.array(x)[None],
    "memoryview": lambda x: memoryview(np.array(x)),
    "tensor": _tensor,
    "sparse": lambda x: sparse.csr_array(np.array(x)),
    "sparse matrix": lambda x: sparse.coo_matrix(np.array(x)),
    "Series": pd.Series,
    "Series index": lambda x: pd.Series(x, index=[f"r{i}" for i in range(len(x))]),
    "frame": pd.DataFrame,
    "frame of one column": lambda x: pd.DataFrame({"x": pd.Series(x, dtype=object)}),
    "frame categorical": lambda x: pd.DataFrame(x).astype("category"),
    "frame nullable": lambda x: pd.DataFrame(x).convert_dtypes(),
    "polars Series": pl.Series,
    "polars frame": lambda x: pl.DataFrame(np.array(x)),
    "polars lazy": lambda x: pl.LazyFrame(np.array(x)),
    "deque": collections.deque,
    "array.array": lambda x: array.array("d", x),
    "generator": lambda x: (v for v in x),
    "iterator": iter,
    "map": lambda x: map(list, x),
    "dict": lambda x: dict(enumerate(x)),
    "dict values": lambda x: dict(enumerate(x)).values(),
    "set": set,
    "first alone": lambda x: x[0],
    "list of lists": lambda x: [[v] for v in x],
    "nested array": lambda x: [np.array(x)],
    "None": lambda x: None,
    "string": str,
    "file": lambda x: io.BytesIO(repr(x).encode()),
    "class": lambda x: list,
}
"""What holds samples."""

MISSING: dict[str, Any] = {"None": None, "nan": float("nan"), "NA": pd.NA, "NaT": pd.NaT, "empty text": "", "empty": []}

ANSWERS: dict[str, Callable[[int], Any]] = {
    "ints": lambda n: np.arange(n) % 2,
    "strings": lambda n: np.array(["a", "b"] * n)[:n],
    "list of strings": lambda n: (["a", "b"] * n)[:n],
    "bools": lambda n: np.arange(n) % 2 == 0,
    "values": lambda n: np.linspace(-1, 1, n),
    "float classes": lambda n: np.arange(n) % 2 + 0.0,
    "one class": np.zeros,
    "column": lambda n: (np.arange(n) % 2)[:, None],
    "two tasks": lambda n: np.stack([np.arange(n) % 2, np.arange(n) // 2 % 2], axis=1),
    "two values": lambda n: np.linspace(-1, 1, 2 * n).reshape(n, 2),
    "one-hot": lambda n: np.eye(2, dtype=int)[np.arange(n) % 2],
    "no columns": lambda n: np.zeros((n, 0)),
    "three axes": lambda n: np.zeros((n, 2, 2)),
    "lists": lambda n: [[0, 1] if i % 2 else [1] for i in range(n)],
    "too few": lambda n: np.arange(max(n - 1, 0)) % 2,
    "too many": lambda n: np.arange(n + 1) % 2,
    "none": lambda n: None,
    "scalar": lambda n: 1,
    "word": lambda n: "ab",
    "dict": lambda n: {i: i % 2 for i in range(n)},
    "generator": lambda n: (i % 2 for i in range(n)),
    "set": lambda n: set(range(n)),
    "Series": lambda n: pd.Series(np.arange(n) % 2, index=range(10, 10 + n)),
    "categorical": lambda n: pd.Series((["a", "b"] * n)[:n], dtype="category"),
    "nullable": lambda n: pd.Series([None, *np.arange(n) % 2][:n], dtype="Int64"),
    "frame": lambda n: pd.DataFrame({"y": np.arange(n) % 2}),
    "polars": lambda n: pl.Series(np.arange(n) % 2),
    "sparse": lambda n: sparse.csr_array(np.eye(2, dtype=int)[np.arange(n) % 2]),
    "some None": lambda n: _objects([None if i == 1 else i % 2 for i in range(n)]),
    "some nan": lambda n: np.where(np.arange(n) == 1, np.nan, np.arange(n) % 2),
    "some NA": lambda n: _objects([pd.NA if i == 1 else "ab"[i % 2] for i in range(n)]),
    "all nan": lambda n: np.full(n, np.nan),
    "inf": lambda n: np.full(n, np.inf),
    "huge": lambda n: np.arange(n) % 2 * 1e308,
    "huge ints": lambda n: [2**70 + i % 2 for i in range(n)],
    "complex": lambda n: np.arange(n) * 1j,
    "mixed": lambda n: _objects([1 if i % 2 else "a" for i in range(n)]),
    "dates": lambda n: np.array(["2020-01-01", "2020-01-02"] * n, "datetime64[D]")[:n],
    "dicts": lambda n: [{"y": i} for i in range(n)],
    "sets": lambda n: [{i % 2} for i in range(n)],
    "objects": lambda n: [object() for _ in range(n)],
    "words of different length": lambda n: [["a"] * (i % 3) for i in range(n)],
    "bytes": lambda n: np.array([b"a", b"b"] * n)[:n],
    "decimals": lambda n: [decimal.Decimal(i % 2) for i in range(n)],
    "tensor": lambda n: _tensor(list(range(n))),
}  # fmt: skip

ESTIMATORS: dict[str, Callable[[Any], Any]] = {
    "classifier": lambda backbone: TransferClassifier(backbone, trainable="head", random_state=0),
    "regressor": lambda backbone: TransferRegressor(backbone, trainable="head", random_state=0),
    "transformer": lambda backbone: BackboneTransformer(backbone, random_state=0),
    "autoencoder": lambda backbone: AutoencoderTransformer(latent_dim=2, epochs=1, random_state=0),
}


def tiny(input_shape: tuple[int, ...]) -> Any:
    """Build a network for samples of any shape of numbers."""
    from keras import Input, Model, layers

    inputs = x = Input(input_shape)
    if len(input_shape) == 3:
        x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, 2, activation="relu", padding="same")(x))
    elif len(input_shape) == 2:
        x = layers.Conv1D(4, 3, activation="relu", padding="same")(x)
    return Model(inputs, layers.Dense(3, activation="tanh")(x))


@cache
def tiny_encoder() -> Any:
    """Build an encoder of texts."""
    from skltransfer._inputs.texts import learn_tokenization
    from skltransfer.backbones._backbone import building
    from skltransfer.backbones._conversion import from_keras
    from skltransfer.backbones._text import room_for, text_encoder

    words = learn_tokenization([ELEMENTS["text"](i) for i in range(8)])
    sizes = {"longest": words.longest, "width": 8, "depth": 1, "n_heads": 2, "inner": 8, "epsilon": 1e-6}
    with building(0):
        network = text_encoder(vocabulary=room_for(words.n_tokens), name="tiny", **sizes)
    return from_keras(network, tokenization=words, padded=True, pretrained=False)


@dataclass(frozen=True)
class Given:
    """Samples in a container, by names."""

    element: str
    container: str
    n_samples: int
    other: str | None
    place: int

    def items(self) -> list[Any]:
        """Return the samples; one of them may be missing, or of another kind."""
        items = [ELEMENTS[self.element](i) for i in range(self.n_samples)]
        if self.other is not None and items:
            other = MISSING[self.other] if self.other in MISSING else ELEMENTS[self.other](1)
            items[self.place % len(items)] = other
        return items

    def build(self) -> Any:
        """Return the container; an example in which there can be none is skipped."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return CONTAINERS[self.container](self.items())
            except (Exception, pl.exceptions.PanicException):
                assume(False)


@dataclass(frozen=True)
class Case:
    """One `fit`, and what is asked of it afterwards."""

    estimator: str
    backbone: str
    fitted: Given
    y: str
    asked: Given


PLAIN = (
    "row", "row of ints", "row array", "row float16", "row bool", "grey", "colour", "one channel", "grey float",
    "grey int64", "grey bool", "sequence", "text", "text odd", "numpy text", "path", "path string", "PIL",
    "PIL palette", "PNG", "wav", "clip", "clip dict",
)  # fmt: skip
"""Samples that `fit` takes."""

SAME = (
    "list", "tuple", "array", "objects", "objects (n, 1)", "array of objects", "big endian", "fortran",
    "reversed view", "read-only", "flattened", "tensor", "sparse", "Series", "Series index", "frame",
    "frame of one column", "frame nullable", "polars Series", "polars frame", "deque",
)  # fmt: skip
"""Containers of which the samples stay what they are."""

GONE = ("generator", "PNG file")
"""Samples that can be read once."""


@st.composite
def cases(draw: Any) -> Case:
    """Draw a case: something usual, of which one or two parts are odd."""
    odd = draw(st.lists(st.sampled_from(["element", "container", "other", "n", "y", "asked", "backbone"]), max_size=2))

    def one_of(part: str, usual: Sequence[Any], unusual: Sequence[Any]) -> Any:
        return draw(st.sampled_from(list(unusual if part in odd else usual)))

    def given(element: str) -> Given:
        return Given(
            element,
            one_of("container", ("list", *SAME), list(CONTAINERS)),
            one_of("n", (4, 6), (0, 1, 2)),
            one_of("other", (None,), [*MISSING, *ELEMENTS]),
            draw(st.integers(0, 3)),
        )

    estimator = draw(st.sampled_from(["classifier", "regressor", "transformer", "transformer"] * 3 + ["autoencoder"]))
    element = one_of("element", PLAIN, list(ELEMENTS))
    y = one_of("y", ["values" if estimator == "regressor" else "ints"], list(ANSWERS))
    asked = given(one_of("asked", [element], list(ELEMENTS)))
    usual = "tiny_encoder" if element in ("text", "text odd", "numpy text") else "tiny"
    backbone = one_of("backbone", [usual], ["tiny", "tiny_encoder", "small_cnn", "mlp", "small_transformer"])
    return Case(estimator, backbone, given(element), y, asked)


def check(case: Case) -> str:
    """Try a case; return how it ended.

    Raises
    ------
    AssertionError
        If an answer is wrong, or an error or a warning is not one of ours.
    """
    X, asked = case.fitted.build(), case.asked.build()
    y = ANSWERS[case.y](case.fitted.n_samples)
    model = ESTIMATORS[case.estimator]({"tiny": tiny, "tiny_encoder": tiny_encoder()}.get(case.backbone, case.backbone))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = _or_own_error(lambda: model.fit(X, y))
        outcome = "refused in fit"
        if fitted is not None:
            answers = _or_own_error(lambda: _answers(model, asked))
            outcome = "refused afterwards" if answers is None else "answered"
            if answers is not None:
                _check_answers(model, case, answers)
    strange = [f"{w.filename}:{w.lineno}: {w.message}" for w in caught if not _is_known(w)]
    assert not strange, f"warnings that are not ours: {strange}"
    return outcome


def _answers(model: Any, X: Any) -> np.ndarray:
    return np.asarray(model.predict(X) if hasattr(model, "predict") else model.transform(X))


def _or_own_error(action: Callable[[], Any]) -> Any:
    """Return what comes out, or None after an error of our own."""
    try:
        return action()
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        if isinstance(error, ValueError | TypeError) and _is_own(frame):
            return None
        raise AssertionError(f"raised in {frame.filename}:{frame.lineno}: {error!r}") from error


def _is_known(warning: warnings.WarningMessage) -> bool:
    """Tell whether a warning is for users, scikit-learn's own, or about how Keras reads TensorFlow's variables."""
    keras = warning.category is DeprecationWarning and "__array__ implementation" in str(warning.message)
    return keras or issubclass(warning.category, UserWarning) or warning.filename.startswith(FOLDERS[1])


def _is_own(frame: traceback.FrameSummary) -> bool:
    """Tell whether the package raises an error itself, or scikit-learn does in its validation."""
    ours = frame.filename.startswith(FOLDERS[0]) and (frame.line or "").startswith("raise")
    return ours or frame.filename.startswith(FOLDERS[1])


def _check_answers(model: Any, case: Case, answers: np.ndarray) -> None:
    """Compare answers with those for the same samples one by one."""
    if case.estimator == "classifier" and case.y not in ("some None", "some NA", "some nan"):
        classes = model.classes_ if isinstance(model.classes_, list) else [model.classes_]
        columns = answers.reshape(len(answers), -1).T
        known = np.concatenate([np.asarray(own, dtype=object).ravel() for own in classes])
        assert set(columns.ravel().tolist()) <= {*known.tolist(), 0, 1}
    elif case.estimator != "classifier":
        assert np.isfinite(answers.astype(float)).all()
    items = case.asked.items()
    if case.asked.container in SAME and case.asked.element not in GONE:
        assert len(answers) == len(items)
        alone = [_or_own_error(lambda item=item: _answers(model, [item])) for item in items]  # type: ignore[misc]
        for found, answer in zip(alone, answers, strict=True):
            if found is not None:
                if case.estimator in ("classifier", "transformer"):
                    np.testing.assert_array_equal(found[0], answer)
                else:  # a product of matrices comes after the features
                    np.testing.assert_allclose(found[0], answer, rtol=1e-6, atol=1e-6)
