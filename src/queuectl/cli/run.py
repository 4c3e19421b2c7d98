"""`queuectl run`."""

from __future__ import annotations

import os
import signal
from typing import Any

import click

from queuectl.cli.app import App, pass_app
from queuectl.cli.enqueue import CommandWithDashes, command_bytes
from queuectl.cli.options import policy_options, timeout_option
from queuectl.cli.output import SHORT_ID, note, quantity
from queuectl.errors import QueuectlError
from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState

TIMED_OUT = 124
"""Exit code for a job that ran out of time, as timeout(1) gives it."""

CANCELLED = 125


@click.command(cls=CommandWithDashes, name="run")
@click.argument("words", nargs=-1, required=True, metavar="COMMAND", type=click.UNPROCESSED)
@timeout_option
@policy_options
@click.option("--raw", is_flag=True, help="On a terminal: don't take control characters out of the output.")
@pass_app
@click.pass_context
def run_command(ctx: click.Context, app: App, /, words: tuple[str, ...], raw: bool, **options: Any) -> None:
    """Enqueue a job, follow its output, and exit with its exit code.

    \b
    Examples:
      queuectl run 'make check'
      queuectl run --timeout 60 --max-retries 0 -- ./deploy.sh staging

    It waits for its turn in the queue. If no worker is up, a temporary one is started and ended with the job.
    Exit code 124: timed out; 125: cancelled. Ctrl-C leaves the job in the queue.
    """
    from queuectl.cli.logs import Output, follow_job
    from queuectl.queue_manager import JobOptions

    before = app.storage.overview()
    if before.stopped:
        raise QueuectlError("the workers are stopped, so the job would wait", "Go on with: queuectl worker resume")
    job_id = app.manager.enqueue(command_bytes(ctx, words), JobOptions(**options))
    pool = None if before.workers else _temporary_pool(app, before.jobs[JobState.PENDING])
    try:
        follow_job(app, job_id, Output(raw))
    except KeyboardInterrupt:
        note(f"\nThe job stays in the queue. Follow it again with: queuectl logs -f {job_id[:SHORT_ID]}")
        raise
    finally:
        if pool is not None:
            os.kill(pool, signal.SIGTERM)
    job = app.manager.job(job_id)
    if job.status is not JobState.COMPLETED:
        note(f"Job {job_id[:SHORT_ID]} is {job.status.value}: {job.reason}")
    ctx.exit(_exit_code(job))


def _temporary_pool(app: App, ahead: int) -> int:
    from queuectl.worker.detach import start_detached
    from queuectl.worker.options import PoolOptions

    waiting = f"; {quantity(ahead, 'job')} before it" if ahead else ""
    note(f"No worker is running: starting one until the job is over{waiting}.")
    return start_detached(app.settings, PoolOptions(workers=1))


def _exit_code(job: Job) -> int:
    if job.status is JobState.CANCELLED:
        return CANCELLED
    if job.exit_code is not None:
        return job.exit_code
    return TIMED_OUT if job.reason.startswith("timed out") else 1
