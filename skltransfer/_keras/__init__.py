"""Keras, its backends, and optional packages."""
