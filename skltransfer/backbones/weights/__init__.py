"""Weights shipped with the package, and how they were made."""
