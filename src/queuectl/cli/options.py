"""Options that several commands have, and how a dangerous one asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from queuectl.options import OPTIONS, SETTINGS, Option
from queuectl.options.values import seconds

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def job_options(command: F) -> F:
    """All options of a job. Their bounds are checked where all values are."""
    return _options(OPTIONS.values(), command)


def setting_options(command: F) -> F:
    """All settings of a queue."""
    return _options(SETTINGS.values(), command)


def _options(options: Iterable[Option[Any]], command: F) -> F:
    for option in reversed(list(options)):
        command = click.option(
            option.flag, option.name, metavar=option.kind.metavar, multiple=option.many, help=option.help
        )(command)
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
        return seconds(name, value, self._most, least=self._least)


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
