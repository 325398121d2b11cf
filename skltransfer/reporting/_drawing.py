"""Drawings of matplotlib as part of the page: vectors whose colors follow light and dark."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from html import escape
from itertools import count
from typing import Any

from skltransfer.reporting._html import Markup, tag

THEME = {
    "#010101": "var(--text)",
    "#020202": "var(--edge)",
    "#030303": "var(--accent)",
    "#040404": "var(--warm)",
    "#050505": "var(--gray)",
    "#000000": "var(--text)",
    "#0072b2": "var(--accent)",
    "#999999": "var(--gray)",
    "#d55e00": "var(--warm)",
}
"""Colors that stand for those of the page; the last ones are those of the displays."""
TEXT, EDGE, ACCENT, WARM, GRAY = list(THEME)[:5]

STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.titlecolor": TEXT,
    "axes.edgecolor": EDGE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
"""Texts stay texts, so that any script is drawn by the browser, and dollars are dollars."""


def drawing(draw: Callable[[Any], object], alt: str, *, width: float = 4.8, height: float = 3.6) -> Markup:
    """Draw into axes, and return an image with a text that says what is in it.

    Parameters
    ----------
    draw : callable
        Gets axes of matplotlib.
    alt : str
        What the drawing shows, in a sentence.
    width, height : float
        In inches; at most as wide as the page.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # the browser has the letters
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.subplots())
        figure.savefig(buffer, format="svg")
    return Markup(_inlined(buffer.getvalue(), alt, f"d{next(NUMBERS)}-"))


NUMBERS = count()
"""Of the drawings of this process, so that names within a page are its own."""


def _inlined(svg: str, alt: str, prefix: str) -> str:
    """Take an SVG file into a page of HTML: no header, names of its own, colors of the page, a text."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(?<= )id="([^"]*)"', rf'id="{prefix}\1"', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}", svg)
    opened = svg.index(">")
    head = re.sub(r' (?:xmlns(?::\w+)?|version)="[^"]*"', "", svg[:opened])
    body = re.sub("|".join(THEME), lambda found: THEME[found.group().lower()], svg[opened:], flags=re.IGNORECASE)
    body = body.replace("xlink:href", "href")
    return f'{head} role="img" aria-label="{escape(alt)}"{body}'


def figure(image: Markup, caption: Any = None, class_: str | None = None) -> Markup:
    """Put an image into a figure with a caption."""
    return tag("figure", image, *([] if caption is None else [tag("figcaption", caption)]), class_=class_)
