"""``skltransfer predict``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skltransfer._cli._outputs import check_output, say, say_skipped, write_rows
from skltransfer._cli._samples import known_columns, load_model

EXAMPLE = "skltransfer predict photos.skltransfer new/*.jpg --proba --csv new.csv"


def add(commands: Any, **options: Any) -> None:
    """Add the command to a parser."""
    predict = commands.add_parser("predict", help="predict labels or values of files", **options)
    predict.add_argument("model", type=Path, help="a file of skltransfer fit, or of skltransfer.save")
    predict.add_argument(
        "files", nargs="+", metavar="FILES", help="files, folders of files, or a CSV file with rows of numbers"
    )
    predict.add_argument("--csv", type=Path, help="write a table there; stdout has lines with tabs by default")
    predict.add_argument("--proba", action="store_true", help="add the probability of each class")
    predict.add_argument(
        "--column", metavar="NAME", action="append", help="FILES is a CSV file, and this its column of paths or texts"
    )
    predict.set_defaults(run=run)


def run(options: Any) -> None:
    """Load, read, predict and write."""
    check_output(options.csv, options.model, *options.files)
    model, kind = load_model(options.model, needs="predict_proba" if options.proba else "predict")
    names, X = _samples(options, model, kind)
    say(f"Predicting {len(names)} samples …")
    header, columns = ["file", "prediction"], [model.predict(X)]
    if options.proba:
        header += map(str, model.classes_)
        columns.append(model.predict_proba(X))
    write_rows(options.csv, _rows(header, names, columns))


def _samples(options: Any, model: Any, kind: str | None) -> tuple[Any, Any]:
    """Read samples, and how each is called."""
    from skltransfer.datasets import load_csv, load_unlabeled

    if options.column or kind == "table":
        if len(options.files) > 1:
            raise ValueError(f"FILES: expected one CSV file. Got {len(options.files)} files; pass one after the other.")
        named = known_columns(model) if kind == "table" else None
        sample = load_csv(options.files[0], column=options.column or named, as_frame=named is not None)
        names = sample.filenames if sample.filenames is not None else [f"row {i + 1}" for i in range(len(sample.data))]
        return names, sample.data
    known = kind if kind in ("image_files", "audio", "texts") else None
    if kind is not None and known is None:
        raise ValueError(f"{str(options.model)!r} takes {kind}, which are in no files. Predict in Python.")
    sample = load_unlabeled(options.files, sample_kind=known)
    asked = set(options.files)
    for path, reason in sample.skipped:
        if path in asked:
            raise ValueError(f"{path!r} cannot be predicted: {reason}. Leave it out.")
    say_skipped(sample.skipped)
    return sample.filenames, sample.data


def _rows(header: list[str], names: Any, columns: list[Any]) -> Iterator[list[Any]]:
    """Yield a line for each sample, behind one of names."""
    yield header
    for position, name in enumerate(names):
        cells = [name]
        for column in columns:
            found = column[position].tolist()
            cells += found if isinstance(found, list) else [found]
        yield [f"{cell:.6g}" if isinstance(cell, float) else cell for cell in cells]
