"""What a server answers to which request."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.requests import ClientDisconnect

from skltransfer._utils.types import Array
from skltransfer.serve._batching import Batcher
from skltransfer.serve._bodies import Limits, Reader, Refused
from skltransfer.serve._occlusion import changes, check_explainable, is_explainable, occluded
from skltransfer.serve._predictors import Predictor, ServedClassifier, check_answers

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src blob: data:; media-src blob:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""The page takes nothing from elsewhere, and sends nothing there."""

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["samples"],
                    "properties": {"samples": {"type": "array", "minItems": 1, "items": {}}},
                }
            },
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
            },
        }
        | {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/*", "audio/*", "text/plain")},
    }
}


class Service:
    """Requests to answers.

    Parameters
    ----------
    predictor : Predictor
        What answers.
    limits : Limits
        What a request may take.
    """

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        self.predictor, self.limits = predictor, limits
        self.reader = Reader(predictor._served, limits)
        self.n_requests = 0

    @asynccontextmanager
    async def running(self, app: Any) -> AsyncIterator[None]:
        """Keep the threads that read and compute."""
        n_readers = os.cpu_count() or 1  # each may hold a large picture
        with ThreadPoolExecutor(n_readers) as self.readers, self._batcher() as self.batch:
            yield

    def _batcher(self) -> Batcher:
        served, outputs = self.predictor._served, self.predictor._outputs
        return Batcher(lambda samples: served.run_prepared(samples, outputs), self.limits.batch_size)

    async def samples(self, request: Request) -> list[Array]:
        """Read the samples of a request."""
        seconds = self.limits.timeout
        async with within(seconds, 408, f"The body did not arrive within {seconds:g} seconds."):
            body = await body_of(request, self.limits.max_bytes)
        async with within(seconds, 504, f"The samples were not read within {seconds:g} seconds."):
            kind, loop = request.headers.get("content-type", ""), asyncio.get_running_loop()
            return await loop.run_in_executor(self.readers, self.reader.read, kind, body)

    async def run(self, samples: Sequence[Array]) -> list[Array]:
        """Compute outputs of the network, together with those of other requests."""
        seconds = self.limits.timeout
        async with within(seconds, 504, f"There was no answer within {seconds:g} seconds."):
            return await asyncio.wrap_future(self.batch.submit(samples))

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold one of the places for requests that are worked on."""
        if self.n_requests >= self.limits.max_requests:
            raise Refused(503, f"There are {self.n_requests} requests at work already; ask again later.")
        self.n_requests += 1
        try:
            yield
        finally:
            self.n_requests -= 1

    def answers(self, found: list[Array]) -> dict[str, Any]:
        """Return answers as JSON has them."""
        answers = self.predictor._answers(found)
        if isinstance(self.predictor, ServedClassifier):
            answers["classes"] = self.predictor.classes_
        return {name: as_json(value) for name, value in answers.items()}

    def metadata(self) -> dict[str, Any]:
        """Return what is known of the estimator."""
        about, limits = self.predictor.about, vars(self.limits)
        found = {name: about[name] for name in ("estimator", "versions", "n_features_in", "feature_names_in")}
        found["input"] = {name: value for name, value in about["input"].items() if name != "preparation"}
        found["answers"] = about["answers"]["kind"]
        if isinstance(self.predictor, ServedClassifier):
            found["classes"] = as_json(self.predictor.classes_)
        found["explains"] = is_explainable(self.predictor)
        return {**found, "limits": limits}


def as_json(value: Any) -> Any:
    """Return arrays, and lists of them, as lists."""
    return [as_json(each) for each in value] if isinstance(value, list) else np.asarray(value).tolist()


async def body_of(request: Request, max_bytes: int) -> bytes:
    """Read a body, and no more of it than so many bytes."""
    parts, n_bytes = [], 0
    async for part in request.stream():
        n_bytes += len(part)
        if n_bytes > max_bytes:
            raise Refused(413, f"The body is larger than {max_bytes} bytes.")
        parts.append(part)
    return b"".join(parts)


@asynccontextmanager
async def within(seconds: float, status: int, sentence: str) -> AsyncIterator[None]:
    """Refuse what takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Refused(status, sentence) from error


async def refusal(request: Request, error: Any) -> JSONResponse:
    """Answer with the sentence of an error."""
    return JSONResponse({"detail": error.sentence}, error.status)


async def gone(request: Request, error: Exception) -> JSONResponse:
    """Answer a client that no longer listens."""
    return JSONResponse({"detail": "The body did not arrive."}, 400)


def application(predictor: Predictor, limits: Limits) -> FastAPI:
    """Make the application; see `create_app`."""
    service = Service(predictor, limits)
    title, version = f"{predictor.about['estimator']} of skltransfer", predictor.about["versions"]["skltransfer"]
    app = FastAPI(title=title, version=version, docs_url=None, redoc_url=None, lifespan=service.running)
    app.add_exception_handler(Refused, refusal)
    app.add_exception_handler(ClientDisconnect, gone)
    page = files("skltransfer.serve").joinpath("page.html").read_text("utf-8")

    @app.get("/", include_in_schema=False)
    async def start() -> HTMLResponse:
        return HTMLResponse(page, headers=PAGE_HEADERS)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Say that the server is there."""
        return {"status": "ok"}

    @app.get("/metadata")
    async def metadata() -> dict[str, Any]:
        """Say what the estimator is, what it takes and what it answers."""
        return service.metadata()

    @app.post("/predict", openapi_extra=BODY)
    async def predict(request: Request) -> JSONResponse:
        """Predict labels with their probabilities, or values; of other estimators, compute features."""
        async with service.place():
            found = await service.run(await service.samples(request))
            return JSONResponse(service.answers(checked(found)))

    @app.post("/explain", openapi_extra=BODY)
    async def explain(request: Request) -> JSONResponse:
        """Predict for one picture, and measure by how much the answer changes where the picture is covered."""
        async with service.place():
            image = one_image(predictor, await service.samples(request))
            found = checked(await service.run(occluded(image, predictor._served.format)))
            answers = service.answers([part[:1] for part in found])
            return JSONResponse(answers | {"heat_map": changes(predictor, found, image).tolist()})

    return app


def checked(found: list[Array]) -> list[Array]:
    """Return answers, or refuse samples of which they are not finite."""
    try:
        check_answers(found)
    except ValueError as error:
        raise Refused(422, error) from error
    return found


def one_image(predictor: Predictor, samples: list[Array]) -> Array:
    """Return the one image of a request for an explanation."""
    try:
        check_explainable(predictor)
    except ValueError as error:
        raise Refused(422, error) from error
    if len(samples) != 1:
        raise Refused(422, f"A heat map is of one picture. Got {len(samples)}.")
    return samples[0]
