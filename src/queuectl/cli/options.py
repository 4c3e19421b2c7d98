"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from queuectl.options import OPTIONS, SETTINGS, Option
from queuectl.worker.options import PoolOptions

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def job_options(command: F) -> F:
    """Add all options of a job. Their bounds are checked where all values are."""
    return _options(OPTIONS.values(), command)


def setting_options(command: F) -> F:
    """Add all settings of a queue."""
    return _options(SETTINGS.values(), command)


def pool_options(command: F) -> F:
    """Add all options of a pool."""
    return _options(PoolOptions.table.values(), command)


def _options(options: Iterable[Option[Any]], command: F) -> F:
    for option in reversed(list(options)):
        command = click.option(
            *option.flags,
            option.name,
            metavar=option.kind.metavar or None,
            multiple=option.many,
            is_flag=option.switch or None,
            default=None,
            help=option.help,
        )(command)
    return command
