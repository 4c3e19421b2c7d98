"""Options that several commands have, and how a dangerous one asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from queuectl.model import values

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def policy_options(command: F) -> F:
    """--max-retries, --backoff-base, --backoff-factor. Their bounds are checked where all values are."""
    for option in (
        click.option("--backoff-factor", metavar="F", help="By how much each pause is longer than the one before."),
        click.option("--backoff-base", metavar="TIME", help="Pause before the first retry."),
        click.option("--max-retries", metavar="N", help="Retries after the first attempt."),
    ):
        command = option(command)
    return command


def timeout_option(command: F) -> F:
    """--timeout."""
    return click.option("--timeout", metavar="TIME", help="End an attempt that takes longer; 0 for no limit.")(
        command
    )


def limit_options(command: F) -> F:
    """--memory, --cpu-time, --max-output, --max-processes: what one attempt may use."""
    for option in (
        click.option("--max-processes", metavar="N", help="End an attempt that has more processes and threads."),
        click.option("--max-output", metavar="SIZE", help="End an attempt that prints more, as in 10M."),
        click.option("--cpu-time", metavar="TIME", help="End an attempt that takes more processor time."),
        click.option("--memory", metavar="SIZE", help="End an attempt that holds more memory, as in 512M or 2G."),
    ):
        command = option(command)
    return command


yes_option = click.option("--yes", "-y", is_flag=True, help="Don't ask.")


class Seconds(click.ParamType):  # type: ignore[type-arg]
    """A length of time in seconds, or with a unit, between two bounds."""

    name = "time"

    def __init__(self, least: float, most: float) -> None:
        self._least = least
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Its seconds."""
        name = str(param.name) if param is not None else "time"
        return values.seconds(name, value, self._most, least=self._least)


def confirm(question: str, *, yes: bool, needed: bool = True) -> None:
    """Ask on a terminal. Elsewhere `--yes` is needed, unless ``needed`` is false. Aborts on a no."""
    from queuectl.cli.output import is_terminal

    if yes:
        return
    if is_terminal("stdin"):
        if not click.confirm(question, err=True):
            raise click.Abort
    elif needed:
        raise click.UsageError(f"{question} There is no terminal to ask on: add --yes to say so.")
