"""Commands in hints: with the program's path and the global options of the command that gives the hint.

A hint that forgets `--namespace` would start the workers of another queue.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys

import click

from queuectl.cli.app import App

PROGRAM = "queuectl"


def command_line(words: str = "") -> str:
    """Return ``words`` (in shell syntax, such as ``worker start --count 2``) as the user would type them here."""
    context = click.get_current_context(silent=True)
    app = context.find_object(App) if context is not None else None
    given = shlex.join(app.given_options()) if app is not None else ""
    return " ".join(part for part in (_program(), given, words) if part)


def with_given_options(text: str) -> str:
    """Do this for each queuectl command in ``text``: code that raises errors does not know the options."""
    from queuectl.cli.commands import COMMANDS

    names = "|".join(COMMANDS)
    return re.sub(rf"(?<![\w/.-]){PROGRAM} (?=(?:{names})\b)", lambda _: command_line() + " ", text)


def _program() -> str:
    """Return the program as it was called; only its name if that finds the same program."""
    called = sys.argv[0]
    if os.path.basename(called) == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m {PROGRAM}"
    if "/" not in called or not os.path.exists(called):
        return PROGRAM
    found = shutil.which(PROGRAM)
    if found is not None and os.path.realpath(found) == os.path.realpath(called):
        return PROGRAM
    return shlex.quote(called)
