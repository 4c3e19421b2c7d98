"""`queuectl server`: the embedded server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.options import json_option
from queuectl.cli.output import pairs, print_json, span
from queuectl.errors import QueuectlError

if TYPE_CHECKING:
    from queuectl.server.embedded import EmbeddedServer


@click.group(name="server")
def server_command() -> None:
    """The embedded server. It is started by the first command that needs it; you need none of these.

    \b
    Examples:
      queuectl server status
      queuectl server stop
    """


@server_command.command(name="start")
@pass_app
def start(app: App) -> None:
    """Start the embedded server, if it is not running.

    \b
    Examples:
      queuectl server start
    """
    click.echo(f"The server is running at {_embedded(app).ensure_running()}")


@server_command.command(name="stop")
@pass_app
def stop(app: App) -> None:
    """Stop the embedded server. All jobs are kept; the next command starts it again.

    \b
    Examples:
      queuectl server stop
    """
    click.echo("The server was stopped." if _embedded(app).stop() else "The server was not running.")


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
        print_json(server._asdict())
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
@pass_app
def path(app: App) -> None:
    """Print the path of the server's socket, for redis-cli -s or valkey-cli -s.

    \b
    Examples:
      redis-cli -s "$(queuectl server path)" LLEN queuectl:jobs
    """
    from queuectl.server.paths import socket_path

    _embedded(app)
    click.echo(socket_path(app.settings.home))


def _embedded(app: App) -> EmbeddedServer:
    from queuectl.server.embedded import EmbeddedServer

    if app.settings.redis_url:
        from queuectl.storage.open import server_url

        raise QueuectlError(
            f"the server is {server_url(app.settings).redacted()}, not the embedded one",
            "It is not queuectl's to start or stop. Unset QUEUECTL_REDIS_URL to use the embedded server",
        )
    return EmbeddedServer(app.settings.home, app.settings.appendfsync)
