"""``skltransfer demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command to a parser."""
    demo = commands.add_parser("demo", help="search and fit a classifier on 100 real images, offline, in a minute")
    demo.add_argument("--out", type=Path, default=Path("skltransfer-demo.png"), help="where the image goes")
    demo.set_defaults(run=run)


def run(options: Any) -> None:
    """Run the demonstration."""
    from skltransfer.demo import run

    run(options.out)
