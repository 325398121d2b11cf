"""``skltransfer fit``."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from skltransfer._cli._outputs import check_output, say, share_with_interval
from skltransfer._cli._samples import add_columns, read_labeled

EXAMPLE = "skltransfer fit photos --out photos.skltransfer --report photos.html"


def add(commands: Any, **options: Any) -> None:
    """Add the command to a parser."""
    fit = commands.add_parser("fit", help="learn from a folder of files, or a CSV file", **options)
    fit.add_argument("samples", type=Path, help="a folder of folders, one for each class, or a CSV file")
    fit.add_argument("--out", type=Path, required=True, help="the file that is written, for skltransfer predict")
    fit.add_argument("--report", type=Path, metavar="HTML", help="a page on how it went, that is written as well")
    fit.add_argument("--backbone", metavar="NAME", help="the pretrained network; the one for such samples by default")
    fit.add_argument("--search", action="store_true", help="try all networks that are here, and take the best")
    fit.add_argument("--time", type=duration, metavar="5min", help="how long the search may take; searches, if given")
    fit.add_argument("--test-share", type=_share, default=0.2, metavar="0.2", help="held out, to say how good it is")
    fit.add_argument("--regression", action="store_true", help="the target is a number, even where all are whole")
    fit.add_argument("--seed", type=int, default=0, help="draws what is held out")
    add_columns(fit)
    fit.set_defaults(run=run)


def run(options: Any) -> None:
    """Read, hold out, fit, score and write."""
    for path in (options.out, options.report):
        check_output(path, options.samples)
    if options.report is not None and options.report.absolute() == options.out.absolute():
        raise ValueError("--out and --report are one file. Pass two paths.")
    searching = options.search or options.time is not None
    if searching and options.backbone:
        raise ValueError("--search tries all networks, and --backbone takes one. Pass one of the two.")
    sample = read_labeled(options.samples, options)
    is_values = sample.target_names is None
    train, test = _split(sample.target, options, is_values)
    backbone = options.backbone or "auto"
    if searching:
        from skltransfer._cli.rank import best_backbone

        backbone = best_backbone(_part(sample.data, train), sample.target[train], sample.sample_kind, options)
    estimator = _fitted(backbone, sample, train, is_values, options.seed)
    X_test, y_test = _part(sample.data, test), sample.target[test]
    say(f"On {len(test)} samples that were held out: {score_said(estimator, X_test, y_test, is_values)}.")
    _write(estimator, options, X_test, y_test)


def _fitted(backbone: Any, sample: Any, train: Any, is_values: bool, seed: int) -> Any:
    from skltransfer import TransferClassifier, TransferRegressor

    estimator = TransferRegressor if is_values else TransferClassifier
    fitted = estimator(backbone, sample_kind=sample.sample_kind, verbose=1, random_state=seed)
    return fitted.fit(_part(sample.data, train), sample.target[train])


def _write(estimator: Any, options: Any, X_test: Any, y_test: Any) -> None:
    import skltransfer

    if options.report is not None:
        skltransfer.report(estimator, X_test, y_test, path=options.report)
        say(f"Wrote the report {str(options.report)!r}.")
    estimator.set_params(verbose=0)
    skltransfer.save(estimator, options.out)
    say(f"Wrote {str(options.out)!r}; try: skltransfer predict {options.out} FILES")


def _split(target: Any, options: Any, is_values: bool) -> tuple[Any, Any]:
    """Draw what is learned from and what is held out, of each class the same share."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    everything = np.arange(len(target))
    n_test = max(round(options.test_share * len(target)), 1)
    if is_values:
        if target.dtype.kind not in "if" or len(target) < 5:
            raise ValueError("The target: expected at least 5 numbers. Add samples, or pass another --target.")
        return tuple(train_test_split(everything, test_size=n_test, random_state=options.seed))
    names, counts = np.unique(target, return_counts=True)
    if len(names) < 2:
        raise ValueError(
            f"There is one class, {str(names[0])!r}. Expected at least two; add the folder, or the rows, of another "
            "class."
        )
    if counts.min() < 2:
        numbers = ", or pass --regression if it is a number to predict" if target.dtype.kind == "i" else ""
        raise ValueError(
            f"The class {str(names[counts.argmin()])!r} has one sample. Expected at least two of each, one to learn "
            f"from and one to test on; add samples, remove the class{numbers}."
        )
    n_test = min(max(n_test, len(names)), len(target) - len(names))
    split = train_test_split(everything, test_size=n_test, stratify=target, random_state=options.seed)
    return split[0], split[1]


def _part(data: Any, positions: Any) -> Any:
    return [data[position] for position in positions] if isinstance(data, list) else data.iloc[positions]


def score_said(estimator: Any, X: Any, y: Any, is_values: bool) -> str:
    """Say how good predictions are, with an interval."""
    predicted = estimator.predict(X)
    if not is_values:
        return f"accuracy {share_with_interval(int((predicted == y).sum()), len(y))}"
    import numpy as np
    from sklearn.metrics import mean_absolute_error, r2_score

    random, drawn = np.random.default_rng(0), []
    for _ in range(1000):
        rows = random.integers(len(y), size=len(y))
        if np.ptp(y[rows]):
            drawn.append(r2_score(y[rows], predicted[rows]))
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn else (np.nan, np.nan)
    error = mean_absolute_error(y, predicted)
    return f"R² {r2_score(y, predicted):.3f} (95 % interval {low:.3f} to {high:.3f}), mean absolute error {error:.4g}"


def duration(text: str) -> float:
    """Read a time such as 90, 90s, 5min or 1h, in seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|sec|m|min|h)?", text.strip())
    if not found or not float(found[1]):
        raise ArgumentTypeError(f"expected a time such as 90s, 5min or 1h, got {text!r}")
    return float(found[1]) * {"m": 60, "min": 60, "h": 3600}.get(found[2] or "s", 1)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise ArgumentTypeError(f"expected a share between 0 and 1, got {text!r}")
    return share
