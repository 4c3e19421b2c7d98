"""`queuectl worker`: start, stop, resume, list."""

from __future__ import annotations

import os
import time
from typing import Any

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.command_line import command_line
from queuectl.cli.groups import Noun
from queuectl.cli.options import json_option, pool_options
from queuectl.cli.screens.messages import hint, note
from queuectl.cli.screens.terminal import is_terminal, print_json
from queuectl.cli.screens.values import quantity
from queuectl.cli.screens.workers import workers_table
from queuectl.cli.types import Seconds, WholeNumber
from queuectl.schema.results import pool_object, told_object
from queuectl.schema.worker import worker_object
from queuectl.worker.options import PoolOptions

EXIT_TIME_IS_UP = 124
"""As in timeout(1)."""


@click.group(name="worker", cls=Noun)
def worker_command() -> None:
    """Start, stop, resume and list workers.

    \b
    Examples:
      queuectl worker start --count 4
      queuectl worker start --count 4 --detach
      queuectl worker stop --wait
    """


@worker_command.command(name="start")
@pool_options
@click.option("--detach", "-d", is_flag=True, help="Run in the background; return once the workers are up.")
@click.option("--allow-root", is_flag=True, help="Run jobs as root, even after sudo or su.")
@click.option("--ready-fd", type=WholeNumber(0), hidden=True)
@json_option
@pass_app
@click.pass_context
def start(
    ctx: click.Context,
    app: App,
    /,
    detach: bool,
    allow_root: bool,
    ready_fd: int | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Start workers, and run jobs until they are stopped.

    \b
    Examples:
      queuectl worker start --count 4            # until Ctrl-C
      queuectl worker start --count 4 --detach   # in the background
      queuectl worker start --burst              # until all work is done

    A TIME is in seconds, or has a unit: 90s, 10m, 2h.

    The first SIGTERM or Ctrl-C finishes the running jobs; the second kills them and puts them back into the
    queue at once, without counting an attempt.
    """
    from queuectl.worker.pool import start as pools

    if given["verbose"] is None:
        given["verbose"] = is_terminal("stderr") and not detach
    options = PoolOptions(**given)
    if ready_fd is not None:
        ctx.exit(pools.run_for_starter(app.settings, options, ready_fd))

    def warn() -> None:
        _warn_of_losses(app)

    if detach:
        pid = pools.start_in_background(app.storage, options, allow_root=allow_root, about_to_start=warn)
        if as_json:
            print_json(pool_object(pid, options.workers))
        else:
            click.echo(f"Started {quantity(options.workers, 'worker')} in the background (pid {pid}).")
        return

    def ready() -> None:
        up = f"{quantity(options.workers, 'worker')} started (pid {os.getpid()})."
        hint(f"{up} Ctrl-C finishes the running jobs, then stops.")

    ctx.exit(pools.run_here(app.storage, options, allow_root=allow_root, about_to_start=warn, ready=ready))


def _warn_of_losses(app: App) -> None:
    """Warn if jobs could be lost: a queue survives its server only as far as the server writes to disk."""
    if danger := app.workers.danger():
        note(danger, after="Warning: ")


@worker_command.command(name="stop")
@click.option("--wait", is_flag=True, help="Return only when the last worker has stopped.")
@click.option("--timeout", type=Seconds(0, 366 * 86_400), metavar="TIME",
              help="With --wait: give up after this time, with exit code 124.")  # fmt: skip
@json_option
@pass_app
@click.pass_context
def stop(ctx: click.Context, app: App, wait: bool, timeout: float | None, as_json: bool) -> None:
    """Stop all workers gracefully: on every host, each finishes its job, then stops.

    \b
    Examples:
      queuectl worker stop
      queuectl worker stop --wait --timeout 10m
    """
    if timeout is not None and not wait:
        raise click.UsageError("--timeout says how long to wait: it goes with --wait.")
    told = app.workers.stop()
    if as_json:
        print_json(told_object(told))
    elif told:
        click.echo(f"Told {quantity(told, 'worker')} to stop; running jobs are finished first.")
    else:
        click.echo("No worker is running.")
        hint("Jobs wait until:", command_line("worker resume"))
    if not wait:
        return
    left = app.workers.wait_until_stopped(timeout)
    if left:
        note(f"{quantity(left, 'worker')} did not stop in time; they stop when their jobs are finished.")
        ctx.exit(EXIT_TIME_IS_UP)
    if told:
        from queuectl.host import host_name
        from queuectl.worker.pool.record import wait_for_marks

        wait_for_marks(app.settings, host_name())
    if told and not as_json:
        click.echo("All workers have stopped.")


@worker_command.command(name="resume")
@json_option
@pass_app
def resume(app: App, as_json: bool) -> None:
    """Restart the workers that `worker stop` stopped on this host, in the background.

    \b
    Examples:
      queuectl worker resume
    """
    from queuectl.worker.pool.start import restart_stopped

    was_stopped = app.workers.resume()
    pools = 0
    for pid, options in restart_stopped(app.settings):
        pools += 1
        if as_json:
            print_json(pool_object(pid, options.workers))
        else:
            click.echo(f"Started {quantity(options.workers, 'worker')} again (pid {pid}).")
    if not pools and not as_json:
        if not was_stopped:
            click.echo("Nothing was stopped.")
        elif app.workers.count():
            click.echo("Jobs may run again; workers that are still finishing theirs continue.")
        else:
            click.echo("Jobs may run again. No stopped pool is known on this host.")
            hint("Start workers with:", command_line("worker start --count 2"))


@worker_command.command(name="list")
@json_option
@pass_app
def list_workers(app: App, as_json: bool) -> None:
    """List the workers of all hosts.

    \b
    Examples:
      queuectl worker list
      queuectl worker list --json
    """
    workers = app.workers.all()
    if as_json:
        for worker in workers:
            print_json(worker_object(worker))
    elif workers:
        workers_table(workers, time.time())
    elif app.workers.are_stopped():
        hint("No worker is running: they were stopped. Go on with:", command_line("worker resume"))
    else:
        hint("No worker is running. Start some with:", command_line("worker start --count 2"))
