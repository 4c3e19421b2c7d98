"""A command's messages to people, apart from its output: notes, hints, errors."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

import click

from queuectl.cli.command_line import with_given_options
from queuectl.cli.screens.terminal import is_terminal, style, terminal_width
from queuectl.text import printable

if TYPE_CHECKING:
    from queuectl.errors import QueuectlError

LONGEST_ERROR = 1_000


def note(text: str, command: str = "", *, after: str = "") -> None:
    """Print a message on stderr, after the red word ``after``, wrapped to the terminal's width.

    ``command`` follows unbroken, on its own line if necessary, so that it can be copied.
    """
    lines = _fitted(after + printable(text), "stderr", command)
    click.echo("\n".join([style(after, "red", err=True) + lines[0].removeprefix(after), *lines[1:]]), err=True)


def say(text: str, command: str = "") -> None:
    """Print a sentence that is part of the requested output: the same, on stdout."""
    click.echo("\n".join(_fitted(printable(text), "stdout", command)))


def hint(text: str, command: str = "") -> None:
    """Print advice that only a person at a terminal wants."""
    if is_terminal("stderr"):
        note(text, command)


def say_that_it_waits(error: QueuectlError) -> None:
    """Print that the server can't be reached, and that the command waits for it."""
    note(f"{error.message.removesuffix('.')}; waiting for it (Ctrl-C to give up).")


def complain(error: QueuectlError) -> None:
    """Print an error: what, why, and what to type next, with the global options of this command."""
    note(_shortened(error.message), after="Error: ")
    for line in error.details:
        note("  " + _shortened(line))
    if error.hint:
        note(_shortened(with_given_options(error.hint)))


def _fitted(text: str, stream: str, command: str) -> list[str]:
    """Wrap to whole lines on a terminal; one line elsewhere. Breaks no word, since it may be copied."""
    width = terminal_width() if stream == "stdout" else shutil.get_terminal_size().columns
    if (stream == "stderr" and not is_terminal(stream)) or len(text) + len(command) < width:
        return [f"{text} {command}".rstrip()]
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
    if command and len(lines[-1]) + len(command) < width:
        return [*lines[:-1], f"{lines[-1]} {command}"]
    return [*lines, command] if command else lines


def _shortened(text: str) -> str:
    """Cut the middle if the text quotes a value too long to read."""
    return text if len(text) <= LONGEST_ERROR else f"{text[: LONGEST_ERROR - 200]} … {text[-200:]}"
