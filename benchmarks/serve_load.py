"""The HTTP server under 32 clients, beside batches in one process; then malformed bodies, all of which are refused.

Clients send pictures, one a request, for so many seconds. In-process batches are of the same pictures and of the same
size, on a predictor of the same file, in turn with the clients, while the server waits. Then generated bodies
(truncated pictures, decompression bombs, wrong types, deep JSON, broken forms): all have to get a status of 400 to 499,
and the server has to stay.

Run: ``python benchmarks/serve_load.py [SECONDS [N_MALFORMED]]`` (60 seconds and 10,000 bodies by default), or
``python benchmarks/serve_load.py malformed N``.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from _bodies import malformed
from _measure import report

SECONDS, N_MALFORMED = 60.0, 10_000
CLIENTS, BATCH, MAX_BYTES, ROUNDS = 32, 16, 2**20, 6


@contextmanager
def server(path: Path, *options: str) -> Iterator[tuple[int, int]]:
    """Start ``skltransfer serve``; give its port and its process, and end it as Ctrl-C does."""
    command = [sys.executable, "-m", "skltransfer", "serve", str(path), "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        port = re.search(r":(\d+);", line)
        if port is None:
            raise RuntimeError(f"the server did not start: {line}{process.stderr.read()}")
        Thread(target=shutil.copyfileobj, args=(process.stderr, sys.stderr), daemon=True).start()
        yield int(port[1]), process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def post(connection: http.client.HTTPConnection, kind: str, body: bytes) -> tuple[int, Any]:
    """Return the status and the JSON that come back; a server may answer before it has read a large body."""
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request("POST", "/predict", body, {"Content-Type": kind})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


class Client:
    """A connection that asks again as soon as it is answered; plain sockets, as clients share the cores here.

    Parameters
    ----------
    port : int
        Of the server.
    requests : list of bytes
        Whole requests, which are sent in turn.
    """

    def __init__(self, port: int, requests: list[bytes]) -> None:
        self.requests, self.times, self.errors = requests, [], 0
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ask()

    def ask(self) -> None:
        self.answer, self.began = b"", time.perf_counter()
        self.socket.sendall(self.requests[len(self.times) % len(self.requests)])

    def read(self) -> bool:
        """Read what is there; say whether the answer is whole."""
        part = self.socket.recv(2**16)
        self.answer += part
        head, end, body = self.answer.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        whole = not part or bool(end and length and len(body) >= int(length[1]))
        if whole:
            self.times.append(time.perf_counter() - self.began)
            self.errors += not (head.startswith(b"HTTP/1.1 200") and len(json.loads(body)["predictions"]) == 1)
        return whole


def clients(port: int, pictures: list[bytes], seconds: float) -> tuple[list[float], int]:
    """Let all clients ask for so many seconds; return how long each answer took, and how many were none."""
    head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n"
    requests = [head.format(len(picture)).encode() + picture for picture in pictures]
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as ready:
        for number in range(CLIENTS):
            one = Client(port, requests[number:] + requests[:number])
            ready.register(one.socket, selectors.EVENT_READ, one)
        every = [key.data for key in ready.get_map().values()]
        while ready.get_map():
            for key, _ in ready.select(60):
                if key.data.read():
                    if time.monotonic() < until:
                        key.data.ask()
                    else:
                        ready.unregister(key.fileobj)
                        key.data.socket.close()
    return [each for one in every for each in one.times], sum(one.errors for one in every)


def load(port: int, pid: int, path: Path, pictures: list[bytes], seconds: float) -> dict[str, Any]:
    """Measure the server under all clients, and batches in this process, in turn."""
    import psutil

    process = psutil.Process(pid)
    clients(port, pictures, 2)  # warm-up
    before, times, errors, rates = process.memory_info().rss, [], 0, []
    for _ in range(ROUNDS):
        alone, began = in_process(path, pictures, seconds / ROUNDS / 2), time.monotonic()
        own, wrong = clients(port, pictures, seconds / ROUNDS)
        rates.append((len(own) / (time.monotonic() - began), alone))
        times, errors = times + own, errors + wrong
    served, alone = np.median(rates, axis=0)
    return {
        "requests": len(times),
        "errors": errors,
        "p50_ms": 1000 * float(np.quantile(times, 0.5)),
        "p99_ms": 1000 * float(np.quantile(times, 0.99)),
        "per_second": float(served),
        "in_process_per_second": float(alone),
        "ratio": float(np.median([one / other for one, other in rates])),
        "rss_mb": [before / 1e6, process.memory_info().rss / 1e6],
    }


def in_process(path: Path, pictures: list[bytes], seconds: float) -> float:
    """Return how many pictures a second are predicted in batches."""
    from skltransfer import serve

    predictor = serve.load(path)
    batches = [pictures[i : i + BATCH] for i in range(0, len(pictures) - BATCH + 1, BATCH)]
    predictor.predict_proba(batches[0])
    began, n_batches = time.monotonic(), 0
    while time.monotonic() < began + seconds:
        predictor.predict_proba(batches[n_batches % len(batches)])
        n_batches += 1
    return n_batches * BATCH / (time.monotonic() - began)


def send_malformed(port: int, pid: int, n_bodies: int) -> dict[str, Any]:
    """Send malformed bodies; count statuses, and those that are none of a wrong request."""
    import psutil

    def send(seed: int) -> tuple[str, float]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        began = time.perf_counter()
        try:
            status, answer = post(connection, *malformed(seed, MAX_BYTES))
            plain = 400 <= status < 500 and isinstance(answer["detail"], str)
            return str(status) if plain else f"seed {seed}: {status} {str(answer)[:100]}", time.perf_counter() - began
        except Exception as error:
            return f"seed {seed}: {type(error).__name__} {error}", time.perf_counter() - began
        finally:
            connection.close()

    process = psutil.Process(pid)
    before = process.memory_info().rss
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(send, range(n_bodies)))
    statuses = Counter(what for what, _ in found)
    wrong = [what for what in statuses if not re.fullmatch(r"4\d\d", what)]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/health")
    return {
        "bodies": n_bodies,
        "statuses": {what: n for what, n in sorted(statuses.items()) if what not in wrong},
        "not_refused": wrong[:5],
        "slowest_s": max(seconds for _, seconds in found),
        "rss_mb": [before / 1e6, process.memory_info().rss / 1e6],
        "alive": connection.getresponse().status == 200,
    }


def as_png(image: np.ndarray) -> bytes:
    from PIL import Image

    stored = io.BytesIO()
    Image.fromarray(image).save(stored, "PNG")
    return stored.getvalue()


def export(path: Path) -> list[bytes]:
    """Write a classifier of pictures; return pictures that it did not see."""
    from skltransfer import TransferClassifier
    from skltransfer import export as exported
    from skltransfer.datasets import load_fashion_sample

    sample = load_fashion_sample()
    pictures = [as_png(image) for image in sample.images]
    clf = TransferClassifier("efficientnet_lite0", image_size=128).fit(pictures[::2], sample.target[::2])
    exported.save(clf, path)
    return pictures[1::2]


def main(seconds: float, n_malformed: int) -> None:
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clf.onnx"
        pictures = export(path)
        if seconds:
            with server(path, "--batch-size", str(BATCH)) as (port, pid):
                found |= load(port, pid, path, pictures, seconds)
        if n_malformed:
            with server(path, "--max-bytes", str(MAX_BYTES)) as (port, pid):
                found["malformed"] = send_malformed(port, pid, n_malformed)
    report("serve_load", clients=CLIENTS, batch=BATCH, threads=os.environ.get("OMP_NUM_THREADS"), **found)


if __name__ == "__main__":
    if sys.argv[1:2] == ["malformed"]:
        main(0, int(sys.argv[2]) if len(sys.argv) > 2 else N_MALFORMED)
    else:
        given = sys.argv[1:]
        main(float(given[0]) if given else SECONDS, int(given[1]) if len(given) > 1 else N_MALFORMED)
