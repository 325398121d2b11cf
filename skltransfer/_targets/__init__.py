"""Tasks, targets, and how labels, values and domains are encoded."""
