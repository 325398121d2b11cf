"""``skltransfer export``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from skltransfer._cli._outputs import check_output
from skltransfer._keras.optional import import_optional

EXAMPLE = "skltransfer export photos.skltransfer photos.onnx"
KEPT = ".skltransfer"
"""How files of `skltransfer.save` are called by the command line."""


def add(commands: Any, **options: Any) -> None:
    """Add the command to a parser."""
    export = commands.add_parser("export", help="write a fitted estimator for a service without Keras", **options)
    export.add_argument(
        "model", type=Path, help="of skltransfer fit, of skops.io.dump or, with --trusted, of joblib.dump"
    )
    export.add_argument("out", type=Path, help="the file that is written")
    export.add_argument(
        "--format", default="onnx", help="onnx, which skltransfer serve reads, openvino, litert or saved_model"
    )
    export.add_argument(
        "--trusted", action="store_true", help="MODEL is of joblib.dump, whose files can run any code, and you trust it"
    )
    export.set_defaults(run=run)


def run(options: Any) -> None:
    """Load an estimator, and export it."""
    check_output(options.out if options.format == "onnx" else None, options.model)
    estimator = _loaded(options)
    from skltransfer.export import save

    save(estimator, options.out, options.format)


def _loaded(options: Any) -> Any:
    if options.model.suffix == KEPT:
        import skltransfer

        return skltransfer.load(options.model)
    return (_unpickled if options.trusted else _checked)(options.model)


def _unpickled(path: Path) -> Any:
    import joblib

    try:
        return joblib.load(path)
    except OSError:
        raise
    except Exception as error:  # whatever is in the file
        raise ValueError(
            f"{str(path)!r} cannot be read by joblib: {type(error).__name__}, {error}. Expected a file of joblib.dump."
        ) from error


def _checked(path: Path) -> Any:
    """Load a file of skops, whose classes are of scikit-learn or of this package."""
    skops = import_optional("skops.io", extra="export", purpose="skltransfer export")
    try:
        unknown = skops.get_untrusted_types(file=path)
        foreign = [name for name in unknown if not _is_own(name)]
        if not foreign:
            return skops.load(path, trusted=unknown)
    except OSError:
        raise
    except Exception as error:  # whatever is in the file
        raise ValueError(
            f"{str(path)!r} cannot be read by skops: {type(error).__name__}, {error}. Expected a file of "
            "skops.io.dump; one of joblib.dump can run any code, so pass --trusted if you trust it."
        ) from error
    raise ValueError(
        f"{str(path)!r} holds {', '.join(foreign)}. Expected classes of scikit-learn, NumPy and skltransfer; if you "
        "trust the others, keep the estimator with joblib.dump and pass --trusted."
    )


def _is_own(name: str) -> bool:
    """Tell whether this is a class that this package defines; importing its modules runs nothing else."""
    module, _, kind = name.rpartition(".")
    if not module.startswith("skltransfer."):
        return False
    found = getattr(import_module(module), kind, None)
    return isinstance(found, type) and found.__module__ == module
