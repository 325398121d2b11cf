"""Bodies of HTTP requests that no server should answer, as broken clients and strangers send them."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

PICTURES, JSON, FORM = "image/png", "application/json", "multipart/form-data; boundary=edge"
Body = tuple[str, bytes]
"""Content type and content."""


def malformed(seed: int, max_bytes: int) -> Body:
    """Make a body that is wrong for every predictor of images.

    Parameters
    ----------
    seed : int
        Decides what is wrong.
    max_bytes : int
        Bytes of a body that the server reads.
    """
    random = np.random.default_rng(seed)
    if seed % 50 == 49:
        return PICTURES, bytes(max_bytes + 1 + random.integers(1000))
    return MAKERS[seed % len(MAKERS)](random)


def picture(random: np.random.Generator, kind: str = "PNG") -> bytes:
    """Return a picture of noise."""
    from PIL import Image

    stored = io.BytesIO()
    size = random.integers(20, 80, 2)
    Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(stored, kind)
    return stored.getvalue()


def form(
    content: bytes, end: bytes = b"\r\n--edge--\r\n", disposition: str = 'form-data; name="a"; filename="b"'
) -> bytes:
    return b"--edge\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + content + end


def _truncated(random: np.random.Generator) -> bytes:
    whole = picture(random, ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF")[random.integers(6)])
    return whole[: int(len(whole) * random.uniform(0, 0.7))]


def _truncated_picture(random: np.random.Generator) -> Body:
    return PICTURES, _truncated(random)


def _truncated_upload(random: np.random.Generator) -> Body:
    return FORM, form(_truncated(random))


def _noise(random: np.random.Generator) -> Body:
    kinds = (PICTURES, "image/jpeg", "application/octet-stream", JSON, FORM)
    return kinds[random.integers(len(kinds))], random.bytes(random.integers(0, 2000))


def _bomb(random: np.random.Generator) -> Body:
    """Return a small file that says that it has billions of pixels."""
    side = int(random.integers(2**13, 2**16))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(10**6))
    parts = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part)) for name, part in parts
    ]
    return PICTURES, b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _deep(random: np.random.Generator) -> Body:
    depth = int(10 ** random.uniform(1.8, 5.5))
    inner = ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth)[random.integers(2)]
    return JSON, f'{{"samples": [{inner}]}}'.encode()


SAMPLES = (
    None, True, 1, 1e308, "a", "/etc/passwd", "file:///etc/passwd", "http://localhost/", "", {}, [], [[]], [None],
    {"samples": []}, [["a"]], [[1], [2, 3]], [[[1e400]]], [[10**400]], "\ud800", "aGVsbG8=", [[{}]], [[[[[[1]]]]]],
)  # fmt: skip


def _wrong_types(random: np.random.Generator) -> Body:
    found = [SAMPLES[random.integers(len(SAMPLES))] for _ in range(random.integers(1, 4))]
    return JSON, json.dumps({"samples": found}).encode()


def _wrong_body(random: np.random.Generator) -> Body:
    texts = (
        "", "null", "[]", "1", '"samples"', "{}", '{"samples": []}', '{"samples": 1}', '{"samples": {"0": [1]}}', "{",
        '{"samples": [[NaN]]}', '{"samples": [[Infinity]]}', '{"samples": [[1]], "path": "/etc/passwd"}', "samples=1",
        '{"samples": [' + "9" * 5000 + "]}", '{"samples": [' + "[], " * 5000 + "[]]}",
    )  # fmt: skip
    return JSON, texts[random.integers(len(texts))].encode()


def _truncated_json(random: np.random.Generator) -> Body:
    whole = json.dumps({"samples": random.integers(0, 256, (2, 28, 28)).tolist()}).encode()
    return JSON, whole[: random.integers(len(whole))]


def _wrong_shape(random: np.random.Generator) -> Body:
    shape = random.integers(1, 12, random.integers(2, 6))
    return JSON, json.dumps({"samples": random.normal(size=shape).tolist()}).encode()


def _wrong_form(random: np.random.Generator) -> Body:
    whole = picture(random)
    forms = (
        ("multipart/form-data", form(whole)),
        (FORM, form(whole, end=b"")[: random.integers(1, 80)]),
        (FORM, form(whole, disposition="form-data")),
        (FORM, form(b"no file", disposition='form-data; name="a"')),
        (FORM, form(b"/etc/passwd")),
        (FORM, b"--edge--\r\n"),
        (FORM, b""),
        ("multipart/form-data; boundary=other", form(whole)),
    )
    return forms[random.integers(len(forms))]


def _wrong_content_type(random: np.random.Generator) -> Body:
    kinds = (
        "",
        "text/html",
        "application/xml",
        "application/x-www-form-urlencoded",
        "a" * 500,
        "image",
        "application/json/",
    )
    return kinds[random.integers(len(kinds))], picture(random)


MAKERS: tuple[Callable[[np.random.Generator], Any], ...] = (
    _truncated_picture, _truncated_upload, _noise, _bomb, _deep, _wrong_types, _wrong_body, _truncated_json,
    _wrong_shape, _wrong_form, _wrong_content_type,
)  # fmt: skip
