"""`queuectl run`."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.enqueue import CommandWithDashes, command_bytes
from queuectl.cli.options import limit_options, policy_options, timeout_option
from queuectl.cli.output import SHORT_ID, note, quantity
from queuectl.errors import QueuectlError, ServerUnreachable
from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState
from queuectl.model.reason import TIMED_OUT

EXIT_TIMED_OUT = 124
"""Exit code for a job that ran out of time, as timeout(1) gives it."""

EXIT_CANCELLED = 125

LOOK_SECONDS = 5.0
"""Between two looks whether there is a worker."""


@click.command(cls=CommandWithDashes, name="run")
@click.argument("words", nargs=-1, required=True, metavar="COMMAND", type=click.UNPROCESSED)
@timeout_option
@policy_options
@limit_options
@click.option("--raw", is_flag=True, help="On a terminal: don't take control characters out of the output.")
@pass_app
@click.pass_context
def run_command(ctx: click.Context, app: App, /, words: tuple[str, ...], raw: bool, **options: Any) -> None:
    """Enqueue a job, follow its output, and exit with its exit code.

    \b
    Examples:
      queuectl run 'make check'
      queuectl run --timeout 60 --max-retries 0 -- ./deploy.sh staging

    It waits for its turn in the queue. If no worker is up, a temporary one is started and ended with the job;
    until then it runs what else waits, too. A TIME is in seconds, or has a unit: 90s, 10m. A SIZE is in bytes, or
    has one: 512M, 2G. Exit code 124: timed out; 125: cancelled. Ctrl-C leaves the job in the queue.
    """
    from queuectl.cli.logs import Output, follow_job
    from queuectl.manager.queue_manager import JobOptions

    helper = TemporaryPool(app)
    helper.check()
    job_id = app.manager.enqueue(command_bytes(ctx, words), JobOptions(**options))
    helper.look()
    try:
        follow_job(app, job_id, Output(raw), from_first=True, meanwhile=helper.look, writes_here=helper.is_here)
    except KeyboardInterrupt:
        click.echo("", err=True)
        note(f"The job goes on. Follow it with: queuectl logs -f {job_id[:SHORT_ID]}")
        raise
    helper.end()
    job = app.manager.job(job_id)
    ctx.exit(_exit_code(job))


class TemporaryPool:
    """One worker for as long as the job needs it, if there is no other, or no other any more."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._pid = 0
        self._next_look = 0.0

    def check(self) -> None:
        """Refuse to enqueue what would only wait."""
        overview = self._app.storage.overview()
        if overview.stopped:
            raise QueuectlError(
                "The workers are stopped: the job would wait for them.", "Go on with: queuectl worker resume"
            )
        if not overview.workers:
            from queuectl.worker.pool import superuser

            superuser.check(allowed=self._app.settings.allow_root)

    def look(self) -> None:
        """From time to time: is any worker up? A pool that was killed is noticed here, too."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        try:
            self._see_to_it()
        except ServerUnreachable:
            pass  # the job's watcher waits for it to come back, and so do we

    def _see_to_it(self) -> None:
        from queuectl.host import host_name
        from queuectl.worker.options import PoolOptions
        from queuectl.worker.pool.cleanup import clean_up_dead_pools
        from queuectl.worker.pool.detach import start_detached

        clean_up_dead_pools(self._app.settings, self._app.storage, host_name())
        overview = self._app.storage.overview()
        if overview.workers or overview.stopped:
            return
        # In a burst, so that after a Ctrl-C it runs the job to its end, and then ends by itself.
        ahead = overview.jobs[JobState.PENDING] - 1
        before = f"; {quantity(ahead, 'job')} before it" if ahead > 0 else ""
        note(f"No worker is running: starting one until the job is over{before}.")
        self._pid = start_detached(self._app.settings, PoolOptions(workers=1, burst=True))

    def is_here(self, job: Job) -> bool:
        """Whether a worker that writes into this state folder has run the job."""
        from queuectl.host import host_name
        from queuectl.worker.pool.record import works_here

        if job.host != host_name():
            return False
        return bool(self._pid) or works_here(self._app.settings, job.worker)

    def end(self) -> None:
        """The job is over."""
        if self._pid:
            try:
                os.kill(self._pid, signal.SIGTERM)
            except ProcessLookupError:
                pass  # it had nothing left to do


def _exit_code(job: Job) -> int:
    if job.status is JobState.CANCELLED:
        return EXIT_CANCELLED
    if job.exit_code is not None:
        return job.exit_code
    return EXIT_TIMED_OUT if job.reason.startswith(TIMED_OUT) else 1
