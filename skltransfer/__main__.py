"""The command line: ``skltransfer demo``, ``skltransfer export`` and ``skltransfer serve``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from skltransfer._cli import demo, export, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Defaults to those of the process.

    Returns
    -------
    int
        Exit status: 0, or 1 if something that the user can mend was missing or wrong.
    """
    parser = argparse.ArgumentParser(prog="skltransfer", description="Transfer learning for scikit-learn.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (demo, export, serve):
        command.add(commands)
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        options.run(options)
    except (ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
