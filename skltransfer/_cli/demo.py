"""``skltransfer demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from skltransfer._cli._outputs import check_output

EXAMPLE = "skltransfer demo --out demo.png"


def add(commands: Any, **options: Any) -> None:
    """Add the command to a parser."""
    demo = commands.add_parser("demo", help="search and fit a classifier on 100 real images", **options)
    demo.add_argument("--out", type=Path, default=Path("skltransfer-demo.png"), help="where the image goes")
    demo.set_defaults(run=run)


def run(options: Any) -> None:
    """Run the demonstration."""
    check_output(options.out)
    from skltransfer.demo import run

    run(options.out)
