"""`queuectl server`: the embedded server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.groups import Noun
from queuectl.cli.options import json_option
from queuectl.cli.screens.table import pairs
from queuectl.cli.screens.terminal import is_terminal, print_json
from queuectl.cli.screens.values import span
from queuectl.errors import QueuectlError
from queuectl.schema.results import server_object, socket_object, stopped_object
from queuectl.text import printable

if TYPE_CHECKING:
    from queuectl.server.embedded import EmbeddedServer


@click.group(name="server", cls=Noun)
def server_command() -> None:
    """The embedded server. The first command that needs it starts it; you need none of these commands.

    \b
    Examples:
      queuectl server status
      queuectl server stop
    """


@server_command.command(name="start")
@json_option
@pass_app
def start(app: App, as_json: bool) -> None:
    """Start the embedded server, if it is not running.

    \b
    Examples:
      queuectl server start
    """
    socket = _embedded(app).ensure_running()
    if as_json:
        print_json(socket_object(socket))
    else:
        click.echo(f"The server is running at {printable(socket)}")


@server_command.command(name="stop")
@click.option("--force", is_flag=True, help="Stop it even if workers are up; they start it again.")
@json_option
@pass_app
def stop(app: App, force: bool, as_json: bool) -> None:
    """Stop the embedded server. All jobs are kept; the next command starts it again.

    \b
    Examples:
      queuectl server stop
    """
    server = _embedded(app)
    if not force and server.status().running and app.workers.use_this_server():
        raise QueuectlError(
            "Workers are up, and would start the server again at once.",
            "Stop them first, in every namespace that has any: queuectl worker stop --wait",
        )
    app.disconnect()
    stopped = server.stop()
    if as_json:
        print_json(stopped_object(stopped=stopped))
    else:
        click.echo("The server was stopped." if stopped else "The server was not running.")


@server_command.command(name="status")
@json_option
@pass_app
def status(app: App, as_json: bool) -> None:
    """Show whether the embedded server runs, and what it holds.

    \b
    Examples:
      queuectl server status
    """
    server = _embedded(app).status()
    if as_json:
        print_json(server_object(server))
        return
    values = {"state": "running" if server.running else "stopped", "socket": server.socket, "data": server.data_dir}
    if server.running:
        values |= {
            "server": f"{server.name} {server.version}",
            "pid": str(server.pid),
            "up": span(server.uptime_seconds or 0),
            "memory": f"{(server.used_memory_bytes or 0) / 1_048_576:.1f} MiB",
            "log on disk": f"{(server.aof_bytes or 0) / 1_048_576:.1f} MiB",
        }
    pairs(values)


@server_command.command(name="path")
@json_option
@pass_app
def path(app: App, as_json: bool) -> None:
    """Print the path of the server's socket, for redis-cli -s or valkey-cli -s.

    \b
    Examples:
      redis-cli -s "$(queuectl server path)" LLEN queuectl:jobs
    """
    from queuectl.server.paths import socket_path

    _embedded(app)
    socket = socket_path(app.settings.home)
    if as_json:
        print_json(socket_object(socket))
    else:
        # The exact bytes of the name, for programs; it need not be text.
        click.echo(printable(socket) if is_terminal() else os.fsencode(socket))


def _embedded(app: App) -> EmbeddedServer:
    from queuectl.server.embedded import EmbeddedServer

    if app.settings.redis_url:
        from queuectl.manager.connection import address

        raise QueuectlError(
            f"The server is {address(app.settings)}, not the embedded one.",
            "queuectl did not start it and does not stop it. Where its URL is set: queuectl config show --origin",
        )
    return EmbeddedServer(app.settings.home, app.settings.appendfsync)
