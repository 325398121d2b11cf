"""What shells need to complete commands and options, made from the parser."""

from __future__ import annotations

import argparse
import shlex
from typing import Any

BASH = """_skltransfer() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" words=""
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then words={commands}; fi
    if [ "$COMP_CWORD" -eq 1 ] || [ "${{current#-}}" != "$current" ]; then
        COMPREPLY=( $(compgen -W "$words" -- "$current") )
    fi
}}
complete -o default -F _skltransfer skltransfer
"""

SHELLS = ("bash", "zsh", "fish")


class PrintCompletion(argparse.Action):
    """Print what a shell needs, and end."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Print it."""
        print(completion(parser, values), end="")
        parser.exit()


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return a script for a shell that completes commands, options and file names.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        With one group of subcommands.
    shell : {"bash", "zsh", "fish"}
        The shell.
    """
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    helps = {choice.dest: choice.help or "" for choice in commands._choices_actions}
    options = {name: _options(own) for name, own in commands.choices.items()}
    if shell == "fish":
        return _fish(helps, options)
    cases = "\n".join(f"        {name}) words={shlex.quote(' '.join(own))} ;;" for name, own in options.items())
    script = BASH.format(cases=cases, commands=shlex.quote(" ".join(options)))
    return f"autoload -U +X bashcompinit && bashcompinit\n{script}" if shell == "zsh" else script


def _options(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return long options and what they are for."""
    return {
        name: (action.help or "") % {"default": action.default, "prog": parser.prog}
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--")
    }


def _fish(helps: dict[str, str], options: dict[str, dict[str, str]]) -> str:
    lines = []
    for name, said in helps.items():
        lines.append(f"complete -c skltransfer -n __fish_use_subcommand -f -a {name} -d {_quoted(said)}")
        lines += [
            f"complete -c skltransfer -n '__fish_seen_subcommand_from {name}' -l {option[2:]} -d {_quoted(text)}"
            for option, text in options[name].items()
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
