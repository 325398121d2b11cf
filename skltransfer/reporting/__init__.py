"""A page of HTML on a fitted estimator; `skltransfer.report` writes it."""
