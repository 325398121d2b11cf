"""``skltransfer evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from skltransfer._cli._outputs import check_output, say
from skltransfer._cli._samples import add_columns, load_model, read_labeled
from skltransfer._cli.fit import score_said

EXAMPLE = "skltransfer evaluate photos.skltransfer other_photos --report other_photos.html"


def add(commands: Any, **options: Any) -> None:
    """Add the command to a parser."""
    evaluate = commands.add_parser("evaluate", help="say how good predictions of labeled files are", **options)
    evaluate.add_argument("model", type=Path, help="a file of skltransfer fit, or of skltransfer.save")
    evaluate.add_argument("samples", type=Path, help="a folder of folders, one for each class, or a CSV file")
    evaluate.add_argument("--report", type=Path, metavar="HTML", help="a page on how it went, that is written")
    add_columns(evaluate)
    evaluate.set_defaults(run=run)


def run(options: Any) -> None:
    """Load, read and score."""
    check_output(options.report, options.model, options.samples)
    model, kind = load_model(options.model)
    of_files = kind if kind in ("image_files", "audio", "texts") else None
    sample = read_labeled(options.samples, options, of_files, model)
    if kind is not None and sample.sample_kind != kind:
        raise ValueError(f"{str(options.model)!r} takes {kind}. Got {sample.sample_kind}; pass such samples.")
    classes = getattr(model, "classes_", None)
    if classes is not None:
        _check_known(sample.target, classes)
    print(score_said(model, sample.data, sample.target, classes is None))
    if classes is not None:
        from sklearn.metrics import classification_report

        print(classification_report(sample.target, model.predict(sample.data), zero_division=0.0))
    if options.report is not None:
        import skltransfer

        skltransfer.report(model, sample.data, sample.target, path=options.report)
        say(f"Wrote the report {str(options.report)!r}.")


def _check_known(target: Any, classes: Any) -> None:
    """Raise ValueError if the model cannot predict a label."""
    known = set(classes.tolist())
    unknown = sorted(set(target.tolist()) - known, key=str)
    if unknown:
        raise ValueError(
            f"The class {str(unknown[0])!r} is unknown to the model, which knows {', '.join(map(str, classes[:10]))}. "
            "Rename or remove it."
        )
