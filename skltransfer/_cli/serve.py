"""``skltransfer serve``."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import warnings
from typing import Any

from skltransfer._keras.optional import import_optional

EXAMPLE = "skltransfer serve photos.onnx --port 8080"


def add(commands: Any, **options: Any) -> None:
    """Add the command to a parser."""
    serve = commands.add_parser("serve", help="answer over HTTP, and on a page, with an exported file", **options)
    serve.add_argument("model", help="the file")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on; this machine alone by default")
    serve.add_argument("--port", type=int, default=8000, help="0 is any that is free")
    serve.add_argument("--threads", type=int, help="of the network; one for each core by default")
    for name, (kind, text) in LIMITS.items():
        serve.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar="N", help=text)
    serve.set_defaults(run=run)


LIMITS: dict[str, tuple[type, str]] = {
    "max_bytes": (int, "size of a request"),
    "max_pixels": (int, "pixels of a picture that are decoded"),
    "timeout": (float, "seconds for a request"),
    "batch_size": (int, "samples for which a batch no longer waits for more"),
    "max_requests": (int, "requests that are worked on at a time"),
}
"""Options of `skltransfer.serve.create_app`, which has the defaults."""


def run(options: Any) -> None:
    """Serve until the process is interrupted."""
    uvicorn = import_optional("uvicorn", extra="serve", purpose="skltransfer serve")
    from skltransfer.serve import create_app, load

    predictor = load(options.model, n_threads=options.threads)
    given = {name: getattr(options, name) for name in LIMITS if getattr(options, name) is not None}
    app = create_app(predictor, **given)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # what is wrong with a body is in the answer
    warnings.filterwarnings("ignore", module="PIL")
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.create_server((options.host, options.port), family=family, backlog=2048) as listening:
        host, port = listening.getsockname()[:2]
        host = f"[{host}]" if family == socket.AF_INET6 else host
        print(f"{predictor!r} answers on http://{host}:{port}; Ctrl-C ends it.", file=sys.stderr, flush=True)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=5
        )
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
