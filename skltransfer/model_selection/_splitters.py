"""Splits of samples that know domains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils.validation import _num_samples

from skltransfer._targets.domains import Domains, read_domains

SplitNetwork = tuple[NDArray[np.intp], NDArray[np.intp]]


class _DomainSplitter(BaseEstimator):
    """Base of splitters that take domains as ``sample_domain`` or, from scikit-learn's functions, as ``groups``."""

    __metadata_request__split: ClassVar[dict[str, Any]] = {"sample_domain": True, "groups": True}

    def split(self, X: Any, y: Any = None, sample_domain: Any = None, *, groups: Any = None) -> Iterator[SplitNetwork]:
        """SplitNetwork samples into training and test samples.

        Parameters
        ----------
        X : array-like, frame or sequence
            The samples.
        y : array-like of shape (n_samples,), default=None
            Labels; those of target samples are not read.
        sample_domain : array-like of int, shape (n_samples,), default=None
            Positive for source samples, negative for target samples; None takes samples with masked
            labels as the target.
        groups : array-like of int, shape (n_samples,), default=None
            Another name of ``sample_domain``, by which scikit-learn's functions pass it.

        Yields
        ------
        train, test : ndarrays of int
            Numbers of samples.

        Raises
        ------
        ValueError
            If domains are not what they have to be, or samples do not suffice.
        """
        given = groups if sample_domain is None else sample_domain
        domains = read_domains(y, given, _num_samples(X), needs=("source",))
        yield from self._splits(y, domains)

    def _splits(self, y: Any, domains: Domains) -> Iterator[SplitNetwork]:
        raise NotImplementedError


class LeaveOneDomainOut(_DomainSplitter):
    """Each domain is the test set once, and the others train.

    Domains k and -k are one domain in two roles. If it is there in both, its source samples (k) are
    the test set, which can be scored by their labels, its target samples (-k) stay among the
    training samples as those to adapt to, and other domains take part as sources only.

    A domain is left out only if the others still have source samples and, where there are target
    samples at all, target samples.

    Examples
    --------
    >>> import numpy as np
    >>> from skltransfer.model_selection import LeaveOneDomainOut
    >>> X = np.zeros((4, 1))
    >>> for train, test in LeaveOneDomainOut().split(X, sample_domain=[1, 2, 2, -3]):
    ...     print(train.tolist(), test.tolist())
    [1, 2, 3] [0]
    [0, 3] [1, 2]
    >>> for train, test in LeaveOneDomainOut().split(X, sample_domain=[1, 2, -1, -2]):
    ...     print(train.tolist(), test.tolist())
    [1, 2] [0]
    [0, 3] [1]
    """

    def get_n_splits(self, X: Any = None, y: Any = None, sample_domain: Any = None, *, groups: Any = None) -> int:
        """Count the splits.

        Parameters
        ----------
        X, y, sample_domain, groups
            As in `split`; the domains, or masked labels, are needed.

        Returns
        -------
        int
        """
        given = next((values for values in (sample_domain, groups, y) if values is not None), None)
        if given is None:
            raise ValueError(
                "LeaveOneDomainOut: expected sample_domain, which says how many splits there are. Got None."
            )
        return sum(1 for _ in self.split(given if X is None else X, y, sample_domain, groups=groups))

    def _splits(self, y: Any, domains: Domains) -> Iterator[SplitNetwork]:
        splits = [split for name in np.unique(np.abs(domains.codes)) if (split := _leave_out(name, domains))]
        if not splits:
            raise ValueError(
                f"LeaveOneDomainOut: expected a domain without which source and target samples are left. Got the "
                f"domains {np.unique(domains.codes).tolist()}; number several domains, or use "
                "StratifiedDomainShuffleSplit."
            )
        yield from splits


