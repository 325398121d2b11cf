"""Hashing, bounded mappings, files."""
