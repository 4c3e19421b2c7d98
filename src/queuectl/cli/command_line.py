"""Commands as hints spell them: with the program's path and the global options of the command that gives the hint.

A hint that forgets `--namespace` starts the workers of another queue.
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
    """How ``words`` (a shell's, such as ``worker start --count 2``) would be typed here."""
    context = click.get_current_context(silent=True)
    app = context.find_object(App) if context is not None else None
    given = shlex.join(app.given_options()) if app is not None else ""
    return " ".join(part for part in (_program(), given, words) if part)


def with_given_options(text: str) -> str:
    """``text`` with each command of queuectl in it spelt so; errors are made where nothing is known of options."""
    from queuectl.cli.commands import COMMANDS

    names = "|".join(COMMANDS)
    return re.sub(rf"(?<![\w/.-]){PROGRAM} (?=(?:{names})\b)", lambda _: command_line() + " ", text)


def _program() -> str:
    """The program as it was called; its name alone if that finds the same one."""
    called = sys.argv[0]
    if os.path.basename(called) == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m {PROGRAM}"
    if "/" not in called or not os.path.exists(called):
        return PROGRAM
    found = shutil.which(PROGRAM)
    if found is not None and os.path.realpath(found) == os.path.realpath(called):
        return PROGRAM
    return shlex.quote(called)
