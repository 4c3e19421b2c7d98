"""`queuectl config`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.groups import Noun
from queuectl.cli.options import json_option, setting_options
from queuectl.cli.screens.table import pairs, table
from queuectl.cli.screens.terminal import print_json, terminal_width
from queuectl.errors import BadConfiguration, InvalidInput, QueuectlError
from queuectl.options import SETTINGS
from queuectl.schema.results import settings_object
from queuectl.text import one_line, printable

if TYPE_CHECKING:
    from queuectl.settings import Settings

NARROW = 60
"""A terminal with fewer columns is too narrow for a table of three."""


@click.group(name="config", cls=Noun)
def config_command() -> None:
    """Settings of the whole queue, kept in the server. Each machine has its own connection settings.

    \b
    Examples:
      queuectl config show
      queuectl config set --max-retries 5 --backoff-base 2 --backoff-factor 3
      queuectl config reset
    """


@config_command.command(name="show")
@click.option("--origin", is_flag=True, help="Show each value's origin, and this machine's settings too.")
@json_option
@pass_app
def show(app: App, origin: bool, as_json: bool) -> None:
    """Show the current configuration.

    \b
    Examples:
      queuectl config show
      queuectl config show --origin
    """
    values: dict[str, tuple[Any, str]] = {}
    trouble: QueuectlError | None = None
    try:
        values |= {name: _stored(value) for name, value in app.config.values().items()}
    except QueuectlError as error:
        if not origin:
            raise
        trouble = error  # now the user wants to know where the server's address comes from
    if origin:
        values |= _local(app)
    if as_json:
        print_json(settings_object(values, origins=origin))
    elif origin and terminal_width() < NARROW:
        pairs({_spelt(name): f"{_meaning(name, value)}, {where}" for name, (value, where) in values.items()})
    else:
        headings = ["SETTING", "VALUE", "ORIGIN"] if origin else ["SETTING", "VALUE"]
        table(
            headings,
            [
                [_spelt(name), _meaning(name, value), where][: len(headings)]
                for name, (value, where) in values.items()
            ],
        )
    if trouble is not None:
        raise trouble


@config_command.command(name="set")
@click.argument("assignments", metavar="[NAME=VALUE]...", nargs=-1)
@setting_options
@json_option
@pass_app
def set_(app: App, /, assignments: tuple[str, ...], as_json: bool, **changes: Any) -> None:
    """Change settings. A job keeps those that were in force when it was enqueued.

    \b
    Examples:
      queuectl config set --max-retries 5 --backoff-base 2 --backoff-factor 3
      queuectl config set --timeout 1h --completed-retention 30d
      queuectl config set max-retries=5

    A TIME is in seconds, or has a unit: 90s, 10m, 1h30m, 7d. A SIZE is in bytes, or has one: 100k, 512M, 2G.
    """
    given = {name: value for name, value in changes.items() if value is not None} | _assigned(assignments)
    if not given:
        raise click.UsageError("Name at least one setting, such as --max-retries 5.")
    app.config.change(given)
    current = app.config.values()
    if as_json:
        print_json(settings_object({name: _stored(current[name]) for name in given}, origins=False))
        return
    for name in given:
        click.echo(f"{_spelt(name)} = {printable(_meaning(name, current[name][0]))}")


@config_command.command(name="reset")
@json_option
@pass_app
def reset(app: App, as_json: bool) -> None:
    """Reset the configuration to its default values.

    \b
    Examples:
      queuectl config reset
    """
    app.config.reset()
    if as_json:
        values = {name: _stored(value) for name, value in app.config.values().items()}
        print_json(settings_object(values, origins=False))
    else:
        click.echo("The configuration has its default values again.")


def _spelt(name: str) -> str:
    """Return a setting as its option is written."""
    return name.replace("_", "-")


def _meaning(name: str, value: Any) -> str:
    """Format a value for people: durations and sizes with their exact number, and 0 as none where it means that."""
    option = SETTINGS.get(name)
    if option is None:
        return str(value)  # one of this machine's own settings
    return "none" if option.unlimited and not value else option.kind.meaning(value)


def _assigned(words: tuple[str, ...]) -> dict[str, str]:
    """Parse ``NAME=VALUE`` words; names have dashes or underscores."""
    values = {}
    for word in words:
        name, equals, value = word.partition("=")
        name = name.lstrip("-").replace("-", "_")
        if not equals:
            raise InvalidInput(
                f"{one_line(word, 40)!r} sets nothing.", "Give NAME=VALUE or --NAME VALUE, such as --max-retries 5"
            )
        if name not in SETTINGS:
            known = ", ".join(_spelt(each) for each in SETTINGS)
            raise InvalidInput(f"There is no setting {one_line(_spelt(name), 40)!r}.", f"There are: {known}.")
        values[name] = value
    return values


def _server(settings: Settings) -> str:
    from queuectl.manager.connection import address

    if not settings.redis_url:
        return "embedded server"
    try:
        return address(settings)
    except BadConfiguration:
        return "(can't be read)"


def _local(app: App) -> dict[str, tuple[str, str]]:
    settings = app.settings
    shown = {
        "home": settings.home,
        "redis_url": _server(settings),
        "namespace": settings.namespace,
        "appendfsync": settings.appendfsync,
        "insecure_redis": "yes" if settings.insecure_redis else "no",
        "allow_root": "yes" if settings.allow_root else "no",
    }
    return {name: (value, settings.origins[name]) for name, value in shown.items()}


def _stored(value: tuple[Any, bool]) -> tuple[Any, str]:
    """Return a value of the queue's configuration, and its origin."""
    return value[0], "server" if value[1] else "default"
