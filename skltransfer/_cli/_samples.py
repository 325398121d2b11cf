"""Samples that commands read, and models that they load."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from skltransfer._cli._outputs import say, say_skipped

NOUNS = {"image_files": "pictures", "audio": "sounds", "texts": "texts", "table": "rows of numbers"}


def add_columns(parser: Any) -> None:
    """Add the options that say where samples are in a CSV file."""
    parser.add_argument(
        "--column",
        metavar="NAME",
        action="append",
        help="of a CSV file, the column of paths or texts, or one of numbers; give it once for each. All but the "
        "target by default",
    )
    parser.add_argument("--target", metavar="NAME", help="of a CSV file, the column of labels or values")


def read_labeled(path: Path, options: Any, sample_kind: str | None = None, model: Any = None) -> Any:
    """Read labeled samples from a folder of folders or a CSV file, and say what they are.

    Of a table, a model reads the columns that it was fitted to.
    """
    from skltransfer.datasets import load_csv, load_folder

    if path.is_dir():
        sample = load_folder(path, sample_kind=sample_kind)
    elif not os.path.lexists(path):
        raise FileNotFoundError(
            f"{str(path)!r} is missing. Expected a folder of folders, one for each class, or a CSV file; correct the "
            "path."
        )
    elif options.target is None:
        raise ValueError(
            f"{str(path)!r} is a file. Expected a folder of folders, one for each class, or a CSV file; of a CSV file, "
            "pass --target NAME, the column of labels."
        )
    else:
        known = known_columns(model)
        as_frame = model is None or known is not None
        sample = load_csv(path, column=options.column or known, target=options.target, as_frame=as_frame)
    if getattr(options, "regression", False):
        sample.target_names = None
    say_read(sample)
    return sample


def known_columns(model: Any) -> list[str] | None:
    """Return the names of the columns that a model was fitted to; None if it saw no names."""
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def say_read(sample: Any) -> None:
    """Say how many samples of what kind there are, of which classes, and what was skipped."""
    classes = sample.get("target_names")
    of = "" if classes is None else f" of {len(classes)} {'class' if len(classes) == 1 else 'classes'}: {_few(classes)}"
    say(f"Read {len(sample.data)} {NOUNS[sample.sample_kind]}{of}.")
    say_skipped(sample.skipped)


def _few(names: list[Any], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(" ".join(str(name).split()) for name in names[:most]) + more


def load_model(path: Path, *, needs: str = "predict") -> tuple[Any, str | None]:
    """Load an estimator that predicts, and tell which kind of samples it takes; None if that is not known."""
    import skltransfer

    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is missing"
        raise FileNotFoundError(f"{str(path)!r} {what}. Expected a file of skltransfer fit, or of skltransfer.save.")
    model = skltransfer.load(path)
    if not hasattr(model, needs):
        raise ValueError(
            f"{str(path)!r} holds a {type(model).__name__}, which has no {needs}. Expected a classifier"
            f"{'' if needs == 'predict_proba' else ' or a regressor'}; pass another file."
        )
    for step in (model, *(step for _, step in getattr(model, "steps", ()))):
        if hasattr(step, "model_"):
            step.set_params(verbose=1)
            return model, str(step.model_.format.kind)
    return model, None
