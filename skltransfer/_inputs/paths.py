"""Which strings are paths, and which are texts."""

from __future__ import annotations

import os
import re
from enum import Enum

IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
    ".avif", ".heic", ".heif", ".jp2", ".j2k", ".jxl", ".tga", ".ico", ".dcm", ".psd", ".svg", ".exr", ".hdr", ".raw",
    ".cr2", ".nef", ".arw", ".dng",
)  # fmt: skip
"""Endings of images, also of those that cannot be read: their paths are no texts."""

AUDIO_SUFFIXES = (
    ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64",
    ".m4a", ".aac", ".wma", ".amr", ".ape", ".ac3", ".mka",
)  # fmt: skip
"""Endings of sounds, also of those that cannot be read."""

LONGEST_PATH = 1024
WEB_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://\S+", re.IGNORECASE)
DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+[;,]", re.IGNORECASE)
NO_PATH = re.compile(r'[\s<>|"*?]')
SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")


class Written(Enum):
    """What a string is."""

    PATH = "a path"
    TEXT = "a text"
    EITHER = "a path or a text"


def written(text: str) -> Written:
    """Tell whether a string is a path or a text; that is open if it has the look of a path but there is no such file.

    A path is a string that names a file or folder, ends as images and sounds do and has no white space, or holds an
    image (``data:image/png;base64,…``). What has a separator or an ending, and no white space, may be a path, and so
    may a web address.

    Examples
    --------
    >>> [written(text).name for text in ("cat.heic", "see and/or try a.b", "and/or", "a word", "https://a.b/c.png?x=1")]
    ['PATH', 'TEXT', 'EITHER', 'TEXT', 'EITHER']
    """
    if DATA_URI.match(text):
        return Written.PATH
    if len(text) > LONGEST_PATH or "\n" in text:
        return Written.TEXT
    if WEB_ADDRESS.fullmatch(text):
        return Written.EITHER
    separated, ended = bool(set(text) & {"/", os.sep, "\\"}), text.lower().endswith(IMAGE_SUFFIXES + AUDIO_SUFFIXES)
    if exists(text):
        return Written.PATH if separated or ended or SUFFIX.search(text) else Written.EITHER
    if ended:
        return Written.EITHER if NO_PATH.search(text) else Written.PATH
    if NO_PATH.search(text) or text.endswith((".", ",", ";", "!", ":")):
        return Written.TEXT
    return Written.EITHER if separated or (SUFFIX.search(text) and "@" not in text) else Written.TEXT


def exists(text: str) -> bool:
    """Tell whether there is such a file, or a folder that is written as a path."""
    try:
        return os.path.isfile(text) or (bool(set(text) & {"/", os.sep}) and os.path.isdir(text))
    except ValueError:  # a text with a null character
        return False


def is_audio_path(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path).lower().endswith(AUDIO_SUFFIXES)


def absent(text: str, position: int) -> ValueError:
    """Say that a string looks like a path, but leads to no file."""
    shown = text if len(text) <= 80 else f"{text[:77]}…"
    if DATA_URI.match(text):
        what, remedy = "is a data URI", "pass the bytes in it, base64.b64decode(sample.partition(',')[2])"
    elif WEB_ADDRESS.fullmatch(text):
        what, remedy = "is a web address", "download the files"
    else:
        what, remedy = "is missing: it looks like a path, but there is no such file", "correct the path"
    return ValueError(
        f"X: sample {position}, {shown!r}, {what}. Expected paths of files on this machine; {remedy}, or pass "
        "sample_kind='texts' if samples are texts."
    )
