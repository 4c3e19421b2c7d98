"""Asks before a command does something irreversible."""

from __future__ import annotations

import click

from queuectl.cli.screens.terminal import is_terminal

yes_option = click.option("--yes", "-y", is_flag=True, help="Don't ask.")


def confirm(question: str, *, yes: bool, needed: bool = True) -> None:
    """Ask on a terminal. Elsewhere require `--yes`, unless ``needed`` is false. Aborts on a no."""
    if yes:
        return
    if is_terminal("stdin"):
        if not click.confirm(question, err=True):
            raise click.Abort
    elif needed:
        raise click.UsageError(f"{question} There is no terminal to ask on: confirm with --yes.")
