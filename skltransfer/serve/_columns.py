"""Columns of tables, checked in scikit-learn's words and without it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from skltransfer._inputs.containers import as_array, is_sparse
from skltransfer._inputs.numbers import as_numbers, check_finite
from skltransfer._utils.types import Array

SHOWN = 5
"""Names of columns that an error shows."""


@dataclass(frozen=True)
class Columns:
    """What is known of the columns of samples; does what `validate_data` does for an estimator.

    Parameters
    ----------
    estimator : str
        Name of the class, for error sentences.
    n_features : int
        How many columns `fit` saw.
    names : tuple of str or None
        Their names.
    """

    estimator: str
    n_features: int
    names: tuple[str, ...] | None

    def __call__(self, X: Any, dtype: Any = "numeric", ensure_all_finite: bool | str = True) -> Array:
        """Return samples as an array of numbers with a line each.

        Raises
        ------
        TypeError
            If they are a sparse matrix.
        ValueError
            If they are no finite numbers, or have other columns.
        """
        if is_sparse(X):
            raise TypeError(
                "Sparse data was passed for X, but dense data is required. Use '.toarray()' to convert to a dense "
                "numpy array."
            )
        self.check_names(X)
        values = as_numbers(X, None if dtype == "numeric" else dtype)
        if values.ndim != 2:
            raise ValueError(
                f"Expected 2D array, got {values.ndim}D array instead:\narray={values}.\nReshape your data either "
                "using array.reshape(-1, 1) if your data has a single feature or array.reshape(1, -1) if it contains a "
                "single sample."
            )
        if values.shape[1] == 0:
            raise ValueError(f"Found array with 0 feature(s) (shape={values.shape}) while a minimum of 1 is required.")
        check_finite(values, allow_nan=ensure_all_finite == "allow-nan")
        if values.shape[1] != self.n_features:
            raise ValueError(
                f"X has {values.shape[1]} features, but {self.estimator} is expecting {self.n_features} features as "
                "input."
            )
        return values

    def check_names(self, X: Any) -> None:
        """Raise ValueError if columns have other names, or another order, than those that `fit` saw."""
        given = [] if not hasattr(X, "columns") else list(as_array(X.columns).tolist())
        names = tuple(given) if given and all(isinstance(name, str) for name in given) else None
        if names is None or self.names is None:
            if names is not None:
                self._warn(f"X has feature names, but {self.estimator} was fitted without feature names")
            elif self.names is not None:
                self._warn(f"X does not have valid feature names, but {self.estimator} was fitted with feature names")
            return
        if names == self.names:
            return
        unseen, gone = sorted(set(names) - set(self.names)), sorted(set(self.names) - set(names))
        parts = ["The feature names should match those that were passed during fit."]
        parts += ["Feature names unseen at fit time:", *_listed(unseen)] if unseen else []
        parts += ["Feature names seen at fit time, yet now missing:", *_listed(gone)] if gone else []
        parts += [] if unseen or gone else ["Feature names must be in the same order as they were in fit."]
        raise ValueError("\n".join(parts) + "\n")

    def _warn(self, sentence: str) -> None:
        warnings.warn(sentence, UserWarning, stacklevel=2)


def _listed(names: list[str]) -> list[str]:
    return [f"- {name}" for name in names[:SHOWN]] + (["- ..."] if len(names) > SHOWN else [])
