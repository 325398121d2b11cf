"""A predictor as a web application."""

from __future__ import annotations

from typing import Any

from skltransfer._keras.optional import import_optional
from skltransfer.serve._bodies import Limits
from skltransfer.serve._predictors import Predictor


def create_app(
    predictor: Predictor,
    *,
    max_bytes: int = 10 * 2**20,
    max_pixels: int = 2**24,
    timeout: float = 30.0,
    batch_size: int = 16,
    max_requests: int = 128,
) -> Any:
    """Make a web application of a predictor, which ``skltransfer serve`` runs, and any ASGI server can.

    - ``POST /predict``: predictions, probabilities and classes, or features, as JSON. The body is a file (its content
      type says that it is a picture, a sound or a text), a form with one file or several, or JSON:
      ``{"samples": [...]}`` with a string for a text, a list for a row of a table, nested lists for an image or a
      sequence, or a file in base64.
    - ``POST /explain``: for one picture, the same and its `occlusion_maps`.
    - ``GET /metadata``, ``GET /health``, ``GET /openapi.json``; ``GET /`` is a page for trying it out.

    Requests that arrive together go through the network together. What a request holds is content: a string is never
    taken as the path of a file. An error is a sentence in ``"detail"``, with a status of 400 to 422 if the request is
    wrong, 503 if there are too many, and 504 if there is no answer in time.

    Parameters
    ----------
    predictor : Predictor
        What `load` gives.
    max_bytes : int, default=10 MiB
        Size of a body.
    max_pixels : int, default=2**24
        Pixels of a picture, and values of a sound, that are decoded.
    timeout : float, default=30.0
        Seconds in which a body has to arrive, and then to be answered.
    batch_size : int, default=16
        Samples for which a batch no longer waits for more; a request may have more.
    max_requests : int, default=128
        Requests that are worked on at a time.

    Returns
    -------
    fastapi.FastAPI
        The application.

    Raises
    ------
    ValueError
        If a limit is not positive.
    ImportError
        If fastapi is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from fastapi.testclient import TestClient
    >>> from sklearn.datasets import load_iris
    >>> from skltransfer import TransferClassifier, export, serve
    >>> X, y = load_iris(return_X_y=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export.save(TransferClassifier(random_state=0).fit(X, y), Path(folder) / "iris.onnx")
    ...     app = serve.create_app(serve.load(Path(folder) / "iris.onnx"))
    >>> with TestClient(app) as client:
    ...     client.post("/predict", json={"samples": X[:2].tolist()}).json()["predictions"]
    [0, 0]
    """
    limits = Limits(max_bytes, max_pixels, timeout, batch_size, max_requests)
    for name, value in vars(limits).items():
        if not value > 0:
            raise ValueError(f"{name}: expected a positive number. Got {value!r}.")
    for module in ("fastapi", "python_multipart"):
        import_optional(module, extra="serve", purpose="serve.create_app")
    from skltransfer.serve._routes import application

    return application(predictor, limits)
