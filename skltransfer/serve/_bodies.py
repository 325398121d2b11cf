"""Bodies of requests to samples; what they hold is content, never a place from which content is read."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skltransfer._inputs.audio import LONGEST, Audio
from skltransfer._inputs.decoding import decode
from skltransfer._inputs.formats import LUMINANCE
from skltransfer._keras.optional import import_optional
from skltransfer._utils.types import Array
from skltransfer.serve._predictors import Served

PICTURES = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
"""Formats of files that are opened; others that Pillow knows start programs, or are rare."""

MOST_SAMPLES = 4096
"""Samples of one request."""

SENTENCE = 400
"""Characters of an error sentence."""


@dataclass(frozen=True)
class Limits:
    """What a server does not go beyond; see `create_app`."""

    max_bytes: int
    max_pixels: int
    timeout: float
    batch_size: int
    max_requests: int


class Refused(Exception):
    """A request that is not answered, with the status of HTTP and the sentence that say why."""

    def __init__(self, status: int, sentence: Any) -> None:
        self.status, self.sentence = status, " ".join(str(sentence).split())[:SENTENCE]
        super().__init__(self.sentence)


class Reader:
    """Reads bodies as a predictor takes samples.

    Parameters
    ----------
    served : Served
        The network, and how samples get there.
    limits : Limits
        How large they may be.
    """

    def __init__(self, served: Served, limits: Limits) -> None:
        self.names = served.columns.names
        # columns are brought into order here, so that no warning of missing names is due
        self.served, self.limits = replace(served, columns=replace(served.columns, names=None)), limits
        self.kind = served.format.kind
        self.takes_files = self.kind.is_image or self.kind.is_text or isinstance(self.kind, Audio)

    def read(self, content_type: str, content: bytes) -> list[Array]:
        """Read a body, and bring each of its samples to what the network takes.

        Raises
        ------
        Refused
            If it is of another type than samples, damaged, or too large.
        """
        kind = content_type.partition(";")[0].strip().lower()
        if kind == "application/json":
            return self._of_json(content)
        if kind == "multipart/form-data":
            return self._of_files(_uploaded(content_type, content))
        if kind.startswith(("image/", "audio/")) or kind in ("text/plain", "application/octet-stream"):
            return self._of_files([content])
        raise Refused(
            415,
            f"Got the content type {kind[:80]!r}. Expected application/json, multipart/form-data, text/plain, "
            "image/... or audio/...",
        )

    def _of_json(self, content: bytes) -> list[Array]:
        try:
            body = json.loads(content, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise Refused(400, f"The body cannot be read as JSON: {error}.") from error
        samples = body.get("samples") if isinstance(body, dict) else None
        if not isinstance(samples, list) or not samples or len(body) > 1:
            raise Refused(422, 'The body: expected {"samples": [...]} with a list of at least one sample.')
        _check_number_of(samples)
        return self._prepared([self._sample(sample, position) for position, sample in enumerate(samples)])

    def _of_files(self, contents: Sequence[bytes]) -> list[Array]:
        if not self.takes_files:
            raise Refused(415, f'Samples are {self.kind.noun}: expected {{"samples": [...]}} as application/json.')
        _check_number_of(contents)
        return self._prepared([self._content(content, position) for position, content in enumerate(contents)])

    def _prepared(self, samples: list[Any]) -> list[Array]:
        try:
            return self.served.prepared(samples)
        except Exception as error:  # readers of damaged content raise whatever comes
            raise Refused(422, error) from error

    def _sample(self, sample: Any, position: int) -> Any:
        """Return what JSON holds: a text, a file in base64, or numbers."""
        if isinstance(sample, str) and self.takes_files:
            return sample if self.kind.is_text else self._content(_from_base64(sample, position), position)
        if self.names is not None and isinstance(sample, dict):
            if sample.keys() != set(self.names):
                raise Refused(422, f"X: sample {position} has other columns. Expected {', '.join(self.names)}.")
            sample = [sample[name] for name in self.names]
        if self.kind.is_text or self.kind.sizes_vary or not isinstance(sample, list):
            what = "a string" if self.kind.is_text else "an image file in base64" if self.kind.sizes_vary else "a list"
            raise Refused(422, f"X: sample {position} is no {self.kind.noun}: expected {what}.")
        return _numbers(sample, position)

    def _content(self, content: bytes, position: int) -> Any:
        """Return the sample in a file."""
        if self.kind.is_image:
            return self._picture(content, position)
        if not self.kind.is_text:
            return self._sound(content, position)
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise Refused(422, f"X: sample {position} is no text in UTF-8: {error}.") from error

    def _picture(self, content: bytes, position: int) -> Any:
        """Open a picture, and bring it to the shape and the range of images that `fit` saw as arrays."""
        from PIL import Image

        try:
            image = Image.open(io.BytesIO(content), formats=PICTURES)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise Refused(413, f"X: sample {position} has too many pixels: {error}") from error
        except Exception as error:  # readers of damaged headers raise whatever comes
            raise Refused(422, f"X: sample {position} is no picture in {', '.join(PICTURES)}.") from error
        self._check_size(image.width * image.height, f"is a picture of {image.width} x {image.height} pixels", position)
        if self.kind.sizes_vary:
            return image
        format = self.served.format
        try:
            pixels: Array = decode(image, (format.shape[0], format.shape[1]))
        except Exception as error:
            raise Refused(422, f"X: sample {position} {error}") from error
        if format.shape[2] == 1:
            pixels = (pixels @ np.array(LUMINANCE))[..., None]
        pixels = format.low + pixels * ((format.high - format.low) / 255.0)
        return np.rint(pixels) if format.high - format.low > 2 else pixels  # as whole numbers are not taken for 0 to 1

    def _sound(self, content: bytes, position: int) -> bytes:
        soundfile = import_optional("soundfile", extra="serve", purpose="Reading sounds")
        try:
            with soundfile.SoundFile(io.BytesIO(content)) as sound:
                n_values = min(sound.frames, round(LONGEST * sound.samplerate)) * sound.channels
        except Exception as error:
            raise Refused(422, f"X: sample {position} is no sound that can be read: {error}") from error
        self._check_size(n_values, f"is a sound of {n_values} values", position)
        return content

    def _check_size(self, n_values: int, what: str, position: int) -> None:
        if n_values > self.limits.max_pixels:
            raise Refused(413, f"X: sample {position} {what}. Expected {self.limits.max_pixels} at most.")


def _uploaded(content_type: str, content: bytes) -> list[bytes]:
    """Return the files of a form."""
    from python_multipart.multipart import FormParser, parse_options_header

    found: list[Any] = []
    ended: list[bool] = []
    try:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        config = {"MAX_MEMORY_FILE_SIZE": len(content) + 1}
        parser = FormParser(
            "multipart/form-data", None, found.append, lambda: ended.append(True), boundary, config=config
        )
        parser.write(content)
        parser.finalize()
    except Exception as error:  # parsers of damaged forms raise whatever comes
        raise Refused(400, f"The form cannot be read: {error}.") from error
    if not found or not ended:
        raise Refused(422, f"The form: expected {'its end' if found else 'a file'}. Got none.")
    return [file.file_object.getvalue() for file in found]


def _check_number_of(samples: Sequence[Any]) -> None:
    if len(samples) > MOST_SAMPLES:
        raise Refused(413, f"Expected at most {MOST_SAMPLES} samples in a request. Got {len(samples)}.")


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _from_base64(text: str, position: int) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Refused(422, f"X: sample {position} is a string, but no file in base64: {error}.") from error


def _numbers(sample: list[Any], position: int) -> Array:
    """Return nested lists of numbers as an array, with NaN for null."""
    try:
        values = np.array(sample)
        if values.dtype == object and all(cell is None or type(cell) in (int, float) for cell in values.flat):
            values = values.astype(np.float64)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Refused(422, f"X: sample {position} is no list of numbers, or lists of one length: {error}.") from error
    if values.dtype.kind not in "buif":
        raise Refused(422, f"X: sample {position} holds something else than numbers.")
    return values
