"""Features of frozen layers, computed once a sample and cached."""
