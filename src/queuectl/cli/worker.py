"""`queuectl worker`: start, stop, resume, list."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.options import Seconds, json_option
from queuectl.cli.output import hint, is_terminal, note, print_json, quantity, worker_object

MAX_WORKERS = 10_000
STOP_POLL_SECONDS = 0.1


@click.group(name="worker")
def worker_command() -> None:
    """Start, stop, resume and list workers.

    \b
    Examples:
      queuectl worker start --count 4
      queuectl worker start --count 4 --detach
      queuectl worker stop --wait
    """


@worker_command.command(name="start")
@click.option("--count", "-c", type=click.IntRange(1, MAX_WORKERS), default=1, show_default=True, metavar="N",
              help="Workers, each running one job at a time.")  # fmt: skip
@click.option("--detach", "-d", is_flag=True, help="Run in the background; return once the workers are up.")
@click.option("--burst", is_flag=True, help="End when nothing is pending, running or waiting for a retry.")
@click.option("--lease", type=Seconds(1, 86_400), metavar="TIME",
              help="How long a job stays with a worker that is not heard of (default: 30).")  # fmt: skip
@click.option("--grace", type=Seconds(0, 86_400), metavar="TIME",
              help="Between SIGTERM and SIGKILL for a job that is ended (default: 5).")  # fmt: skip
@click.option("--verbose/--quiet", "-v/-q", default=None, help="A line for each job (default: on a terminal).")
@click.option("--allow-root", is_flag=True, help="Run jobs as root, even after sudo or su.")
@click.option("--ready-fd", type=click.IntRange(0, 2**31 - 1), hidden=True)
@json_option
@pass_app
@click.pass_context
def start(
    ctx: click.Context,
    app: App,
    count: int,
    detach: bool,
    burst: bool,
    lease: float | None,
    grace: float | None,
    verbose: bool | None,
    allow_root: bool,
    ready_fd: int | None,
    as_json: bool,
) -> None:
    """Start workers, and run jobs until they are stopped.

    \b
    Examples:
      queuectl worker start --count 4            # until Ctrl-C
      queuectl worker start --count 4 --detach   # in the background
      queuectl worker start --burst              # until all work is done

    A TIME is in seconds, or has a unit: 90s, 10m, 2h.

    The first SIGTERM or Ctrl-C finishes the running jobs; the second ends them and puts them back into the
    queue at once, without counting an attempt.
    """
    from queuectl.worker.attempt.cgroup import enter_pool
    from queuectl.worker.options import DEFAULT_GRACE_SECONDS, DEFAULT_LEASE_SECONDS, PoolOptions
    from queuectl.worker.pool import superuser

    options = PoolOptions(
        workers=count,
        burst=burst,
        lease_seconds=DEFAULT_LEASE_SECONDS if lease is None else lease,
        grace_seconds=DEFAULT_GRACE_SECONDS if grace is None else grace,
        verbose=is_terminal("stderr") if verbose is None else verbose,
    )
    if ready_fd is None:
        superuser.check(allowed=allow_root or app.settings.allow_root)
    # Before an embedded server is started: who stands in a group keeps it from being divided.
    base = None if detach else enter_pool()
    if ready_fd is None:
        _begin_anew(app)
        _warn_of_losses(app)
    else:
        os.set_inheritable(ready_fd, False)  # it is ours, and no job's
    if detach:
        from queuectl.worker.pool.detach import start_detached

        pid = start_detached(app.settings, options._replace(verbose=bool(verbose)))
        if as_json:
            print_json({"pid": pid, "workers": count})
        else:
            click.echo(f"Started {quantity(count, 'worker')} in the background (pid {pid}).")
        return
    from queuectl.worker.pool.pool import Pool
    from queuectl.worker.report import Reporter

    if ready_fd is not None:
        Reporter.share_file(os.getpid())

    def ready() -> None:
        hint(f"{quantity(count, 'worker')} started (pid {os.getpid()}). Ctrl-C finishes the running jobs and ends.")
        if ready_fd is not None:
            with suppress(OSError):  # whoever waited for it has gone; the pool has work to do all the same
                os.write(ready_fd, b"ready\n")
            os.close(ready_fd)

    app.storage.close()
    ctx.exit(Pool(app.settings, options, ready, base).run())


def _begin_anew(app: App) -> None:
    """Whoever starts workers wants them to run: take a stop back, and forget the pools that it ended."""
    from queuectl.host import host_name
    from queuectl.worker.pool.record import take_stopped

    app.manager.resume_workers()
    for _ in take_stopped(app.settings, host_name()):
        pass


def _warn_of_losses(app: App) -> None:
    """Once, to whoever starts workers: a queue outlives its server only by what that has on its disk."""
    from queuectl.storage.connect import server_url
    from queuectl.storage.session import APPEND_ONLY_HINT

    if app.settings.redis_url and app.storage.lacks_append_only_file():
        note(
            f"The server {server_url(app.settings).redacted()} keeps no append-only file: should it die, all that"
            f" it acknowledged since its last snapshot is lost. To keep it, {APPEND_ONLY_HINT}",
            after="Warning: ",
        )


@worker_command.command(name="stop")
@click.option("--wait", is_flag=True, help="Return only when the last worker has ended.")
@json_option
@pass_app
def stop(app: App, wait: bool, as_json: bool) -> None:
    """Stop all workers gracefully: on every host, each finishes its job, and ends.

    \b
    Examples:
      queuectl worker stop
      queuectl worker stop --wait
    """
    told = app.manager.stop_workers()
    if as_json:
        print_json({"told": told})
    elif told:
        click.echo(f"Told {quantity(told, 'worker')} to stop; running jobs are finished first.")
    else:
        click.echo("No worker is running.")
    while wait and app.storage.overview().workers:
        time.sleep(STOP_POLL_SECONDS)
    if wait and told and not as_json:
        click.echo("All workers have ended.")


@worker_command.command(name="resume")
@json_option
@pass_app
def resume(app: App, as_json: bool) -> None:
    """Take a stop back: start the pools again that `worker stop` ended on this host, in the background.

    \b
    Examples:
      queuectl worker resume
    """
    from queuectl.host import host_name
    from queuectl.worker.pool.detach import start_detached
    from queuectl.worker.pool.record import take_stopped

    was_stopped = app.manager.resume_workers()
    pools = 0
    for pool in take_stopped(app.settings, host_name()):
        pools += 1
        pid = start_detached(app.settings, pool.options)
        if as_json:
            print_json({"pid": pid, "workers": pool.options.workers})
        else:
            click.echo(f"Started {quantity(pool.options.workers, 'worker')} again (pid {pid}).")
    if not pools and not as_json:
        if not was_stopped:
            click.echo("Nothing was stopped.")
        elif app.storage.overview().workers:
            click.echo("Jobs may run again; workers that still finish theirs go on.")
        else:
            click.echo("Jobs may run again. No stopped pool is known on this host.")
            hint("Start workers with: queuectl worker start --count 2")


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
    from queuectl.cli.status import print_workers

    status = app.manager.status()
    workers = status.workers
    if as_json:
        for worker in workers:
            print_json(worker_object(worker))
    elif workers:
        print_workers(workers)
    elif status.stopped:
        hint("No worker is running: they were stopped. Go on with: queuectl worker resume")
    else:
        hint("No worker is running. Start some with: queuectl worker start --count 2")
