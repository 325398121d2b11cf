"""How far two domains are apart, measured on features, and what to do about it."""

from skltransfer.domain_shift._measures import (
    a_distance,
    check_features,
    density_ratio,
    mmd_test,
    mutual_information,
    scale_mismatch,
)
from skltransfer.domain_shift._report import DomainReport, domain_report

__all__ = [
    "DomainReport",
    "a_distance",
    "check_features",
    "density_ratio",
    "domain_report",
    "mmd_test",
    "mutual_information",
    "scale_mismatch",
]
