"""Heads: from features to decision values."""
