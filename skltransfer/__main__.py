"""The command line, ``skltransfer COMMAND``."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from skltransfer._cli import adapt, demo, evaluate, export, fit, predict, rank, serve
from skltransfer._cli._outputs import in_one_line, say
from skltransfer._cli.completion import SHELLS, PrintCompletion
from skltransfer._version import __version__

COMMANDS = (fit, predict, evaluate, rank, adapt, demo, export, serve)
SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "1"}
"""Of this process, which is ours, unless its user has others: no chatter, and fast convolutions on any processor."""
INTERRUPTED = 130
"""Exit status of a program that Ctrl-C ended, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Defaults to those of the process.

    Returns
    -------
    int
        Exit status: 0; 1 if something that the user can mend was missing or wrong; 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    if "tensorflow" not in sys.modules:  # which reads them once
        for setting, value in SETTINGS.items():
            os.environ.setdefault(setting, value)
    try:
        with _for_people():
            options.run(options)
            sys.stdout.flush()
    except KeyboardInterrupt:
        say("Interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # who reads stdout has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ImportError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        say(in_one_line(error))
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skltransfer",
        description="From a folder of pictures, sounds or texts to a model, and from there to predictions.",
        epilog=f"example:\n  {fit.EXAMPLE}\n  {predict.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"skltransfer {__version__}")
    parser.add_argument(
        "--print-completion",
        choices=SHELLS,
        action=PrintCompletion,
        help="print what a shell needs, and end",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(
            commands, epilog=f"example:\n  {command.EXAMPLE}", formatter_class=argparse.RawDescriptionHelpFormatter
        )
    return parser


@contextmanager
def _for_people() -> Iterator[None]:
    """Show warnings in one line, progress on stderr, and names that are not in the terminal's alphabet."""
    import rich

    def show(message: Warning | str, *_: Any, **others: Any) -> None:
        say(f"Warning: {' '.join(str(message).split())}")

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    before, warnings.showwarning = warnings.showwarning, show
    rich.reconfigure(stderr=True)
    try:
        yield
    finally:
        warnings.showwarning = before
        rich.reconfigure()


if __name__ == "__main__":
    sys.exit(main())
