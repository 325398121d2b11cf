"""How far two domains are apart, measured on features, and what to do about it."""

from skltransfer.domain_shift._alignments import Trial, align_domains, domain_distance
from skltransfer.domain_shift._fitted import FittedReport
from skltransfer.domain_shift._measures import (
    a_distance,
    check_features,
    density_ratio,
    mmd_test,
    mutual_information,
    scale_mismatch,
)
from skltransfer.domain_shift._report import DomainReport, domain_report
from skltransfer.domain_shift._shares import ClassShares, estimate_class_shares

__all__ = [
    "ClassShares",
    "DomainReport",
    "FittedReport",
    "Trial",
    "a_distance",
    "align_domains",
    "check_features",
    "density_ratio",
    "domain_distance",
    "domain_report",
    "estimate_class_shares",
    "mmd_test",
    "mutual_information",
    "scale_mismatch",
]
