"""How far two domains are apart, measured on features, and what to do about it."""

from skltransfer.domain_shift._measures import check_features, density_ratio, mmd_test
from skltransfer.domain_shift._report import DomainReport, domain_report

__all__ = ["DomainReport", "check_features", "density_ratio", "domain_report", "mmd_test"]
