"""What the first bytes of a file say of it, whatever it is called."""

from __future__ import annotations

import codecs
import os
import re
import stat

START = 1024
"""Bytes that are looked at."""

PICTURES = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+",
    b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\0\0\0\x0cJXL ", b"\0\0\1\0", b"DDS ", b"8BPS",
)  # fmt: skip
SOUNDS = (b"fLaC", b"OggS", b".snd", b"caff", b"ID3", b"riff\x2e\x91\xcf\x11")
IN_CONTAINERS = {
    b"RIFF": {b"WEBP": "image_files", b"WAVE": "audio"},
    b"RIFX": {b"WAVE": "audio"},
    b"RF64": {b"WAVE": "audio"},
    b"FORM": {b"AIFF": "audio", b"AIFC": "audio"},
}
"""What is in a container whose bytes 8 to 12 say it."""

STILL = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")
PORTABLE = re.compile(rb"P[1-6]\s+(#[^\n]*\n\s*)*\d+\s")
OTHERS = {b"%PDF": "a PDF file", b"PK\3\4": "a ZIP archive", b"\x1f\x8b": "a gzip archive", b"\x7fELF": "a program"}


def kind_of(start: bytes) -> str:
    r"""Tell what a file holds by its first bytes.

    Parameters
    ----------
    start : bytes
        The first `START` bytes, or all there are.

    Returns
    -------
    str
        "image_files", "audio" or "texts", as the parameter ``sample_kind`` calls them; "" if none of these.

    Examples
    --------
    >>> kind_of(b"GIF89a..."), kind_of(b"fLaC..."), kind_of("déjà vu".encode()), kind_of(b"PK\3\4")
    ('image_files', 'audio', 'texts', '')
    """
    if start.startswith(PICTURES) or PORTABLE.match(start) or _is_bitmap(start):
        return "image_files"
    if start.startswith(SOUNDS) or _is_mp3(start):
        return "audio"
    if start[4:8] == b"ftyp":
        return "image_files" if start[8:12] in STILL else ""
    inside = IN_CONTAINERS.get(start[:4], {}).get(start[8:12])
    if inside:
        return inside
    return "texts" if start and not start.startswith(tuple(OTHERS)) and _is_text(start) else ""


def what_else(start: bytes) -> str:
    """Name what is none of these, for a sentence."""
    if not start:
        return "empty"
    found = (what for signature, what in OTHERS.items() if start.startswith(signature))
    return next(found, "no picture, sound or text in UTF-8")


def first_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read the first bytes of a file.

    Raises
    ------
    OSError
        If it cannot be read, or is no file, but what may be waited on for ever.
    """
    opened = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError("it is no ordinary file")
        return os.read(opened, START)
    finally:
        os.close(opened)


def _is_bitmap(start: bytes) -> bool:
    return start[:2] == b"BM" and start[15:18] == b"\0\0\0" and 12 <= start[14] <= 124


def _is_mp3(start: bytes) -> bool:
    """Tell whether these bytes begin with the header of a frame of layer III."""
    if len(start) < 4 or start[0] != 0xFF or start[1] & 0xE6 != 0xE2:
        return False
    return start[2] >> 4 not in (0, 15) and start[2] & 0x0C != 0x0C


def _is_text(start: bytes) -> bool:
    """Tell whether these are characters in UTF-8, of which the last may be cut."""
    if b"\0" in start:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start, final=len(start) < START)
    except UnicodeDecodeError:
        return False
    return True
