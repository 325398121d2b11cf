"""Pieces of the page; whatever is text is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

NOTHING = "-"
"""What is written in a cell without a value."""

TEMPLATE = Path(__file__).with_name("page.html")


class Markup(str):
    """Text that is HTML already."""


def markup(value: Any) -> Markup:
    """Escape a value, unless it is HTML already."""
    return value if isinstance(value, Markup) else Markup(escape(str(value)))


def tag(name: str, *content: Any, **attributes: Any) -> Markup:
    """Make an element; None leaves an attribute out, and an underscore at the end of its name is dropped.

    Examples
    --------
    >>> tag("p", "a < b", class_="soft")
    '<p class="soft">a &lt; b</p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{''.join(map(markup, content))}</{name}>")


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]], label: str, chosen: Sequence[int] = ()) -> Markup:
    """Make a table that scrolls in a box of its own where it is wide; the first cell of a row is its heading."""
    header = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head)))
    lines = [
        tag("tr", tag("th", first, scope="row"), *(tag("td", value) for value in rest),
            class_="chosen" if number in chosen else None)
        for number, (first, *rest) in enumerate(rows)
    ]  # fmt: skip
    return box(tag("table", tag("caption", label, class_="unseen"), header, tag("tbody", *lines)), label)


def box(content: Markup, label: str) -> Markup:
    """Put something wide into a box that can be scrolled, by the keyboard too."""
    return tag("div", content, class_="wide", tabindex=0, role="region", aria_label=label)


def section(title: str, *content: Any, level: int = 2) -> Markup:
    """Make a section with its heading."""
    return tag("section", tag(f"h{level}", title), *content)


def number(value: Any) -> str:
    """Write a number in four digits.

    Examples
    --------
    >>> number(0.123456), number(12), number(float("nan")), number("text")
    ('0.1235', '12', '-', 'text')
    """
    if isinstance(value, float):
        return NOTHING if value != value else f"{round(value, 12):.4g}"
    return str(value)


def page(title: str, content: Iterable[Markup]) -> str:
    """Fill the template."""
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    return template.substitute(title=escape(title), content="\n".join(content))
