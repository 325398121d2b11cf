"""`save` and `load`: a fitted estimator as one file."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skltransfer._keras import backend as _backend
from skltransfer._utils.files import check_folder, written_whole
from skltransfer._version import __version__
from skltransfer.saving._container import read, write


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to one file, for `load`.

    The file holds arrays and JSON: reading it runs no code of the file, as files of joblib and pickle may. It appears
    when it is complete, and is found damaged if a single bit of it changes.

    Parameters
    ----------
    estimator : estimator of skltransfer, or Pipeline
        Fitted. Of a pipeline, an estimator of skltransfer is among its steps; those of scikit-learn are written with
        skops.
    path : str or path-like
        The file, in a folder that exists; a file of this name is replaced. By convention it ends in
        ``".skltransfer"``.

    Raises
    ------
    TypeError
        If this is no estimator of skltransfer and no pipeline with one, or it holds something that cannot be written,
        such as a function of yours; the error names it, and nothing is written.
    NotFittedError
        If it is not fitted.
    ValueError
        If a parameter was set to what the estimator does not take.
    ImportError
        If a pipeline has steps of scikit-learn, and skops is not installed.
    OSError
        If the file cannot be written.

    See Also
    --------
    load : Reads the file.
    skltransfer.export.save : Writes a file that answers without Keras and scikit-learn, and cannot be trained on.

    Notes
    -----
    What `load` gives answers bit for bit as this estimator does, can be cloned, fitted anew, exported, and trained on.
    A Keras network that was passed as a parameter comes back as a `Backbone`. Networks that parameters name, by a
    registered name or a file, are not in the file, only those that a fit has made of them.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import skltransfer
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = skltransfer.TransferClassifier(random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     skltransfer.save(clf, Path(folder) / "iris.skltransfer")
    ...     again = skltransfer.load(Path(folder) / "iris.skltransfer")
    >>> bool((again.predict_proba(X) == clf.predict_proba(X)).all())
    True
    """
    from skltransfer.saving._classes import ESTIMATORS
    from skltransfer.saving._writer import Writer, holds_own

    if not (
        isinstance(estimator, tuple(ESTIMATORS.values())) or (type(estimator) is Pipeline and holds_own(estimator))
    ):
        raise TypeError(
            f"estimator: expected a fitted estimator of skltransfer, or a Pipeline with one. Got a "
            f"{type(estimator).__name__}; of a search, pass the estimator inside, search.best_estimator_."
        )
    check_is_fitted(estimator)
    check_folder(Path(path))
    writer = Writer()
    whole = writer.facts(estimator, type(estimator).__name__)
    facts = {"skltransfer": __version__, "objects": writer.objects, "estimator": whole}
    with written_whole(Path(path)) as file:
        write(file, facts, writer.arrays)


def load(path: str | os.PathLike[str], *, trusted: Collection[str] = ()) -> Any:
    """Read a fitted estimator from a file that `save` wrote.

    No code of the file is run, and no class is made that skltransfer and, for steps of a pipeline, scikit-learn and
    NumPy do not have.

    Parameters
    ----------
    path : str or path-like
        The file.
    trusted : collection of str, default=()
        Classes of scikit-learn with compiled parts, such as ``"sklearn.tree._tree.Tree"``, that steps of a pipeline
        may have. skops does not check what is in them, so trust only files of people that you trust; the error of a
        file with others names them.

    Returns
    -------
    estimator
        It answers bit for bit as the one that was saved, on the same machine with the same versions of Keras, its
        backend and scikit-learn.

    Raises
    ------
    ValueError
        If the file is none of `save`, is damaged, was written by a newer skltransfer, or holds a class that is not
        known, or not trusted.
    ImportError
        If a pipeline has steps of scikit-learn, and skops is not installed.
    RuntimeError
        If this process was forked after Keras had started.
    OSError
        If the file cannot be read.

    See Also
    --------
    save : Writes the file, with an example.

    Notes
    -----
    The digest in the file finds damage; it does not say who wrote the file. What a stranger wrote under a digest that
    fits runs no code, and answers as the stranger likes.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import skltransfer
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "other.skltransfer"
    ...     _ = path.write_bytes(b"something else")
    ...     try:
    ...         skltransfer.load(path)
    ...     except ValueError as error:
    ...         print(str(error).partition(" is ")[2].partition(":")[0])
    no file of skltransfer.save
    """
    facts, arrays = read(Path(path))
    _backend.name()  # that there is none in this process is no fault of the file
    from skltransfer.saving._classes import ESTIMATORS
    from skltransfer.saving._reader import Reader
    from skltransfer.saving._steps import UntrustedError

    if isinstance(trusted, str):
        raise TypeError(f"trusted: expected a list of names of classes. Got {trusted!r}; pass [{trusted!r}].")
    try:
        estimator = Reader(arrays, facts["objects"], trusted).value(facts["estimator"])
        if not isinstance(estimator, (*ESTIMATORS.values(), Pipeline)):
            raise TypeError(f"expected an estimator. Got a {type(estimator).__name__}")
        check_is_fitted(estimator)
    except (ImportError, MemoryError):
        raise
    except UntrustedError as error:
        raise UntrustedError(f"{os.fspath(path)!r} {error}") from error
    except Exception as error:  # whatever Keras raises on a network that is none, and NumPy on shapes
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{os.fspath(path)!r} cannot be read: expected what skltransfer.save writes. Got something else "
            f"({reason}); write it again with skltransfer.save, or read it with the newest skltransfer."
        ) from error
    return estimator
