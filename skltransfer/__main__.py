"""The command line: ``skltransfer demo``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Defaults to those of the process.

    Returns
    -------
    int
        Exit status: 0, or 1 if something that the user can mend was missing.
    """
    parser = argparse.ArgumentParser(prog="skltransfer", description="Transfer learning for scikit-learn.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="search and fit a classifier on 100 real images, offline, in a minute")
    demo.add_argument("--out", type=Path, default=Path("skltransfer-demo.png"), help="where the image goes")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        from skltransfer.demo import run

        run(options.out)
    except (ImportError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
