"""Samples out of folders and tables of files, and a small sample of real images."""

from skltransfer.datasets._csv import load_csv
from skltransfer.datasets._fashion import another_camera, load_fashion_sample
from skltransfer.datasets._folder import load_folder, load_unlabeled

__all__ = ["another_camera", "load_csv", "load_fashion_sample", "load_folder", "load_unlabeled"]
