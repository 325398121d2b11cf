"""Which samples have labels to learn from (the source), and which are those that the user cares for (the target)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer._targets.reading import missing
from skltransfer._utils.types import Array

BOTH = ("source", "target")


@dataclass(frozen=True)
class Domains:
    """The domain of each sample.

    Parameters
    ----------
    codes : ndarray of int, shape (n_samples,)
        Positive for source samples, negative for target samples; one code a domain.
    """

    codes: NDArray[np.int64]

    @property
    def source(self) -> NDArray[np.bool_]:
        """Which samples are of the source."""
        return self.codes > 0

    @property
    def target(self) -> NDArray[np.bool_]:
        """Which samples are of the target."""
        return self.codes < 0


def read_domains(y: Any, sample_domain: Any, n_samples: int, *, needs: Collection[str] = BOTH) -> Domains:
    """Separate source samples from target samples.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or None
        Labels. Without ``sample_domain``, samples whose label is masked are the target, see
        `masked`. Labels of target samples are not read otherwise.
    sample_domain : array-like of int, shape (n_samples,), or None
        The domain of each sample: positive for a source, negative for a target.
    n_samples : int
        How many samples there are.
    needs : collection of {"source", "target"}, default=("source", "target")
        The kinds of samples without which the caller cannot go on.

    Returns
    -------
    Domains

    Raises
    ------
    ValueError
        If the domains are not one non-zero integer a sample, if samples that are needed are not
        there, or if a source sample has the label None or NaN.

    Examples
    --------
    >>> read_domains(["cat", "dog", None], None, 3).target.tolist()
    [False, False, True]
    >>> read_domains([3, 4, 3], [1, 2, -1], 3).codes.tolist()
    [1, 2, -1]
    """
    labels = None if y is None else _one_each(y, "y", n_samples)
    if sample_domain is not None:
        domains = Domains(_read_codes(sample_domain, n_samples))
        _check_source_labels(labels, domains)
    else:
        hidden = np.zeros(n_samples, bool) if labels is None else masked(labels)
        domains = Domains(np.where(hidden, -1, 1))
    _check_needs(domains, needs, given=sample_domain is not None)
    return domains


def masked(y: Any) -> NDArray[np.bool_]:
    """Find which labels are masked.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels.

    Returns
    -------
    ndarray of bool, shape (n_samples,)
        Where integers are -1, if they have at least two other values; where floats are NaN;
        where objects are None, NaN or NA.

    Examples
    --------
    >>> masked([0, 1, -1]).tolist(), masked([1, -1, 1]).tolist()
    ([False, False, True], [False, False, False])
    """
    y = np.asarray(y)
    if y.dtype.kind == "i":
        hidden = y == -1
        return hidden if len(np.unique(y[~hidden])) >= 2 else np.zeros_like(hidden)
    return missing(y)


def masked_like(labels: Any, n_samples: int) -> Array:
    """Hidden labels, of a kind that goes with given ones.

    Parameters
    ----------
    labels : ndarray
        Labels whose kind counts.
    n_samples : int
        How many to make.

    Returns
    -------
    ndarray of shape (n_samples,)
        -1 for integers, NaN for floats, None for others.

    Examples
    --------
    >>> masked_like(np.array([3, 4]), 2).tolist(), masked_like(np.array(["cat"]), 1).tolist()
    ([-1, -1], [None])
    """
    kind = np.asarray(labels).dtype.kind
    if kind in "iu":
        return np.full(n_samples, -1)
    return np.full(n_samples, np.nan) if kind == "f" else np.full(n_samples, None)


def _one_each(values: Any, name: str, n_samples: int) -> Array:
    values = np.asarray(values)
    if values.ndim != 1 or len(values) != n_samples:
        raise ValueError(
            f"{name}: expected {n_samples} values, one for each sample of X. Got an array of {values.shape}."
        )
    return values


def _read_codes(sample_domain: Any, n_samples: int) -> NDArray[np.int64]:
    codes = _one_each(sample_domain, "sample_domain", n_samples)
    convention = "integers, positive for source samples and negative for target samples"
    try:
        whole = codes.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_domain: expected {convention}. Got values such as {codes[0]!r}.") from error
    fractions = ~np.isfinite(whole) | (whole != np.rint(whole))
    if codes.dtype.kind == "b" or fractions.any():
        got = codes.tolist()[int(fractions.argmax())]
        raise ValueError(f"sample_domain: expected {convention}. Got {got!r}.")
    if (whole == 0).any():
        raise ValueError(
            f"sample_domain: expected {convention}. Got 0 in {int((whole == 0).sum())} of {n_samples} samples; number "
            "domains from 1, and put a minus before those of the target."
        )
    return whole.astype(np.int64)


def _check_source_labels(labels: Array | None, domains: Domains) -> None:
    """Refuse None and NaN only: an integer -1 in a sample that is said to be of the source is a class."""
    hidden = 0 if labels is None else int((missing(labels) & domains.source).sum())
    if hidden:
        raise ValueError(
            f"y: expected a label in each source sample (sample_domain > 0). Got None or NaN in {hidden} of them; give "
            "these samples a negative domain, or leave them out."
        )


def _check_needs(domains: Domains, needs: Collection[str], *, given: bool) -> None:
    if "source" in needs and not domains.source.any():
        what = "sample_domain: expected some positive values" if given else "y: expected some labels"
        raise ValueError(f"{what}, of source samples to learn from. Got target samples only ({len(domains.codes)}).")
    if "target" in needs and not domains.target.any():
        what = "sample_domain: expected some negative values" if given else "y: expected some masked labels"
        raise ValueError(
            f"{what}, of target samples. Got source samples only ({len(domains.codes)}). Pass sample_domain with a "
            "negative integer for each target sample, or mask its label: -1 among integers, NaN among floats, None "
            "among others."
        )
