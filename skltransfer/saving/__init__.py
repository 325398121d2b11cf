"""A fitted estimator as one file, and back: `skltransfer.save` and `skltransfer.load`."""