class _ShuffleSplit(_DomainSplitter):
    """Random splits that keep the share of each stratum.

    Parameters
    ----------
    n_splits : int
        How many.
    test_size, train_size : float, int or None
        Share or number of samples; None is what the other leaves, or 0.1 for the test.
    random_state : int, RandomState instance or None
        Draws the samples.
    """

    def __init__(
        self, n_splits: int = 10, *, test_size: Any = None, train_size: Any = None, random_state: Any = None
    ) -> None:
        self.n_splits = n_splits
        self.test_size = test_size
        self.train_size = train_size
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, sample_domain: Any = None, *, groups: Any = None) -> int:
        """Count the splits.

        Parameters
        ----------
        X, y, sample_domain, groups
            Not used.

        Returns
        -------
        int
        """
        return self.n_splits

    def _splits(self, y: Any, domains: Domains) -> Iterator[SplitNetwork]:
        splitter = StratifiedShuffleSplit(
            self.n_splits, test_size=self.test_size, train_size=self.train_size, random_state=self.random_state
        )
        yield from splitter.split(domains.codes, self._strata(y, domains))

    def _strata(self, y: Any, domains: Domains) -> NDArray[Any]:
        raise NotImplementedError


class SourceTargetShuffleSplit(_ShuffleSplit):
    """Random splits that keep the shares of source and target.

    Parameters
    ----------
    n_splits : int, default=10
        How many.
    test_size, train_size : float, int or None, default=None
        Share or number of samples; None is what the other leaves, or 0.1 for the test.
    random_state : int, RandomState instance or None, default=None
        Draws the samples.

    Examples
    --------
    >>> import numpy as np
    >>> from skltransfer.model_selection import SourceTargetShuffleSplit
    >>> domain = np.array([1] * 6 + [-1] * 4)
    >>> (train, test), = SourceTargetShuffleSplit(1, test_size=0.5).split(domain, sample_domain=domain)
    >>> sorted(domain[test].tolist())
    [-1, -1, 1, 1, 1]
    """

    def _strata(self, y: Any, domains: Domains) -> NDArray[Any]:
        return domains.target


class StratifiedDomainShuffleSplit(_ShuffleSplit):
    """Random splits that keep the share of each domain, and in source domains of each class.

    Parameters
    ----------
    n_splits : int, default=10
        How many.
    test_size, train_size : float, int or None, default=None
        Share or number of samples; None is what the other leaves, or 0.1 for the test.
    random_state : int, RandomState instance or None, default=None
        Draws the samples.

    Examples
    --------
    >>> import numpy as np
    >>> from skltransfer.model_selection import StratifiedDomainShuffleSplit
    >>> y = np.array(["cat", "dog"] * 4 + [None] * 4)
    >>> (train, test), = StratifiedDomainShuffleSplit(1, test_size=0.5).split(y, y)
    >>> sorted(map(str, y[test]))
    ['None', 'None', 'cat', 'cat', 'dog', 'dog']
    """

    def _strata(self, y: Any, domains: Domains) -> NDArray[Any]:
        if y is None:
            raise ValueError("StratifiedDomainShuffleSplit: expected labels. Got y=None; use SourceTargetShuffleSplit.")
        classes = np.zeros(len(domains.codes), dtype=np.intp)
        classes[domains.source] = np.unique(np.asarray(y)[domains.source], return_inverse=True)[1]
        return np.unique(np.column_stack([domains.codes, classes]), axis=0, return_inverse=True)[1]


def _leave_out(name: int, domains: Domains) -> SplitNetwork | None:
    own = np.abs(domains.codes) == name
    in_both_roles = (own & domains.source).any() and (own & domains.target).any()
    kept_target = domains.target & (own if in_both_roles else ~own)
    kept_source = domains.source & ~own
    if not kept_source.any() or (domains.target.any() and not kept_target.any()):
        return None
    test = own & domains.source if in_both_roles else own
    return np.flatnonzero(kept_source | kept_target), np.flatnonzero(test)
