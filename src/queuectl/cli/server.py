"""`queuectl server`: the embedded server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.command_line import command_line
from queuectl.cli.groups import Noun
from queuectl.cli.options import json_option
from queuectl.cli.screens.messages import hint, note
from queuectl.cli.screens.table import pairs
from queuectl.cli.screens.terminal import is_terminal, print_json
from queuectl.cli.screens.values import span
from queuectl.errors import QueuectlError
from queuectl.schema.results import server_object, socket_object, stopped_object
from queuectl.schema.server import backup_object, finding_object, repair_object, restored_object
from queuectl.text import printable

if TYPE_CHECKING:
    from queuectl.server.checkup import Finding
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


@server_command.command(name="check")
@click.option("--acknowledge", is_flag=True, help="Forget the losses that `status` shows.")
@json_option
@pass_app
@click.pass_context
def check(ctx: click.Context, app: App, acknowledge: bool, as_json: bool) -> None:
    """Check whether the embedded server can read its data. It may be running.

    \b
    Examples:
      queuectl server check
      queuectl server check --acknowledge

    A short-lived server reads a copy, which takes as much memory as the data. Changed bytes within a value are not
    found: the append-only file has no checksums. Exit code 1: a problem was found.
    """
    from queuectl.server import losses, repair

    _embedded(app)
    home = app.settings.home
    finding = repair.check(home)
    lost = losses.of(home)
    if acknowledge:
        losses.acknowledge(home)
    if as_json:
        print_json(finding_object(finding, lost))
    else:
        _show_finding(finding)
        for loss in lost:
            click.echo(f"{printable(loss.words)}{' Acknowledged.' if acknowledge else ''}")
    ctx.exit(1 if finding.problems else 0)


@server_command.command(name="repair")
@json_option
@pass_app
def repair_command(app: App, as_json: bool) -> None:
    """Repair the embedded server's data: keep what it can read. A copy of all files is kept first.

    \b
    Examples:
      queuectl server check
      queuectl server repair

    Everything from the first damaged place on is cut off; it was written last. Stop the server first.
    """
    from queuectl.server import repair

    _embedded(app)
    done = repair.repair(app.settings.home)
    if as_json:
        print_json(repair_object(done))
        return
    _show_finding(done.finding, repaired=True)
    if done.copy:
        click.echo(f"The files as they were: {printable(done.copy)}")
        hint("Check the jobs as well:", command_line("fsck"))


@server_command.command(name="backup")
@click.argument("file", type=click.Path(dir_okay=False))
@json_option
@pass_app
def backup(app: App, file: str, as_json: bool) -> None:
    """Write all data of the embedded server into a new file. It may be running.

    \b
    Examples:
      queuectl server backup queue.tar
      queuectl server backup "/mnt/backups/queue-$(date +%F).tar"

    The file holds every job that was acknowledged before, of all namespaces, and only you can read it. Logs are not
    in it. The data are checked first.
    """
    from queuectl.server.backup import backup

    _embedded(app)
    size = backup(app.settings.home, file)
    if as_json:
        print_json(backup_object(file, size))
    else:
        click.echo(f"{printable(file)} holds the data: {size:,} bytes.")


@server_command.command(name="restore")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--replace", is_flag=True, help="Replace the data that are here; they are kept in a folder beside.")
@json_option
@pass_app
def restore(app: App, file: str, replace: bool, as_json: bool) -> None:
    """Take the embedded server's data from a file that `server backup` wrote. Stop the server first.

    \b
    Examples:
      queuectl server restore queue.tar
      queuectl server restore queue.tar --replace

    Jobs that have ended since the backup are as they were then: what was pending runs again.
    """
    from queuectl.server.backup import restore

    _embedded(app)
    done = restore(app.settings.home, file, replace=replace)
    if as_json:
        print_json(restored_object(file, done))
        return
    click.echo(f"The data were restored from {printable(file)}.")
    if done.copy:
        click.echo(f"The data that were here: {printable(done.copy)}")


def _show_finding(finding: Finding, *, repaired: bool = False) -> None:
    for problem in finding.problems:
        click.echo(printable(problem))
    if not finding.problems:
        click.echo(f"The data are whole: {finding.size:,} bytes." if finding.size else "There are no data yet.")
    elif finding.kept is None:
        note("Nothing of this can be read. Restore a backup:", command_line("server restore FILE --replace"))
    elif repaired:
        click.echo(f"Repaired: {finding.size - finding.lost:,} bytes were kept, {finding.lost:,} were cut off.")
    else:
        note(
            f"A repair keeps {finding.size - finding.lost:,} bytes, and cuts off {finding.lost:,}:",
            command_line("server repair"),
        )


def _embedded(app: App) -> EmbeddedServer:
    from queuectl.server.embedded import EmbeddedServer

    if app.settings.redis_url:
        from queuectl.manager.connection import address

        raise QueuectlError(
            f"The server is {address(app.settings)}, not the embedded one.",
            "queuectl did not start it and does not stop it. Where its URL is set: queuectl config show --origin",
        )
    return EmbeddedServer(app.settings.home, app.settings.appendfsync)
