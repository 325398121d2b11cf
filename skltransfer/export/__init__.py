"""Fitted estimators as files that run without this package's networks; `skltransfer.serve` reads them."""

from skltransfer.export._save import save

__all__ = ["save"]
