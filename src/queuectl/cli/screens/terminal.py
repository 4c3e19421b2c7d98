"""This process's streams: whether a person is there, how wide the terminal is, and colour."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any

import click

from queuectl.schema.results import added_object

WITHOUT_TERMINAL = 200
"""The width if nothing else says it."""


def is_terminal(stream: str = "stdout") -> bool:
    """Whether the stream is a terminal."""
    try:
        return bool(getattr(sys, stream).isatty())
    except (AttributeError, ValueError):  # closed
        return False


def terminal_width() -> int:
    """Return the terminal's columns; without a terminal, those of ``COLUMNS``."""
    if is_terminal():
        return shutil.get_terminal_size((100, 24)).columns
    try:
        return max(0, int(os.environ.get("COLUMNS", ""))) or WITHOUT_TERMINAL
    except ValueError:
        return WITHOUT_TERMINAL


def style(text: str, colour: str | None, *, err: bool = False, bold: bool = False) -> str:
    """Return coloured text on a terminal, plain text elsewhere or with NO_COLOR."""
    if os.environ.get("NO_COLOR") or not is_terminal("stderr" if err else "stdout"):
        return text
    return click.style(text, fg=colour, bold=bold)


def give_up_output() -> None:
    """Drop what is not printed yet, as nobody reads it: Python would try again at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(value: Any) -> None:
    """Print one object on one line. Bytes that are not text become escaped surrogates, as in os.fsdecode."""
    click.echo(json.dumps(value))


def print_ids(ids: list[str], *, as_json: bool) -> None:
    """One id on a line, or one object with it; they are out when this returns."""
    try:
        if as_json:
            for job_id in ids:
                print_json(added_object(job_id))
        else:
            sys.stdout.write("\n".join(ids) + "\n")
            sys.stdout.flush()
    except OSError as error:
        if isinstance(error, BrokenPipeError) and len(ids) > 1:
            raise  # `enqueue --from FILE | head`
        what = "The job was added, but its id" if len(ids) == 1 else "The jobs were added, but their ids"
        click.echo(f"{what} can't be printed: {' '.join(ids)}", err=True)
        raise
