"""``skltransfer adapt``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from skltransfer._cli._outputs import check_output, say
from skltransfer._cli._samples import add_columns, read_labeled, say_read

EXAMPLE = "skltransfer adapt photos phone_photos --out phone.skltransfer"


def add(commands: Any, **options: Any) -> None:
    """Add the command to a parser."""
    adapt = commands.add_parser("adapt", help="learn from labeled files for others without labels", **options)
    adapt.add_argument("source", type=Path, help="labeled: a folder of folders, one for each class, or a CSV file")
    adapt.add_argument("unlabeled", type=Path, metavar="target", help="a folder of files like those to predict")
    adapt.add_argument("--out", type=Path, required=True, help="the file that is written, for skltransfer predict")
    adapt.add_argument("--backbone", metavar="NAME", help="the pretrained network; the one for such samples by default")
    adapt.add_argument("--method", default="auto", help="a name; chosen without labels by default")
    adapt.add_argument("--seed", type=int, default=0, help="draws mini-batches and what is held out")
    add_columns(adapt)
    adapt.set_defaults(run=run)


def run(options: Any) -> None:
    """Read both domains, adapt and write."""
    check_output(options.out, options.source, options.unlabeled)
    source = read_labeled(options.source, options)
    if source.target_names is None or len(source.target_names) < 2:
        raise ValueError(f"{str(options.source)!r}: expected at least two classes. Add the files of another class.")
    from skltransfer.datasets import load_csv, load_unlabeled

    if source.sample_kind == "table":
        target = load_csv(options.unlabeled, column=source.feature_names, as_frame=True)
    else:
        target = load_unlabeled([options.unlabeled], sample_kind=source.sample_kind)
    say_read(target)
    _adapt(source, target, options)


def _adapt(source: Any, target: Any, options: Any) -> None:
    import numpy as np

    import skltransfer

    if isinstance(source.data, list):
        X = source.data + target.data
    else:
        import pandas as pd

        X = pd.concat([source.data, target.data])
    n_source, n_target = len(source.data), len(target.data)
    y = np.concatenate([source.target.astype(object), np.full(n_target, None)])
    adapted = skltransfer.DomainAdaptationClassifier(
        options.backbone or "auto", method=options.method, sample_kind=source.sample_kind, verbose=1,
        random_state=options.seed,
    )  # fmt: skip
    adapted.fit(X, y, sample_domain=np.repeat([1, -1], [n_source, n_target]))
    chosen = getattr(adapted, "selection_", None)
    if chosen:
        say(f"Chosen without labels: {_chosen(chosen)}.")
    adapted.set_params(verbose=0)
    skltransfer.save(adapted, options.out)
    say(f"Wrote {str(options.out)!r}; try: skltransfer predict {options.out} {options.unlabeled}")


def _chosen(selection: Any) -> str:
    """Return the method that was taken."""
    return str(selection["candidate"][selection["chosen"].index(True)])
