"""`queuectl config`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.options import json_option, setting_options
from queuectl.cli.output import pairs, print_json, span, table, terminal_width
from queuectl.errors import BadConfiguration, QueuectlError
from queuectl.options.values import number_text

if TYPE_CHECKING:
    from queuectl.settings import Settings

NARROW = 60


@click.group(name="config")
def config_command() -> None:
    """Settings of the whole queue, kept in the server; and where this machine's own come from.

    \b
    Examples:
      queuectl config show
      queuectl config set --max-retries 5 --backoff-base 2 --backoff-factor 3
      queuectl config reset
    """


@config_command.command(name="show")
@click.option("--origin", is_flag=True, help="Where each value comes from, and this machine's settings too.")
@json_option
@pass_app
def show(app: App, origin: bool, as_json: bool) -> None:
    """Show the current configuration.

    \b
    Examples:
      queuectl config show
      queuectl config show --origin
    """
    values: dict[str, tuple[str, str]] = {}
    trouble: QueuectlError | None = None
    try:
        for name, (value, was_set) in app.manager.config().items():
            values[name] = (number_text(value), "server" if was_set else "default")
    except QueuectlError as error:
        if not origin:
            raise
        trouble = error  # where the server's address comes from is what its user wants to know now
    if origin:
        values |= _local(app)
    if as_json:
        print_json(
            {
                name: {"value": _plain(text), "origin": where} if origin else _plain(text)
                for name, (text, where) in values.items()
            }
        )
    elif origin and terminal_width() < NARROW:
        pairs({name: f"{_meaning(name, text)}, {where}" for name, (text, where) in values.items()})
    else:
        headings = ["SETTING", "VALUE", "ORIGIN"] if origin else ["SETTING", "VALUE"]
        table(
            headings,
            [[name, _meaning(name, text), where][: len(headings)] for name, (text, where) in values.items()],
        )
    if trouble is not None:
        raise trouble


@config_command.command(name="set")
@setting_options
@json_option
@pass_app
def set_(app: App, /, as_json: bool, **changes: Any) -> None:
    """Change settings. Jobs take retry settings when they are enqueued: those that exist keep theirs.

    \b
    Examples:
      queuectl config set --max-retries 5 --backoff-base 2 --backoff-factor 3
      queuectl config set --timeout 1h --completed-retention 30d

    A TIME is in seconds, or has a unit: 90s, 10m, 2h, 7d.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        raise click.UsageError("Name at least one setting, such as --max-retries 5.")
    app.manager.configure(given)
    current = app.manager.config()
    if as_json:
        print_json({name: _plain(number_text(current[name][0])) for name in given})
        return
    for name in given:
        click.echo(f"{name} = {_meaning(name, number_text(current[name][0]))}")


@config_command.command(name="reset")
@json_option
@pass_app
def reset(app: App, as_json: bool) -> None:
    """Reset the configuration to its default values.

    \b
    Examples:
      queuectl config reset
    """
    app.manager.reset_config()
    if as_json:
        print_json({name: _plain(number_text(value)) for name, (value, _) in app.manager.config().items()})
    else:
        click.echo("The configuration has its default values again.")


def _meaning(name: str, text: str) -> str:
    """A value as people read it: lengths of time in their units too, and 0 where it means none."""
    if name == "timeout" and text == "0":
        return "0 (none)"
    if name.endswith("_retention") and float(text) >= 60:
        return f"{text} ({span(float(text))})"
    return text


def _server(settings: Settings) -> str:
    from queuectl.storage.connect import server_url

    if not settings.redis_url:
        return "embedded server"
    try:
        return server_url(settings).redacted()
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


def _plain(text: str) -> int | float | str:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text
